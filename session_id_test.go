package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// library stands for a package of sessions that the application has: a cookie with
// an id.
type library struct{}

type librarySession struct {
	mu sync.Mutex // guards what follows
	id string
}

func (library) of(r *http.Request) *librarySession {
	s, _ := r.Context().Value(library{}).(*librarySession)
	return s
}

func (l library) id(r *http.Request) string {
	s := l.of(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// renew gives the visitor another id.
func (l library) renew(w http.ResponseWriter, r *http.Request, id string) {
	s := l.of(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = id
	http.SetCookie(w, &http.Cookie{Name: "app", Value: id, Path: "/"})
}

func (library) load(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &librarySession{}
		if c, err := r.Cookie("app"); err == nil {
			s.id = c.Value
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), library{}, s)))
	})
}

// withLibrary serves a shop whose sessions are the library's. /login/ann?id=… signs
// in after a renewal to that id, if there is one.
func withLibrary(t *testing.T) *shop {
	t.Helper()
	var l library
	s := emptyShop()
	s.front, s.outer = s.storefront("shop", nil), l.load
	s.open(t, &bearer.MiddlewareOptions{SessionID: l.id})
	s.HandleFunc("/renewed/{who}", func(w http.ResponseWriter, r *http.Request) {
		for _, id := range r.URL.Query()["id"] {
			l.renew(w, r, id)
		}
		s.login(w, r, s.idp.login(r.PathValue("who"), true))
	})
	return s
}

// longID is one that nobody guesses.
func longID(c string) string { return strings.Repeat(c, 16) }

func TestSessionID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withLibrary(t)
		b := s.tab(t)
		b.want("/token", "guest-shop")
		wantRefused := func(path, want string) {
			t.Helper()
			if r := b.get(path); r.status != http.StatusConflict || !strings.Contains(r.body, want) {
				t.Errorf("GET %s = %d %q, want an error with %q", path, r.status, r.body, want)
			}
			b.want("/token", "guest-shop")
			if got := s.stored(); got != "map[]" {
				t.Errorf("the storage has %s, want nothing", got)
			}
		}
		wantRefused("/login/ann", "empty id")
		wantRefused("/renewed/ann?id="+longID("a")[:15], "shorter than 16 bytes")
		b.want("/state", "guest")
		b.want("/logout", "")
		wantRefused("/login/ann", "shorter than 16 bytes") // the one that it came with

		r := b.want("/renewed/ann?id="+longID("a"), fmt.Sprintf("access-ann-%d", s.idp.n+1))
		r.wantCache(t, private, "Cookie")
		if c := r.oneCookie(t); c.Name != "app" {
			t.Errorf("Set-Cookie = %q, want the application's alone", c.Raw)
		}
		ann := fmt.Sprintf("access-ann-%d", s.idp.n)
		b.want("/token", ann).wantNoCookie(t)
		b.want("/state", "customer")
		if got := s.stored(); strings.Contains(got, longID("a")) {
			t.Error("the storage has the id")
		}
		pass(30 * time.Minute)
		b.want("/token", ann).wantNoCookie(t)

		b.want("/logout", "").wantNoCookie(t)
		b.want("/token", "guest-shop")
		if r := b.get("/login/ann"); r.status != http.StatusConflict || !strings.Contains(r.body, "give the visitor a new one") {
			t.Errorf("a login with the same id was answered %d %q, want an error that says what to do", r.status, r.body)
		}
		b.want("/token", "guest-shop")
	})
}

// The id that somebody may have planted is worth nothing after the login.
func TestSessionIDFixation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withLibrary(t)
		b := s.tab(t)
		if r := b.get("/login/ann", "Cookie", "app="+longID("x")); r.status != http.StatusConflict || s.stored() != "map[]" {
			t.Errorf("a login with the id of before was answered %d %q, and the storage has %s", r.status, r.body, s.stored())
		}
		s.idp.n = 0
		b.get("/renewed/ann?id=" + longID("a"))
		if r := b.get("/login/bob"); r.status != http.StatusConflict || !strings.Contains(r.body, "give the visitor a new one") {
			t.Errorf("a login with the id of before was answered %d %q", r.status, r.body)
		}
		b.want("/token", "access-ann-1") // nothing has changed
		old := b.old()
		b.want("/renewed/bob?id="+longID("b"), "access-bob-3")
		b.want("/token", "access-bob-3")
		old.want("/token", "guest-shop")
		s.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1")

		// Not even if it is given back.
		if r := b.get("/renewed/cid?id=" + longID("c") + "&id=" + longID("b")); r.status != http.StatusConflict {
			t.Errorf("a login with the id of before was answered %d %q", r.status, r.body)
		}
	})
}

// Twice in one request takes two ids.
func TestSessionIDTwiceInOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withLibrary(t)
		var l library
		s.HandleFunc("/twice", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			set := func(who string) error { return sess.SetCustomer(r.Context(), s.idp.login(who, true)) }
			w.(http.Flusher).Flush() // we need no header
			l.renew(&recorded{header: http.Header{}}, r, longID("b"))
			fmt.Fprintln(w, set("ann"), set("bob") != nil)
			l.renew(&recorded{header: http.Header{}}, r, longID("c"))
			fmt.Fprintln(w, set("bob"))
			s.token(w, r)
		})
		s.tab(t).want("/twice", "<nil> true\n<nil>\naccess-bob-3")
		synctest.Wait()
		s.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1")
	})
}

// A storage that fails has not used up the new id.
func TestSessionIDStorageFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withLibrary(t)
		var l library
		s.HandleFunc("/retry", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			l.renew(w, r, longID("b"))
			s.shelf.failing(errDown, "swap")
			err := sess.SetCustomer(r.Context(), s.idp.login("ann", true))
			s.shelf.faults(nil, nil)
			fmt.Fprint(w, err != nil, sess.SetCustomer(r.Context(), s.idp.login("ann", true)))
		})
		b := s.tab(t)
		b.want("/retry", "true <nil>")
		b.want("/token", "access-ann-2")
	})
}

// The application may end or renew its own session before the customer signs out.
func TestSessionIDChangesBeforeLogout(t *testing.T) {
	for name, next := range map[string]string{"ended": "", "renewed": longID("b")} {
		for _, used := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", used ", used), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := withLibrary(t)
					var l library
					s.HandleFunc("/leave", func(w http.ResponseWriter, r *http.Request) {
						sess, _ := bearer.FromContext(r.Context())
						if used {
							s.front.TokenContext(r.Context())
						}
						l.renew(w, r, next)
						fmt.Fprint(w, sess.Logout(r.Context()))
					})
					b := s.tab(t)
					b.get("/renewed/ann?id=" + longID("a"))
					old := b.old()
					b.want("/leave", "<nil>")
					s.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1")
					old.want("/token", "guest-shop")
					b.want("/token", "guest-shop")
				})
			})
		}
	}
}

// After an error nobody is signed in under the application's id, though the write may
// have been done; and if that cannot be seen to, the error says so.
func TestSessionIDWriteSeemsToFail(t *testing.T) {
	for _, undone := range []bool{true, false} {
		t.Run(fmt.Sprint("undone ", undone), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := withLibrary(t)
				b := s.tab(t)
				s.shelf.faults(nil, func(_ context.Context, op, _ string) error {
					if op != "swap" {
						return nil
					}
					s.shelf.faults(nil, nil)
					if !undone {
						s.shelf.failing(errDown, "swap")
					}
					return errDown
				})
				r := b.get("/renewed/ann?id=" + longID("a"))
				want := "nobody is signed in"
				if !undone {
					want = "give the visitor another session id"
				}
				if r.status != http.StatusConflict || !strings.Contains(r.body, want) {
					t.Errorf("SetCustomer: %d %q, want an error with %q", r.status, r.body, want)
				}
				s.shelf.failing(nil)
				if undone {
					b.want("/token", "guest-shop")
				}
			})
		})
	}
}

// Somebody else's record under the new id is not touched.
func TestSessionIDTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withLibrary(t)
		ann, bob := s.tab(t), s.tab(t)
		ann.get("/renewed/ann?id=" + longID("a"))
		if r := bob.get("/renewed/bob?id=" + longID("a")); r.status != http.StatusConflict {
			t.Errorf("a login with somebody's id was answered %d %q, want an error", r.status, r.body)
		}
		ann.want("/token", "access-ann-1")
	})
}

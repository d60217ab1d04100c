package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// tryLogin has the visitor sign in as who at /try, after what happens there before, and
// reports how often a token was asked for.
func (s *shop) tryLogin(who string, before func(s *shop, w http.ResponseWriter, r *http.Request)) (asked *int, failed *error) {
	asked, failed = new(int), new(error)
	s.HandleFunc("/try", func(w http.ResponseWriter, r *http.Request) {
		before(s, w, r)
		sess, _ := bearer.FromContext(r.Context())
		*failed = sess.Login(context.WithoutCancel(r.Context()), func(context.Context) (*bearer.Token, error) {
			*asked++
			return s.idp.login(who, true), nil
		})
	})
	return asked, failed
}

// A token that nobody could keep would be good for as long as it lives, and perhaps the
// visitor's password or single sign-on be used up for it.
func TestLoginAsksForNothingInVain(t *testing.T) {
	var l library
	tests := []struct {
		name   string
		open   func(t *testing.T) *shop
		before func(s *shop, w http.ResponseWriter, r *http.Request)
		want   string
	}{
		{"the answer is begun", plainShop, func(_ *shop, w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }, "before writing the answer"},
		{"the request has ended", impatientShop, func(_ *shop, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "the request has ended"},
		{"nowhere to keep it", func(t *testing.T) *shop {
			s := emptyShop()
			s.front = bearer.NewStorefront(guestToken("shop"), nil)
			s.open(t, nil)
			return s
		}, func(*shop, http.ResponseWriter, *http.Request) {}, "StorefrontOptions.Customers"},
		{"no id", withLibrary, func(*shop, http.ResponseWriter, *http.Request) {}, "empty id"},
		{"the id of before", withLibrary, func(s *shop, w http.ResponseWriter, r *http.Request) {
			l.renew(w, r, longID("a"))
			sess, _ := bearer.FromContext(r.Context())
			if err := sess.SetCustomer(r.Context(), s.idp.login("bob", true)); err != nil {
				panic(err)
			}
		}, "give the visitor a new one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := tt.open(t)
				asked, failed := s.tryLogin("ann", tt.before)
				s.tab(t).get("/try")
				synctest.Wait()
				if *failed == nil || !strings.Contains((*failed).Error(), tt.want) || *asked != 0 {
					t.Errorf("Login: %v after %d token requests, want something with %q after none", *failed, *asked, tt.want)
				}
			})
		})
	}
}

func plainShop(t *testing.T) *shop { return newShop(t, nil, nil) }

// impatientShop ends its requests after a second.
func impatientShop(t *testing.T) *shop {
	s := emptyShop()
	s.front = s.storefront("shop", nil)
	s.outer = func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Second, "too slow") }
	s.open(t, nil)
	return s
}

// Those for several markets, in one request, do not get in each other's way, and one whose
// grant panics in nobody's.
func TestLoginsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.HandleFunc("/try", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			var logins sync.WaitGroup
			for i := range 3 {
				logins.Go(func() {
					defer func() {
						if p := recover(); (p != nil) != (i == 1) {
							t.Errorf("login %d: panic %v", i, p)
						}
					}()
					err := sess.Login(r.Context(), func(context.Context) (*bearer.Token, error) {
						<-time.After(time.Duration(1+i) * time.Second)
						if i == 1 {
							panic("in a grant")
						}
						return s.idp.login(fmt.Sprint("ann", i), true), nil
					})
					if err != nil {
						t.Errorf("login %d: %v", i, err)
					}
				})
			}
			logins.Wait()
		})
		b := s.tab(t)
		b.get("/try")
		b.want("/token", "access-ann2-2")
	})
}

// What a token request takes is time enough for a visitor to leave.
func TestLoginWhileTheRequestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := impatientShop(t)
		var failed error
		s.HandleFunc("/try", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			failed = sess.Login(context.WithoutCancel(r.Context()), func(context.Context) (*bearer.Token, error) {
				<-time.After(time.Minute)
				return s.idp.login("ann", true), nil
			})
		})
		s.tab(t).want("/try", "too slow")
		pass(2 * time.Minute)
		synctest.Wait()
		if failed == nil || !strings.Contains(failed.Error(), "the request has ended") || s.stored() != "map[]" {
			t.Errorf("Login: %v, and the storage has %s", failed, s.stored())
		}
	})
}

// As above, with the ids of an application, which changes them meanwhile.
func TestLoginsSideBySideWithIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withLibrary(t)
		var l library
		s.HandleFunc("/try", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			var logins sync.WaitGroup
			for i := range 20 {
				logins.Go(func() {
					l.renew(&recorded{header: http.Header{}}, r, longID(string(rune('a'+i))))
					sess.Login(r.Context(), func(context.Context) (*bearer.Token, error) { return s.idp.login("ann", true), nil })
				})
			}
			logins.Wait()
			l.renew(w, r, longID("z"))
			if err := sess.SetCustomer(r.Context(), s.idp.login("bob", true)); err != nil {
				t.Error(err)
			}
		})
		b := s.tab(t)
		b.get("/try")
		if r := b.get("/token"); !strings.HasPrefix(r.body, "access-bob-") {
			t.Errorf("GET /token = %q", r.body)
		}
	})
}

// The application's session may get its new id within the grant: that id counts.
func TestLoginRenewsTheIDWithinTheGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := withLibrary(t)
		var l library
		s.HandleFunc("/try", func(w http.ResponseWriter, r *http.Request) {
			l.renew(w, r, longID("a"))
			sess, _ := bearer.FromContext(r.Context())
			err := sess.Login(r.Context(), func(context.Context) (*bearer.Token, error) {
				l.renew(w, r, longID("b"))
				return s.idp.login("ann", true), nil
			})
			if err != nil {
				t.Errorf("Login: %v", err)
			}
		})
		b := s.tab(t)
		b.get("/try")
		b.want("/token", "access-ann-1")
		s.tab(t).want("/token", "guest-shop", "Cookie", "app="+longID("a"))
	})
}

func TestLoginWithoutAGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.HandleFunc("/try", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			if err := sess.Login(r.Context(), nil); err == nil || !strings.Contains(err.Error(), "SetCustomer") {
				t.Errorf("Login: %v, want an error that says what to do", err)
			}
		})
		s.tab(t).get("/try")
	})
}

func TestLoginFails(t *testing.T) {
	errGrant := errors.New("the grant has failed")
	for _, tt := range []struct {
		name string
		t    *bearer.Token
		err  error
		want string
	}{
		{"error", nil, errGrant, errGrant.Error()},
		{"error beside a token", &bearer.Token{AccessToken: "access-ann-1", Expiry: time.Now().Add(100 * 365 * 24 * time.Hour)}, errGrant, errGrant.Error()},
		{"no token", nil, nil, "no access token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, nil, nil)
				s.HandleFunc("/try", func(w http.ResponseWriter, r *http.Request) {
					sess, _ := bearer.FromContext(r.Context())
					err := sess.Login(r.Context(), func(context.Context) (*bearer.Token, error) { return tt.t, tt.err })
					if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, errGrant) != (tt.err != nil) {
						t.Errorf("Login: %v, want something with %q", err, tt.want)
					}
				})
				b := s.tab(t)
				b.want("/try", "").wantNoCookie(t)
				b.want("/token", "guest-shop")
				b.get("/login/ann") // the session can still be used
				b.want("/token", "access-ann-1")
			})
		})
	}
}

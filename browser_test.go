package bearer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

const idCookie = "__Host-session"

const private = "private, no-store"

// wantCache tells whether caches may keep an answer.
func (r reply) wantCache(t *testing.T, cacheControl string, vary ...string) {
	t.Helper()
	if got := r.header.Get("Cache-Control"); got != cacheControl {
		t.Errorf("Cache-Control = %q, want %q", got, cacheControl)
	}
	if got := r.header["Vary"]; !slices.Equal(got, vary) {
		t.Errorf("Vary = %q, want %q", got, vary)
	}
}

func (r reply) wantNoCookie(t *testing.T) {
	t.Helper()
	if len(r.cookie) > 0 {
		t.Errorf("the answer sets the cookies %v, want none", r.cookie)
	}
}

// oneCookie is the one that the answer sets.
func (r reply) oneCookie(t *testing.T) *http.Cookie {
	t.Helper()
	if len(r.cookie) != 1 {
		t.Fatalf("the answer sets %d cookies, want one", len(r.cookie))
	}
	return r.cookie[0]
}

func TestCookieAttributes(t *testing.T) {
	tests := []struct {
		name  string
		opts  *bearer.MiddlewareOptions
		login string
		want  string // without the value
	}{
		{"default", nil, "/login/ann", "__Host-session; Path=/; Max-Age=1209600; HttpOnly; Secure; SameSite=Lax"},
		{"no refresh token", nil, "/login/ann?for=session", "__Host-session; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"named", &bearer.MiddlewareOptions{Cookie: "sid"}, "/login/ann", "__Host-sid; Path=/; Max-Age=1209600; HttpOnly; Secure; SameSite=Lax"},
		{"insecure", &bearer.MiddlewareOptions{InsecureCookie: true}, "/login/ann", "session; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newShop(t, nil, tt.opts).tab(t)
				r := b.get(tt.login)
				c := r.oneCookie(t)
				if got := strings.Replace(c.Raw, "="+c.Value, "", 1); got != tt.want {
					t.Errorf("Set-Cookie = %q, want %q", got, tt.want)
				}
				r.wantCache(t, private, "Cookie")
				b.want("/token", "access-ann-1")

				r = b.get("/logout")
				gone := r.oneCookie(t)
				if gone.Name != c.Name || gone.Value != "" || gone.MaxAge >= 0 || gone.Path != "/" || gone.Secure != c.Secure {
					t.Errorf("logout: Set-Cookie = %q, want %s removed", gone.Raw, c.Name)
				}
				r.wantCache(t, private, "Cookie")
				if got := b.cookies(); got != "" {
					t.Errorf("after the logout the browser has %q, want nothing", got)
				}
				b.want("/token", "guest-shop").wantNoCookie(t)
			})
		})
	}
}

// Two weeks is what RefreshLife says.
func TestCookieLivesAsLongAsTheRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShop(t, &bearer.StorefrontOptions{RefreshLife: 48 * time.Hour}, nil).tab(t)
		if got := b.get("/login/ann").oneCookie(t).MaxAge; got != 48*3600 {
			t.Errorf("Max-Age = %d, want %d", got, 48*3600)
		}
	})
}

func TestCookieIDIsRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		seen := map[string]bool{}
		for range 20 {
			id, _, _ := strings.Cut(s.tab(t).get("/login/ann").oneCookie(t).Value, ".")
			if len(id) != 43 || seen[id] {
				t.Errorf("id %q has %d characters or came before, want 43 (256 bits), and new", id, len(id))
			}
			seen[id] = true
			if strings.Contains(s.stored(), id) {
				t.Error("the storage has the id")
			}
		}
	})
}

// Once a day while it is used, the cookie is made to live longer.
func TestCookieIsRenewedDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShop(t, nil, nil).tab(t)
		id, _, _ := strings.Cut(b.get("/login/ann").oneCookie(t).Value, ".")
		sent := 0
		for range 40 * 4 { // forty days, each six hours
			pass(6 * time.Hour)
			b.get("/plain").wantNoCookie(t)
			r := b.get("/token")
			if !strings.HasPrefix(r.body, "access-ann-") {
				t.Fatalf("GET /token = %q, want the customer's", r.body)
			}
			if len(r.cookie) == 0 {
				continue
			}
			sent++
			c := r.oneCookie(t)
			if !strings.HasPrefix(c.Value, id+".") || c.MaxAge != 14*24*3600 {
				t.Fatalf("renewed as %q, want the same id for two weeks", c.Raw)
			}
			r.wantCache(t, private, "Cookie")
		}
		if sent != 40 {
			t.Errorf("the cookie was renewed %d times in 40 days, want 40", sent)
		}
	})
}

// One that ends with the browser stays like that.
func TestCookieOfBrowserSessionIsNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.idp.life = 100 * time.Hour
		b := s.tab(t)
		b.get("/login/ann?for=session")
		pass(50 * time.Hour)
		b.want("/token", "access-ann-1").wantNoCookie(t)
	})
}

// A machine whose clock is ahead must not keep the cookie from being renewed.
func TestCookieOfTheFutureIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		b := s.tab(t)
		id, _, _ := strings.Cut(b.get("/login/ann").oneCookie(t).Value, ".")
		r := tabTo(t, s.server).want("/token", "access-ann-1", "Cookie", idCookie+"="+id+".99999")
		if c := r.oneCookie(t); !strings.HasPrefix(c.Value, id+".") || strings.HasSuffix(c.Value, ".99999") {
			t.Errorf("Set-Cookie = %q, want it with the day of now", c.Raw)
		}
	})
}

// Whatever a visitor sends in place of the cookie makes a guest.
func TestCookieForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		ann := s.tab(t).get("/login/ann").oneCookie(t).Value
		bob := s.tab(t).get("/login/bob").oneCookie(t).Value
		id, day, _ := strings.Cut(ann, ".")
		tests := []struct {
			name   string
			header []string // Cookie
			want   string
		}{
			{"its own", []string{idCookie + "=" + ann}, "access-ann-1"},
			{"among others", []string{"a=b; " + idCookie + "=" + ann + "; session=x"}, "access-ann-1"},
			{"without the day", []string{idCookie + "=" + id}, "guest-shop"},
			{"with an empty day", []string{idCookie + "=" + id + "."}, "guest-shop"},
			{"with no day", []string{idCookie + "=" + id + ".today"}, "guest-shop"},
			{"before all days", []string{idCookie + "=" + id + ".-1"}, "guest-shop"},
			{"signed", []string{idCookie + "=" + id + ".+" + day}, "guest-shop"},
			{"padded", []string{idCookie + "=" + id + ".0" + day}, "guest-shop"},
			{"far too many days", []string{idCookie + "=" + id + ".10000000"}, "guest-shop"},
			{"two days", []string{idCookie + "=" + ann + "." + day}, "guest-shop"},
			{"cut off", []string{idCookie + "=" + id[:42] + "." + day}, "guest-shop"},
			{"longer", []string{idCookie + "=" + id + "A." + day}, "guest-shop"},
			{"padded id", []string{idCookie + "=" + id + "=." + day}, "guest-shop"},
			{"changed", []string{idCookie + "=" + otherBits(id[0]) + id[1:] + "." + day}, "guest-shop"},
			{"other bits of the same bytes", []string{idCookie + "=" + id[:42] + otherBits(id[42]) + "." + day}, "guest-shop"},
			{"empty", []string{idCookie + "="}, "guest-shop"},
			{"other name", []string{"session=" + ann}, "guest-shop"},
			{"other case", []string{"__host-session=" + ann}, "guest-shop"},
			{"the same twice", []string{idCookie + "=" + ann + "; " + idCookie + "=" + ann}, "guest-shop"},
			{"two", []string{idCookie + "=" + bob + "; " + idCookie + "=" + ann}, "guest-shop"},
			{"two lines", []string{idCookie + "=" + ann, idCookie + "=" + bob}, "guest-shop"},
			{"long", []string{idCookie + "=" + strings.Repeat("A", 500_000)}, "guest-shop"},
			{"many", []string{strings.Repeat("a=b; ", 20_000)}, "guest-shop"},
			{"bytes", []string{idCookie + "=\xff\xfe" + ann}, "guest-shop"},
		}
		for _, tt := range tests {
			var header []string
			for _, line := range tt.header {
				header = append(header, "Cookie", line)
			}
			r := tabTo(t, s.server).get("/token", header...)
			if r.status != http.StatusOK || r.body != tt.want || len(r.cookie) > 0 {
				t.Errorf("%s: answered %d %q with the cookies %v, want %q and none", tt.name, r.status, r.body, r.cookie, tt.want)
			}
		}
	})
}

// otherBits is a character of base64 that differs in the bits that are left over.
func otherBits(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)^1])
}

func FuzzSessionCookie(f *testing.F) {
	id := strings.Repeat("A", 43)
	for _, seed := range []string{id + ".20000", id, "", "." + id, id + ".-1", "\"" + id + ".1\"", id + ".1; __Host-session=" + id + ".1"} {
		f.Add(seed)
	}
	s := emptyShop()
	s.front = s.storefront("shop", nil)
	h := bearer.Middleware(s.front, nil)(http.HandlerFunc(s.token))
	f.Fuzz(func(t *testing.T, value string) {
		r, w := requestWith6Headers("https://shop.test/"), &recorded{header: http.Header{}}
		r.Header["Cookie"] = []string{idCookie + "=" + value}
		h.ServeHTTP(w, r)
		if got := string(w.body); got != "guest-shop" || len(w.header["Set-Cookie"]) > 0 || w.header.Get("Cache-Control") != "" {
			t.Errorf("cookie %q: answered %q with %v, want a guest's page", value, got, w.header)
		}
	})
}

// recorded is a plain ResponseWriter.
type recorded struct {
	header http.Header
	body   []byte
}

func (w *recorded) Header() http.Header         { return w.header }
func (w *recorded) Write(p []byte) (int, error) { w.body = append(w.body, p...); return len(p), nil }
func (w *recorded) WriteHeader(int)             {}

func TestCacheHeaders(t *testing.T) {
	tests := []struct {
		name      string
		who       string // "": a guest
		path      string
		header    http.Header // that the handler sets
		wantCache string
		wantVary  []string
	}{
		{name: "guest", path: "/token"},
		{name: "guest who is asked", path: "/state"},
		{name: "customer without a token", who: "ann", path: "/plain"},
		{name: "customer", who: "ann", path: "/token", wantCache: private, wantVary: []string{"Cookie"}},
		{name: "customer's state", who: "ann", path: "/state", wantCache: private, wantVary: []string{"Cookie"}},
		{name: "the handler's own", who: "ann", path: "/token", header: http.Header{"Cache-Control": {"max-age=60"}}, wantCache: "max-age=60", wantVary: []string{"Cookie"}},
		{name: "other fields", who: "ann", path: "/token", header: http.Header{"Vary": {"Accept, Accept-Encoding"}}, wantCache: private, wantVary: []string{"Accept, Accept-Encoding", "Cookie"}},
		{name: "part of a field", who: "ann", path: "/token", header: http.Header{"Vary": {"Cookie2"}}, wantCache: private, wantVary: []string{"Cookie2", "Cookie"}},
		{name: "there already", who: "ann", path: "/token", header: http.Header{"Vary": {"Accept", "Origin , cOOKIE"}}, wantCache: private, wantVary: []string{"Accept", "Origin , cOOKIE"}},
		{name: "all", who: "ann", path: "/token", header: http.Header{"Vary": {"*"}}, wantCache: private, wantVary: []string{"*"}},
		{name: "all among others", who: "ann", path: "/token", header: http.Header{"Vary": {"Accept, *"}}, wantCache: private, wantVary: []string{"Accept, *"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, nil, nil)
				mux := s.ServeMux
				outer := http.NewServeMux()
				outer.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
					for k, v := range tt.header {
						w.Header()[k] = slices.Clone(v)
					}
					mux.ServeHTTP(w, r)
				})
				s.ServeMux = outer
				b := s.tab(t)
				if tt.who != "" {
					// An answer with a cookie is nobody else's, whatever the handler says.
					r := b.get("/login/" + tt.who)
					vary := tt.wantVary
					if vary == nil {
						vary = []string{"Cookie"}
					}
					r.wantCache(t, private, vary...)
				}
				r := b.get(tt.path)
				r.wantNoCookie(t)
				r.wantCache(t, tt.wantCache, tt.wantVary...)
			})
		})
	}
}

// A page that says that the customer is signed out is for that visitor alone.
func TestCacheHeadersOfExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		b := s.tab(t)
		b.get("/login/ann")
		pass(2 * time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(400, "invalid_grant") })
		b.want("/token", "expired").wantCache(t, private, "Cookie")
		b.want("/state", "customer expired").wantCache(t, private, "Cookie")
		r := b.want("/state", "guest")
		r.wantCache(t, "")
	})
}

// Signing in or out takes a header, and the tokens of others are not at stake.
func TestSignInAfterTheHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.HandleFunc("/late/{who}", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			sess, _ := bearer.FromContext(r.Context())
			fmt.Fprint(w, sess.SetCustomer(r.Context(), s.idp.login(r.PathValue("who"), true)))
		})
		s.HandleFunc("/late-logout", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			sess, _ := bearer.FromContext(r.Context())
			fmt.Fprint(w, sess.Logout(r.Context()))
		})
		b := s.tab(t)
		if r := b.get("/late/ann"); !strings.Contains(r.body, "sign in before writing the answer") {
			t.Errorf("SetCustomer after Flush = %q, want an error that says what to do", r.body)
		}
		b.want("/token", "guest-shop")
		if got := s.stored(); got != "map[]" {
			t.Errorf("the storage has %q, want nothing", got)
		}
		b.get("/login/ann")
		b.want("/late-logout", "<nil>").wantNoCookie(t)
		b.want("/token", "guest-shop")
	})
}

// What has been done when a handler panics is not lost if somebody recovers.
func TestHandlerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
			s.login(&recorded{header: http.Header{}}, r, s.idp.login("ann", true))
			panic("in a handler")
		})
		h := bearer.Middleware(s.front, nil)(s)
		server := pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					w.WriteHeader(http.StatusInternalServerError)
					io.WriteString(w, "sorry")
				}
			}()
			h.ServeHTTP(w, r)
		}))
		b := tabTo(t, server)
		b.want("/panic", "sorry").wantCache(t, private, "Cookie")
		b.want("/token", "access-ann-1")
	})
}

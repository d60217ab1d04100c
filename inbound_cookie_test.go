package bearer_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// counted is a Carrier that counts how often it is asked.
type counted struct {
	bearer.Carrier
	loads, saves *atomic.Int64
}

func (c counted) Load(r *http.Request, name string) ([]byte, error) {
	c.loads.Add(1)
	return c.Carrier.Load(r, name)
}

func (c counted) Save(w http.ResponseWriter, name string, record []byte, maxAge time.Duration) error {
	c.saves.Add(1)
	return c.Carrier.Save(w, name, record, maxAge)
}

// A request with a bearer token and a customer's cookie acts by the token or not at
// all, wherever that customer lives: the table of docs/sessions.md.
func TestInboundOrCookie(t *testing.T) {
	const both, refused, malformed = "dee.1 dee dee.1 header", `Bearer realm="bearer", error="invalid_token"`, `Bearer realm="bearer", error="invalid_request"`
	tests := []struct {
		name      string
		header    []string // Authorization
		status    int
		want      string // "": the cookie's customer
		challenge string
	}{
		{"absent", nil, 200, "", ""},
		{"another scheme", []string{"Basic ZGVlOjE="}, 200, "", ""},
		{"one good token", []string{"Bearer dee.1"}, 200, both, ""},
		{"one good token of a guest", []string{"Bearer guest.1"}, 200, "guest.1 guest guest.1 header", ""},
		{"refused", []string{"Bearer eve.1"}, 401, refused, refused},
		{"malformed", []string{"Bearer dee.1 dee.1"}, 400, malformed, malformed},
		{"two", []string{"Bearer dee.1", "Bearer dee.1"}, 400, malformed, malformed},
		{"two, one of another scheme", []string{"Basic ZGVlOjE=", "Bearer dee.1"}, 400, malformed, malformed},
		{"two of another scheme", []string{"Basic ZGVlOjE=", "Basic ZGVlOjE="}, 400, malformed, malformed},
	}
	kinds := []struct {
		name  string
		login string
		// asks counts what is asked about cookies, besides the storage.
		open func(t *testing.T, asks *atomic.Int64) *shop
	}{
		{"session id", "/login/ann", func(t *testing.T, _ *atomic.Int64) *shop {
			return newShop(t, nil, &bearer.MiddlewareOptions{Verifier: &checker{}})
		}},
		{"application's session id", "/renewed/ann?id=" + longID("a"), func(t *testing.T, asks *atomic.Int64) *shop {
			var l library
			s := emptyShop()
			s.front, s.outer = s.storefront("shop", nil), l.load
			s.open(t, &bearer.MiddlewareOptions{Verifier: &checker{}, SessionID: func(r *http.Request) string {
				asks.Add(1)
				return l.id(r)
			}})
			s.HandleFunc("/renewed/{who}", func(w http.ResponseWriter, r *http.Request) {
				l.renew(w, r, r.URL.Query().Get("id"))
				s.login(w, r, s.idp.login(r.PathValue("who"), true))
			})
			return s
		}},
		{"carrier", "/login/ann", func(t *testing.T, asks *atomic.Int64) *shop {
			return newShop(t, nil, &bearer.MiddlewareOptions{Verifier: &checker{}, Carrier: counted{carrying().Carrier, asks, asks}})
		}},
		{"several storefronts", "/login/ann?market=us", func(t *testing.T, _ *atomic.Int64) *shop {
			return newMarkets(t, &bearer.MiddlewareOptions{Verifier: &checker{}}, "us", "it")
		}},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asks atomic.Int64
				s := kind.open(t, &asks)
				visited := false
				s.HandleFunc("/visit", func(w http.ResponseWriter, r *http.Request) {
					visited = true
					sess, _ := bearer.FromContext(r.Context())
					state, _ := sess.State(r.Context())
					who := state.String()
					if c, err := sess.Customer(r.Context()); err == nil {
						who = c.Owner.ID
					}
					a, err := sess.Authorization(r.Context())
					if err != nil {
						t.Error(err)
						return
					}
					in, inbound := sess.Inbound()
					if inbound != (a.Origin == bearer.OriginHeader) || inbound && in.Token != a.Token {
						t.Errorf("Inbound = %v, %v, of %v", in, inbound, a)
					}
					s.token(w, r)
					fmt.Fprint(w, " ", who, " ", a.Token.AccessToken, " ", a.Origin)
				})
				b := s.tab(t)
				b.get(kind.login)
				customer := b.get("/visit").body
				if want := []string{"access-ann-1 ann access-ann-1 storage", "access-ann-1 ann access-ann-1 cookie"}; !slices.Contains(want, customer) {
					t.Fatalf("signed in the visitor is %q, want one of %q", customer, want)
				}
				cookies := b.cookies()
				for _, tt := range tests {
					var header []string
					for _, v := range tt.header {
						header = append(header, "Authorization", v)
					}
					visited = false
					want, uses, asked := tt.want, s.uses(), asks.Load()
					if want == "" {
						want = customer
					}
					r := b.get("/visit", header...)
					if tt.challenge != "" {
						r.body = r.header.Get("WWW-Authenticate")
					}
					if r.status != tt.status || r.body != want || r.header.Get("WWW-Authenticate") != tt.challenge || visited != (tt.status == 200) {
						t.Errorf("%s: answered %d %q, the handler was called: %v, want %d %q", tt.name, r.status, r.body, visited, tt.status, want)
					}
					if tt.want != "" && (s.uses() != uses || asks.Load() != asked) {
						t.Errorf("%s: the cookie was looked at, want it left alone", tt.name)
					}
					if r.wantNoCookie(t); b.cookies() != cookies {
						t.Errorf("%s: the browser has now the cookies %q, want %q", tt.name, b.cookies(), cookies)
					}
				}
				pass(48 * time.Hour) // when a cookie would be renewed, and the customer's token refreshed
				for _, header := range []string{"Bearer dee.1", "Bearer eve.1", "Bearer"} {
					if r := b.get("/visit", "Authorization", header); len(r.cookie) > 0 {
						t.Errorf("%s: Set-Cookie = %q, want none", header, r.cookie)
					}
				}
				b.want("/state", "customer")
				s.idp.wantRefreshes(t, 1)
				if kind.name == "several storefronts" {
					b.want("/both", "dee.1 dee.1", "Authorization", "Bearer dee.1")
				}
			})
		})
	}
}

// Tokens elsewhere in the request are not looked at (RFC 6750 §2.2 and §2.3).
func TestInboundElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &checker{}
		s := newShop(t, nil, &bearer.MiddlewareOptions{Verifier: c})
		b := s.tab(t)
		b.want("/token?access_token=dee.1", "guest-shop")
		b.want("/token", "guest-shop", "Proxy-Authorization", "Bearer dee.1", "Cookie", "access_token=dee.1")
		if n := c.calls.Load(); n != 0 {
			t.Errorf("the Verifier was called %d times, want none", n)
		}
	})
}

// Inbound stays what the request has brought, and its answers stay out of caches.
func TestSessionInbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := verifying(t)
		s.HandleFunc("/inbound", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			a, ok := sess.Inbound()
			fmt.Fprint(w, a, ok)
		})
		s.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			pass(2 * time.Hour)
			_, ok := sess.Inbound()
			_, err := sess.Authorization(r.Context())
			fmt.Fprint(w, ok, " ", err == bearer.ErrCustomerExpired)
		})
		b := s.tab(t)
		b.get("/login/ann")
		b.want("/inbound", "<nil> false").wantCache(t, "")
		b.want("/inbound", `bearer.Authorization(Customer "dee", from header) true`, "Authorization", "Bearer dee.1").wantCache(t, private, "Authorization")
		b.want("/inbound", `bearer.Authorization(guest, from header) true`, "Authorization", "Bearer guest.1").wantCache(t, private, "Authorization")
		b.want("/late", "true true", "Authorization", "Bearer dee.1")
	})
}

// An answer made with a request's own token is not for shared caches, though the handler
// takes the caller for one of its guests, whose pages may be kept.
func TestInboundNotForSharedCaches(t *testing.T) {
	tests := []struct {
		name   string
		header []string // the handler's, in pairs
		want   string   // Cache-Control
	}{
		{"public", []string{"Cache-Control", "public, max-age=600"}, private},
		{"other case", []string{"Cache-Control", "max-age=600 , Public"}, private},
		{"second line", []string{"Cache-Control", "max-age=600", "Cache-Control", "public"}, private},
		{"s-maxage", []string{"Cache-Control", "s-maxage=600"}, private},
		{"must-revalidate", []string{"Cache-Control", "max-age=600, must-revalidate"}, private},
		{"public and private", []string{"Cache-Control", "public, private"}, private},
		{"a CDN's", []string{"Cache-Control", "max-age=60", "CDN-Cache-Control", "max-age=600"}, private},
		{"a surrogate's", []string{"Cache-Control", "max-age=60", "Surrogate-Control", "max-age=600"}, private},
		{"max-age", []string{"Cache-Control", "max-age=600"}, "max-age=600"},
		{"private", []string{"Cache-Control", "private, max-age=600"}, "private, max-age=600"},
		{"private and must-revalidate", []string{"Cache-Control", "private, must-revalidate"}, "private, must-revalidate"},
		{"nothing at all", []string{"Cache-Control", "no-cache, no-store, must-revalidate"}, "no-cache, no-store, must-revalidate"},
		{"a CDN's, private", []string{"Cache-Control", "max-age=60", "CDN-Cache-Control", "private"}, "max-age=60"},
	}
	synctest.Test(t, func(t *testing.T) {
		s, _ := verifying(t)
		var header []string
		s.HandleFunc("/catalog", func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Add(header[i], header[i+1])
			}
			if r.URL.Query().Get("ask") != "" {
				s.token(w, r)
			}
		})
		b := s.tab(t)
		for _, tt := range tests {
			header = tt.header
			want := func(r reply, cache string, gone bool) {
				t.Helper()
				cdn := r.header.Get("CDN-Cache-Control") + r.header.Get("Surrogate-Control")
				if got := r.header.Get("Cache-Control"); got != cache || gone && cdn != "" {
					t.Errorf("%s: Cache-Control is %q, and for single caches %q, want %q", tt.name, got, cdn, cache)
				}
			}
			for _, who := range []string{"dee.1", "guest.1"} {
				want(b.want("/catalog?ask=1", who, "Authorization", "Bearer "+who), tt.want, tt.want == private)
			}
			want(b.want("/catalog?ask=1", "guest-shop"), header[1], false)                    // who has no token
			want(b.want("/catalog", "", "Authorization", "Bearer guest.1"), header[1], false) // what is the same for all
		}
	})
}

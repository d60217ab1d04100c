package bearer_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
)

// A handler that takes the cookies out of the request, not to pass them on for example,
// makes no guest of a customer.
func TestCookiesTakenOut(t *testing.T) {
	for name, opts := range map[string]*bearer.MiddlewareOptions{"default": nil, "carrier": carrying()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newMarkets(t, opts, "it", "us")
				s.HandleFunc("/without/", func(w http.ResponseWriter, r *http.Request) {
					r.Header.Del("Cookie")
					http.StripPrefix("/without", s).ServeHTTP(w, r)
				})
				b := s.tab(t)
				b.get("/login/ann?market=it")
				b.get("/login/ann?market=us")
				b.want("/without/both", "access-ann-1 access-ann-2")
				b.want("/without/logout", "")
				b.want("/both", "guest-it guest-us")
			})
		})
	}
}

// The application's function sees the request as it came, too.
func TestSessionIDSeesTheHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emptyShop()
		s.front = s.storefront("shop", nil)
		var seen []string
		s.open(t, &bearer.MiddlewareOptions{SessionID: func(r *http.Request) string {
			seen = append(seen, r.Header.Get("Cookie"))
			return ""
		}})
		s.HandleFunc("/without", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Cookie", "app=another")
			s.token(w, r)
		})
		s.tab(t).want("/without", "guest-shop", "Cookie", "app=1")
		if got := fmt.Sprint(seen); len(seen) < 2 || strings.Contains(got, "another") {
			t.Errorf("SessionID has seen the cookies %s, want app=1 each time", got)
		}
	})
}

// Handlers may change the request's header, which is theirs, while others use the
// session. It takes the race detector to see that.
func TestHeaderIsTheHandlers(t *testing.T) {
	for name, opts := range map[string]*bearer.MiddlewareOptions{
		"default": nil,
		"carrier": carrying(),
		"own":     {SessionID: func(r *http.Request) string { return r.Header.Get("X-Session") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newMarkets(t, opts, "it", "us")
				s.HandleFunc("/busy", func(w http.ResponseWriter, r *http.Request) {
					both := r.Clone(r.Context())
					both.URL.Path = "/both"
					var others sync.WaitGroup
					others.Go(func() { s.ServeHTTP(w, both) })
					for i := range 100 {
						r.Header.Set("X-Step", fmt.Sprint(i))
						r.Header.Set("Cookie", "a=b")
					}
					others.Wait()
				})
				b := s.tab(t)
				want := "guest-it guest-us"
				if name != "own" {
					b.get("/login/ann?market=it")
					want = "access-ann-1 guest-us"
				}
				b.want("/busy", want, "X-Session", longID("a"))
			})
		})
	}
}

// What a middleware further out has set for all answers is not the handler's word on a
// customer's.
func TestCacheHeadersFromFurtherOut(t *testing.T) {
	cached := http.Header{"Cache-Control": {"public, max-age=60"}, "Cdn-Cache-Control": {"max-age=600"}, "Surrogate-Control": {"max-age=600"}, "X-Accel-Expires": {"600"}}
	none := http.Header{"Cache-Control": {private}}
	tests := []struct {
		name    string
		path    string
		outer   http.Header // set before the middleware is reached
		handler http.Header
		want    http.Header // of the fields above
	}{
		{"guest", "/token", cached, nil, cached},
		{"guest, handler", "/token", nil, cached, cached},
		{"customer", "/token", cached, nil, none},
		{"customer without a token", "/plain", cached, nil, cached},
		{"the same from the handler", "/token", cached, cached, none},
		{"handler", "/token", nil, cached, cached},
		{"handler, in place of the default", "/token", http.Header{"Cache-Control": {"public"}}, cached, cached},
		{"handler, for one cache", "/token", nil, http.Header{"Cdn-Cache-Control": {"max-age=600"}}, none},
		{"handler takes it out", "/token", cached, http.Header{"Cache-Control": nil}, none},
		{"sign-in", "/login/bob", cached, http.Header{"Cache-Control": {"max-age=5"}, "Netlify-Cdn-Cache-Control": {"max-age=5"}}, none},
		{"sign-out", "/logout", nil, cached, none},
	}
	set := func(h, add http.Header) {
		for k, v := range add {
			h[k] = slices.Clone(v)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := emptyShop()
				s.front = s.storefront("shop", nil)
				asked := false
				s.outer = func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if asked {
							set(w.Header(), tt.outer)
						}
						next.ServeHTTP(w, r)
					})
				}
				s.open(t, nil)
				pages := s.ServeMux
				s.ServeMux = http.NewServeMux()
				s.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
					if asked {
						set(w.Header(), tt.handler)
					}
					pages.ServeHTTP(w, r)
				})
				b := s.tab(t)
				if !strings.HasPrefix(tt.name, "guest") {
					b.get("/login/ann")
				}
				asked = true
				got := b.get(tt.path).header
				maps.DeleteFunc(got, func(k string, _ []string) bool {
					return !strings.HasSuffix(k, "-Control") && k != "X-Accel-Expires"
				})
				if !maps.EqualFunc(got, tt.want, slices.Equal) {
					t.Errorf("what caches are told is %v, want %v", got, tt.want)
				}
			})
		})
	}
}

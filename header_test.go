package bearer_test

import (
	"fmt"
	"net/http"
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

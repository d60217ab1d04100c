package bearer_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
)

var sixMarkets = []string{"it", "us", "de", "fr", "es", "uk"}

// Whoever has been signed in stays so: what would make the browser's cookies too long
// for anybody to read is refused.
func TestCarriedMarketsFit(t *testing.T) {
	for _, tt := range []struct {
		name    string
		length  int // of a token, and more
		other   int // of the site's other cookies
		wantFit int
	}{
		{"short", 100, 0, 6},
		{"long", 2400, 0, 3},
		{"long, with other cookies", 2400, 4000, 2},
		{"with far too many other cookies", 100, 20_000, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMarkets(t, carrying(), sixMarkets...)
				m.idp.long = strings.Repeat("x", tt.length)
				b := m.tab(t)
				for i := range tt.other / 1000 {
					b.client.Jar.SetCookies(&url.URL{Scheme: "https", Host: "shop.test"}, []*http.Cookie{{Name: fmt.Sprint("other", i), Value: strings.Repeat("y", 1000), Path: "/"}})
				}
				fit := map[string]bool{}
				for _, name := range sixMarkets {
					r := b.get("/login/ann?market=" + name)
					if fit[name] = r.status == http.StatusOK; !fit[name] {
						if !strings.Contains(r.body, "longer than 12 KiB") || strings.Contains(r.body, "access-") {
							t.Errorf("signing in to %s: %q, want an error that says what is wrong", name, r.body)
						}
						r.wantNoCookie(t)
					}
				}
				got := 0
				for _, name := range sixMarkets {
					want := "guest"
					if fit[name] {
						got++
						want = "customer"
					}
					b.want("/state?market="+name, want)
				}
				if got != tt.wantFit {
					t.Errorf("%d markets fit into the browser, want %d", got, tt.wantFit)
				}
				if got > 0 {
					b.get("/login/ann?market=it").oneCookie(t) // one takes the place of another
					b.want("/state?market=it", "customer")
				}
			})
		})
	}
}

// What the same answer brings for other markets counts too.
func TestCarriedMarketsFitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, carrying(), sixMarkets...)
		m.idp.long = strings.Repeat("x", 2400)
		m.HandleFunc("/everywhere", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			var done []string
			for _, name := range sixMarkets {
				there, err := sess.For(m.fronts[name])
				if err == nil {
					err = there.SetCustomer(r.Context(), m.idp.login("ann", true))
				}
				if err == nil {
					done = append(done, name)
				}
			}
			io.WriteString(w, strings.Join(done, " "))
		})
		b := m.tab(t)
		b.want("/everywhere", "it us de")
		for _, name := range []string{"it", "us", "de"} {
			b.want("/state?market="+name, "customer")
		}
	})
}

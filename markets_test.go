package bearer_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/bearerkit/bearer"
)

// newMarkets serves a shop with a storefront for each market, which the query
// picks. /both answers with the tokens of the first two.
func newMarkets(t *testing.T, opts *bearer.MiddlewareOptions, names ...string) *shop {
	t.Helper()
	s := &shop{ServeMux: http.NewServeMux(), idp: &idp{}, shelf: newShelf()}
	fronts := map[string]*bearer.Storefront{}
	var o bearer.MiddlewareOptions
	if opts != nil {
		o = *opts
	}
	for i, name := range names {
		fronts[name] = s.storefront(name, nil)
		if i > 0 {
			o.Storefronts = append(o.Storefronts, fronts[name])
		}
	}
	s.front = fronts[names[0]]
	o.Pick = func(r *http.Request) *bearer.Storefront { return fronts[r.URL.Query().Get("market")] }
	s.open(t, &o)
	s.HandleFunc("/both", func(w http.ResponseWriter, r *http.Request) {
		sess, _ := bearer.FromContext(r.Context())
		for i, name := range names[:2] {
			there, err := sess.For(fronts[name])
			if err != nil {
				t.Errorf("For(%s): %v", name, err)
				return
			}
			if i > 0 {
				io.WriteString(w, " ")
			}
			s.token(w, r.WithContext(bearer.NewContext(r.Context(), there)))
		}
	})
	return s
}

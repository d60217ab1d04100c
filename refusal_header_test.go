package bearer_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
)

// What middlewares further out have set for their own schemes stays, and what they have
// set for another body goes, unless somebody else writes the answer.
func TestRefusalKeepsOuterHeader(t *testing.T) {
	const dpop, own = `DPoP algs="ES256"`, `Bearer realm="bearer", error="invalid_token"`
	denied := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
	tests := []struct {
		name   string
		denied http.Handler
		accept string
		before []string // WWW-Authenticate
		want   []string
	}{
		{"JSON", nil, "", []string{dpop}, []string{dpop, own}},
		{"text", nil, "text/html", []string{dpop}, []string{dpop, own}},
		{"own handler", denied, "", []string{dpop}, []string{dpop, own}},
		{"ours already", nil, "", []string{own, dpop}, []string{own, dpop}},
		{"none", nil, "", nil, []string{own}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner := refusing(errDown, bearer.MiddlewareOptions{Denied: tt.denied})
			outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h := w.Header()
				h["Www-Authenticate"] = slices.Clone(tt.before)
				h.Set("Etag", `"x"`)
				h.Set("Last-Modified", "Sat, 21 Nov 2026 00:00:00 GMT")
				h.Set("Content-Length", "1")
				h.Set("Content-Encoding", "x-own") // of who compresses all that is written
				inner.ServeHTTP(w, r)
			})
			resp, _ := ask(outer, "Authorization", "Bearer x", "Accept", tt.accept)
			if got := resp.Header["Www-Authenticate"]; !slices.Equal(got, tt.want) {
				t.Errorf("the challenges are %q, want %q", got, tt.want)
			}
			for _, field := range []string{"Etag", "Last-Modified", "Content-Length"} {
				if got := resp.Header.Get(field); (got == "") != (tt.denied == nil) {
					t.Errorf("%s is %q", field, got)
				}
			}
			if got := resp.Header.Get("Content-Encoding"); got != "x-own" {
				t.Errorf("Content-Encoding is %q, want it as it was", got)
			}
		})
	}
}

// Who answers a refused token knows nothing of a customer whom a Middleware further out
// has found.
func TestRefusalOfInnerMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sess, ok := bearer.FromContext(r.Context())
			_, why := bearer.RefusalFromContext(r.Context())
			fmt.Fprint(w, sess, ok, why)
		})
		s := newShop(t, nil, nil)
		s.Handle("/api", bearer.Middleware(bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Verifier: &checker{}, Denied: answer})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "let through") })))
		s.Handle("/down", bearer.Middleware(bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Failed: answer, Verifier: verifierFunc(func(string) (*bearer.Authorization, error) {
			return nil, &bearer.UnavailableError{}
		})})(quiet))
		b := s.tab(t)
		b.get("/login/ann")
		for _, token := range []string{"eve.1", "dee.1 dee.2"} {
			b.want("/api", "<nil> false true", "Authorization", "Bearer "+token)
		}
		b.want("/down", "<nil> false true", "Authorization", "Bearer dee.1")
		b.want("/api", "let through", "Authorization", "Bearer dee.1")
		b.want("/token", "access-ann-1")
	})
}

package bearer_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/bearerkit/bearer"
)

// pane is a browser, without a network.
type pane struct {
	mu      sync.Mutex // guards cookies
	cookies map[string]string
}

// page is a process of a shop.
type page = func(http.Handler) http.Handler

// copy is another browser with the same cookies.
func (b *pane) copy() *pane {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &pane{cookies: maps.Clone(b.cookies)}
}

func (b *pane) signIn(t *testing.T, p *provider, at page) {
	b.visit(t, at, func(ctx context.Context, s *bearer.Session) {
		if err := s.SetCustomer(ctx, p.signIn("ada")); err != nil {
			t.Error(err)
		}
	})
}

// wantToken visits a page that uses the customer's token, and gets another if that is
// not good.
func (b *pane) wantToken(t *testing.T, p *provider, at page, want string) {
	b.visit(t, at, func(ctx context.Context, s *bearer.Session) {
		a, err := s.Customer(ctx)
		if err == nil {
			if _, ok := p.good(a.Token.AccessToken); !ok {
				s.Storefront().Evict(ctx, a.Token)
				a, err = s.Customer(ctx)
			}
		}
		if err != nil || a.Token.AccessToken != want {
			t.Errorf("Customer: %v, %v, want one with %s", a, err, want)
		}
	})
}

func (b *pane) visit(t *testing.T, at page, do func(context.Context, *bearer.Session)) {
	r := httptest.NewRequestWithContext(t.Context(), "GET", "https://shop.test/", nil)
	b.mu.Lock()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	b.mu.Unlock()
	rec := httptest.NewRecorder()
	at(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := bearer.FromContext(r.Context())
		do(r.Context(), s)
	})).ServeHTTP(rec, r)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range rec.Result().Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
}

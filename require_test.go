package bearer_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

// forCustomers has a page for customers alone.
func (s *shop) forCustomers(opts *bearer.RequireOptions) {
	s.Handle("/account", bearer.RequireCustomer(opts)(http.HandlerFunc(s.token)))
}

func TestRequireCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.forCustomers(nil)
		b := s.tab(t)
		wantStatus := func(want int, body string) reply {
			t.Helper()
			r := b.want("/account", body)
			if r.status != want || r.header.Get("WWW-Authenticate") != "" {
				t.Errorf("status %d with the challenge %q, want %d and none", r.status, r.header.Get("WWW-Authenticate"), want)
			}
			return r
		}
		wantStatus(http.StatusUnauthorized, "sign in first").wantCache(t, "")
		b.get("/login/ann")
		wantStatus(http.StatusOK, "access-ann-1").wantCache(t, private, "Cookie")

		pass(2 * time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(503, "", "Retry-After", "30") })
		r := wantStatus(http.StatusServiceUnavailable, "the service is not available right now, try again soon")
		r.wantCache(t, private, "Cookie")
		if got := r.header.Get("Retry-After"); got < "30" || got > "35" || len(got) != 2 {
			t.Errorf("Retry-After = %q, want some 30 seconds", got)
		}
		s.shelf.failing(errDown, "get")
		wantStatus(http.StatusServiceUnavailable, "the service is not available right now, try again soon")
		s.shelf.faults(nil, nil)

		pass(time.Minute)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(400, "invalid_grant") })
		wantStatus(http.StatusUnauthorized, "sign in first").wantCache(t, private, "Cookie")
		b.want("/state", "customer expired")
		wantStatus(http.StatusUnauthorized, "sign in first")
	})
}

// What failed for a moment is worth another try after one.
func TestRequireCustomerRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.forCustomers(nil)
		b := s.tab(t)
		b.get("/login/ann")
		pass(time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return errDown })
		if r := b.get("/account"); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") != "1" {
			t.Errorf("status %d, Retry-After %q, want 503 and 1", r.status, r.header.Get("Retry-After"))
		}
	})
}

func TestRequireCustomerHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.forCustomers(&bearer.RequireOptions{
			Denied: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sess, _ := bearer.FromContext(r.Context())
				state, _ := sess.State(r.Context())
				io.WriteString(w, "denied to a "+state.String())
			}),
			Failed: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "failed") }),
		})
		b := s.tab(t)
		b.want("/account", "denied to a guest")
		b.get("/login/ann")
		b.want("/account", "access-ann-1")
		pass(2 * time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return errDown })
		b.want("/account", "failed")
		pass(time.Minute)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(400, "invalid_grant") })
		b.want("/account", "denied to a customer expired")
		b.want("/account", "denied to a guest")
	})
}

func TestRequireCustomerWithoutMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := bearer.RequireCustomer(nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }))
		r := tabTo(t, pipe.Serve(t, h)).want("/", "RequireCustomer needs Middleware round it")
		if r.status != http.StatusInternalServerError {
			t.Errorf("status %d, want 500", r.status)
		}
	})
}

// Those who may come with a token are told so.
func TestRequireCustomerInbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := verifying(t)
		s.forCustomers(nil)
		s.Handle("/late", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pass(2 * time.Hour)
			bearer.RequireCustomer(nil)(http.HandlerFunc(s.token)).ServeHTTP(w, r)
		}))
		b := s.tab(t)
		b.want("/account", "dee.1", "Authorization", "Bearer dee.1")
		tests := []struct {
			name, path string
			header     []string
			status     int
			want       string
		}{
			{"no token", "/account", nil, 401, `Bearer realm="bearer"`},
			{"guest's token", "/account", []string{"Authorization", "Bearer guest.1"}, 403, `Bearer realm="bearer", error="insufficient_scope"`},
			{"expired meanwhile", "/late", []string{"Authorization", "Bearer dee.1"}, 401, `Bearer realm="bearer", error="invalid_token"`},
		}
		for _, tt := range tests {
			r := b.get(tt.path, tt.header...)
			if got := r.header.Get("WWW-Authenticate"); r.status != tt.status || got != tt.want {
				t.Errorf("%s: status %d with the challenge %q, want %d and %q", tt.name, r.status, got, tt.status, tt.want)
			}
		}
	})
}

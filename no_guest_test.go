package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

// A storefront without guests asks for no token, and tells of no failure: there is
// none.
func TestNoGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e events
		f := bearer.NewStorefront(nil, &bearer.StorefrontOptions{Name: "api", Observer: e.observe})
		wantNone := func(name string, v any, err error) {
			t.Helper()
			if err != bearer.ErrNoGuest {
				t.Errorf("%s = %v, %v, want ErrNoGuest", name, v, err)
			}
		}
		for range 3 {
			tok, err := f.Token()
			wantNone("Token", tok, err)
			tok, err = f.TokenContext(t.Context())
			wantNone("TokenContext", tok, err)
			a, err := f.Guest(t.Context())
			wantNone("Guest", a, err)
			tok, err = f.GuestOnly().Token()
			wantNone("GuestOnly().Token", tok, err)
			tok, err = f.GuestOnly().TokenContext(t.Context())
			wantNone("GuestOnly().TokenContext", tok, err)
		}
		if err := f.Evict(t.Context(), &bearer.Token{AccessToken: "x"}); err != nil || f.ForgetGuest() != nil {
			t.Errorf("Evict = %v, want that nothing is done", err)
		}
		ask(bearer.Middleware(f, &bearer.MiddlewareOptions{Verifier: &checker{}})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s, _ := bearer.FromContext(r.Context())
			tok, err := f.TokenContext(r.Context())
			wantNone("TokenContext of a session", tok, err)
			a, err := s.Guest(r.Context())
			wantNone("Session.Guest", a, err)
			a, err = s.Authorization(r.Context())
			wantNone("Session.Authorization", a, err)
			if a, err = s.Customer(r.Context()); err != bearer.ErrNoCustomer {
				t.Errorf("Customer = %v, %v, want ErrNoCustomer", a, err)
			}
			if state, err := s.State(r.Context()); err != nil || state != bearer.StateGuest {
				t.Errorf("State = %v, %v, want guest", state, err)
			}
			if err := f.Evict(r.Context(), &bearer.Token{AccessToken: "x"}); err == nil {
				t.Error("Evict = nil, want an error: there is no other token")
			}
		})))
		wantEvents[bearer.Event](t, &e, 0)
	})
}

// A backend that only receives tokens: it passes them on, and who has none is told to
// get one.
func TestNoGuestResourceServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := bearer.NewStorefront(nil, nil)
		var sent []string
		client := &http.Client{Transport: &bearer.Transport{Source: f, Base: pipe.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.Header.Get("Authorization"))
		}))}}
		call := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, _ := http.NewRequestWithContext(r.Context(), "GET", "https://api.test/", nil)
			resp, err := client.Do(req)
			if err != nil {
				fmt.Fprint(w, strings.Contains(err.Error(), bearer.ErrNoGuest.Error()))
				return
			}
			resp.Body.Close()
			fmt.Fprint(w, resp.StatusCode)
		})
		let := func(context.Context, *bearer.Authorization) error { return nil }
		mux := http.NewServeMux()
		mux.Handle("/", call)
		mux.Handle("/customer", bearer.RequireCustomer(nil)(call))
		mux.Handle("/bearer", bearer.RequireBearer(nil)(call))
		mux.Handle("/some", bearer.Require(let, nil)(call))
		b := tabTo(t, pipe.Serve(t, bearer.Middleware(f, &bearer.MiddlewareOptions{Verifier: &checker{}})(mux)))
		b.want("/", "true")
		for _, path := range []string{"/customer", "/bearer", "/some"} {
			if r := b.get(path); r.status != 401 || r.header.Get("WWW-Authenticate") != `Bearer realm="bearer"` {
				t.Errorf("GET %s without a token: %d with the challenge %q, want 401 and one", path, r.status, r.header.Get("WWW-Authenticate"))
			}
			b.want(path, "200", "Authorization", "Bearer dee.1")
		}
		if got, want := fmt.Sprint(sent), "[Bearer dee.1 Bearer dee.1 Bearer dee.1]"; got != want {
			t.Errorf("the API got %s, want %s", got, want)
		}
	})
}

// A shop of customers alone has no guests either.
func TestNoGuestCustomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emptyShop()
		told := false
		s.front = bearer.NewStorefront(nil, &bearer.StorefrontOptions{Customers: s.shelf, Owner: s.idp.owner, Refresh: s.idp.renew, Revoke: s.idp.revoke,
			OnLogin: func(_ context.Context, guest, customer *bearer.Authorization) {
				if told = true; guest != nil || customer.Owner.ID != "ann" {
					t.Errorf("OnLogin is told of %v and %v, want no guest and ann", guest, customer)
				}
			}})
		s.open(t, carrying())
		s.forCustomers(nil)
		b := s.tab(t)
		b.want("/account", "sign in first")
		b.get("/login/ann")
		b.want("/account", "access-ann-1")
		b.get("/logout")
		if r := b.want("/account", "sign in first"); r.status != 401 || !told {
			t.Errorf("status %d, and OnLogin was called: %v, want 401 and true", r.status, told)
		}
	})
}

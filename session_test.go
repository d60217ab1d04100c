package bearer_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

func TestSessionOfAGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("eve")
		v.wantWho("guest")
		v.wantState(bearer.StateGuest)
		v.in(func(ctx context.Context, s *bearer.Session) {
			if a, err := s.Customer(ctx); a != nil || err != bearer.ErrNoCustomer {
				t.Errorf("Customer: %v, %v, want ErrNoCustomer", a, err)
			}
			for name, get := range map[string]func(context.Context) (*bearer.Authorization, error){"Guest": s.Guest, "Authorization": s.Authorization} {
				a, err := get(ctx)
				if err != nil || a.Origin != bearer.OriginGuest || a.Owner != (bearer.Owner{}) || a.Token.AccessToken == "" {
					t.Errorf("%s: %v, %v, want the guests'", name, a, err)
				}
			}
		})
		if guests, _, _ := s.p.counts(); guests != 1 {
			t.Errorf("%d token requests for guests, want 1", guests)
		}
	})
}

func TestSessionOfACustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *bearer.StorefrontOptions) { o.Scope = "market:id:x" })
		v := s.visitor("ada")
		v.get(func(_ http.ResponseWriter, r *http.Request, session *bearer.Session) { // reads its own writes
			if err := session.SetCustomer(r.Context(), s.p.signIn("ada")); err != nil {
				t.Error(err)
			}
			if owner, err := s.call(r.Context(), "ada"); err != nil || owner != "ada" {
				t.Errorf("acts as %q, %v, want ada", owner, err)
			}
		})
		v.wantWho("ada")
		v.wantState(bearer.StateCustomer)
		v.in(func(ctx context.Context, s *bearer.Session) {
			for name, get := range map[string]func(context.Context) (*bearer.Authorization, error){"Customer": s.Customer, "Authorization": s.Authorization} {
				a, err := get(ctx)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				want := bearer.Authorization{Token: a.Token, Owner: bearer.Owner{Type: "Customer", ID: "ada"}, Scope: "market:id:x", Origin: bearer.OriginStorage}
				if *a != want || a.Token == nil {
					t.Errorf("%s is %v of %q, want %v", name, a, a.Scope, want)
				}
			}
			if a, err := s.Guest(ctx); err != nil || a.Origin != bearer.OriginGuest {
				t.Errorf("Guest: %v, %v", a, err)
			}
		})
		s.visitor("eve").wantWho("guest")
		if guests, refreshes, _ := s.p.counts(); guests != 1 || refreshes != 0 {
			t.Errorf("%d requests for guests and %d refreshes, want 1 and 0", guests, refreshes)
		}
	})
}

// A page asks the storage at most once a second, however many calls it makes.
func TestSessionRemembersForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		before := s.shelf.count("get")
		v.in(func(ctx context.Context, session *bearer.Session) {
			for range 10 {
				s.front.TokenContext(ctx)
				session.State(ctx)
				session.Customer(ctx)
			}
			pass(999 * time.Millisecond)
			s.front.TokenContext(ctx)
			if got := s.shelf.count("get") - before; got != 1 {
				t.Errorf("%d reads in the first second, want 1", got)
			}
			pass(time.Millisecond)
			s.front.TokenContext(ctx)
			s.front.TokenContext(ctx)
			if got := s.shelf.count("get") - before; got != 2 {
				t.Errorf("%d reads in two seconds, want 2", got)
			}
		})
	})
}

// A page that goes on for long learns that the customer has signed out elsewhere,
// in this process or in another.
func TestSessionLearnsOfALogoutElsewhere(t *testing.T) {
	for _, other := range []string{"same process", "other process"} {
		t.Run(other, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, customers := newProvider(), newShelf()
				s := p.site(t, customers, nil, nil)
				there := s
				if other == "other process" {
					there = p.site(t, customers, nil, nil)
				}
				v := s.visitor("ada")
				v.signIn("ada")
				v.in(func(ctx context.Context, session *bearer.Session) {
					if owner, err := s.call(ctx, "ada"); err != nil || owner != "ada" {
						t.Errorf("acts as %q, %v, want ada", owner, err)
					}
					if err := v.at(there).signOut(); err != nil {
						t.Error(err)
					}
					pass(time.Second)
					if _, err := s.front.TokenContext(ctx); err != bearer.ErrCustomerExpired {
						t.Errorf("TokenContext after the logout: %v, want ErrCustomerExpired", err)
					}
					if state, err := session.State(ctx); err != nil || state != bearer.StateGuest {
						t.Errorf("State is %v, %v, want guest", state, err)
					}
					if owner, err := s.call(ctx, "ada"); err != nil || owner != "guest" {
						t.Errorf("acts as %q, %v, want guest, now that it knows", owner, err)
					}
				})
				v.wantWho("guest")
			})
		})
	}
}

// A refresh token that is dead ends the session once.
func TestSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		s.p.endFamilyOf(v.signIn("ada"))
		pass(2 * time.Hour)
		s.p.took = 200 * time.Millisecond
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				v.in(func(ctx context.Context, session *bearer.Session) {
					for range 2 {
						if _, err := s.front.TokenContext(ctx); err != bearer.ErrCustomerExpired {
							t.Errorf("TokenContext: %v, want ErrCustomerExpired", err)
						}
						if a, err := session.Authorization(ctx); a != nil || !errors.Is(err, bearer.ErrNoCustomer) {
							t.Errorf("Authorization: %v, %v, want ErrCustomerExpired", a, err)
						}
					}
					for range 2 {
						if state, err := session.State(ctx); err != nil || state != bearer.StateExpired {
							t.Errorf("State is %v, %v, want expired", state, err)
						}
					}
					if owner, err := s.call(ctx, "ada"); err != nil || owner != "guest" {
						t.Errorf("acts as %q, %v, want guest", owner, err)
					}
				})
			})
		}
		wg.Wait()
		s.p.wantRefreshes(t, 1)
		wantEvents[bearer.CustomerExpired](t, s.events, 1)
		v.wantState(bearer.StateGuest)
		v.wantWho("guest")
		s.p.wantRefreshes(t, 1)
	})
}

// Who has not asked for the state is told at the next page, once, and is a guest
// there.
func TestSessionTellsOfItsEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		s.p.endFamilyOf(v.signIn("ada"))
		pass(2 * time.Hour)
		if _, err := v.whoami(); !errors.Is(err, bearer.ErrCustomerExpired) {
			t.Errorf("the call failed with %v, want ErrCustomerExpired", err)
		}
		v.wantWho("guest")
		v.wantWho("guest")
		v.in(func(ctx context.Context, session *bearer.Session) {
			if owner, err := s.call(ctx, "ada"); err != nil || owner != "guest" {
				t.Errorf("acts as %q, %v, want guest", owner, err)
			}
			if state, err := session.State(ctx); err != nil || state != bearer.StateExpired {
				t.Errorf("State is %v, %v, want expired", state, err)
			}
		})
		v.wantState(bearer.StateGuest)
		if all := s.shelf.texts(); len(all) != 0 {
			t.Errorf("the storage still has %v", all)
		}
		s.p.wantRefreshes(t, 1)
		wantEvents[bearer.CustomerExpired](t, s.events, 1)
	})
}

// A customer without a refresh token is one until the token ends.
func TestSessionWithoutRefreshToken(t *testing.T) {
	for _, refresh := range []string{"without a refresh token", "without Refresh"} {
		t.Run(refresh, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, func(o *bearer.StorefrontOptions) {
					if refresh == "without Refresh" {
						o.Refresh = nil
					}
				})
				v := s.visitor("ada")
				tok := s.p.signIn("ada")
				if refresh == "without a refresh token" {
					tok.RefreshToken = ""
				}
				if err := v.setCustomer(tok); err != nil {
					t.Fatal(err)
				}
				pass(59 * time.Minute) // aging, and there will be no other one
				v.wantWho("ada")
				v.wantWho("ada")
				pass(time.Minute)
				v.in(func(ctx context.Context, session *bearer.Session) {
					_, err := s.front.TokenContext(ctx)
					state, _ := session.State(ctx)
					// Without a refresh token the record ends with the token.
					if refresh == "without Refresh" && (err != bearer.ErrCustomerExpired || state != bearer.StateExpired) {
						t.Errorf("%v, %v, want expired", err, state)
					}
				})
				v.wantWho("guest")
				wantEvents[bearer.TokenFailed](t, s.events, 0)
				s.p.wantRefreshes(t, 0)
			})
		})
	}
}

// A session may be carried into work that outlives the request.
func TestSessionPastItsRequest(t *testing.T) {
	carry := map[string]func(r *http.Request, s *bearer.Session) context.Context{
		"NewContext": func(_ *http.Request, s *bearer.Session) context.Context {
			return bearer.NewContext(context.Background(), s)
		},
		"WithoutCancel": func(r *http.Request, _ *bearer.Session) context.Context { return context.WithoutCancel(r.Context()) },
	}
	for name, carry := range carry {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				var ctx context.Context
				v.get(func(_ http.ResponseWriter, r *http.Request, session *bearer.Session) { ctx = carry(r, session) })
				for range 3 { // each time it is refreshed
					if owner, err := s.call(ctx, "ada"); err != nil || owner != "ada" {
						t.Errorf("acts as %q, %v, want ada", owner, err)
					}
					pass(2 * time.Hour)
				}
				s.p.wantRefreshes(t, 2)
				session, ok := bearer.FromContext(ctx)
				if !ok {
					t.Fatal("no session in the context")
				}
				if err := session.SetCustomer(ctx, s.p.signIn("bob")); err == nil {
					t.Error("SetCustomer gave no error, though there is no answer to go with")
				}
				v.wantWho("ada")
				if err := session.Logout(ctx); err != nil {
					t.Errorf("Logout: %v", err)
				}
				v.wantWho("guest")
			})
		})
	}
}

func TestStateString(t *testing.T) {
	for state, want := range map[bearer.State]string{bearer.StateGuest: "guest", bearer.StateCustomer: "customer", bearer.StateExpired: "customer expired"} {
		if got := state.String(); got != want {
			t.Errorf("%d is %q, want %q", int(state), got, want)
		}
	}
}

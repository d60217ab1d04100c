package bearer_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// A 401 for the guests' token gets the guests a new one, a customer's refreshes that
// customer's, and nobody else's.
func TestEvictTheRightToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		ada, bob, eve := s.visitor("ada"), s.visitor("bob"), s.visitor("eve")
		tok := ada.signIn("ada")
		bob.signIn("bob")
		for _, v := range []*visitor{ada, bob} {
			v.wantWho(v.name)
		}
		eve.wantWho("guest")

		s.p.kill(tok.AccessToken)
		ada.wantWho("ada")
		bob.wantWho("bob")
		eve.wantWho("guest")
		if guests, refreshes, refused := s.p.counts(); guests != 1 || refreshes != 1 || refused != 1 {
			t.Errorf("%d requests for guests, %d refreshes, %d refused, want 1 each", guests, refreshes, refused)
		}

		guest, _ := s.front.Token()
		s.p.kill(guest.AccessToken)
		ada.wantWho("ada")
		eve.wantWho("guest")
		if guests, refreshes, refused := s.p.counts(); guests != 2 || refreshes != 1 || refused != 2 {
			t.Errorf("%d requests for guests, %d refreshes, %d refused, want 2, 1, 2", guests, refreshes, refused)
		}
		wantEvents[bearer.RequestReplayed](t, s.events, 2)
	})
}

// A late 401 for a customer's earlier token throws nothing away.
func TestEvictALateRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		v.in(func(ctx context.Context, _ *bearer.Session) {
			old, _ := s.front.TokenContext(ctx)
			pass(2 * time.Hour)
			fresh, _ := s.front.TokenContext(ctx)
			for _, late := range []*bearer.Token{old, nil} {
				if err := s.front.Evict(ctx, late); err != nil {
					t.Errorf("Evict: %v, want nil: the visitor is the same", err)
				}
			}
			if tok, err := s.front.TokenContext(ctx); err != nil || tok != fresh {
				t.Errorf("TokenContext: %v, %v, want the token as before", tok, err)
			}
			if err := s.front.Evict(ctx, &bearer.Token{AccessToken: "of nobody here"}); err == nil {
				t.Error("evicting a token of somebody else gave no error")
			}
		})
		s.p.wantRefreshes(t, 1)
	})
}

// A call that began as one visitor is not replayed as another, whatever happens
// before the 401 comes, or while the next token is being had.
func TestNoReplayAsSomebodyElse(t *testing.T) {
	tests := []struct {
		name   string
		signIn string // before the call
		then   func(ctx context.Context, s *site, session *bearer.Session) error
		wait   time.Duration // from the call's beginning
		want   string        // the answer; "" is the first one, with its 401
	}{
		{"customer, logout before the 401", "ada", logout, 500 * time.Millisecond, ""},
		{"customer, logout before the next token", "ada", logout, 3 * time.Second, ""},
		{"customer, logout before the 401, and the state looked at", "ada", logoutAndLook, 500 * time.Millisecond, ""},
		{"customer, logout before the next token, and the state looked at", "ada", logoutAndLook, 3 * time.Second, ""},
		{"customer, another one before the 401", "ada", signInAs("bob"), 500 * time.Millisecond, ""},
		{"customer, another one before the next token", "ada", signInAs("bob"), 3 * time.Second, ""},
		{"customer, nothing happens", "ada", nothing, time.Second, "ada"},
		{"guest, sign-in before the 401", "", signInAs("bob"), 500 * time.Millisecond, ""},
		{"guest, sign-in before the next token", "", signInAs("bob"), 3 * time.Second, ""},
		{"guest, nothing happens", "", nothing, time.Second, "guest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				s := p.site(t, newShelf(), nil, nil)
				slowly := roundTripFunc(func(r *http.Request) (*http.Response, error) {
					resp, err := s.client.Transport.(*bearer.Transport).Base.RoundTrip(r)
					pass(time.Second) // on its way back
					return resp, err
				})
				client := &http.Client{Transport: &bearer.Transport{Source: s.front, Base: slowly}}
				v := s.visitor("ada")
				if tt.signIn != "" {
					v.signIn(tt.signIn)
				}
				v.in(func(ctx context.Context, session *bearer.Session) {
					tok, err := s.front.TokenContext(ctx)
					if err != nil {
						t.Fatal(err)
					}
					p.kill(tok.AccessToken)
					p.set(func() { p.within = slowRefresh })
					done := make(chan struct{})
					go func() {
						defer close(done)
						owner, err := call(ctx, client, "ada")
						if tt.want == "" && !errors.Is(err, errAPI) || tt.want != "" && owner != tt.want {
							t.Errorf("the call: %q, %v, want %q", owner, err, tt.want)
						}
					}()
					pass(tt.wait)
					if err := tt.then(ctx, s, session); err != nil {
						t.Error(err)
					}
					<-done
				})
			})
		})
	}
}

func slowRefresh(_ context.Context, kind, _ string) {
	if kind != "revoke" {
		pass(5 * time.Second)
	}
}

func nothing(context.Context, *site, *bearer.Session) error { return nil }

func logout(ctx context.Context, _ *site, session *bearer.Session) error { return session.Logout(ctx) }

func logoutAndLook(ctx context.Context, _ *site, session *bearer.Session) error {
	err := session.Logout(ctx)
	for range 10 {
		if _, err := session.State(ctx); err != nil {
			return err
		}
		pass(time.Second)
	}
	return err
}

func signInAs(owner string) func(context.Context, *site, *bearer.Session) error {
	return func(ctx context.Context, s *site, session *bearer.Session) error {
		return session.SetCustomer(ctx, s.p.signIn(owner))
	}
}

// A customer who signs out and in again during the call, with the tokens as they
// were, is the same one.
func TestReplayForTheSameCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		tok := v.signIn("ada")
		v.in(func(ctx context.Context, session *bearer.Session) {
			if _, err := s.front.TokenContext(ctx); err != nil {
				t.Error(err)
			}
			if err := session.Forget(ctx); err != nil {
				t.Error(err)
			}
			if err := session.SetCustomer(ctx, tok); err != nil {
				t.Error(err)
			}
			s.p.kill(tok.AccessToken)
			if owner, err := s.call(ctx, "ada"); err != nil || owner != "ada" {
				t.Errorf("acts as %q, %v, want ada", owner, err)
			}
		})
	})
}

// An API that refuses each token drives no token requests, for one customer across
// all requests.
func TestBrakeAcrossRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v, other := s.visitor("ada"), s.visitor("bob")
		v.signIn("ada")
		tok := other.signIn("bob")
		s.p.set(func() { s.p.broken = true })
		bystander := s.bystander()
		for range 300 {
			v.whoami()
			collect()
			bystander.state()
			pass(time.Second)
		}
		// 1 s, 2 s, 4 s … a minute
		if _, got, _ := s.p.counts(); got > 12 || got < 5 {
			t.Errorf("%d refreshes in 5 minutes, want about 10", got)
		}
		s.p.set(func() { s.p.broken = false })
		_, before, _ := s.p.counts()
		s.p.kill(tok.AccessToken)
		other.wantWho("bob") // is another matter
		s.p.wantRefreshes(t, before+1)
	})
}

// While the next token cannot be had for a passing reason, the customer's call gets
// the 401, and no guest's answer.
func TestEvictedAndTheRefreshFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		tok := v.signIn("ada")
		s.p.kill(tok.AccessToken)
		s.p.set(func() { s.p.failing = func(string) error { return answered(503, "") } })
		if owner, err := v.whoami(); !errors.Is(err, errAPI) {
			t.Errorf("acts as %q, %v, want the 401", owner, err)
		}
		if _, err := v.whoami(); err == nil || errors.Is(err, errAPI) {
			t.Errorf("got %v, want that there is no token", err)
		}
		s.p.set(func() { s.p.failing = nil })
		pass(time.Second)
		v.wantWho("ada")
		s.p.wantRefreshes(t, 2)
	})
}

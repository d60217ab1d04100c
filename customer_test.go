package bearer_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// collect gives customers whom nobody uses to the garbage collector.
func collect() { runtime.GC() }

// Fifty requests of one session, whose token has expired or was revoked: one
// refresh, and the next one works too.
func TestManyRequestsOfOneCustomer(t *testing.T) {
	for _, how := range []string{"expired", "revoked"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				tok := v.signIn("ada")
				s.p.took = 200 * time.Millisecond
				for round := range 3 {
					if how == "expired" {
						pass(2 * time.Hour)
					} else {
						pass(20 * time.Minute) // no brake
						v.in(func(ctx context.Context, _ *bearer.Session) { tok, _ = s.front.TokenContext(ctx) })
						s.p.kill(tok.AccessToken)
					}
					var wg sync.WaitGroup
					for i := range 50 {
						wg.Go(func() {
							pass(time.Duration(i%5) * 50 * time.Millisecond) // some when the refresh runs, some when it has ended
							v.wantWho("ada")
						})
					}
					wg.Wait()
					s.p.wantRefreshes(t, round+1)
				}
				wantEvents[bearer.CustomerExpired](t, s.events, 0)
			})
		})
	}
}

// A refresh that fails for a passing reason is an error, never the guest.
func TestCustomerRefreshFails(t *testing.T) {
	tests := []struct {
		name string
		err  error
		wait time.Duration // the next try is not before, nor a second after
	}{
		{"503", answered(503, ""), 80 * time.Millisecond},
		{"429", answered(429, "", "Retry-After", "20"), 20 * time.Second},
		{"timeout", context.DeadlineExceeded, 80 * time.Millisecond},
		{"connection lost", errDown, 80 * time.Millisecond},
		{"invalid_client", answered(401, "invalid_client"), 800 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				pass(2 * time.Hour)
				s.p.set(func() { s.p.failing = func(string) error { return tt.err } })
				for range 20 { // the pause holds for those who come later, though nobody is there between them
					collect()
					v.in(func(ctx context.Context, session *bearer.Session) {
						_, err := s.front.TokenContext(ctx)
						failed, ok := err.(*bearer.TokenError)
						if !ok || !errors.Is(err, tt.err) {
							t.Errorf("TokenContext: %v, want a *TokenError of %v", err, tt.err)
							return
						}
						if wait := time.Until(failed.NextTry); wait < tt.wait || wait > tt.wait+10*time.Second {
							t.Errorf("the next try is in %v, want %v", wait, tt.wait)
						}
						if state, err := session.State(ctx); err != nil || state != bearer.StateCustomer {
							t.Errorf("State is %v, %v, want customer", state, err)
						}
						if _, err := session.Authorization(ctx); !errors.Is(err, tt.err) {
							t.Errorf("Authorization: %v, want %v", err, tt.err)
						}
						if _, err := s.call(ctx, "ada"); !errors.Is(err, tt.err) {
							t.Errorf("the call: %v, want %v", err, tt.err)
						}
					})
				}
				s.p.wantRefreshes(t, 1)
				s.p.set(func() { s.p.failing = nil })
				pass(2*tt.wait + time.Second)
				v.wantWho("ada")
				s.p.wantRefreshes(t, 2)
			})
		})
	}
}

// Pauses grow also if each request finds nobody in memory.
func TestCustomerPausesGrow(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration // the sign-in
		most  int           // refreshes in 8 minutes of failing
	}{
		{"expired", 2 * time.Hour, 130}, // every 4 to 5 s in the end
		{"aging", 50 * time.Minute, 17}, // 1 s, 2 s, 4 s … a minute; the old token serves
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, func(o *bearer.StorefrontOptions) { o.RefreshAhead = 14 * time.Minute })
				v := s.visitor("ada")
				v.signIn("ada")
				pass(tt.after)
				s.p.set(func() { s.p.failing = func(string) error { return answered(503, "") } })
				bystander := s.bystander()
				for range 240 {
					bystander.state()
					v.in(func(ctx context.Context, session *bearer.Session) {
						_, err := s.front.TokenContext(ctx)
						if tt.name == "aging" && err != nil {
							t.Errorf("TokenContext: %v, want the token that is good", err)
						}
					})
					synctest.Wait()
					collect()
					pass(2 * time.Second)
				}
				if _, got, _ := s.p.counts(); got > tt.most || got < 5 {
					t.Errorf("%d refreshes in 8 minutes, want 5 to %d", got, tt.most)
				}
			})
		})
	}
}

// The next failure is the second one, though the first one's pause is over and the
// storefront has tidied up meanwhile.
func TestCustomerFailuresCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pauses []time.Duration
		s := newSite(t, func(o *bearer.StorefrontOptions) {
			o.RefreshAhead = 14 * time.Minute
			o.Observer = func(_ context.Context, e bearer.Event) {
				if failed, ok := e.(bearer.TokenFailed); ok {
					pauses = append(pauses, time.Until(failed.NextTry))
				}
			}
		})
		v := s.visitor("ada")
		v.signIn("ada")
		bystander := s.bystander()
		pass(50 * time.Minute)
		s.p.set(func() { s.p.failing = func(string) error { return answered(503, "") } })
		for range 4 {
			v.wantWho("ada")
			synctest.Wait()
			pass(40 * time.Second)
			collect()
			bystander.state()
			pass(21 * time.Second)
			collect()
		}
		if len(pauses) != 4 || !slices.IsSorted(pauses) {
			t.Errorf("the pauses are %v, want four that double", pauses)
		}
	})
}

// A refresh is due by the token's whole life, though whoever looks has only just
// learned of it.
func TestCustomerRefreshedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.life = 4 * time.Hour
		s := p.site(t, newShelf(), func(o *bearer.StorefrontOptions) { o.RefreshAhead = 14 * time.Minute }, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		for at := time.Duration(0); at < 4*time.Hour-15*time.Minute; at += 15 * time.Minute {
			v.wantWho("ada")
			synctest.Wait()
			collect()
			pass(15 * time.Minute)
		}
		p.wantRefreshes(t, 0)
		pass(5 * time.Minute) // within 10 minutes of the end
		v.wantWho("ada")
		synctest.Wait()
		p.wantRefreshes(t, 1)
		collect()
		v.wantWho("ada")
		pass(time.Hour)
		v.wantWho("ada")
		p.wantRefreshes(t, 1)
	})
}

package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// twoProcesses are two of one shop, which share the storage.
func twoProcesses(t *testing.T) (p *provider, customers *shelf, one, two *site) {
	p, customers = newProvider(), newShelf()
	return p, customers, p.site(t, customers, nil, nil), p.site(t, customers, nil, nil)
}

// What one process has refreshed the other takes over.
func TestRefreshedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, one, two := twoProcesses(t)
		v := one.visitor("ada")
		v.signIn("ada")
		for round := range 4 {
			here, there := one, two
			if round%2 == 1 {
				here, there = two, one
			}
			v.at(there).in(func(ctx context.Context, _ *bearer.Session) { // holds on to what it knows
				first, err := there.front.TokenContext(ctx)
				if err != nil {
					t.Error(err)
				}
				pass(59*time.Minute + 30*time.Second)
				v.at(here).wantWho("ada") // refreshes in the background
				synctest.Wait()
				if tok, err := there.front.TokenContext(ctx); err != nil || tok.AccessToken == first.AccessToken {
					t.Errorf("the other process has %v, %v, want the new token", tok, err)
				}
			})
			v.at(there).wantWho("ada")
			p.wantRefreshes(t, round+1)
		}
		wantEvents[bearer.CustomerExpired](t, one.events, 0)
	})
}

// A token that was revoked is refreshed once, if the processes do not ask at the
// same moment.
func TestEvictedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, one, two := twoProcesses(t)
		v := one.visitor("ada")
		tok := v.signIn("ada")
		v.at(two).in(func(ctx context.Context, _ *bearer.Session) {
			if _, err := two.front.TokenContext(ctx); err != nil {
				t.Error(err)
			}
			p.kill(tok.AccessToken)
			v.wantWho("ada")
			if owner, err := two.call(ctx, "ada"); err != nil || owner != "ada" { // has the old one for a second yet
				t.Errorf("acts as %q, %v, want ada", owner, err)
			}
		})
		p.wantRefreshes(t, 1)
	})
}

// Two processes spend the same refresh token at the same moment, and the provider
// takes it from one of them only: the customer stays.
func TestRefreshedElsewhereAtTheSameTime(t *testing.T) {
	tests := []struct {
		name        string
		first, last time.Duration // when the answers arrive
		write       time.Duration // how long the first one's takes to be written
	}{
		{"the winner is quicker", 100 * time.Millisecond, 200 * time.Millisecond, 0},
		{"the winner writes slowly", 100 * time.Millisecond, 100 * time.Millisecond, 700 * time.Millisecond},
		{"the winner is far behind", 5 * time.Second, 100 * time.Millisecond, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, customers := newProvider(), newShelf()
				spentBy := map[string]int{}
				var mu sync.Mutex
				slow := func(wait time.Duration, wins bool) func(*bearer.StorefrontOptions) {
					return func(o *bearer.StorefrontOptions) {
						o.Refresh = func(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
							mu.Lock()
							spentBy[old.RefreshToken]++
							mu.Unlock()
							var tok *bearer.Token
							err := answered(400, "invalid_grant")
							if wins { // it does not end the family of what was spent
								tok, err = p.spend(ctx, old)
							}
							pass(wait)
							return tok, err
						}
					}
				}
				winner := p.site(t, customers, slow(tt.first, true), nil)
				loser := p.site(t, customers, slow(tt.last, false), nil)
				v := winner.visitor("ada")
				v.signIn("ada")
				pass(2 * time.Hour)
				customers.faults(func(_ context.Context, op, _ string) error {
					if op == "swap" {
						customers.faults(nil, nil)
						pass(tt.write)
					}
					return nil
				}, nil)
				var wg sync.WaitGroup
				wg.Go(func() { v.wantWho("ada") })
				pass(time.Millisecond)
				owner, err := v.at(loser).whoami()
				if tt.name == "the winner is far behind" {
					if !errors.Is(err, bearer.ErrCustomerExpired) { // nobody could know
						t.Errorf("acts as %q, %v", owner, err)
					}
				} else if err != nil || owner != "ada" {
					t.Errorf("acts as %q, %v, want ada", owner, err)
				}
				wg.Wait()
				pass(time.Minute)
				v.wantWho("ada")
				v.at(loser).wantWho("ada")
				if got := p.takenBack(); len(got) != 0 {
					t.Errorf("revoked %q", got)
				}
			})
		})
	}
}

// A process that comes after one that found the refresh token dead ends nothing
// twice.
func TestExpiredElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, one, two := twoProcesses(t)
		v := one.visitor("ada")
		p.endFamilyOf(v.signIn("ada"))
		v.at(two).in(func(ctx context.Context, session *bearer.Session) {
			two.front.TokenContext(ctx)
			pass(2 * time.Hour)
			if _, err := v.whoami(); !errors.Is(err, bearer.ErrCustomerExpired) {
				t.Errorf("got %v, want ErrCustomerExpired", err)
			}
			if _, err := two.front.TokenContext(ctx); err != bearer.ErrCustomerExpired {
				t.Errorf("the other process: %v, want ErrCustomerExpired", err)
			}
			if state, err := session.State(ctx); err != nil || state != bearer.StateExpired {
				t.Errorf("State is %v, %v, want expired", state, err)
			}
		})
		p.wantRefreshes(t, 1)
		v.wantWho("guest")
		v.wantState(bearer.StateGuest)
	})
}

// Each process brakes on its own, and what it takes over from the other does not
// loosen the brake: a broken API drives no token requests.
func TestBrakeWithManyProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, one, two := twoProcesses(t)
		v := one.visitor("ada")
		v.signIn("ada")
		p.set(func() { p.broken = true })
		for n := range 100 {
			for _, s := range []*site{one, two} {
				v.at(s).whoami()
				if n%10 == 0 {
					collect()
				}
			}
			pass(3 * time.Second)
		}
		// 1 s, 2 s, 4 s … a minute: 10 in five minutes for each
		if _, got, _ := p.counts(); got > 30 || got < 5 {
			t.Errorf("%d refreshes in 5 minutes, want 5 to 30", got)
		}
	})
}

// What a slow look at the storage finds is older than what has come to pass
// meanwhile.
func TestSlowLookDuringARefresh(t *testing.T) {
	for _, found := range []string{"the former record", "that it has expired"} {
		t.Run(found, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				tok := v.signIn("ada")
				key, text, _ := s.shelf.only()
				pass(time.Second)
				v.in(func(ctx context.Context, _ *bearer.Session) { // uses her all the while
					if _, err := s.front.TokenContext(ctx); err != nil {
						t.Error(err)
					}
					s.p.kill(tok.AccessToken)
					s.p.took = 2 * time.Second
					var wg sync.WaitGroup
					wg.Go(func() { v.wantWho("ada") }) // refreshes
					pass(time.Second)
					if found == "that it has expired" { // by a process that comes too late
						s.shelf.replace(key, "undefined")
					}
					s.shelf.faults(nil, func(_ context.Context, op, _ string) error {
						if op == "get" {
							s.shelf.faults(nil, nil)
							pass(5 * time.Second)
						}
						return nil
					})
					v.in(func(ctx context.Context, _ *bearer.Session) {
						got, err := s.front.TokenContext(ctx)
						if err != nil || got.AccessToken == tok.AccessToken {
							t.Errorf("TokenContext: %v, %v, want the new token", got, err)
						}
					})
					wg.Wait()
				})
				if _, now, _ := s.shelf.only(); now == text {
					t.Error("the storage has not got the new token")
				}
				v.wantWho("ada")
				s.p.wantRefreshes(t, 1)
				wantEvents[bearer.CustomerExpired](t, s.events, 0)
			})
		})
	}
}

// Another writer has put a record in the place of ours that does not help: it is
// what the next refresh begins from.
func TestReplacedInVain(t *testing.T) {
	tests := []struct {
		with string
		seen time.Duration // ago
	}{{"the same access token", 0}, {"the same access token", time.Second}, {"an expired one", 0}, {"an expired one", time.Second}}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.with, ", seen ", tt.seen, " ago"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				s.p.life = 30 * time.Minute
				over := s.p.signIn("ada")
				s.p.life = time.Hour
				tok, more := v.signIn("ada"), s.p.signIn("ada")
				pass(40 * time.Minute)
				key, text, _ := s.shelf.only()
				if tt.with == "an expired one" {
					text = strings.ReplaceAll(text, tok.AccessToken, over.AccessToken)
					text = strings.ReplaceAll(text, "T01:00:00Z", "T00:30:00Z")
				}
				text = strings.ReplaceAll(text, tok.RefreshToken, more.RefreshToken)
				v.in(func(ctx context.Context, _ *bearer.Session) {
					old, err := s.front.TokenContext(ctx)
					if err != nil {
						t.Error(err)
					}
					s.p.kill(tok.AccessToken)
					s.p.endFamilyOf(tok)
					if err := s.front.Evict(ctx, old); err != nil {
						t.Error(err)
					}
					s.shelf.replace(key, text)
					pass(tt.seen)
					if owner, err := s.call(ctx, "ada"); err != nil || owner != "ada" {
						t.Errorf("acts as %q, %v, want ada", owner, err)
					}
				})
				if _, refreshes, refused := s.p.counts(); refreshes != 1 || refused != 0 {
					t.Errorf("%d refreshes, %d refused, want 1 and 0", refreshes, refused)
				}
				v.wantWho("ada")
			})
		})
	}
}

package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// A slow refresh that ends after the logout brings nobody back, and what it brings
// is revoked.
func TestRefreshEndsAfterLogout(t *testing.T) {
	for _, where := range []string{"same page", "other page", "other process"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, customers := newProvider(), newShelf()
				s := p.site(t, customers, nil, nil)
				there := p.site(t, customers, nil, nil)
				v := s.visitor("ada")
				first := v.signIn("ada")
				pass(2 * time.Hour)
				p.took = 10 * time.Second
				var wg sync.WaitGroup
				page := func(ctx context.Context, session *bearer.Session) {
					wg.Go(func() {
						if tok, err := s.front.TokenContext(ctx); err != bearer.ErrCustomerExpired {
							t.Errorf("TokenContext of a call that began before: %v, %v, want ErrCustomerExpired", tok, err)
						}
					})
					pass(9 * time.Second)
					var err error
					switch where {
					case "same page":
						err = session.Logout(ctx)
					case "other page":
						err = v.signOut()
					default:
						err = v.at(there).signOut()
					}
					if err != nil {
						t.Errorf("Logout: %v", err)
					}
					wg.Wait()
				}
				v.in(page)
				pass(time.Minute)
				v.wantWho("guest")
				v.wantState(bearer.StateGuest)
				want := []string{first.RefreshToken, first.AccessToken, "s3cr3t-refresh-2", "s3cr3t-access-2"}
				got := p.takenBack()
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(slices.Compact(got), want) {
					t.Errorf("revoked %q, want %q", got, want)
				}
				if key, text, _ := customers.only(); text != "null" {
					t.Errorf("%s holds %s, want a tombstone", key, text)
				}
			})
		})
	}
}

// A refresh that answers with somebody else's token is refused.
func TestRefreshAnswersWithAnother(t *testing.T) {
	tests := []struct{ name, owner string }{{"another customer", "bob"}, {"a guest", ""}, {"nobody known", "?"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				s.p.set(func() {
					s.p.answer = func(_, _ *bearer.Token) *bearer.Token {
						if tt.owner == "?" {
							return &bearer.Token{AccessToken: "s3cr3t-strange", RefreshToken: "s3cr3t-stranger"}
						}
						return s.p.issueTo(tt.owner, &family{})
					}
				})
				pass(2 * time.Hour)
				if owner, err := v.whoami(); !errors.Is(err, bearer.ErrCustomerExpired) {
					t.Errorf("acts as %q, %v, want ErrCustomerExpired", owner, err)
				}
				synctest.Wait()
				wantEvents[bearer.SessionRefused](t, s.events, 1)
				wantEvents[bearer.CustomerExpired](t, s.events, 1)
				if got := s.p.takenBack(); len(got) != 2 {
					t.Errorf("revoked %q, want what came", got)
				}
				v.wantState(bearer.StateExpired)
				v.wantWho("guest")
				s.p.wantRefreshes(t, 1)
			})
		})
	}
}

// The answer to a refresh may leave the refresh token out: it stays as it was (RFC
// 6749 §6).
func TestRefreshTokenStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		tok := v.signIn("ada")
		s.p.set(func() {
			s.p.answer = func(old, t *bearer.Token) *bearer.Token {
				s.p.refresh[old.RefreshToken].dead = false
				t.RefreshToken = ""
				return t
			}
		})
		for range 3 {
			pass(2 * time.Hour)
			v.wantWho("ada")
			if _, text, _ := s.shelf.only(); !contains(text, `"refreshToken":"`+tok.RefreshToken+`"`) {
				t.Errorf("the record is %s", text)
			}
			collect()
		}
	})
}

// What goes wrong in the application's functions is an error, and the next try is
// another one.
func TestRefreshPanics(t *testing.T) {
	for name, misbehave := range map[string]func(){"panic": func() { panic("s3cr3t") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bad atomic.Bool
				p := newProvider()
				s := p.site(t, newShelf(), func(o *bearer.StorefrontOptions) {
					o.Refresh = func(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
						pass(time.Second)
						if bad.Load() {
							misbehave()
						}
						return p.spend(ctx, old)
					}
				}, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				bad.Store(true)
				pass(2 * time.Hour)
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() {
						if owner, err := v.whoami(); err == nil || errors.Is(err, bearer.ErrNoCustomer) {
							t.Errorf("acts as %q, %v, want a passing error", owner, err)
						}
					})
				}
				wg.Wait()
				bad.Store(false)
				pass(time.Minute)
				v.wantWho("ada")
			})
		})
	}
}

// An empty answer is a failure that passes.
func TestRefreshAnswersWithNothing(t *testing.T) {
	for name, answer := range map[string]*bearer.Token{"nil": nil, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				s.p.set(func() {
					s.p.answer = func(old, _ *bearer.Token) *bearer.Token {
						s.p.refresh[old.RefreshToken].dead = false
						return answer
					}
				})
				pass(2 * time.Hour)
				if _, err := v.whoami(); err == nil || errors.Is(err, bearer.ErrNoCustomer) {
					t.Errorf("got %v, want a passing error", err)
				}
				s.p.set(func() { s.p.answer = nil })
				pass(time.Minute)
				v.wantWho("ada")
			})
		})
	}
}

// A token request acts for whoever comes first: it must not know the session, nor
// end with the one who began it.
func TestTokenRequestsKnowNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		kinds := map[string]int{}
		s.p.set(func() {
			s.p.took = 10 * time.Second
			s.p.within = func(ctx context.Context, kind, _ string) {
				s.p.set(func() { kinds[kind]++ })
				if _, ok := bearer.FromContext(ctx); ok {
					t.Errorf("the %s request has the session", kind)
				}
			}
		})
		v := s.visitor("ada")
		v.signIn("ada")
		s.visitor("eve").wantWho("guest")
		pass(2 * time.Hour)
		v.in(func(ctx context.Context, session *bearer.Session) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if _, err := s.front.TokenContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("TokenContext: %v, want the end of its context", err)
			}
			if state, err := session.State(ctx); err == nil {
				t.Errorf("State is %v, want an error: nobody knows yet", state)
			}
		})
		pass(20 * time.Second)
		s.p.took = 0
		v.wantWho("ada")
		s.p.wantRefreshes(t, 1)
		s.p.took = 10 * time.Second
		v.in(func(ctx context.Context, session *bearer.Session) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			if err := session.Logout(ctx); err != nil {
				t.Errorf("Logout: %v", err)
			}
		})
		if fmt.Sprint(kinds) != "map[guest:1 refresh:1 revoke:2]" {
			t.Errorf("requests %v", kinds)
		}
	})
}

// The result dies with its holder, and who has waited for it in vain is told within 5
// seconds that the session is over.
func TestCustomerResultIsLost(t *testing.T) {
	for range 100 { // waiting is spread
		synctest.Test(t, func(t *testing.T) {
			p, ways := &idp{}, taps(2, memstore.New(nil))
			one, two := single(p, ways[0], nil), single(p, ways[1], nil)
			setCustomer(t, one, p.login("ada", true))
			actsAs(t, two, "ada")
			pass(2 * time.Hour)
			over := make(chan struct{})
			dead := func(context.Context) error { <-over; return errDown }
			ways[0].on("before", "swap", singleKey, func(ctx context.Context) error {
				ways[0].on("before", "", "", dead)
				return dead(ctx)
			})
			go one.TokenContext(t.Context())
			synctest.Wait()
			p.wantRefreshes(t, 1)
			start := time.Now()
			isOver(t, two, true)
			if took := time.Since(start); took < 3*time.Second || took > 5*time.Second {
				t.Errorf("it took %v, want 5 s at most", took)
			}
			close(over)
			pass(time.Minute)
		})
	}
}

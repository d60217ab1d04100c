package bearer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
)

// stacks are what a process may have between it and a storage that all share.
var stacks = []struct {
	name string
	make func(bearer.CompareAndSwapper) bearer.CompareAndSwapper
}{
	{"storage", func(s bearer.CompareAndSwapper) bearer.CompareAndSwapper { return s }},
	{"memory before it", func(s bearer.CompareAndSwapper) bearer.CompareAndSwapper { return layered.New(s, nil) }},
	{"memory before one without a feed", func(s bearer.CompareAndSwapper) bearer.CompareAndSwapper {
		return layered.New(feedless{s, s.(bearer.Locker)}, nil)
	}},
}

// feedless is a storage that does not tell of changes.
type feedless struct {
	bearer.CompareAndSwapper
	locker bearer.Locker
}

func (s feedless) TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
	return s.locker.TryLock(ctx, key, lease)
}

// fronts are the handlers of n processes of one shop, without a network.
func fronts(p *provider, n int, customers func() bearer.CompareAndSwapper, opts *bearer.MiddlewareOptions) []page {
	all := make([]page, n)
	for i := range all {
		all[i] = bearer.Middleware(bearer.NewStorefront(p.guest, &bearer.StorefrontOptions{
			Name: "shop", Customers: customers(), Owner: p.owner, Refresh: p.spend, Revoke: p.revoke,
		}), opts)
	}
	return all
}

// However many processes meet with one customer whose token has expired, or was
// revoked, it is refreshed once; the service ends a session whose spent refresh token
// comes back.
func TestFleetRefreshesOneCustomer(t *testing.T) {
	for _, stack := range stacks {
		for name, opts := range map[string]*bearer.MiddlewareOptions{"in the storage": nil, "carried": carrying()} {
			for _, why := range []string{"expired", "rejected"} {
				t.Run(fmt.Sprint(stack.name, "/", name, "/", why), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						p, store := newProvider(), memstore.New(nil)
						p.took = 200 * time.Millisecond
						pages := fronts(p, 20, func() bearer.CompareAndSwapper { return stack.make(store) }, opts)
						b := &pane{cookies: map[string]string{}}
						b.signIn(t, p, pages[0])
						for round := range 4 {
							if why == "expired" {
								pass(2 * time.Hour)
							} else {
								pass(20 * time.Minute)
								p.kill(fmt.Sprint("s3cr3t-access-", round+1))
							}
							start, want := time.Now(), fmt.Sprint("s3cr3t-access-", round+2)
							var wg sync.WaitGroup
							for _, page := range pages {
								wg.Go(func() { b.wantToken(t, p, page, want) })
							}
							wg.Wait()
							if took := time.Since(start); took > 900*time.Millisecond {
								t.Errorf("it took %v, want little more than the answer's 200ms", took)
							}
							p.wantRefreshes(t, round+1)
						}
						pass(3 * time.Minute) // in which what watches ends
					})
				})
			}
		}
	}
}

// A second after a logout the customer is a guest everywhere.
func TestFleetLogout(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), memstore.New(nil)
				pages := fronts(p, 20, func() bearer.CompareAndSwapper { return stack.make(store) }, nil)
				b := &pane{cookies: map[string]string{}}
				b.signIn(t, p, pages[0])
				other := b.copy()
				for range 3 {
					for _, page := range pages {
						other.wantToken(t, p, page, "s3cr3t-access-1")
					}
					pass(400 * time.Millisecond)
				}
				b.visit(t, pages[0], func(ctx context.Context, s *bearer.Session) {
					if err := s.Logout(ctx); err != nil {
						t.Error(err)
					}
				})
				pass(time.Second)
				for i, page := range pages {
					other.visit(t, page, func(ctx context.Context, s *bearer.Session) {
						if state, err := s.State(ctx); state != bearer.StateGuest || err != nil {
							t.Errorf("at process %d the state is %v, %v, want guest", i, state, err)
						}
					})
				}
				pass(3 * time.Minute)
			})
		})
	}
}

// A logout while the fleet waits for a refresh wins.
func TestFleetLogoutDuringARefresh(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), memstore.New(nil)
				pages := fronts(p, 5, func() bearer.CompareAndSwapper { return stack.make(store) }, nil)
				b := &pane{cookies: map[string]string{}}
				b.signIn(t, p, pages[0])
				other := b.copy()
				pass(2 * time.Hour)
				p.took = 2 * time.Second
				var wg sync.WaitGroup
				for i, page := range pages {
					wg.Go(func() {
						other.visit(t, page, func(ctx context.Context, s *bearer.Session) {
							if a, err := s.Customer(ctx); err == nil {
								t.Errorf("process %d has %v after the logout", i, a)
							}
						})
					})
				}
				pass(time.Second + time.Second/2)
				b.visit(t, pages[1], func(ctx context.Context, s *bearer.Session) {
					if err := s.Logout(ctx); err != nil {
						t.Error(err)
					}
				})
				wg.Wait()
				pass(3 * time.Minute)
				if owner, ok := p.good("s3cr3t-access-2"); ok {
					t.Errorf("what the refresh brought is still good, for %q", owner)
				}
			})
		})
	}
}

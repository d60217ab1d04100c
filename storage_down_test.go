package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// While the storage cannot be read, customers who are known are served, and those
// who are not get an error, not the guests' token.
func TestStorageCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		ada, bob := s.visitor("ada"), s.visitor("bob")
		ada.signIn("ada")
		bob.signIn("bob")
		ada.in(func(ctx context.Context, _ *bearer.Session) { // uses her as long as this page lasts
			if _, err := s.front.TokenContext(ctx); err != nil {
				t.Error(err)
			}
			collect()
			s.shelf.failing(errDown, "get", "swap", "set", "delete")
			for range 3 {
				pass(20 * time.Second)
				ada.wantWho("ada")
				bob.in(func(ctx context.Context, session *bearer.Session) {
					if tok, err := s.front.TokenContext(ctx); !errors.Is(err, errDown) {
						t.Errorf("TokenContext: %v, %v, want the storage's error", tok, err)
					}
					if state, err := session.State(ctx); !errors.Is(err, errDown) {
						t.Errorf("State: %v, %v, want the storage's error", state, err)
					}
					if _, err := session.Customer(ctx); !errors.Is(err, errDown) || errors.Is(err, bearer.ErrNoCustomer) {
						t.Errorf("Customer: %v, want the storage's error", err)
					}
				})
			}
			s.visitor("eve").wantWho("guest")
			pass(2 * time.Hour)
			ada.wantWho("ada") // refreshed, as the endpoint can serve
			s.p.wantRefreshes(t, 1)
		})
		if got := len(eventsOf[bearer.StorageFailed](s.events)); got < 3 || got > 8 {
			t.Errorf("%d events tell that the storage fails, want one every ten seconds at most", got)
		}
		s.shelf.failing(nil)
		ada.wantWho("ada")
		bob.wantWho("bob")
	})
}

// A storage that hangs is one that fails, after five seconds; and then not for each
// call again.
func TestStorageHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		v.in(func(ctx context.Context, _ *bearer.Session) {
			if _, err := s.front.TokenContext(ctx); err != nil {
				t.Error(err)
			}
			s.shelf.faults(func(ctx context.Context, _, _ string) error { <-ctx.Done(); return ctx.Err() }, nil)
			pass(2 * time.Second)
			start := time.Now()
			for range 5 {
				if _, err := s.front.TokenContext(ctx); err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(start); took != 5*time.Second {
				t.Errorf("five calls took %v, want 5 s: all that the storage gets", took)
			}
			pass(2 * time.Second)
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			start = time.Now()
			if _, err := s.front.TokenContext(short); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("a caller with a second left got %v after %v", err, time.Since(start))
			}
		})
		wantEvents[bearer.StorageFailed](t, s.events, 1)
	})
}

// The visitor who leaves is no failure of the storage.
func TestStorageReadIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		v.in(func(ctx context.Context, _ *bearer.Session) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := s.front.TokenContext(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("TokenContext: %v, want that its context has ended", err)
			}
		})
		wantEvents[bearer.StorageFailed](t, s.events, 0)
	})
}

// A storage that has lost everything has signed everybody out.
func TestStorageFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		v.in(func(ctx context.Context, session *bearer.Session) {
			s.front.TokenContext(ctx)
			s.shelf.clear()
			pass(time.Second)
			if _, err := s.front.TokenContext(ctx); err != bearer.ErrCustomerExpired {
				t.Errorf("TokenContext: %v, want ErrCustomerExpired", err)
			}
		})
		v.wantWho("guest")
		v.wantState(bearer.StateGuest)
	})
}

// Flushed while a refresh runs: what it brings is nobody's.
func TestStorageFlushedDuringARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		pass(2 * time.Hour)
		s.p.took = 2 * time.Second
		go func() {
			pass(time.Second)
			s.shelf.clear()
		}()
		if owner, err := v.whoami(); !errors.Is(err, bearer.ErrCustomerExpired) {
			t.Errorf("acts as %q, %v, want ErrCustomerExpired", owner, err)
		}
		pass(time.Minute)
		if got := fmt.Sprint(s.p.takenBack()); got != "[s3cr3t-refresh-2 s3cr3t-access-2]" {
			t.Errorf("revoked %s, want what the refresh brought", got)
		}
		v.wantWho("guest")
	})
}

// The end of a session that cannot be written down is an error until it can. The
// refused token is not sent again, and the end is told once.
func TestExpiryCannotBeWritten(t *testing.T) {
	for _, why := range []string{"refused", "somebody else's"} {
		t.Run(why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				tok := v.signIn("ada")
				if why == "refused" {
					s.p.endFamilyOf(tok)
				} else {
					s.p.set(func() {
						s.p.answer = func(_, _ *bearer.Token) *bearer.Token { return s.p.issueTo("bob", &family{}) }
					})
				}
				pass(2 * time.Hour)
				s.shelf.failing(errDown, "set", "swap", "delete")
				for range 30 {
					owner, err := v.whoami()
					if !errors.Is(err, errDown) || errors.Is(err, bearer.ErrNoCustomer) {
						t.Errorf("acts as %q, %v, want the storage's error", owner, err)
					}
					collect()
					pass(time.Second)
				}
				s.p.wantRefreshes(t, 1)
				wantEvents[bearer.CustomerExpired](t, s.events, 0)
				s.shelf.failing(nil)
				pass(5 * time.Second)
				if owner, err := v.whoami(); !errors.Is(err, bearer.ErrCustomerExpired) {
					t.Errorf("acts as %q, %v, want ErrCustomerExpired", owner, err)
				}
				wantEvents[bearer.CustomerExpired](t, s.events, 1)
				v.wantWho("guest")
				v.wantState(bearer.StateExpired)
				s.p.wantRefreshes(t, 1)
			})
		})
	}
}

// The same in a fleet with a lock, which a storage that takes no writes does not give
// either: each process sends the token once.
func TestExpiryCannotBeWrittenByAFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ways := newProvider(), taps(2, memstore.New(nil))
		var sites []*site
		for _, way := range ways {
			sites = append(sites, p.site(t, nil, func(o *bearer.StorefrontOptions) { o.Customers = way }, nil))
		}
		v := sites[0].visitor("ada")
		p.endFamilyOf(v.signIn("ada"))
		pass(2 * time.Hour)
		for _, way := range ways {
			for _, kind := range []string{"set", "swap", "delete", "lock"} {
				way.on("before", kind, "", failWith(errDown))
			}
		}
		for i := range 30 {
			if owner, err := v.at(sites[i%2]).whoami(); err == nil || errors.Is(err, bearer.ErrNoCustomer) {
				t.Errorf("acts as %q, %v, want an error", owner, err)
			}
			pass(time.Second)
		}
		p.wantRefreshes(t, 2)
		for _, way := range ways {
			way.clear()
		}
		pass(5 * time.Second)
		v.wantState(bearer.StateExpired)
		v.at(sites[1]).wantState(bearer.StateGuest)
		for _, s := range sites {
			if n := len(eventsOf[bearer.CustomerExpired](s.events)); n > 1 {
				t.Errorf("told %d times that the customer has expired", n)
			}
		}
		p.wantRefreshes(t, 2)
	})
}

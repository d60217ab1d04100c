package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
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

// A rotated token that cannot be written is served, kept, though nobody uses it,
// and written again at each use, at most once a second.
func TestRotatedTokenCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		pass(2 * time.Hour)
		s.shelf.failing(errDown, "swap")
		before := s.shelf.count("swap")
		v.wantWho("ada")
		wantEvents[bearer.SaveFailed](t, s.events, 1)
		for range 10 { // within the first second
			v.wantWho("ada")
			synctest.Wait()
		}
		if got := s.shelf.count("swap") - before; got != 1 {
			t.Errorf("%d writes in the first second, want 1", got)
		}
		for range 30 {
			pass(100 * time.Millisecond)
			collect()
			v.wantWho("ada")
			synctest.Wait()
		}
		if got := s.shelf.count("swap") - before; got != 4 {
			t.Errorf("%d writes in 3 s, want 4", got)
		}
		wantEvents[bearer.SaveFailed](t, s.events, 4)

		s.shelf.failing(nil)
		pass(time.Second)
		v.wantWho("ada")
		synctest.Wait()
		if _, text, _ := s.shelf.only(); !contains(text, `"s3cr3t-refresh-2"`) {
			t.Errorf("the storage has %s, want the rotated token", text)
		}
		writes := s.shelf.count("swap")
		pass(2 * time.Minute)
		collect()
		v.wantWho("ada")
		if s.shelf.count("swap") != writes {
			t.Error("the record was written again, though the storage has it")
		}
		pass(2 * time.Hour)
		v.wantWho("ada")
		s.p.wantRefreshes(t, 2)
	})
}

// Rotated again before it could be written, it is the last one that is written.
func TestRotatedTwiceBeforeItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		s.shelf.failing(errDown, "swap")
		for range 3 {
			pass(2 * time.Hour)
			v.wantWho("ada")
			collect()
		}
		s.shelf.failing(nil)
		pass(time.Minute)
		v.wantWho("ada")
		synctest.Wait()
		if _, text, _ := s.shelf.only(); !contains(text, `"s3cr3t-refresh-4"`) {
			t.Errorf("the storage has %s, want the last token", text)
		}
		s.p.wantRefreshes(t, 3)
	})
}

// After an error nobody knows whether the write was done. If it was, nothing is
// lost.
func TestWriteSeemsToFail(t *testing.T) {
	for _, next := range []string{"a read", "a refresh", "a write again", "a refresh and a write again"} {
		t.Run(next, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				pass(2 * time.Hour)
				s.shelf.faults(nil, func(_ context.Context, op, _ string) error {
					if op == "swap" {
						s.shelf.faults(nil, nil)
						return errDown
					}
					return nil
				})
				v.in(func(ctx context.Context, _ *bearer.Session) {
					if _, err := s.front.TokenContext(ctx); err != nil {
						t.Error(err)
					}
					switch next {
					case "a read":
						pass(time.Second)
					case "a refresh":
						s.shelf.failing(errDown, "get")
						pass(2 * time.Hour)
						s.shelf.faults(func(_ context.Context, op, _ string) error {
							if op == "get" && s.shelf.count("get")%2 == 0 { // not the one before the refresh
								return errDown
							}
							return nil
						}, nil)
					case "a write again":
						pass(time.Second)
						s.front.TokenContext(ctx)
					case "a refresh and a write again":
						pass(2 * time.Hour)
					}
					if owner, err := s.call(ctx, "ada"); err != nil || owner != "ada" {
						t.Errorf("acts as %q, %v, want ada", owner, err)
					}
				})
				synctest.Wait()
				s.shelf.failing(nil)
				v.wantWho("ada")
				pass(2 * time.Hour)
				v.wantWho("ada")
				if got := s.p.takenBack(); len(got) != 0 {
					t.Errorf("revoked %q", got)
				}
				wantEvents[bearer.CustomerExpired](t, s.events, 0)
			})
		})
	}
}

// A write that was put off lands in the midst of the next refresh.
func TestWriteAgainDuringARefresh(t *testing.T) {
	for _, late := range []time.Duration{time.Second, 3 * time.Second, 10 * time.Second} {
		t.Run(fmt.Sprint(late), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				pass(2 * time.Hour)
				s.shelf.failing(errDown, "swap")
				v.wantWho("ada")
				pass(2 * time.Hour)
				s.p.took = 4 * time.Second
				var slowed atomic.Bool
				s.shelf.faults(func(_ context.Context, op, _ string) error {
					if op == "swap" && slowed.CompareAndSwap(false, true) {
						pass(late)
					}
					return nil
				}, nil)
				v.wantWho("ada")
				pass(time.Minute)
				s.p.took = 0
				v.wantWho("ada")
				pass(2 * time.Hour)
				v.wantWho("ada")
				s.p.wantRefreshes(t, 3)
				wantEvents[bearer.CustomerExpired](t, s.events, 0)
				if got := s.p.takenBack(); len(got) != 0 {
					t.Errorf("revoked %q", got)
				}
			})
		})
	}
}

// That the write was done after all is no news, which would push a refresh under way
// aside.
func TestWriteSeemsToFailBeforeARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		pass(2 * time.Hour)
		s.shelf.faults(nil, func(_ context.Context, op, _ string) error {
			if op == "swap" {
				s.shelf.faults(nil, nil)
				return errDown
			}
			return nil
		})
		v.wantWho("ada")
		pass(59 * time.Minute) // it is aging
		s.p.took = 4 * time.Second
		for range 10 {
			v.wantWho("ada")
			pass(time.Second)
		}
		s.p.wantRefreshes(t, 2)
		pass(30 * time.Minute)
		v.wantWho("ada")
		s.p.wantRefreshes(t, 2)
	})
}

// A customer signs out in another process while the rotated token could not be
// written: it is revoked by the one that has it.
func TestSignedOutBeforeItIsWritten(t *testing.T) {
	for _, learns := range []string{"by a read", "by a write"} {
		t.Run(learns, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, customers, one, two := twoProcesses(t)
				v := one.visitor("ada")
				v.signIn("ada")
				pass(2 * time.Hour)
				customers.failing(errDown, "swap")
				v.in(func(ctx context.Context, _ *bearer.Session) {
					if owner, err := one.call(ctx, "ada"); err != nil || owner != "ada" {
						t.Errorf("acts as %q, %v, want ada", owner, err)
					}
					customers.failing(nil)
					if err := v.at(two).signOut(); err != nil {
						t.Error(err)
					}
					if learns == "by a write" {
						customers.failing(errDown, "get")
						pass(time.Second)
						one.front.TokenContext(ctx)
						synctest.Wait()
						customers.failing(nil)
					}
					pass(time.Second)
					if _, err := one.front.TokenContext(ctx); err != bearer.ErrCustomerExpired {
						t.Errorf("TokenContext after the logout: %v, want ErrCustomerExpired", err)
					}
				})
				synctest.Wait()
				if got := fmt.Sprint(p.takenBack()); got != "[s3cr3t-refresh-1 s3cr3t-access-1 s3cr3t-refresh-2 s3cr3t-access-2]" {
					t.Errorf("revoked %s, want all", got)
				}
			})
		})
	}
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

// The end of a session that cannot be written down is one all the same.
func TestExpiryCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		s.p.endFamilyOf(v.signIn("ada"))
		pass(2 * time.Hour)
		s.shelf.failing(errDown, "swap")
		for range 10 {
			if owner, err := v.whoami(); !errors.Is(err, bearer.ErrCustomerExpired) {
				t.Errorf("acts as %q, %v, want ErrCustomerExpired", owner, err)
			}
		}
		s.shelf.failing(nil)
		if owner, err := v.whoami(); !errors.Is(err, bearer.ErrCustomerExpired) {
			t.Errorf("acts as %q, %v, want ErrCustomerExpired", owner, err)
		}
		v.wantWho("guest")
		v.wantState(bearer.StateExpired)
	})
}

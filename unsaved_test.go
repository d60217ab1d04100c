package bearer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

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

// However long nobody comes, a rotated token that could not be written is not let
// go, though others are.
func TestUnsavedOutlivesItsPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		pass(2 * time.Hour)
		s.shelf.failing(errDown, "swap")
		v.wantWho("ada")
		for range 3 {
			pass(time.Hour)
			s.shelf.failing(nil)
			s.bystander()
			s.shelf.failing(errDown, "swap")
			collect()
		}
		s.shelf.failing(nil)
		for range 3 {
			v.wantWho("ada")
			synctest.Wait()
			pass(2 * time.Hour)
		}
		wantEvents[bearer.CustomerExpired](t, s.events, 0)
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
			pass(2 * time.Minute)
			s.visitor("bob").in(func(ctx context.Context, session *bearer.Session) { // tidies up
				s.shelf.failing(nil)
				if err := session.SetCustomer(ctx, s.p.signIn("bob")); err != nil {
					t.Error(err)
				}
				s.shelf.failing(errDown, "swap")
			})
			collect()
		}
		s.shelf.failing(nil)
		pass(time.Minute)
		v.wantWho("ada")
		synctest.Wait()
		if all := fmt.Sprint(s.shelf.texts()); !contains(all, `"`+v.p.last("ada")+`"`) {
			t.Errorf("the storage has %s, want the last token", all)
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

// A rotated token that could not be written is written as soon as the storage is back
// and anybody comes: the customer's next request may go to another process.
func TestUnsavedIsWrittenWhoeverComes(t *testing.T) {
	for _, outage := range []time.Duration{5 * time.Second, 20 * time.Second, time.Hour} {
		t.Run(fmt.Sprint(outage), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, ways := newProvider(), taps(2, memstore.New(nil))
				var sites []*site
				for _, way := range ways {
					sites = append(sites, p.site(t, nil, func(o *bearer.StorefrontOptions) { o.Customers = way }, nil))
				}
				v, stranger := sites[0].visitor("ada"), sites[0].visitor("eve")
				v.signIn("ada")
				pass(2 * time.Hour)
				p.set(func() {
					p.within = func(_ context.Context, kind, _ string) {
						if kind == "refresh" {
							ways[0].on("before", "swap", "", failWith(errDown))
						}
					}
				})
				v.wantWho("ada")
				pass(outage)
				collect()
				ways[0].clear()
				p.set(func() { p.within = nil })
				for range 2 {
					stranger.wantWho("guest")
					pass(time.Second)
				}
				v.at(sites[1]).wantWho("ada")
				wantEvents[bearer.CustomerExpired](t, sites[1].events, 0)
				if outage < time.Hour {
					p.wantRefreshes(t, 1)
				}
			})
		})
	}
}

// However many could not be written, all are when the storage is back, also those who
// do not come. While it is away it is asked once a second, not once for each.
func TestManyUnsaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 4100 // more than are remembered for anything else
		s := newSite(t, nil)
		visitors := make([]*visitor, many)
		for i := range visitors {
			visitors[i] = s.visitor("ada")
			visitors[i].signIn("ada")
		}
		pass(2 * time.Hour)
		s.shelf.failing(errDown, "swap")
		for _, v := range visitors {
			v.wantWho("ada")
		}
		collect()
		stranger := s.visitor("eve")
		before := s.shelf.count("swap")
		for range 10 {
			stranger.wantWho("guest")
			pass(time.Second)
		}
		if got := s.shelf.count("swap") - before; got < 5 || got > 10 {
			t.Errorf("%d writes in 10 s to a storage that fails, want one a second", got)
		}
		s.shelf.failing(nil)
		stranger.wantWho("guest")
		synctest.Wait()
		there := s.p.site(t, s.shelf, nil, nil)
		for _, v := range visitors {
			v.at(there).wantWho("ada")
		}
		s.p.wantRefreshes(t, many)
		pass(time.Second)
		stranger.wantWho("guest")
		pass(2 * time.Minute)
		s.bystander() // tidies up
		collect()
		if _, held := bearer.Remembered(s.front); held > 1 {
			t.Errorf("%d customers are held on to, though the storage has them", held)
		}
	})
}

// More than can be remembered are let go, which is told of each.
func TestTooManyUnsaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		bearer.BoundUnsaved(s.front, 3)
		visitors := make([]*visitor, 5)
		for i := range visitors {
			visitors[i] = s.visitor("ada")
			visitors[i].signIn("ada")
		}
		pass(2 * time.Hour)
		s.shelf.failing(errDown, "swap")
		for _, v := range visitors {
			v.wantWho("ada")
		}
		given := 0
		for _, e := range eventsOf[bearer.SaveFailed](s.events) {
			if contains(e.Err.Error(), "too many customers") {
				given++
			}
		}
		if given != 2 {
			t.Errorf("told of %d customers who are let go, want 2", given)
		}
		if _, held := bearer.Remembered(s.front); held != 3 {
			t.Errorf("%d are held on to, want 3", held)
		}
	})
}

// A storage that panics while a record is written again takes no process with it.
func TestStoragePanicsWhenWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		pass(2 * time.Hour)
		s.shelf.failing(errDown, "swap")
		v.wantWho("ada")
		s.shelf.faults(func(_ context.Context, op, _ string) error {
			if op == "swap" {
				panic("s3cr3t")
			}
			return nil
		}, nil)
		for range 3 {
			pass(time.Second)
			v.wantWho("ada")
			synctest.Wait()
		}
		wantEvents[bearer.SaveFailed](t, s.events, 4)
		s.shelf.failing(nil)
		pass(time.Second)
		v.wantWho("ada")
		synctest.Wait()
		if _, text, _ := s.shelf.only(); !contains(text, `"s3cr3t-refresh-2"`) {
			t.Errorf("the storage has %s, want the rotated token", text)
		}
	})
}

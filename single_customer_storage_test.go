package bearer_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// While the storage fails, who is known goes on, and nobody signs in.
func TestSingleCustomerWithoutStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, e := &idp{}, newShelf(), &events{}
		c := single(p, s, e)
		setCustomer(t, c, p.login("ada", true))
		actsAs(t, c, "ada")
		down := errors.New("down, s3cr3t")
		s.failing(down, "get", "set", "swap")
		for range 3 {
			pass(2 * time.Hour)
			actsAs(t, c, "ada")
		}
		p.wantRefreshes(t, 3)
		if len(eventsOf[bearer.StorageFailed](e)) == 0 {
			t.Error("nobody is told that the storage fails")
		}
		if _, err := single(p, s, nil).Token(); !errors.Is(err, down) || errors.Is(err, bearer.ErrNoCustomer) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("who is not known: %v, want the storage's error, without its text", err)
		}
		if err := c.SetCustomer(t.Context(), p.login("bob", true)); !errors.Is(err, down) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("SetCustomer: %v, want the storage's error, without its text", err)
		}
		actsAs(t, c, "ada")
		s.failing(nil)
		pass(20 * time.Second)
		actsAs(t, c, "ada")
		synctest.Wait()
		actsAs(t, single(p, s, nil), "ada") // by what was refreshed meanwhile
		s.failing(down, "get", "set", "swap")
		if err := c.Logout(t.Context()); !errors.Is(err, down) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("Logout: %v, want the storage's error, without its text", err)
		}
		if len(p.revoked) != 2 {
			t.Errorf("%d tokens revoked, want 2", len(p.revoked))
		}
		isOver(t, c, false)
	})
}

// What cannot be read is in nobody's way.
func TestSingleCustomerIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := &idp{}, newShelf()
		broken := errors.New("broken")
		s.faults(func(_ context.Context, op, _ string) error {
			if op != "set" && s.texts()[singleKey] == "broken" {
				return broken
			}
			return nil
		}, nil)
		s.replace(singleKey, "broken")
		c := single(p, s, nil)
		if _, err := c.TokenContext(t.Context()); !errors.Is(err, broken) {
			t.Errorf("error = %v, want the storage's", err)
		}
		tok := setCustomer(t, c, p.login("ada", true))
		actsAs(t, c, "ada")
		if _, text, ttl := s.only(); !strings.Contains(text, tok.RefreshToken) || ttl != 14*24*time.Hour {
			t.Errorf("the storage has %s for %v", text, ttl)
		}
	})
}

// One caller a second asks the storage, and nobody else waits for the answer.
func TestSingleCustomerAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := &idp{}, newShelf()
		c := single(p, s, nil)
		setCustomer(t, c, p.login("ada", true))
		actsAs(t, c, "ada")
		pass(time.Second)
		s.faults(func(_ context.Context, op, _ string) error {
			pass(100 * time.Millisecond)
			return nil
		}, nil)
		before, start := s.count("get"), time.Now()
		var all sync.WaitGroup
		var waited atomic.Int32
		for range 50 {
			all.Go(func() {
				actsAs(t, c, "ada")
				if time.Since(start) > 0 {
					waited.Add(1)
				}
			})
		}
		all.Wait()
		if got := s.count("get") - before; got != 1 || waited.Load() != 1 {
			t.Errorf("the storage was asked %d times, and %d callers waited, want 1 and 1", got, waited.Load())
		}
	})
}

// A look at the storage that takes its time does not undo what has been done through
// the customer meanwhile.
func TestSingleCustomerLooksSlowly(t *testing.T) {
	for _, now := range []string{"nobody", "bob"} {
		t.Run(now, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, s := &idp{}, newShelf()
				c := single(p, s, nil)
				setCustomer(t, c, p.login("ada", true))
				actsAs(t, c, "ada")
				c = single(p, s, nil) // which does not know ada
				var looks atomic.Int32
				s.faults(nil, func(_ context.Context, op, _ string) error {
					if op == "get" && looks.Add(1) == 1 {
						pass(time.Second)
					}
					return nil
				})
				done := make(chan error, 1)
				go func() {
					_, err := c.TokenContext(t.Context())
					done <- err
				}()
				synctest.Wait()
				if now == "bob" {
					setCustomer(t, c, p.login("bob", true))
				} else if err := c.Logout(t.Context()); err != nil {
					t.Error(err)
				}
				if err := <-done; (err == nil) != (now == "bob") {
					t.Errorf("the slow call: %v", err)
				}
				if now == "bob" {
					actsAs(t, c, "bob")
				} else {
					isOver(t, c, false)
				}
			})
		})
	}
}

// A caller who leaves does not keep the next one from asking.
func TestSingleCustomerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := &idp{}, newShelf()
		c := single(p, s, nil)
		setCustomer(t, c, p.login("ada", true))
		actsAs(t, c, "ada")
		pass(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.TokenContext(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want that of the context", err)
		}
		s.replace(singleKey, "null")
		isOver(t, c, true)
	})
}

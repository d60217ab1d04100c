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

// After an error nobody is signed in, though the write may have been done; and if that
// cannot be seen to, the error says so.
func TestSingleCustomerWriteSeemsToFail(t *testing.T) {
	tests := []struct {
		name, before string // what the storage held
		broken       string // the operation whose answer is lost
		undone       bool
	}{
		{"first", "", "swap", true},
		{"after a logout", "null", "swap", true},
		{"after an end", "undefined", "swap", true},
		{"after somebody", "ada", "swap", true},
		{"not undone", "", "swap", false},
		{"over what is broken", "", "set", true},
		{"over what is broken, not undone", "", "set", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, s := &idp{}, newShelf()
				c := single(p, s, nil)
				switch tt.before {
				case "":
				case "ada":
					setCustomer(t, c, p.login("ada", true))
				default:
					s.replace(singleKey, tt.before)
				}
				before := s.texts()[singleKey]
				lost := false
				s.faults(func(_ context.Context, op, _ string) error {
					if op == "get" && tt.broken == "set" || op == "swap" && lost && !tt.undone {
						return errDown
					}
					return nil
				}, func(_ context.Context, op, _ string) error {
					if op == tt.broken && !lost {
						lost = true
						return errDown
					}
					return nil
				})
				err := c.SetCustomer(t.Context(), p.login("bob", true))
				want := map[bool]string{true: "nobody is signed in", false: "there all the same"}[tt.undone]
				if !errors.Is(err, errDown) || !contains(err.Error(), want) {
					t.Errorf("SetCustomer: %v, want the storage's error, and that %s", err, want)
				}
				s.faults(nil, nil)
				if !tt.undone {
					actsAs(t, c, "bob")
					return
				}
				if got := s.texts()[singleKey]; got != before {
					t.Errorf("the storage has %s, want %s", got, before)
				}
				if tt.before == "ada" {
					actsAs(t, c, "ada")
				} else {
					isOver(t, c, tt.before == "undefined")
				}
			})
		})
	}
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

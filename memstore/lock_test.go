package memstore_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/memstore"
)

// Locks that nobody gives back go all the same.
func TestLapsedLocksGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		held, err := s.TryLock(t.Context(), "held", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		most := 0
		for i := range 10_000 {
			if _, err := s.TryLock(t.Context(), fmt.Sprint(i), time.Second); err != nil {
				t.Fatal(err)
			}
			pass(100 * time.Millisecond) // 10 are held at a time
			most = max(most, s.Locks())
		}
		if most > 100 {
			t.Errorf("%d locks are kept, while 11 are held", most)
		}
		if err := held.Unlock(t.Context()); err != nil {
			t.Errorf("the lock that is held: %v", err)
		}
	})
}

func TestLockWithoutLease(t *testing.T) {
	s := memstore.New(nil)
	for _, lease := range []time.Duration{0, -time.Second} {
		if l, err := s.TryLock(t.Context(), "key", lease); l != nil || err == nil {
			t.Errorf("lease of %v: lock %v, error %v; want none and an error", lease, l, err)
		}
	}
}

package filestore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/filestore"
)

// A lock of a process that was killed while the clock was ahead does not keep the others
// out until that time comes.
func TestLockOfAClockThatWasAhead(t *testing.T) {
	const lease, long = 3 * time.Second, 1000000 * time.Hour
	for _, tt := range []struct {
		name  string
		lease time.Duration // of the lock that is there
		back  time.Duration // by how much the clock goes back
		free  bool
	}{
		{"not ahead", lease, 0, false},
		{"longer than what is asked for", time.Hour, 0, false},
		{"as long as can be", long, 0, false},
		{"set right", lease, lease, false},
		{"ahead", lease, 2 * time.Hour, true},
		{"ahead, and longer", time.Hour, 2 * time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tempDir(t)
			start := make(chan time.Time, 1)
			synctest.Test(t, func(t *testing.T) { // a bubble's clock begins at the same time as the next one's
				start <- time.Now()
				pass(tt.back)
				s, err := filestore.New(dir)
				must(t, err)
				held, err := s.TryLock(t.Context(), key, tt.lease)
				must(t, err)
				must(t, held.Renew(t.Context()))
			})
			synctest.Test(t, func(t *testing.T) {
				if now := time.Now(); !now.Equal(<-start) {
					t.Fatalf("it is %v", now)
				}
				s, err := filestore.New(dir)
				must(t, err)
				if _, err := s.TryLock(t.Context(), key, lease); (err == nil) != tt.free || err != nil && err != bearer.ErrLocked {
					t.Errorf("TryLock: %v, want that it is free: %v", err, tt.free)
				}
			})
		})
	}
}

package filestore_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
)

// setFSUID has files used as that user, by this thread.
func setFSUID(t *testing.T, uid int) { must(t, syscall.Setfsuid(uid)) }

// Nothing has to be closed, so nothing may stay open.
func TestLeavesNothingOpen(t *testing.T) {
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	all := func() {
		set(t, s, "a", time.Millisecond)
		<-time.After(2 * time.Millisecond)
		want(t, s, "")
		set(t, s, "a", 0)
		want(t, s, "a")
		if ok, err := s.CompareAndSwap(t.Context(), key, []byte("a"), nil, 0); !ok || err != nil {
			t.Error(ok, err)
		}
		l, err := s.TryLock(t.Context(), key, time.Minute)
		must(t, err)
		if _, err := other.TryLock(t.Context(), key, time.Minute); !errors.Is(err, bearer.ErrLocked) {
			t.Error(err)
		}
		must(t, l.Renew(t.Context()))
		must(t, l.Unlock(t.Context()))
		must(t, s.Delete(t.Context(), key))
	}
	opened := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(entries)
	}
	all()
	before := opened()
	for range 10 {
		all()
	}
	if after := opened(); after > before {
		t.Errorf("%d files are open after use, %d were before", after, before)
	}
}

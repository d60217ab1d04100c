package filestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/filestore"
)

// setFSUID has files used as that user, by this thread.
func setFSUID(t *testing.T, uid int) { must(t, syscall.Setfsuid(uid)) }

// Nothing has to be closed, so nothing may stay open.
func TestLeavesNothingOpen(t *testing.T) {
	dir := tempDir(t)
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
		must(t, os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600)) // a sweep is due
		must(t, s.Delete(t.Context(), key))

		must(t, os.Chmod(dir, 0o777))
		if _, err := filestore.New(dir); err == nil {
			t.Error("New takes a directory that others may write to")
		}
		must(t, os.Chmod(dir, 0o700))

		held, free := make(chan bool), make(chan bool)
		holder := open(t, dir)
		holder.Intercept(func(step string) error {
			if step == "create" {
				held <- true
				<-free
			}
			return nil
		})
		ended := make(chan error)
		go func() { ended <- holder.Set(t.Context(), key, nil, 0) }()
		<-held
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := s.Delete(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		close(free)
		must(t, <-ended)
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

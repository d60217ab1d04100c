package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/filestore"
)

func TestReaderRemovesWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := tempDir(t)
		s := open(t, dir)
		set(t, s, "a", time.Minute)
		s.RemoveEnded(key)
		want(t, s, "a") // as it has not
		pass(time.Minute)
		wantFiles(t, dir, filestore.FileName(key))
		want(t, s, "")
		wantFiles(t, dir)
	})
}

// Who reads does not wait to remove.
func TestReaderDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := tempDir(t)
		s, other := open(t, dir), open(t, dir)
		set(t, s, "a", time.Minute)
		pass(time.Minute)
		free, ended := make(chan bool), make(chan error)
		for _, holder := range []*filestore.Store{other, s} {
			begun := false
			holder.Intercept(func(string) error {
				if !begun {
					begun = true
					<-free
				}
				return nil
			})
			go func() { ended <- holder.Set(t.Context(), "another", nil, 0) }()
			synctest.Wait()
			start := time.Now()
			want(t, s, "")
			if took := time.Since(start); took != 0 {
				t.Errorf("Get took %v, want no wait", took)
			}
			free <- true
			must(t, <-ended)
		}
	})
}

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := tempDir(t)
		s := open(t, dir)
		foreign := filepath.Join(dir, "foreign.value")
		must(t, os.WriteFile(foreign, []byte("foreign"), 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "README"), filestore.Encode(0, "", nil), 0o600))
		must(t, os.Symlink(foreign, filepath.Join(dir, "link.value")))
		always := []string{"foreign.value", "README", "link.value", filestore.FileName("now")}
		set := func(key string, ttl time.Duration) {
			t.Helper()
			must(t, s.Set(t.Context(), key, nil, ttl))
		}
		set("now", 0)
		set("ended", time.Minute)
		set("ends", 2*time.Hour)
		_, err := s.TryLock(t.Context(), "lock", time.Minute)
		must(t, err)
		ended := []string{filestore.FileName("ended"), filestore.LeaseName("lock")}
		ends := filestore.FileName("ends")

		pass(time.Hour - time.Second) // since the first write
		set("now", 0)
		wantFiles(t, dir, append(append(ended, ends), always...)...)
		pass(time.Second)
		set("now", 0)
		wantFiles(t, dir, append(always, ends)...)
		set("ended", time.Minute)
		pass(time.Hour - time.Second)
		open(t, dir).Set(t.Context(), "now", nil, 0) // another process knows when it was
		wantFiles(t, dir, append(always, ends, ended[0])...)
		pass(time.Second)
		if _, err := open(t, dir).CompareAndSwap(t.Context(), "now", []byte{}, []byte{}, 0); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, always...)
	})
}

// A clock that was wrong does not keep the sweep away for years, nor does junk.
func TestSweepAfterWrongClock(t *testing.T) {
	for _, noted := range []string{"99999999999", "junk", "", "-5", "9999999999999999999999"} {
		synctest.Test(t, func(t *testing.T) {
			dir := tempDir(t)
			s := open(t, dir)
			set(t, s, "a", time.Minute)
			must(t, os.WriteFile(filepath.Join(dir, "lock"), []byte(noted), 0o600))
			pass(2 * time.Minute)
			must(t, s.Set(t.Context(), "another", nil, 0))
			wantFiles(t, dir, filestore.FileName("another"))
			set(t, s, "a", time.Minute) // and the next one is in an hour
			pass(2 * time.Minute)
			must(t, s.Set(t.Context(), "another", nil, 0))
			wantFiles(t, dir, filestore.FileName("another"), filestore.FileName(key))
		})
	}
}

// A lease that nobody has given back can be taken by another Store, as after a kill.
func TestLeaseOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := tempDir(t)
		dead, err := open(t, dir).TryLock(t.Context(), key, time.Minute)
		must(t, err)
		s := open(t, dir)
		pass(time.Minute - 1)
		if _, err := s.TryLock(t.Context(), key, time.Minute); !errors.Is(err, bearer.ErrLocked) {
			t.Errorf("TryLock = %v, want %v", err, bearer.ErrLocked)
		}
		pass(1)
		l, err := s.TryLock(t.Context(), key, time.Minute)
		must(t, err)
		for name, err := range map[string]error{"Renew": dead.Renew(t.Context()), "Unlock": dead.Unlock(t.Context())} {
			if !errors.Is(err, bearer.ErrLockLost) {
				t.Errorf("%s = %v, want %v", name, err, bearer.ErrLockLost)
			}
		}
		must(t, l.Unlock(t.Context()))
	})
}

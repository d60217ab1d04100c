//go:build unix

package filestore_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/bearerkit/bearer/filestore"
)

// planted are what somebody may have put in the place of a file.
func planted(t *testing.T) map[string]func(path string) error {
	outside := filepath.Join(tempDir(t), "outside")
	must(t, os.WriteFile(outside, filestore.Encode(1<<62, key, []byte("planted")), 0o600))
	return map[string]func(path string) error{
		"a link":           func(path string) error { return os.Symlink(outside, path) },
		"a link to a link": func(path string) error { return os.Symlink(filepath.Base(path)+"2", path) },
		"a directory":      func(path string) error { return os.Mkdir(path, 0o700) },
		"a pipe":           func(path string) error { return syscall.Mkfifo(path, 0o600) },
	}
}

func TestPlantedValues(t *testing.T) {
	for name, plant := range planted(t) {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			s := open(t, dir)
			must(t, plant(valuePath(dir)))
			for range 2 {
				value, err := s.Get(t.Context(), key)
				wantErr(t, "Get", err, "cannot be read: it is not a file")
				if value != nil {
					t.Errorf("Get = %q", value)
				}
			}
			_, err := s.CompareAndSwap(t.Context(), key, []byte("planted"), []byte("v4lue"), 0)
			wantErr(t, "CompareAndSwap", err, "it is not a file")
			if name == "a directory" {
				wantErr(t, "Set", s.Set(t.Context(), key, []byte("v4lue"), 0), "cannot be written")
				wantFiles(t, dir, filestore.FileName(key))
				return
			}
			set(t, s, "v4lue", 0) // takes its place
			want(t, s, "v4lue")
			if got := mode(t, valuePath(dir)); got != 0o600 {
				t.Errorf("the file has mode %v, want 0600", got)
			}
		})
	}
}

// A link within the directory is none to follow either.
func TestLinkWithin(t *testing.T) {
	dir := tempDir(t)
	s := open(t, dir)
	set(t, s, "a", 0)
	must(t, os.Rename(valuePath(dir), filepath.Join(dir, "other")))
	must(t, os.Symlink("other", valuePath(dir)))
	_, err := s.Get(t.Context(), key)
	wantErr(t, "Get", err, "it is not a file")
}

func TestPlantedLock(t *testing.T) {
	for name, plant := range planted(t) {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			s := open(t, dir)
			must(t, plant(filepath.Join(dir, "lock")))
			wantErr(t, "Set", s.Set(t.Context(), key, []byte("v4lue"), 0), "the file lock in "+dir+" cannot be locked: it is not a file")
			want(t, s, "")
			must(t, os.Remove(filepath.Join(dir, "lock")))
			set(t, s, "a", 0)
		})
	}
}

func TestDirectoryOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	dir := filepath.Join(tempDir(t), "a")
	s := open(t, dir)
	must(t, os.Chown(dir, 65534, -1))
	_, err := filestore.New(dir)
	wantErr(t, "New", err, "it belongs to user 65534")
	_, err = s.Get(t.Context(), key)
	wantErr(t, "Get", err, "it belongs to user 65534")
}

// Where nothing can be written all can be read.
func TestReadOnly(t *testing.T) {
	dir := filepath.Join(tempDir(t), "a")
	s := open(t, dir)
	set(t, s, "v4lue", 0)
	must(t, s.Set(t.Context(), "ended", nil, time.Millisecond))
	defer os.Chmod(dir, 0o700)
	asNobody(t, dir, func() {
		must(t, os.Chmod(dir, 0o555))
		must(t, os.Chmod(valuePath(dir), 0o444))
		must(t, os.Chmod(filepath.Join(dir, "lock"), 0o666))
	}, func() {
		want(t, s, "v4lue")
		wantErr(t, "Set", s.Set(t.Context(), key, []byte("v4lue"), 0), "cannot be written: permission denied")
		wantErr(t, "Delete", s.Delete(t.Context(), key), "cannot be removed: permission denied")
		want(t, s, "v4lue")
	})
}

// asNobody calls prepare, and then f as one for whom permissions count, and who gets to
// dir, which is in a temporary directory of the test's.
func asNobody(t *testing.T, dir string, prepare, f func()) {
	prepare()
	if os.Geteuid() == 0 {
		if runtime.GOOS != "linux" {
			t.Skip("root may write everywhere")
		}
		must(t, os.Chmod(filepath.Dir(dir), 0o755))
		must(t, os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755))
		for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
			if mode(t, d).Perm()&1 == 0 {
				t.Skipf("nobody but root gets into %s: set TMPDIR to a directory that is open to others", d)
			}
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		setFSUID(t, 65534)
		defer setFSUID(t, 0)
	}
	f()
}

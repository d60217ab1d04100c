package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/bearerkit/bearer/filestore"
)

// A write that fails at a step leaves the old value, and nothing that would stand in
// the way of the next one.
func TestFailedSteps(t *testing.T) {
	for _, step := range filestore.Steps {
		t.Run(step, func(t *testing.T) {
			dir := tempDir(t)
			s := open(t, dir)
			set(t, s, "old", 0)
			failing := open(t, dir)
			full := &os.PathError{Op: step, Path: "k3y", Err: syscall.ENOSPC}
			var taken []string
			failing.Intercept(func(s string) error {
				taken = append(taken, s)
				if s == step {
					return full
				}
				return nil
			})
			after := "old"
			if step == "sync directory" { // the new one is there, but may not outlive the power
				after = "v4lue"
			}
			err := failing.Set(t.Context(), key, []byte("v4lue"), 0)
			wantErr(t, "Set", err, "cannot be written: no space left on device")
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("Set = %v, want it to be %v", err, syscall.ENOSPC)
			}
			want(t, s, after)
			if swapped, err := failing.CompareAndSwap(t.Context(), key, []byte(after), []byte("v4lue"), 0); swapped || !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("CompareAndSwap = %v, %v, want %v", swapped, err, syscall.ENOSPC)
			}
			want(t, s, after)
			if _, err := failing.TryLock(t.Context(), key, 1e10); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("TryLock = %v, want %v", err, syscall.ENOSPC)
			}
			if step == "sync directory" {
				must(t, os.Remove(filepath.Join(dir, filestore.LeaseName(key))))
			}
			wantFiles(t, dir, filestore.FileName(key))
			set(t, s, "newer", 0)
			want(t, s, "newer")
			if !slices.Contains(taken, step) {
				t.Errorf("the steps were %q, without %q", taken, step)
			}
		})
	}
}

// The steps come in the one order in which nothing is lost.
func TestOrderOfSteps(t *testing.T) {
	s := open(t, tempDir(t))
	var taken []string
	s.Intercept(func(step string) error {
		taken = append(taken, step)
		return nil
	})
	set(t, s, "a", 0)
	if !slices.Equal(taken, filestore.Steps) {
		t.Errorf("the steps of Set were %q, want %q", taken, filestore.Steps)
	}
	taken = nil
	must(t, s.Delete(t.Context(), key))
	if want := []string{"remove", "sync directory"}; !slices.Equal(taken, want) {
		t.Errorf("the steps of Delete were %q, want %q", taken, want)
	}
}

func TestFailedDelete(t *testing.T) {
	s := open(t, tempDir(t))
	set(t, s, "old", 0)
	s.Intercept(func(string) error { return syscall.EROFS })
	wantErr(t, "Delete", s.Delete(t.Context(), key), "cannot be removed: read-only file system")
	if swapped, err := s.CompareAndSwap(t.Context(), key, []byte("old"), nil, 0); swapped || !errors.Is(err, syscall.EROFS) {
		t.Errorf("CompareAndSwap for nil = %v, %v, want %v", swapped, err, syscall.EROFS)
	}
	want(t, s, "old")
}

// What one who was killed has left is of no use to the next, whatever it is.
func TestLeftovers(t *testing.T) {
	dir := tempDir(t)
	s := open(t, dir)
	set(t, s, "old", 0)
	outside := filepath.Join(tempDir(t), "outside")
	must(t, os.WriteFile(outside, []byte("outside"), 0o600))
	for name, leave := range map[string]func(path string) error{
		"a file": func(path string) error { return os.WriteFile(path, []byte("half"), 0o400) },
		"a link": func(path string) error { return os.Symlink(outside, path) },
	} {
		must(t, leave(filepath.Join(dir, "temp")))
		set(t, s, name, 0)
		want(t, s, name)
		wantFiles(t, dir, filestore.FileName(key))
	}
	if text, err := os.ReadFile(outside); string(text) != "outside" || err != nil {
		t.Errorf("a file outside of the directory has %q, %v, want it unchanged", text, err)
	}
}

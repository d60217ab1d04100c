//go:build unix

package filestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/filestore"
)

func TestOwnerAlone(t *testing.T) {
	dir := filepath.Join(tempDir(t), "a", "b")
	s := open(t, dir)
	set(t, s, "a", 0)
	if _, err := s.TryLock(t.Context(), key, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if got := mode(t, d); got != os.ModeDir|0o700 {
			t.Errorf("%s has mode %v, want 0700", d, got)
		}
	}
	names := append(files(t, dir), "lock")
	if len(names) != 3 {
		t.Errorf("the files are %q, want those of a value and two locks", names)
	}
	for _, name := range names {
		if got := mode(t, filepath.Join(dir, name)); got != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, got)
		}
		if strings.Contains(name, "shop") {
			t.Errorf("%s tells the key", name)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	dir := tempDir(t)
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for _, bits := range []os.FileMode{0o777, 0o720, 0o702, os.ModeSticky | 0o777} {
		path := filepath.Join(dir, fmt.Sprintf("%o", bits))
		must(t, os.Mkdir(path, 0o700))
		must(t, os.Chmod(path, bits))
	}
	tests := []struct{ name, dir, want string }{
		{"no name", "", "the directory has no name"},
		{"a file", filepath.Join(dir, "file"), "cannot be opened: not a directory"},
		{"below a file", filepath.Join(dir, "file", "a"), "not a directory"},
		{"everybody's", filepath.Join(dir, "777"), "others may write to it (mode 0777)"},
		{"the group's", filepath.Join(dir, "720"), "others may write to it (mode 0720)"},
		{"others'", filepath.Join(dir, "702"), "others may write to it (mode 0702)"},
		{"everybody's, sticky", filepath.Join(dir, fmt.Sprintf("%o", os.ModeSticky|0o777)), "others may write to it (mode 0777)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := filestore.New(tt.dir)
			if s != nil {
				t.Errorf("New = %v, want nil", s)
			}
			wantErr(t, "New", err, tt.want)
		})
	}
}

// What has become of the directory counts, not what it was.
func TestDirectoryOpenedUpLater(t *testing.T) {
	dir := filepath.Join(tempDir(t), "a")
	s := open(t, dir)
	set(t, s, "v4lue", 0)
	must(t, os.Chmod(dir, 0o770))
	_, err := s.Get(t.Context(), key)
	wantErr(t, "Get", err, "others may write to it")
	wantErr(t, "Set", s.Set(t.Context(), key, []byte("v4lue"), 0), "others may write to it")
	wantErr(t, "Delete", s.Delete(t.Context(), key), "others may write to it")
	must(t, os.Chmod(dir, 0o755)) // to look in is another thing
	want(t, s, "v4lue")
}

package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/filestore"
)

const key = "cl_customer-shop-k3y"

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// want gets the value, an empty one meaning that there is none.
func want(t *testing.T, s bearer.Storage, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if errors.Is(err, bearer.ErrNotFound) && want == "" {
		return
	}
	if err != nil || string(got) != want {
		t.Errorf("Get = %.60q, %v, want %.60q", got, err, want)
	}
}

func set(t *testing.T, s bearer.Storage, value string, ttl time.Duration) {
	t.Helper()
	if err := s.Set(t.Context(), key, []byte(value), ttl); err != nil {
		t.Fatal(err)
	}
}

// wantErr fails unless err says something, and nothing of keys and values.
func wantErr(t *testing.T, what string, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("%s = %v, want %q", what, err, text)
		return
	}
	if errors.Is(err, bearer.ErrNotFound) {
		t.Errorf("%s = %v, which says that there is no value", what, err)
	}
	if strings.Count(err.Error(), "filestore:") != 1 || !strings.HasPrefix(err.Error(), "filestore: ") {
		t.Errorf("%s = %v, want the package's name once, at first", what, err)
	}
	if strings.Contains(err.Error(), "k3y") || strings.Contains(err.Error(), "v4lue") {
		t.Errorf("%s = %v, which quotes a key or a value", what, err)
	}
}

// files are the names in dir, but for the lock's.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("the files are %q, want %q", got, want)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// tempDir is a directory to which nobody else may write, whatever the umask allows.
func tempDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// valuePath is where the value is.
func valuePath(dir string) string { return filepath.Join(dir, filestore.FileName(key)) }

// childEnv says what this program is to do if it is not to run the tests.
const childEnv = "FILESTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	work, ok := os.LookupEnv(childEnv)
	if !ok {
		os.Exit(m.Run())
	}
	args := strings.Split(work, "\n")
	if err := children[args[0]](context.Background(), args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child returns a process that does what children have under its name.
func child(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(append([]string{name}, args...), "\n"))
	cmd.Stderr = t.Output()
	return cmd
}

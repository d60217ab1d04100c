package filestore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/filestore"
)

func TestSurvives(t *testing.T) {
	dir := filepath.Join(tempDir(t), "a", "b")
	set(t, open(t, dir), "a", 0)
	s := open(t, dir)
	want(t, s, "a")

	must(t, os.RemoveAll(dir))
	want(t, s, "")
	set(t, s, "b", 0)
	want(t, s, "b")
	if got := mode(t, dir); got.Perm() != 0o700 {
		t.Errorf("the directory that was made again has mode %v, want 0700", got)
	}
}

// The directory is where it was when the program began.
func TestChangeOfDirectory(t *testing.T) {
	t.Chdir(tempDir(t))
	s := open(t, "tokens")
	set(t, s, "a", 0)
	t.Chdir(tempDir(t))
	want(t, s, "a")
}

// Whatever has become of a file, it is not taken for a value, nor for none.
func TestForeignFiles(t *testing.T) {
	dir := tempDir(t)
	s := open(t, dir)
	set(t, s, "v4lue", time.Hour)
	good, err := os.ReadFile(valuePath(dir))
	must(t, err)
	foreign := map[string][]byte{
		"empty":        {},
		"text":         []byte(`{"accessToken":"v4lue"}`),
		"longer":       append(good[:len(good):len(good)], 0),
		"huge":         make([]byte, 2<<20),
		"of other key": filestore.Encode(math.MaxInt64, "another k3y", []byte("v4lue")),
	}
	for i := range good {
		foreign[fmt.Sprintf("cut off after %d", i)] = good[:i]
		changed := []byte(string(good))
		changed[i] ^= 0x10
		foreign[fmt.Sprintf("changed at %d", i)] = changed
	}
	const text = "cannot be read: it was cut off or changed"
	for name, content := range foreign {
		must(t, os.WriteFile(valuePath(dir), content, 0o600))
		value, err := s.Get(t.Context(), key)
		wantErr(t, name+": Get", err, text)
		if value != nil {
			t.Errorf("%s: Get = %q", name, value)
		}
		for _, old := range [][]byte{nil, {}, []byte("v4lue")} {
			swapped, err := s.CompareAndSwap(t.Context(), key, old, []byte("x"), 0)
			wantErr(t, name+": CompareAndSwap", err, text)
			if swapped {
				t.Errorf("%s: CompareAndSwap = true", name)
			}
		}
	}
	set(t, s, "new", 0)
	want(t, s, "new")
	must(t, os.WriteFile(valuePath(dir), foreign["text"], 0o600))
	must(t, s.Delete(t.Context(), key))
	want(t, s, "")

	must(t, os.WriteFile(filepath.Join(dir, filestore.LeaseName(key)), foreign["text"], 0o600))
	_, err = s.TryLock(t.Context(), key, time.Hour)
	wantErr(t, "TryLock", err, text)
}

func TestRefusesWhatIsTooLarge(t *testing.T) {
	dir := tempDir(t)
	s := open(t, dir)
	big := []byte(strings.Repeat("v4lue", 1<<20))
	wantErr(t, "Set", s.Set(t.Context(), key, big, 0), "is too large")
	wantErr(t, "Set", s.Set(t.Context(), "k3y"+string(big), nil, 0), "is too large")
	_, err := s.CompareAndSwap(t.Context(), key, nil, big, 0)
	wantErr(t, "CompareAndSwap", err, "is too large")
	most := string(big[:1<<20])
	set(t, s, most, 0)
	want(t, s, most)
	long := most[:64<<10]
	must(t, s.Set(t.Context(), long, []byte(most), 0))
	f, err := os.OpenFile(filepath.Join(dir, filestore.FileName(long)), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer f.Close()
	if value, err := s.Get(t.Context(), long); err != nil || string(value) != most {
		t.Errorf("Get of the largest = %d bytes, %v, want %d", len(value), err, len(most))
	}
	_, err = f.WriteString("x")
	must(t, err)
	_, err = s.Get(t.Context(), long)
	wantErr(t, "Get of the largest and a byte", err, "it was cut off or changed")
}

func TestTTLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, tempDir(t))
		for _, ttl := range []time.Duration{0, math.MaxInt64, 1000 * time.Hour} {
			set(t, s, "a", ttl)
			pass(1000*time.Hour - 1)
			want(t, s, "a")
		}
		pass(1)
		want(t, s, "")
		wantErr(t, "Set", s.Set(t.Context(), key, nil, -1), "the ttl is negative")
		_, err := s.TryLock(t.Context(), key, 0)
		wantErr(t, "TryLock", err, "a lock needs a lease")
	})
}

func TestZeroStore(t *testing.T) {
	var s filestore.Store
	_, err := s.Get(t.Context(), key)
	wantErr(t, "Get", err, "make it with New")
	wantErr(t, "Set", s.Set(t.Context(), key, nil, 0), "make it with New")
	wantErr(t, "Delete", s.Delete(t.Context(), key), "make it with New")
	_, err = s.CompareAndSwap(t.Context(), key, nil, nil, 0)
	wantErr(t, "CompareAndSwap", err, "make it with New")
	_, err = s.TryLock(t.Context(), key, time.Second)
	wantErr(t, "TryLock", err, "make it with New")
}

// Who waits for another goroutine leaves when its time is up.
func TestWaitingEnds(t *testing.T) {
	for _, same := range []bool{true, false} {
		t.Run(fmt.Sprintf("same Store %v", same), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := tempDir(t)
				holder, s := open(t, dir), open(t, dir)
				if same {
					s = holder
				}
				set(t, s, "old", 0)
				free, ended := make(chan bool), make(chan error)
				begun := false
				holder.Intercept(func(string) error {
					if !begun {
						begun = true
						<-free
					}
					return nil
				})
				go func() { ended <- holder.Set(t.Context(), key, []byte("first"), 0) }()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				if err := s.Delete(ctx, key); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
					t.Errorf("Delete = %v after %v, want %v after a minute", err, time.Since(start), context.DeadlineExceeded)
				}
				want(t, s, "old")
				go func() { ended <- s.Set(t.Context(), key, []byte("second"), 0) }()
				pass(time.Minute)
				close(free)
				must(t, <-ended)
				must(t, <-ended)
				want(t, s, "second")
			})
		})
	}
}

func TestPrintsNoValue(t *testing.T) {
	s := open(t, tempDir(t))
	set(t, s, "v4lue", 0)
	l, err := s.TryLock(t.Context(), key, time.Hour)
	must(t, err)
	var b strings.Builder
	for _, v := range []any{s, l} {
		fmt.Fprintf(&b, "%v %+v %#v %s %q %x %d ", v, v, v, v, v, v, v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		j, err := json.Marshal(v)
		must(t, err)
		b.Write(j)
	}
	if strings.Contains(b.String(), "v4lue") || strings.Contains(b.String(), "k3y") {
		t.Errorf("printed with its value or key: %s", b.String())
	}
	if !strings.Contains(b.String(), "filestore.Store in /") {
		t.Errorf("printed without its directory: %s", b.String())
	}
}

// A failure says in a log what it says in itself.
func TestErrorsLog(t *testing.T) {
	_, err := filestore.New("")
	var own slog.LogValuer
	if !errors.As(err, &own) || "filestore: "+own.LogValue().String() != err.Error() {
		t.Errorf("LogValue of %v is another one", err)
	}
	if errors.Is(err, bearer.ErrNotFound) {
		t.Error("it is ErrNotFound")
	}
}

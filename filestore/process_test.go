package filestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/filestore"
)

// children are what other processes do.
var children = map[string]func(ctx context.Context, args []string) error{
	"count": count, "die": die, "write": write, "hold": hold,
}

// count adds to the number under key, one at a time.
func count(ctx context.Context, args []string) error {
	s, err := filestore.New(args[0])
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(args[1])
	for range times {
		for swapped := false; !swapped && err == nil; {
			var old []byte
			old, err = s.Get(ctx, key)
			n, _ := strconv.Atoi(string(old))
			if errors.Is(err, bearer.ErrNotFound) {
				old, err = nil, nil
			}
			if err == nil {
				swapped, err = s.CompareAndSwap(ctx, key, old, []byte(strconv.Itoa(n+1)), 0)
			}
		}
	}
	return err
}

func TestProcessesExclude(t *testing.T) {
	t.Parallel()
	const processes, times = 4, 25
	dir := tempDir(t)
	var all sync.WaitGroup
	for range processes {
		cmd := child(t, "count", dir, strconv.Itoa(times))
		all.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	want(t, open(t, dir), strconv.Itoa(processes*times))
}

// Of those who come first to a directory one makes it and its lock.
func TestManyBegin(t *testing.T) {
	for range 20 {
		dir := filepath.Join(tempDir(t), "a", "b")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				s, err := filestore.New(dir)
				if err == nil {
					err = s.Set(t.Context(), key, []byte("a"), 0)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// die writes, and is killed at a step of it.
func die(ctx context.Context, args []string) error {
	s, err := filestore.New(args[0])
	if err != nil {
		return err
	}
	s.Intercept(func(step string) error {
		if step == args[1] {
			self, _ := os.FindProcess(os.Getpid())
			self.Kill()
			select {}
		}
		return nil
	})
	switch args[2] {
	case "Set":
		return s.Set(ctx, key, long("new"), 0)
	case "Delete":
		return s.Delete(ctx, key)
	default:
		_, err := s.TryLock(ctx, key, time.Minute)
		return err
	}
}

// long is a value of some kilobytes.
func long(text string) []byte { return []byte(strings.Repeat(text, 2000)) }

func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	for _, step := range filestore.Steps {
		t.Run("Set, "+step, func(t *testing.T) {
			t.Parallel()
			dir := tempDir(t)
			s := open(t, dir)
			set(t, s, string(long("old")), 0)
			wantKilled(t, child(t, "die", dir, step, "Set").Run())
			after := long("old")
			if step == "sync directory" {
				after = long("new")
			}
			want(t, s, string(after))
			set(t, s, "newer", 0) // nothing stands in its way
			want(t, s, "newer")
			wantFiles(t, dir, filestore.FileName(key))
		})
	}
	for _, step := range []string{"remove", "sync directory"} {
		t.Run("Delete, "+step, func(t *testing.T) {
			t.Parallel()
			dir := tempDir(t)
			s := open(t, dir)
			set(t, s, "old", 0)
			wantKilled(t, child(t, "die", dir, step, "Delete").Run())
			want(t, s, map[string]string{"remove": "old"}[step])
			set(t, s, "newer", 0)
			want(t, s, "newer")
		})
	}
	t.Run("TryLock, sync directory", func(t *testing.T) {
		t.Parallel()
		s := open(t, tempDir(t))
		wantKilled(t, child(t, "die", strings.TrimPrefix(s.String(), "filestore.Store in "), "sync directory", "TryLock").Run())
		if _, err := s.TryLock(t.Context(), key, time.Minute); !errors.Is(err, bearer.ErrLocked) {
			t.Errorf("TryLock = %v, want %v, since the lease lasts", err, bearer.ErrLocked)
		}
		if _, err := s.TryLock(t.Context(), "another", time.Minute); err != nil {
			t.Errorf("TryLock of another = %v", err)
		}
	})
}

func wantKilled(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.Exited() {
		t.Fatalf("the process has ended with %v, want it killed", err)
	}
}

// write writes one value after the other, and tells of each that it has written.
func write(ctx context.Context, args []string) error {
	s, err := filestore.New(args[0])
	for n := 1; err == nil; n++ {
		if err = s.Set(ctx, key, long(fmt.Sprintf("[%d]", n)), 0); err == nil {
			_, err = fmt.Println(n)
		}
	}
	return err
}

func TestKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir := tempDir(t)
		cmd := child(t, "write", dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for range 1 + rand.N(5) {
			lines.Scan()
		}
		<-time.After(rand.N(10 * time.Millisecond))
		cmd.Process.Kill()
		told := lines.Text()
		for lines.Scan() {
			told = lines.Text()
		}
		wantKilled(t, cmd.Wait())

		last, err := strconv.Atoi(told)
		must(t, err)
		s := open(t, dir)
		got, err := s.Get(t.Context(), key)
		must(t, err)
		if string(got) != string(long(fmt.Sprintf("[%d]", last))) && string(got) != string(long(fmt.Sprintf("[%d]", last+1))) {
			t.Errorf("after a kill the value is %.20q… (%d bytes), want that of write %d or the next, whole", got, len(got), last)
		}
		set(t, s, "newer", 0)
		want(t, s, "newer")
		wantFiles(t, dir, filestore.FileName(key))
	}
}

// hold keeps the directory's lock until it is killed.
func hold(ctx context.Context, args []string) error {
	s, err := filestore.New(args[0])
	if err != nil {
		return err
	}
	s.Intercept(func(string) error {
		fmt.Println("holding")
		select {}
	})
	return s.Set(ctx, key, []byte("never"), 0)
}

// Who waits for another process leaves when its time is up, and goes on when that
// process has ended.
func TestWaitsForAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := open(t, dir)
	set(t, s, "old", 0)
	cmd := child(t, "hold", dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	bufio.NewScanner(out).Scan()

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Set(ctx, key, []byte("new"), 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Set while another process has the lock = %v, want %v", err, context.DeadlineExceeded)
	}
	want(t, s, "old") // readers do not wait
	set := make(chan error)
	go func() { set <- s.Set(t.Context(), key, []byte("new"), 0) }()
	cmd.Process.Kill()
	if err := <-set; err != nil {
		t.Errorf("Set = %v", err)
	}
	wantKilled(t, cmd.Wait())
	want(t, s, "new")
	wantFiles(t, dir, filepath.Base(valuePath(dir)))
}

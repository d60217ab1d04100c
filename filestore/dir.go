package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"
)

// lockName is the file whose lock a writer takes. It holds when the directory was
// swept last.
const lockName = "lock"

const (
	firstPause, longestPause = time.Millisecond, 20 * time.Millisecond
)

var errNoFile = errors.New("it is not a file, but a link, a directory or a device: remove it")

// open opens the directory, after a look at whose it is. Each call opens it anew, so
// that nothing has to be closed, and one that was removed can be made again.
func (s *Store) open() (*os.Root, error) {
	dir, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, failed("the directory "+s.dir+" cannot be opened", err)
	}
	info, err := dir.Stat(".")
	if err == nil {
		err = check(info)
	}
	if err != nil {
		dir.Close()
		return nil, failed("the directory "+s.dir+" cannot be used", err)
	}
	return dir, nil
}

// openOrMake opens the directory, and makes it if there is none.
func (s *Store) openOrMake() (*os.Root, error) {
	dir, err := s.open()
	if !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, failed("the directory "+s.dir+" cannot be made", err)
	}
	return s.open()
}

// openFile opens a file of the directory, and nothing else that may be there: not
// what a link leads to, nor a pipe, which would make one wait. Nobody but this user
// can put one there between the two steps.
func openFile(dir *os.Root, name string, flag int) (*os.File, error) {
	if info, err := dir.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	return dir.OpenFile(name, flag, 0o600)
}

// held is the directory, and its lock.
type held struct {
	*os.Root
	file *os.File
	turn chan struct{}
}

// lock waits for the lock of the directory: among the goroutines of this Store in
// turn, for other processes by asking again and again.
func (s *Store) lock(ctx context.Context) (*held, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h := &held{turn: s.turn}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		ok, err := s.tryLock(h)
		switch {
		case ok:
			return h, nil
		case err == nil:
			select {
			case <-time.After(pause/2 + rand.N(pause)):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		<-s.turn
		return nil, err
	}
}

// tryLock takes the lock of the directory if no other process has it.
func (s *Store) tryLock(h *held) (ok bool, err error) {
	dir, err := s.openOrMake()
	if err != nil {
		return false, err
	}
	f, ok, err := lockIn(dir)
	if ok {
		h.Root, h.file = dir, f
		return true, nil
	}
	dir.Close()
	if err != nil {
		return false, failed(fmt.Sprintf("the file %s in %s cannot be locked", lockName, s.dir), err)
	}
	return false, nil
}

func lockIn(dir *os.Root) (f *os.File, ok bool, err error) {
	if f, err = openFile(dir, lockName, os.O_RDWR|os.O_CREATE); err != nil {
		return nil, false, err
	}
	if ok, err = tryLock(f); !ok {
		f.Close()
		return nil, false, err
	}
	return f, true, nil
}

func (h *held) release() {
	unlock(h.file)
	h.file.Close()
	h.Root.Close()
	<-h.turn
}

package filestore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/bearerkit/bearer"
)

// Store is a storage in the files of a directory. Make one with [New]; the zero
// value has no directory, and all its methods fail. It is safe for concurrent use,
// needs no closing, and is safe to print.
type Store struct {
	dir  string
	disk disk
	turn chan struct{} // has something in it while one of the Store's goroutines has the lock, or waits for it
}

var (
	_ bearer.CompareAndSwapper = (*Store)(nil)
	_ bearer.Locker            = (*Store)(nil)
)

// New returns the storage in the directory dir, which it makes, with those above it,
// if there is none. The error says why the directory cannot be used.
func New(dir string) (*Store, error) {
	if !supported {
		return nil, &storeError{"there are no locks between processes on " + runtime.GOOS + ": use another storage", errors.ErrUnsupported}
	}
	if dir == "" {
		return nil, &storeError{"the directory has no name: pass one of the program's own, below os.UserCacheDir for example", nil}
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, failed("the directory "+dir+" cannot be found", err)
	}
	s := &Store{dir: path, disk: realDisk{}, turn: make(chan struct{}, 1)}
	root, err := s.openOrMake()
	if err != nil {
		return nil, err
	}
	root.Close()
	return s, nil
}

var (
	errZero     = &storeError{"the Store has no directory: make it with New", nil}
	errNegative = &storeError{"the ttl is negative: it must be 0, for ever, or at least a millisecond", nil}
)

// file returns the name of the file for key; kind tells values and locks apart. Keys
// may have characters, and be longer, than names of files can.
func fileName(key, kind string) string {
	digest := sha256.Sum256([]byte(key))
	return hex.EncodeToString(digest[:]) + kind
}

const (
	valueKind = ".value"
	lockKind  = ".lease"
)

// Get returns the value under key, or [bearer.ErrNotFound].
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	dir, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, bearer.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	e, err := s.read(dir, fileName(key, valueKind), key)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, bearer.ErrNotFound
	case e.ended():
		s.removeEnded(fileName(key, valueKind), key)
		return nil, bearer.ErrNotFound
	}
	return e.value, nil
}

// Set puts value under key, for ttl, or until it is deleted if that is 0. A negative
// ttl is an error, and so is a value of more than 1 MiB.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	e, err := s.admit(key, value, ttl)
	if err != nil {
		return err
	}
	return s.locked(ctx, func(dir *os.Root) error { return s.write(dir, valueKind, e) })
}

// Delete removes the value under key, if there is one.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.locked(ctx, func(dir *os.Root) error { return s.remove(dir, fileName(key, valueKind)) })
}

// CompareAndSwap puts next under key, for ttl, if old is there. A nil old expects
// nothing, a nil next removes what is there.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (swapped bool, err error) {
	e, err := s.admit(key, next, ttl)
	if err != nil {
		return false, err
	}
	name := fileName(key, valueKind)
	err = s.locked(ctx, func(dir *os.Root) error {
		cur, err := s.read(dir, name, key)
		if err != nil {
			return err
		}
		if cur != nil && cur.ended() {
			cur = nil
		}
		if (cur != nil) != (old != nil) || cur != nil && !bytes.Equal(cur.value, old) {
			return nil
		}
		if next == nil {
			err = s.remove(dir, name)
		} else {
			err = s.write(dir, valueKind, e)
		}
		swapped = err == nil
		return err
	})
	return swapped, err
}

// ready returns why there is nothing to be done.
func (s *Store) ready(ctx context.Context) error {
	if s.turn == nil {
		return errZero
	}
	return ctx.Err()
}

// admit returns the entry of value.
func (s *Store) admit(key string, value []byte, ttl time.Duration) (*entry, error) {
	if ttl < 0 {
		return nil, errNegative
	}
	if len(key) > maxKey || len(value) > maxValue {
		return nil, &storeError{fmt.Sprintf("a value of %d bytes, under a key of %d, is too large: the most are %d and %d", len(value), len(key), maxValue, maxKey), nil}
	}
	return &entry{end: endOf(ttl), key: key, value: value}, nil
}

// locked calls f while no one else writes to the directory.
func (s *Store) locked(ctx context.Context, f func(dir *os.Root) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	h, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer h.release()
	if err := f(h.Root); err != nil {
		return err
	}
	s.sweepNowAndThen(ctx, h)
	return nil
}

// read returns what the file called name holds, nil if there is none. It is to be of
// key.
func (s *Store) read(dir *os.Root, name, key string) (*entry, error) {
	e, err := readEntry(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && e.key != key { // somebody has renamed it
		err = errForeign
	}
	if err != nil {
		return nil, failed(fmt.Sprintf("the file %s in %s cannot be read", name, s.dir), err)
	}
	return e, nil
}

func readEntry(dir *os.Root, name string) (*entry, error) {
	var f *os.File
	err := patiently(func() (err error) {
		f, err = openFile(dir, name, os.O_RDONLY)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, int64(maxFile)+1))
	if err != nil {
		return nil, err
	}
	return decode(content)
}

func (s *Store) write(dir *os.Root, kind string, e *entry) error {
	name := fileName(e.key, kind)
	if err := replace(s.disk, dir, name, e.encode()); err != nil {
		return failed(fmt.Sprintf("the file %s in %s cannot be written", name, s.dir), err)
	}
	return nil
}

func (s *Store) remove(dir *os.Root, name string) error {
	if err := remove(s.disk, dir, name); err != nil {
		return failed(fmt.Sprintf("the file %s in %s cannot be removed", name, s.dir), err)
	}
	return nil
}

// String names the directory.
func (s *Store) String() string { return fmt.Sprintf("filestore.Store in %s", s.dir) }

// Format prints what String returns, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what String returns.
func (s *Store) LogValue() slog.Value { return slog.StringValue(s.String()) }

package storagetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
)

const (
	// patience is how long a storage may take to do what it has to do: it may be
	// far away, count in coarse units, and run on a busy machine.
	patience = 10 * time.Second

	pollEvery = 5 * time.Millisecond
)

// subject is a storage under a test. Its methods end the test at the first
// failure, and so are for the test's own goroutine, unless they return an error.
type subject struct {
	testing.TB
	ctx     context.Context
	storage bearer.Storage
	mark    string // random; in all keys and values
	keys    []string
}

func newSubject(t testing.TB, s bearer.Storage) *subject {
	random := make([]byte, 8)
	rand.Read(random)
	sub := &subject{TB: t, ctx: t.Context(), storage: s, mark: hex.EncodeToString(random)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(sub.ctx), patience)
		defer cancel()
		for _, key := range sub.keys {
			s.Delete(ctx, key)
		}
	})
	return sub
}

// key returns a key of the test's own, to be deleted at its end.
func (s *subject) key(name string) string {
	return s.own(s.mark + "-" + name)
}

func (s *subject) own(key string) string {
	s.keys = append(s.keys, key)
	return key
}

// value returns a value that an error must not quote.
func (s *subject) value(name string) []byte { return []byte("value-" + s.mark + "-" + name) }

// safe returns err, after a look at what it says: none may quote keys or values.
func (s *subject) safe(method string, err error) error {
	s.Helper()
	if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), s.mark) {
		s.Errorf("an error of %s quotes the key or the value: %v", method, err)
	}
	return err
}

func (s *subject) set(key string, value []byte, ttl time.Duration) {
	s.Helper()
	if err := s.safe("Set", s.storage.Set(s.ctx, key, value, ttl)); err != nil {
		s.Fatalf("Set: %v", err)
	}
}

func (s *subject) del(key string) {
	s.Helper()
	if err := s.safe("Delete", s.storage.Delete(s.ctx, key)); err != nil {
		s.Fatalf("Delete: %v", err)
	}
}

// get returns the value, and whether there is one.
func (s *subject) get(key string) ([]byte, bool) {
	s.Helper()
	value, err := s.storage.Get(s.ctx, key)
	switch {
	case err == nil && value == nil:
		s.Fatalf("Get returned nil for a value and no error: want []byte{} for an empty one, ErrNotFound for none")
	case errors.Is(s.safe("Get", err), bearer.ErrNotFound):
		return nil, false
	case err != nil:
		s.Fatalf("Get: %v", err)
	}
	return value, true
}

func (s *subject) want(key string, want []byte, after string) {
	s.Helper()
	if got, ok := s.get(key); !ok {
		s.Errorf("after %s there is no value, want %s", after, short(want))
	} else if !bytes.Equal(got, want) {
		s.Errorf("after %s the value is %s, want %s", after, short(got), short(want))
	}
}

func (s *subject) wantNone(key, after string) {
	s.Helper()
	if got, ok := s.get(key); ok {
		s.Errorf("after %s there is the value %s, want none", after, short(got))
	}
}

// short prints a value so that it can be told from others.
func short(value []byte) string {
	const most = 48
	if len(value) <= most {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%q… (%d bytes)", value[:most], len(value))
}

func (s *subject) swap(key string, old, next []byte, ttl time.Duration) bool {
	s.Helper()
	swapped, err := s.storage.(bearer.CompareAndSwapper).CompareAndSwap(s.ctx, key, old, next, ttl)
	if s.safe("CompareAndSwap", err) != nil {
		s.Fatalf("CompareAndSwap: %v", err)
	}
	return swapped
}

func (s *subject) wantSwap(want bool, key string, old, next []byte, ttl time.Duration, what string) {
	s.Helper()
	if got := s.swap(key, old, next, ttl); got != want {
		s.Errorf("CompareAndSwap, %s: got %v, want %v", what, got, want)
	}
}

// pause lets some time pass.
func pause(d time.Duration) { <-time.After(d) }

// eventually waits until done.
func (s *subject) eventually(what string, done func() bool) {
	s.Helper()
	for begin := time.Now(); !done(); pause(pollEvery) {
		if time.Since(begin) > patience {
			s.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// together calls f in n goroutines, and fails with what goes wrong in them.
func (s *subject) together(n int, f func(i int) error) {
	s.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		s.Fatalf("%d at once: %v", n, err)
	}
}

// promptly calls method with a context that has ended, and fails if it takes its
// time all the same.
func (s *subject) promptly(name string, method func(ctx context.Context) error) error {
	s.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	returned := make(chan error, 1)
	go func() { returned <- method(ctx) }()
	select {
	case err := <-returned:
		return s.safe(name, err)
	case <-time.After(patience):
		s.Fatalf("%s, called with a context that has ended, has not returned for %v", name, patience)
		return nil
	}
}

// life is the time that a value, or a lock, has to be there.
type life struct {
	key   string
	since time.Time // before it began
	lasts time.Duration
}

// setFor sets a value and returns how long it has to live.
func (s *subject) setFor(key string, value []byte, ttl time.Duration) life {
	s.Helper()
	since := time.Now()
	s.set(key, value, ttl)
	return life{key, since, ttl}
}

// wantEnds waits until all values are gone, each after its time.
func (s *subject) wantEnds(lives ...life) {
	s.Helper()
	for {
		lives = slices.DeleteFunc(lives, func(l life) bool {
			_, there := s.get(l.key)
			age := time.Since(l.since)
			if there && age > l.lasts+patience {
				s.Fatalf("a value with a ttl of %v is there after %v", l.lasts, age)
			}
			if !there && age < l.lasts {
				s.Errorf("a value with a ttl of %v is gone after %v", l.lasts, age)
			}
			return !there
		})
		if len(lives) == 0 {
			return
		}
		pause(pollEvery)
	}
}

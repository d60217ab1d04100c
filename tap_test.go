package bearer_test

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// tap is one process's way to a storage that compares, swaps and locks. A test may
// have anything happen on it.
type tap struct {
	store *memstore.Store

	mu     sync.Mutex                                             // guards what follows
	ops    int                                                    // so far
	counts map[string]int                                         // of each kind
	before func(ctx context.Context, n int, op, key string) error // instead of doing it, if it is an error
	after  func(ctx context.Context, n int, op, key string) error // instead of the result
}

// taps are those of n processes.
func taps(n int, store *memstore.Store) []*tap {
	all := make([]*tap, n)
	for i := range all {
		all[i] = &tap{store: store, counts: map[string]int{}}
	}
	return all
}

// on has f run before, or after, the operations on keys that end in suffix.
func (s *tap) on(when, op, suffix string, f func(ctx context.Context) error) {
	hook := func(ctx context.Context, _ int, o, key string) error {
		if o == op && strings.HasSuffix(key, suffix) {
			return f(ctx)
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if when == "before" {
		s.before = hook
	} else {
		s.after = hook
	}
}

// failWith is for on.
func failWith(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func (s *tap) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = nil, nil
}

func (s *tap) do(ctx context.Context, op, key string, do func() error) error {
	s.mu.Lock()
	s.ops++
	s.counts[op]++
	n, before, after := s.ops, s.before, s.after
	s.mu.Unlock()
	if before != nil {
		if err := before(ctx, n, op, key); err != nil {
			return err
		}
	}
	err := do()
	if after != nil {
		if err := after(ctx, n, op, key); err != nil {
			return err
		}
	}
	return err
}

func (s *tap) count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[op]
}

func (s *tap) Get(ctx context.Context, key string) (value []byte, err error) {
	err = s.do(ctx, "get", key, func() (err error) { value, err = s.store.Get(ctx, key); return err })
	if err != nil {
		value = nil
	}
	return value, err
}

func (s *tap) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.do(ctx, "set", key, func() error { return s.store.Set(ctx, key, value, ttl) })
}

func (s *tap) Delete(ctx context.Context, key string) error {
	return s.do(ctx, "delete", key, func() error { return s.store.Delete(ctx, key) })
}

func (s *tap) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (ok bool, err error) {
	err = s.do(ctx, "swap", key, func() (err error) { ok, err = s.store.CompareAndSwap(ctx, key, old, next, ttl); return err })
	return ok && err == nil, err
}

func (s *tap) TryLock(ctx context.Context, key string, lease time.Duration) (l bearer.Lock, err error) {
	err = s.do(ctx, "lock", key, func() (err error) { l, err = s.store.TryLock(ctx, key, lease); return err })
	if err != nil {
		return nil, err
	}
	return &tapLock{s, l, key}, nil
}

type tapLock struct {
	tap  *tap
	lock bearer.Lock
	key  string
}

func (l *tapLock) Renew(ctx context.Context) error {
	return l.tap.do(ctx, "renew", l.key, func() error { return l.lock.Renew(ctx) })
}

func (l *tapLock) Unlock(ctx context.Context) error {
	return l.tap.do(ctx, "unlock", l.key, func() error { return l.lock.Unlock(ctx) })
}

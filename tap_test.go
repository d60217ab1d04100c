package bearer_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// tap is one process's way to a storage that compares, swaps and locks. A test may
// have anything happen on it.
type tap struct {
	store *memstore.Store
	all   *atomic.Int64 // operations so far, of all processes

	mu     sync.Mutex // guards what follows
	counts map[string]int
	hook   func(ctx context.Context, o op, do action) (any, error) // instead of do
}

// op is an operation on a storage.
type op struct {
	n         int // among those of all processes
	kind, key string
}

type action func(context.Context) (any, error)

// taps are those of n processes.
func taps(n int, store *memstore.Store) []*tap {
	all, count := make([]*tap, n), new(atomic.Int64)
	for i := range all {
		all[i] = &tap{store: store, all: count, counts: map[string]int{}}
	}
	return all
}

// use puts hook round what others there are.
func (s *tap) use(hook func(ctx context.Context, o op, do action) (any, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inner := s.hook
	s.hook = func(ctx context.Context, o op, do action) (any, error) {
		if inner == nil {
			return hook(ctx, o, do)
		}
		return hook(ctx, o, func(ctx context.Context) (any, error) { return inner(ctx, o, do) })
	}
}

func (s *tap) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = nil
}

// on has f run before, or after, the operations of a kind (empty: of any) on keys that
// end in suffix; an error of f is the result.
func (s *tap) on(when, kind, suffix string, f func(ctx context.Context) error) {
	s.use(func(ctx context.Context, o op, do action) (v any, err error) {
		matches := (kind == "" || o.kind == kind) && strings.HasSuffix(o.key, suffix)
		if matches && when == "before" {
			if err := f(ctx); err != nil {
				return nil, err
			}
		}
		v, err = do(ctx)
		if matches && when == "after" {
			if err := f(ctx); err != nil {
				return nil, err
			}
		}
		return v, err
	})
}

// failWith is for on.
func failWith(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func (s *tap) do(ctx context.Context, kind, key string, do action) (any, error) {
	s.mu.Lock()
	s.counts[kind]++
	hook := s.hook
	s.mu.Unlock()
	o := op{int(s.all.Add(1)), kind, key}
	if hook == nil {
		return do(ctx)
	}
	return hook(ctx, o, do)
}

func (s *tap) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[kind]
}

func (s *tap) Get(ctx context.Context, key string) ([]byte, error) {
	v, err := s.do(ctx, "get", key, func(ctx context.Context) (any, error) { return s.store.Get(ctx, key) })
	if err != nil {
		return nil, err
	}
	return v.([]byte), nil
}

func (s *tap) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := s.do(ctx, "set", key, func(ctx context.Context) (any, error) { return nil, s.store.Set(ctx, key, value, ttl) })
	return err
}

func (s *tap) Delete(ctx context.Context, key string) error {
	_, err := s.do(ctx, "delete", key, func(ctx context.Context) (any, error) { return nil, s.store.Delete(ctx, key) })
	return err
}

func (s *tap) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	ok, err := s.do(ctx, "swap", key, func(ctx context.Context) (any, error) {
		return s.store.CompareAndSwap(ctx, key, old, next, ttl)
	})
	return err == nil && ok.(bool), err
}

func (s *tap) TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
	l, err := s.do(ctx, "lock", key, func(ctx context.Context) (any, error) { return s.store.TryLock(ctx, key, lease) })
	if err != nil {
		return nil, err
	}
	return &tapLock{s, l.(bearer.Lock), key}, nil
}

type tapLock struct {
	tap  *tap
	lock bearer.Lock
	key  string
}

func (l *tapLock) Renew(ctx context.Context) error {
	_, err := l.tap.do(ctx, "renew", l.key, func(ctx context.Context) (any, error) { return nil, l.lock.Renew(ctx) })
	return err
}

func (l *tapLock) Unlock(ctx context.Context) error {
	_, err := l.tap.do(ctx, "unlock", l.key, func(ctx context.Context) (any, error) { return nil, l.lock.Unlock(ctx) })
	return err
}

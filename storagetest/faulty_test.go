package storagetest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/storagetest"
)

// faulty is a storage some of whose methods are others than they should be.
type faulty struct {
	*memstore.Store
	get   func(ctx context.Context, key string) ([]byte, error)
	set   func(ctx context.Context, key string, value []byte, ttl time.Duration) error
	del   func(ctx context.Context, key string) error
	swap  func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error)
	lock  func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error)
	watch func(ctx context.Context, changed func(bearer.Change)) error
}

// newFaulty returns one that keeps to the contract as yet.
func newFaulty() *faulty {
	s := memstore.New(nil)
	return &faulty{s, s.Get, s.Set, s.Delete, s.CompareAndSwap, s.TryLock, s.Watch}
}

func (f *faulty) Get(ctx context.Context, key string) ([]byte, error) { return f.get(ctx, key) }

func (f *faulty) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return f.set(ctx, key, value, ttl)
}

func (f *faulty) Delete(ctx context.Context, key string) error { return f.del(ctx, key) }

func (f *faulty) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	return f.swap(ctx, key, old, next, ttl)
}

func (f *faulty) TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
	return f.lock(ctx, key, lease)
}

func (f *faulty) Watch(ctx context.Context, changed func(bearer.Change)) error {
	return f.watch(ctx, changed)
}

// keys has all keys changed on their way.
func (f *faulty) keys(change func(string) string) {
	s := f.Store
	f.get = func(ctx context.Context, key string) ([]byte, error) { return s.Get(ctx, change(key)) }
	f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
		return s.Set(ctx, change(key), value, ttl)
	}
	f.del = func(ctx context.Context, key string) error { return s.Delete(ctx, change(key)) }
	f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
		return s.CompareAndSwap(ctx, change(key), old, next, ttl)
	}
	f.lock = func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
		return s.TryLock(ctx, change(key), lease)
	}
}

// values has the values changed on their way in.
func (f *faulty) values(change func([]byte) []byte) {
	f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
		return f.Store.Set(ctx, key, change(value), ttl)
	}
	f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
		return f.Store.CompareAndSwap(ctx, key, old, change(next), ttl)
	}
}

// ttls has the ttls changed on their way.
func (f *faulty) ttls(change func(time.Duration) time.Duration) {
	f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
		return f.Store.Set(ctx, key, value, change(ttl))
	}
	f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
		return f.Store.CompareAndSwap(ctx, key, old, next, change(ttl))
	}
}

// plantDistance has all calls take a while.
func plantDistance(f *faulty, roundTrip time.Duration) {
	there := func(ctx context.Context) error {
		select {
		case <-time.After(roundTrip / 2):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	back := there
	f.get = func(ctx context.Context, key string) ([]byte, error) {
		if err := there(ctx); err != nil {
			return nil, err
		}
		value, err := f.Store.Get(ctx, key)
		return value, errors.Join(err, back(ctx))
	}
	f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
		if err := there(ctx); err != nil {
			return err
		}
		return errors.Join(f.Store.Set(ctx, key, value, ttl), back(ctx))
	}
	f.del = func(ctx context.Context, key string) error {
		if err := there(ctx); err != nil {
			return err
		}
		return errors.Join(f.Store.Delete(ctx, key), back(ctx))
	}
	f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
		if err := there(ctx); err != nil {
			return false, err
		}
		swapped, err := f.Store.CompareAndSwap(ctx, key, old, next, ttl)
		return swapped, errors.Join(err, back(ctx))
	}
	far := func(method func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := there(ctx); err != nil {
				return err
			}
			return errors.Join(method(ctx), back(ctx))
		}
	}
	f.lock = func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
		if err := there(ctx); err != nil {
			return nil, err
		}
		l, err := f.Store.TryLock(ctx, key, lease)
		if err := errors.Join(err, back(ctx)); err != nil {
			return nil, err
		}
		return &faultyLock{l, far(l.Renew), far(l.Unlock)}, nil
	}
}

// faultyLock is a lock some of whose methods are others than they should be.
type faultyLock struct {
	bearer.Lock
	renew, unlock func(context.Context) error
}

func (l *faultyLock) Renew(ctx context.Context) error  { return l.renew(ctx) }
func (l *faultyLock) Unlock(ctx context.Context) error { return l.unlock(ctx) }

// locks has the locks changed after they have been taken.
func (f *faulty) locks(change func(key string, l *faultyLock)) {
	f.lock = func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
		l, err := f.Store.TryLock(ctx, key, lease)
		if err != nil {
			return nil, err
		}
		lock := &faultyLock{l, l.Renew, l.Unlock}
		change(key, lock)
		return lock, nil
	}
}

// changes has the calls of a watcher's function replaced by those of other.
func (f *faulty) changes(other func(c bearer.Change, changed func(bearer.Change))) {
	f.watch = func(ctx context.Context, changed func(bearer.Change)) error {
		return f.Store.Watch(ctx, func(c bearer.Change) { other(c, changed) })
	}
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	mu       sync.Mutex // guards failures
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skip(...any) { runtime.Goexit() }

// check checks the storage that plant makes by one rule, and returns what it finds
// fault with. It does so in a bubble, in which the suite's patience takes no time.
func check(t *testing.T, rule string, plant func(*faulty)) []string {
	t.Helper()
	var r recorder
	synctest.Test(t, func(t *testing.T) {
		f := newFaulty()
		plant(f)
		r.TB = t
		done := make(chan struct{})
		go func() {
			defer close(done)
			storagetest.Check(&r, rule, f)
		}()
		<-done
		hang() // until those that do are back: a bubble ends when nothing in it runs
	})
	return r.failures
}

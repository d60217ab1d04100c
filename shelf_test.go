package bearer_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bearerkit/bearer"
)

// shelf is a storage whose faults a test chooses.
type shelf struct {
	mu     sync.Mutex // guards what follows
	values map[string]shelved
	ops    map[string]int
	before func(ctx context.Context, op, key string) error // instead of doing it, if it is an error
	after  func(ctx context.Context, op, key string) error // instead of its result
}

type shelved struct {
	value []byte
	ttl   time.Duration
	end   time.Time
}

func newShelf() *shelf { return &shelf{values: map[string]shelved{}, ops: map[string]int{}} }

// do does one thing to the values, with what the test has it do before and after.
func (s *shelf) do(ctx context.Context, op, key string, do func()) error {
	s.mu.Lock()
	s.ops[op]++
	before, after := s.before, s.after
	s.mu.Unlock()
	if before != nil {
		if err := before(ctx, op, key); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if v, ok := s.values[key]; ok && !v.end.IsZero() && !time.Now().Before(v.end) {
		delete(s.values, key)
	}
	do()
	s.mu.Unlock()
	if after != nil {
		return after(ctx, op, key)
	}
	return nil
}

func (s *shelf) put(key string, value []byte, ttl time.Duration) {
	v := shelved{value: bytes.Clone(value), ttl: ttl}
	if ttl > 0 {
		v.end = time.Now().Add(ttl)
	}
	s.values[key] = v
}

func (s *shelf) Get(ctx context.Context, key string) (value []byte, err error) {
	found := false
	err = s.do(ctx, "get", key, func() {
		var v shelved
		v, found = s.values[key]
		value = bytes.Clone(v.value)
	})
	if err == nil && !found {
		err = bearer.ErrNotFound
	}
	if err != nil || len(value) == 0 { // which may be nil too
		value = nil
	}
	return value, err
}

func (s *shelf) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.do(ctx, "set", key, func() { s.put(key, value, ttl) })
}

func (s *shelf) Delete(ctx context.Context, key string) error {
	return s.do(ctx, "delete", key, func() { delete(s.values, key) })
}

func (s *shelf) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (swapped bool, err error) {
	err = s.do(ctx, "swap", key, func() {
		v, ok := s.values[key]
		if ok != (old != nil) || ok && !bytes.Equal(v.value, old) {
			return
		}
		swapped = true
		if next == nil {
			delete(s.values, key)
			return
		}
		s.put(key, next, ttl)
	})
	return swapped && err == nil, err
}

// failing makes each of the operations an error.
func (s *shelf) failing(err error, ops ...string) {
	s.faults(func(_ context.Context, op, _ string) error {
		if slices.Contains(ops, op) {
			return err
		}
		return nil
	}, nil)
}

func (s *shelf) faults(before, after func(ctx context.Context, op, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

func (s *shelf) count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops[op]
}

// texts are the values that are there, by key.
func (s *shelf) texts() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]string{}
	for key, v := range s.values {
		if v.end.IsZero() || time.Now().Before(v.end) {
			all[key] = string(v.value)
		}
	}
	return all
}

// only is the one key that is there, and its value.
func (s *shelf) only() (key, text string, ttl time.Duration) {
	for key, text = range s.texts() {
		s.mu.Lock()
		ttl = s.values[key].ttl
		s.mu.Unlock()
	}
	return key, text, ttl
}

func (s *shelf) replace(key, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, []byte(text), 0)
}

func (s *shelf) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.values)
}

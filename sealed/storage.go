package sealed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/able"
)

// NewStorage returns inner with its values encrypted (AES-256-GCM) with keys. It is
// a [bearer.Locker] and a [bearer.Watcher] if inner is one; locks, and the keys of
// values, are as they are in inner. It is safe for concurrent use, needs no closing,
// and is safe to print. It panics if there is no key.
//
// A value is bound to its key: moved to another one it does not open. It is 28 bytes
// longer than before. Whoever can write to inner can still remove values, and put
// back older ones of the same key.
//
// What does not open is an error, [ErrInvalid], not a missing value: most likely
// this process lacks a key that others have, and must not take their customers for
// guests and their records for free. Set and Delete replace and remove it all the
// same; a customer can sign in anew, and sign out. If a key had to be taken out of
// the ring for good, empty inner, or begin with other keys of values, such as those
// of another bearer.StorefrontOptions.Key.
//
// js-auth cannot read sealed values.
func NewStorage(keys *Keys, inner bearer.CompareAndSwapper) bearer.CompareAndSwapper {
	if keys == nil || len(keys.ring) == 0 {
		panic("sealed: NewStorage needs a key: make the Keys with NewKeys")
	}
	if inner == nil {
		panic("sealed: NewStorage needs a storage to keep what it seals")
	}
	return able.As(inner, &storage{keys, inner})
}

type storage struct {
	keys  *Keys
	inner bearer.CompareAndSwapper
}

const forStorage use = "storage"

// maxSwaps is how often a value may change, or be sealed anew, while somebody swaps
// it.
const maxSwaps = 64

var (
	errTooBusy  = &sealError{"the value under a key has changed again and again while it was to be swapped", nil}
	errNegative = &sealError{"the ttl is negative: it must be 0, for ever, or at least a millisecond", nil}
)

// Get returns the value under key.
func (s *storage) Get(ctx context.Context, key string) ([]byte, error) {
	value, _, err := s.get(ctx, key)
	return value, err
}

// get returns the value under key, and as it is sealed.
func (s *storage) get(ctx context.Context, key string) (value, box []byte, err error) {
	if box, err = s.inner.Get(ctx, key); err != nil {
		return nil, nil, err
	}
	if value, err = s.keys.open(forStorage, key, box); err != nil {
		return nil, nil, err
	}
	return value, box, nil
}

// Set puts value under key, sealed.
func (s *storage) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.inner.Set(ctx, key, s.keys.seal(forStorage, key, value), ttl)
}

// Delete removes the value under key.
func (s *storage) Delete(ctx context.Context, key string) error { return s.inner.Delete(ctx, key) }

// CompareAndSwap swaps what is sealed. As no two seals are the same, it reads it
// first, and again if somebody else was quicker.
func (s *storage) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	if ttl < 0 {
		return false, errNegative
	}
	var nextBox []byte
	if next != nil {
		nextBox = s.keys.seal(forStorage, key, next)
	}
	if old == nil {
		return s.inner.CompareAndSwap(ctx, key, nil, nextBox, ttl)
	}
	for range maxSwaps {
		value, box, err := s.get(bearer.Uncached(ctx), key)
		if errors.Is(err, bearer.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if string(value) != string(old) {
			return false, nil
		}
		if swapped, err := s.inner.CompareAndSwap(ctx, key, box, nextBox, ttl); swapped || err != nil {
			return swapped, err
		}
	}
	return false, errTooBusy
}

// TryLock takes a lock of the inner storage.
func (s *storage) TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
	l, ok := s.inner.(bearer.Locker)
	if !ok {
		return nil, errors.ErrUnsupported // able.As lets nobody come here
	}
	return l.TryLock(ctx, key, lease)
}

// Watch tells what the inner storage tells.
func (s *storage) Watch(ctx context.Context, changed func(bearer.Change)) error {
	w, ok := s.inner.(bearer.Watcher)
	if !ok {
		return errors.ErrUnsupported
	}
	return w.Watch(ctx, changed)
}

// String names the inner storage.
func (s *storage) String() string {
	if inner, ok := s.inner.(fmt.Stringer); ok {
		return "sealed storage in " + inner.String()
	}
	return fmt.Sprintf("sealed storage in %T", s.inner) // its fields may hold passwords
}

// Format prints what String returns, whatever the verb.
func (s *storage) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what String returns.
func (s *storage) LogValue() slog.Value { return slog.StringValue(s.String()) }

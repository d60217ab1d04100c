package bearer

import (
	"context"
	"errors"
	"time"
)

// home is where one customer's record is kept.
type home interface {
	// load returns the record, nil if there is none.
	load(ctx context.Context) ([]byte, error)
	// swap replaces old, which was loaded or is nil, and reports whether that was
	// still there.
	swap(ctx context.Context, old, next []byte, ttl time.Duration) (bool, error)
	// restore puts next in the place of "expired", and reports whether that was still
	// there.
	restore(ctx context.Context, next []byte, ttl time.Duration) (bool, error)
	// brought is the record that the request has brought along, nil if it is the
	// storage's: what to go by if that fails.
	brought() []byte
	// lock names what must not be spent twice at a time.
	lock(r record) string
	origin() Origin
}

// storageTimeout bounds each use of a storage: one that hangs is one that fails.
const storageTimeout = 5 * time.Second

// stored is a record in the Storefront's storage.
type stored struct {
	storage CompareAndSwapper
	key     string
}

func (h stored) load(ctx context.Context) ([]byte, error) { return load(ctx, h.storage, h.key) }

func (h stored) swap(ctx context.Context, old, next []byte, ttl time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	return h.storage.CompareAndSwap(ctx, h.key, old, next, ttl)
}

func (h stored) remove(ctx context.Context) error { return remove(ctx, h.storage, h.key) }

func (h stored) restore(ctx context.Context, next []byte, ttl time.Duration) (bool, error) {
	return h.swap(ctx, expired.raw, next, ttl)
}

func (h stored) brought() []byte    { return nil }
func (h stored) lock(record) string { return h.key }
func (h stored) origin() Origin     { return OriginStorage }

// load reads a value; nil is none.
func load(ctx context.Context, storage Storage, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	raw, err := storage.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err == nil && raw == nil {
		raw = []byte{}
	}
	return raw, err
}

func set(ctx context.Context, storage Storage, key string, value []byte, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	return storage.Set(ctx, key, value, ttl)
}

func remove(ctx context.Context, storage Storage, key string) error {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	return storage.Delete(ctx, key)
}

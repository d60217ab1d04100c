package bearer

import (
	"context"
	"time"
)

// Storage keeps small values under keys, each for a limited time: tokens, for
// all processes that share it. The backends are packages of their own, such as
// [github.com/bearerkit/bearer/memstore]; package
// [github.com/bearerkit/bearer/storagetest] tests whether one keeps to what
// follows.
//
// It must be safe for concurrent use. Keys are texts of 1 byte to 1 KiB, which may
// hold any character (a scope has spaces and colons); values are at most 64 KiB
// of any bytes. Neither may be changed on the way, nor may a value share memory
// with the caller's once a method has returned. A method must return when its
// context ends, with an error if it has not done its work.
//
// Errors must not quote keys or values. Any error but [ErrNotFound] means that
// the storage cannot be reached, or is broken, for the time being. A write that has
// failed may have been done all the same, or be done later; one that is to leave no
// trace has to be undone.
type Storage interface {
	// Get returns the value under key, which is not nil even if it is empty. The
	// error is ErrNotFound, perhaps wrapped, if there is none, or if its time has
	// passed.
	Get(ctx context.Context, key string) ([]byte, error)

	// Set puts value, which may be empty but is not nil, under key, in place of
	// what is there. After ttl, which is at least a millisecond, it must be gone: a
	// backend that counts in coarser units rounds up to the next one. A ttl of 0
	// means until it is deleted. A negative one is an error that changes nothing.
	// A bounded backend may drop values before their time.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// Delete removes the value. That there is none is not an error.
	Delete(ctx context.Context, key string) error
}

// ErrNotFound is the error of [Storage].Get for a key without a value.
var ErrNotFound error = &safeError{"the storage has no such value", nil}

// CompareAndSwapper is a [Storage] that changes a value only if it is the
// expected one, so that of two writers that saw the same value one loses and
// knows it. Whatever keeps customers must be one.
type CompareAndSwapper interface {
	Storage

	// CompareAndSwap puts next under key, for ttl as Set does, if what is there is
	// the same bytes as old, and reports whether it has. A nil old expects that
	// there is no value; a nil next removes it. Reading, comparing and writing must
	// be one step for all processes that share the storage. After an error nobody
	// knows whether it has been done.
	CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (swapped bool, err error)
}

// Locker is a [Storage] with locks that processes share.
type Locker interface {
	Storage

	// TryLock takes the lock called key if nobody has it, for lease, which is at
	// least a second. If somebody does the error is ErrLocked, at once. Locks and
	// values have nothing to do with each other, even under the same key. A lock
	// whose lease has passed is anybody's; time is that of the storage.
	TryLock(ctx context.Context, key string, lease time.Duration) (Lock, error)
}

// Lock is one that a [Locker] has given, until its lease passes or Unlock is
// called. It must be safe for concurrent use.
type Lock interface {
	// Renew makes the lease begin anew. The error is ErrLockLost if the lease has
	// passed, even if nobody else has taken the lock yet.
	Renew(ctx context.Context) error

	// Unlock gives the lock back. It must not give back somebody else's: if the
	// lease has passed the error is ErrLockLost.
	Unlock(ctx context.Context) error
}

var (
	// ErrLocked is the error of [Locker].TryLock if somebody else has the lock.
	ErrLocked error = &safeError{"somebody else has the lock", nil}

	// ErrLockLost is the error of a [Lock] that is not one's own any more.
	ErrLockLost error = &safeError{"the lock is lost: its lease has passed", nil}
)

// Watcher is a [Storage] that tells of changes, whoever makes them.
type Watcher interface {
	Storage

	// Watch calls changed for each change that is made after it has told of its
	// beginning, in the order of the changes of each key, and not concurrently,
	// until ctx ends or the feed breaks off; it always returns an error. By then the
	// change is made: whoever reads sees it. The first call, and one at least every
	// second, is the heartbeat, a Change without a Key: up to that moment nothing
	// has been missed. A value that ends by its ttl need not be told of.
	Watch(ctx context.Context, changed func(Change)) error
}

// Change is what a [Watcher] tells of.
type Change struct {
	Key string // whose value was set or deleted; empty: a heartbeat
}

type uncachedKey struct{}

// Uncached returns a context with which a [Storage] that keeps copies nearer to the
// program reads the original: the reader is about to act on what it finds.
func Uncached(ctx context.Context) context.Context {
	return context.WithValue(ctx, uncachedKey{}, true)
}

// IsUncached reports whether ctx comes from [Uncached]. It is for those who write
// a Storage.
func IsUncached(ctx context.Context) bool { return ctx.Value(uncachedKey{}) != nil }

package filestore

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/bearerkit/bearer"
)

// lock is one that TryLock has given: a file with the name of its owner, which ends
// with the lease.
type lock struct {
	store *Store
	key   string
	lease time.Duration
	owner []byte // random
}

var errNoLease = &storeError{"a lock needs a lease: pass a second or more", nil}

// TryLock takes the lock called key, for lease, which begins anew with each Renew.
// The error is [bearer.ErrLocked] if somebody else has it. That of a process which
// has ended without a word is free once its lease has passed.
func (s *Store) TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
	if lease <= 0 {
		return nil, errNoLease
	}
	l := &lock{store: s, key: key, lease: lease, owner: make([]byte, 16)}
	rand.Read(l.owner)
	err := l.change(ctx, func(dir *os.Root, cur *entry) error {
		if cur != nil {
			return bearer.ErrLocked
		}
		return l.begin(dir)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Renew makes the lease begin anew.
func (l *lock) Renew(ctx context.Context) error { return l.own(ctx, l.begin) }

// Unlock gives the lock back.
func (l *lock) Unlock(ctx context.Context) error {
	return l.own(ctx, func(dir *os.Root) error { return l.store.remove(dir, fileName(l.key, lockKind)) })
}

// begin begins the lease.
func (l *lock) begin(dir *os.Root) error {
	e, err := l.store.admit(l.key, l.owner, l.lease)
	if err != nil {
		return err
	}
	return l.store.write(dir, lockKind, e)
}

// own calls f if the lock is still the caller's.
func (l *lock) own(ctx context.Context, f func(dir *os.Root) error) error {
	return l.change(ctx, func(dir *os.Root, cur *entry) error {
		if cur == nil || !bytes.Equal(cur.value, l.owner) {
			return bearer.ErrLockLost
		}
		return f(dir)
	})
}

// change calls f with the lease that somebody has, nil if nobody.
func (l *lock) change(ctx context.Context, f func(dir *os.Root, cur *entry) error) error {
	return l.store.locked(ctx, func(dir *os.Root) error {
		cur, err := l.store.read(dir, fileName(l.key, lockKind), l.key)
		if err != nil {
			return err
		}
		if cur != nil && cur.ended() {
			cur = nil
		}
		return f(dir, cur)
	})
}

// Format prints nothing of the key, whatever the verb.
func (l *lock) Format(f fmt.State, _ rune) { io.WriteString(f, "a lock of filestore") }

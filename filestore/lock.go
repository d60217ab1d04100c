package filestore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
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
	owner []byte // random, and how long the lease is
}

const nameSize = 16 // of the random part

var errNoLease = &storeError{"a lock needs a lease: pass a second or more", nil}

// TryLock takes the lock called key, for lease, which begins anew with each Renew.
// The error is [bearer.ErrLocked] if somebody else has it. That of a process which
// has ended without a word is free once its lease has passed.
func (s *Store) TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
	if lease <= 0 {
		return nil, errNoLease
	}
	name := make([]byte, nameSize)
	rand.Read(name)
	l := &lock{store: s, key: key, lease: lease, owner: binary.BigEndian.AppendUint64(name, uint64(lease))}
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
		if cur != nil && (cur.ended() || ahead(cur)) {
			cur = nil
		}
		return f(dir, cur)
	})
}

// ahead reports whether a lease was begun by a clock that was ahead of what it is now by
// more than the lease itself: it is not to last for as long as that was. A clock that
// goes back by less is one that is being set right, while the holder may be alive.
func ahead(e *entry) bool {
	if len(e.value) != nameSize+8 {
		return false
	}
	lease := time.Duration(binary.BigEndian.Uint64(e.value[nameSize:]))
	left := time.Until(time.Unix(0, e.end))
	return left > lease && left-lease > lease
}

// Format prints nothing of the key, whatever the verb.
func (l *lock) Format(f fmt.State, _ rune) { io.WriteString(f, "a lock of filestore") }

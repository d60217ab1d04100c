package memstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/bearerkit/bearer"
)

// locks are those that somebody has. The zero value is ready to use.
type locks struct {
	mu    sync.Mutex       // guards the rest, and what its locks point to
	held  map[string]*lock // also some whose lease has passed
	sweep int              // as many as there may be before those are looked for
}

// lock is one that TryLock has given.
type lock struct {
	store *Store
	key   string
	lease time.Duration
	end   time.Duration // on the Store's clock; guarded by locks.mu
}

// minSweep is how many locks are not worth a look at which have passed.
const minSweep = 64

var errNoLease = errors.New("memstore: a lock needs a lease: pass a second or more")

// TryLock takes the lock called key, for lease, which begins anew with each Renew.
// The error is [bearer.ErrLocked] if somebody else in this process has it.
func (s *Store) TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if lease <= 0 {
		return nil, errNoLease
	}
	now := s.now()
	l := &lock{store: s, key: strings.Clone(key), lease: lease, end: now + lease}
	if err := s.locks.take(l, now); err != nil {
		return nil, err
	}
	return l, nil
}

func (all *locks) take(l *lock, now time.Duration) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	if cur, ok := all.held[l.key]; ok && !cur.ended(now) {
		return bearer.ErrLocked
	}
	if all.held == nil {
		all.held = make(map[string]*lock)
	}
	if len(all.held) >= max(all.sweep, minSweep) {
		for key, cur := range all.held {
			if cur.ended(now) {
				delete(all.held, key)
			}
		}
		all.sweep = 2 * len(all.held)
	}
	all.held[l.key] = l
	return nil
}

func (l *lock) ended(now time.Duration) bool { return now >= l.end }

// Renew makes the lease begin anew.
func (l *lock) Renew(ctx context.Context) error {
	return l.own(ctx, func(now time.Duration) { l.end = now + l.lease })
}

// Unlock gives the lock back.
func (l *lock) Unlock(ctx context.Context) error {
	return l.own(ctx, func(time.Duration) { delete(l.store.locks.held, l.key) })
}

// own calls f if the lock is still the caller's.
func (l *lock) own(ctx context.Context, f func(now time.Duration)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	all := &l.store.locks
	all.mu.Lock()
	defer all.mu.Unlock()
	now := l.store.now()
	if all.held[l.key] != l || l.ended(now) {
		return bearer.ErrLockLost
	}
	f(now)
	return nil
}

// Format prints nothing of the key, whatever the verb.
func (l *lock) Format(f fmt.State, _ rune) { io.WriteString(f, "a lock of memstore") }

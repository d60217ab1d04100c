package bearer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"
)

const (
	leaseTime  = 3 * time.Second        // a holder that has died is out of the way after it
	leaseRenew = time.Second            // how often a living one renews it
	leasePoll  = 100 * time.Millisecond // how often the others look
	noteWait   = 3 * time.Second        // how long to wait for what a lost holder may have got
	noteLife   = time.Hour              // longer than any process is stopped and goes on
)

// lease is one process's turn to make the token request of a fleet. It is renewed
// until it is released.
type lease struct {
	storage Storage
	key     string
	lock    Lock
	owner   string // signs notes

	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex // guards what follows
	renewed time.Time
	lost    bool
}

// takeTurn is takeLease, if the storage has locks; otherwise it looks once. If a
// refresh token is going to be spent, as spend says once the turn has come, that is
// noted. No lease and no error means that look has found what was wanted, if found.
func takeTurn(ctx context.Context, storage Storage, key, owner string, look func(context.Context) (bool, error), spend func() string) (l *lease, found bool, err error) {
	locker, ok := storage.(Locker)
	if !ok {
		found, err = look(ctx)
		return nil, found, err
	}
	for {
		if l, err = takeLease(ctx, locker, key, owner, look); l == nil {
			return nil, err == nil, err
		}
		token := spend()
		if token == "" {
			return l, false, nil
		}
		found, err = l.spends(ctx, token, look)
		if !found && err == nil {
			return l, false, nil
		}
		l.release()
		if found || err != ErrLockLost {
			return nil, found, err
		}
	}
}

// takeLease waits for the turn, and looks whether it is still needed: before, and
// again once it has come, since others may have been quicker. It returns no lease
// if look has found what was wanted. An error of the storage, or the end of ctx, is
// returned as it is.
func takeLease(ctx context.Context, storage Locker, key, owner string, look func(context.Context) (bool, error)) (*lease, error) {
	for {
		if found, err := look(ctx); found || err != nil {
			return nil, err
		}
		l, err := tryLease(ctx, storage, key, owner)
		switch {
		case err == nil:
			found, err := look(ctx)
			if found || err != nil {
				l.release()
				return nil, err
			}
			return l, nil
		case !errors.Is(err, ErrLocked):
			return nil, err
		}
		select {
		case <-time.After(jitter(leasePoll, 0.5)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func tryLease(ctx context.Context, storage Locker, key, owner string) (*lease, error) {
	limited, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	start := time.Now()
	lock, err := storage.TryLock(limited, key, leaseTime)
	if err != nil {
		return nil, err
	}
	l := &lease{storage: storage, key: key, lock: lock, owner: owner, renewed: start, done: make(chan struct{})}
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	go l.keep(ctx)
	return l, nil
}

// keep renews the lease until it is stopped or lost.
func (l *lease) keep(ctx context.Context) {
	defer close(l.done)
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.renew(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// renew reports whether the lease is ours for the time of a whole one.
func (l *lease) renew(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, leaseTime)
	defer cancel()
	start := time.Now()
	err := l.lock.Renew(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.renewed = start
	case errors.Is(err, ErrLockLost):
		l.lost = true
	}
	return err == nil && !l.lost
}

// holds reports whether the lease is ours, and will be for at least half its time,
// by the clock that goes on while a process is stopped.
func (l *lease) holds(ctx context.Context) bool {
	l.mu.Lock()
	left := leaseTime - time.Since(l.renewed)
	lost := l.lost
	l.mu.Unlock()
	if lost || left <= 0 {
		return false
	}
	return left >= leaseTime/2 || l.renew(ctx)
}

// end is release after the request for which the turn was, with its error. A nil
// lease has nothing to end.
func (l *lease) end(ctx context.Context, err error) {
	if l == nil {
		return
	}
	if !spent(err) {
		l.spent(context.WithoutCancel(ctx))
	}
	l.release()
}

// release gives the turn to the next.
func (l *lease) release() {
	l.stop()
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), leaseTime)
	defer cancel()
	l.lock.Unlock(ctx) // if it fails, the lease's end does it
}

// spends notes that this holder is about to spend a refresh token, so that whoever
// comes after it, should it get lost, knows that the token may be spent and the
// result on its way. found tells that it has arrived from one who got lost before:
// look, which is asked for as long as that may take, has found it. It is an error
// if the turn is over.
func (l *lease) spends(ctx context.Context, refreshToken string, look func(context.Context) (bool, error)) (found bool, err error) {
	digest := digestOf(refreshToken)
	raw, err := load(Uncached(ctx), l.storage, l.noteKey())
	if err != nil {
		return false, err
	}
	if before, owner, _ := strings.Cut(string(raw), " "); before == digest && owner != l.owner {
		for end := time.Now().Add(noteWait); time.Now().Before(end); {
			select {
			case <-time.After(jitter(leasePoll, 0.5)):
			case <-ctx.Done():
				return false, ctx.Err()
			}
			if found, err := look(ctx); found || err != nil {
				return found, err
			}
		}
	}
	if err := set(ctx, l.storage, l.noteKey(), []byte(digest+" "+l.owner), noteLife); err != nil {
		return false, err
	}
	if !l.holds(ctx) {
		return false, ErrLockLost
	}
	return false, nil
}

// spent removes the note: what the token has brought is in the storage.
func (l *lease) spent(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	l.storage.Delete(ctx, l.noteKey()) // if it fails, it names a token that nobody has any more
}

func (l *lease) noteKey() string { return l.key + "-spending" }

// digestOf names a refresh token to those who have it.
func digestOf(refreshToken string) string {
	mac := hmac.New(sha256.New, []byte(refreshToken))
	mac.Write([]byte("bearer: a refresh token that is being spent"))
	return hex.EncodeToString(mac.Sum(nil))
}

package bearer

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"
)

const (
	leaseTime  = 3 * time.Second        // a holder that has died is out of the way after it
	leaseRenew = time.Second            // how often a living one renews it
	leasePoll  = 100 * time.Millisecond // how often the others look
	leaseMax   = time.Minute            // for how long it is renewed if the request has no time limit
	noteWait   = 6 * time.Second / 5    // how long to wait for what a lost holder may have got
	noteLife   = time.Hour              // longer than any process is stopped and goes on
	patience   = time.Second            // for how long a storage may fail before a refresh token is spent without it
	slowTry    = time.Second / 4        // what takes longer is a storage that is slow
	lingerTime = 10 * time.Second       // for how long a result that could not be written keeps the turn
)

// claim is a process's claim to the turn to make the token request of a fleet, by
// the protocol of docs/fleet.md, whose steps the comments name.
type claim struct {
	storage Storage
	key     string // of the lock; those of the note and the pause begin with it
	owner   string // this process among the others

	// look looks for what the request is to bring, past every copy, and reports
	// whether it is there already.
	look func(ctx context.Context) (found bool, err error)

	// spend is the refresh token that the request would spend, going by what look
	// has seen last; empty if it would spend none.
	spend func() string
}

// take waits for the turn. It is not needed if what the request is to bring was
// found. An error that is final says that no request is to be made; any other is
// the storage's, which holds nobody up: go on, with the lease that may come with it.
// So does a lock that is held for longer than its holder's request may take. A storage
// without locks gives no lease.
func (c *claim) take(ctx context.Context) (l *lease, found bool, err error) {
	locker, ok := c.storage.(Locker)
	if !ok {
		found, err = c.find(ctx)
		return nil, found, err
	}
	var (
		limit  = storageTimeout // of one try
		left   = storageTimeout // for slow ones together
		giveUp time.Time        // on a storage that fails; zero if it does not
		stuck  = stuckAt(ctx)
	)
	for {
		start := time.Now()
		l, found, err = c.takeOnce(ctx, locker, limit)
		now := time.Now()
		if took := now.Sub(start); took > slowTry {
			left -= took
		} else {
			left = storageTimeout
		}
		switch {
		case found || err == nil || final(ctx, err):
			return l, found, err
		case errors.Is(err, ErrLocked) && now.After(stuck):
			return nil, false, errStuck
		case left > 0 && (err == ErrLockLost || errors.Is(err, ErrLocked)):
			limit, giveUp = storageTimeout, time.Time{}
		case c.spend() == "" || !giveUp.IsZero() && !now.Before(giveUp):
			if errors.Is(err, ErrLocked) || err == ErrLockLost {
				err = errSlow
			}
			return l, false, err
		case giveUp.IsZero():
			// From now on, not from when it was asked: this process may have stood
			// still since.
			limit, giveUp = patience, now.Add(patience)
		}
		l.finish(ctx)
		if err := poll(ctx); err != nil {
			return nil, false, err
		}
	}
}

var (
	errSlow  = &safeError{"it takes too long to answer", nil}
	errStuck = &safeError{"the lock has been held for longer than a token request takes", nil}
)

// stuckAt is when a lock has been held for too long, with enough time left to do
// without it.
func stuckAt(ctx context.Context) time.Time {
	left := leaseMax
	if end, ok := ctx.Deadline(); ok {
		left = time.Until(end)
	}
	return time.Now().Add(left * 5 / 6)
}

// takeOnce is one try, in which the storage has limit to show that it is there, and
// again in the turn.
func (c *claim) takeOnce(ctx context.Context, locker Locker, limit time.Duration) (l *lease, found bool, err error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if found, err = c.find(limited); found || err != nil { // 1
		return nil, found, err
	}
	if l, err = c.try(ctx, limited, locker); err != nil { // 2
		return nil, false, err
	}
	limited, cancel = context.WithTimeout(ctx, limit+noteWait)
	defer cancel()
	found, err = l.prepare(limited)
	if found || err != nil && final(ctx, err) {
		l.finish(ctx)
		l = nil
	}
	return l, found, err
}

// contended reports whether spending a refresh token without the turn may be the second
// time.
func (c *claim) contended() bool {
	_, ok := c.storage.(Locker)
	return ok && c.spend() != ""
}

// find is look, with an error if nothing was found and others have just failed to
// get it.
func (c *claim) find(ctx context.Context) (bool, error) {
	if found, err := c.look(ctx); found || err != nil {
		return found, err
	}
	raw, err := load(Uncached(ctx), c.storage, c.pauseKey())
	if err != nil {
		return false, err
	}
	return false, pausedUntil(raw, time.Now())
}

func poll(ctx context.Context) error {
	select {
	case <-time.After(jitter(leasePoll, 0.5)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// final reports whether an error of take says that no request is to be made.
func final(ctx context.Context, err error) bool {
	_, elsewhere := err.(*elsewhereError)
	return elsewhere || ctx.Err() != nil
}

func (c *claim) noteKey() string  { return c.key + "-spending" }
func (c *claim) pauseKey() string { return c.key + "-pause" }

// lease is a turn. It is renewed until it ends.
type lease struct {
	*claim
	lock Lock
	note []byte // what was written before the refresh token is spent; nil if nothing was

	stop context.CancelFunc

	mu      sync.Mutex // guards what follows
	renewed time.Time
	lost    bool
}

// try takes the lock, if it is free.
func (c *claim) try(ctx, limited context.Context, locker Locker) (*lease, error) {
	start := time.Now()
	lock, err := locker.TryLock(limited, c.key, leaseTime)
	if err != nil {
		return nil, err
	}
	// A request that never ends must not keep the others waiting for ever. Its
	// result is written after its time limit at the latest.
	life := leaseMax
	if end, ok := ctx.Deadline(); ok {
		life = time.Until(end) + saveTimeout
	}
	l := &lease{claim: c, lock: lock, renewed: start}
	ctx, l.stop = context.WithTimeout(context.WithoutCancel(ctx), life)
	late := time.Since(start) > leaseRenew
	contain(ctx, func(ctx context.Context) (*Token, error) { l.keep(ctx, late); return nil, nil })
	return l, nil
}

// keep renews the lease until it ends, and at once if it has come late.
func (l *lease) keep(ctx context.Context, late bool) {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	if late {
		l.renew(ctx)
	}
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
	return !lost && (left >= leaseTime/2 || l.renew(ctx))
}

// prepare looks again, now that the turn has come, and notes the refresh token that
// is going to be spent, so that whoever comes next, should this process get lost,
// knows that the result may be on its way. It is ErrLockLost if the turn is over.
func (l *lease) prepare(ctx context.Context) (found bool, err error) {
	for {
		token := l.spend()
		var before []byte
		if token != "" {
			// Before the record: a holder who was slow writes that first and then
			// deletes his note. Who reads the note last may find neither.
			if before, err = load(Uncached(ctx), l.storage, l.noteKey()); err != nil {
				return false, err
			}
		}
		if found, err := l.find(ctx); found || err != nil { // 3
			return found, err
		}
		if l.spend() != token {
			continue
		}
		if token == "" {
			return false, nil
		}
		if names(before, token) && !bytes.Contains(before, []byte(l.owner)) {
			if found, err := l.await(ctx, token); found || err != nil { // 4
				return found, err
			}
			if l.spend() != token {
				continue
			}
		}
		ok, err := l.write(ctx, before, token) // 5
		switch {
		case err != nil:
			return false, err
		case !ok:
			continue
		case !l.holds(ctx):
			return false, ErrLockLost
		}
		return false, nil
	}
}

// await waits for what the one who has noted the token may have got: found says
// that it has come. If somebody has written what helps only to spend another token
// it ends too.
func (l *lease) await(ctx context.Context, token string) (found bool, err error) {
	for end := time.Now().Add(noteWait); time.Now().Before(end) && l.spend() == token; {
		if err := poll(ctx); err != nil {
			return false, err
		}
		if found, err := l.find(ctx); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// write notes the token, unless there is another note than before by now. No two
// notes are alike.
func (l *lease) write(ctx context.Context, before []byte, token string) (bool, error) {
	l.note = []byte(digestOf(token) + " " + l.owner + " " + rand.Text())
	storage, ok := l.storage.(CompareAndSwapper)
	if !ok {
		return true, set(ctx, l.storage, l.noteKey(), l.note, noteLife)
	}
	return stored{storage, l.noteKey()}.swap(ctx, before, l.note, noteLife)
}

// finish is release, after the note was deleted: what the token has brought is in
// the storage, or nothing will come of it. A nil lease has nothing to end.
func (l *lease) finish(ctx context.Context) {
	if l == nil {
		return
	}
	if l.note != nil {
		l.erase(context.WithoutCancel(ctx))
	}
	l.release(ctx)
}

// erase deletes the note. If that fails, it names a token that nobody has any more.
func (l *lease) erase(ctx context.Context) {
	if storage, ok := l.storage.(CompareAndSwapper); ok {
		stored{storage, l.noteKey()}.swap(ctx, l.note, nil, 0)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storageTimeout)
	defer cancel()
	l.storage.Delete(ctx, l.noteKey())
}

// release gives the turn to the next.
func (l *lease) release(ctx context.Context) {
	if l == nil {
		return
	}
	l.abandon()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTime)
	defer cancel()
	l.lock.Unlock(ctx) // if it fails, the lease's end does it
}

// abandon lets the turn lapse: what was got is yet to be written, and whoever comes
// next is to wait for it.
func (l *lease) abandon() {
	if l == nil {
		return
	}
	l.stop()
}

// linger keeps the turn while write, which has failed, is tried again: those who wait
// for it are to find what a refresh token that is spent by now has brought. Without one
// they can do as well themselves.
func (l *lease) linger(ctx context.Context, write func(context.Context) error) {
	if l == nil || l.spend() == "" {
		l.finish(ctx)
		return
	}
	contain(context.WithoutCancel(ctx), func(ctx context.Context) (*Token, error) {
		defer l.abandon()
		pause := backoff{leasePoll, time.Second}
		for n, end := 1, time.Now().Add(lingerTime); time.Now().Before(end); n++ {
			<-time.After(pause.after(n))
			if write(ctx) == nil {
				l.finish(ctx)
				break
			}
		}
		return nil, nil
	})
}

// digestOf names a refresh token to those who have it.
func digestOf(refreshToken string) string {
	mac := hmac.New(sha256.New, []byte(refreshToken))
	mac.Write([]byte("bearer: a refresh token that is being spent"))
	return hex.EncodeToString(mac.Sum(nil))
}

// names reports whether a note is about the refresh token.
func names(note []byte, refreshToken string) bool {
	digest, _, _ := bytes.Cut(note, []byte(" "))
	return string(digest) == digestOf(refreshToken)
}

// refused reports whether a note in the storage, which stays when a refresh token
// was refused, is about this one.
func refused(ctx context.Context, storage Storage, key, refreshToken string) (bool, error) {
	note, err := load(Uncached(ctx), storage, (&claim{key: key}).noteKey())
	return names(note, refreshToken), err
}

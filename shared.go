package bearer

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"
)

// shared is what a [Source] with a storage has besides: other processes that use
// the same token.
type shared struct {
	storage Storage
	key     string
	owner   string // this source among them
	down    complaint

	mu      sync.Mutex // guards what follows
	kept    []byte     // what the storage was last known to hold
	unsaved bool       // it has failed to take what came after that
}

const (
	// refreshLife is how long a storage keeps a token whose refresh token's life
	// nobody knows: Commerce Layer's 2 weeks.
	refreshLife = 14 * 24 * time.Hour

	// failureLife is how long a failed request keeps the other processes from making
	// the same one.
	failureLife = time.Second
)

var errElsewhere = &safeError{"another process has just failed to get the token", nil}

func newShared(o *SourceOptions) *shared {
	if o.Storage == nil {
		return nil
	}
	if o.Key == "" {
		panic("bearer: SourceOptions.Storage needs a Key, one that names the client and the scope of the token")
	}
	return &shared{storage: o.Storage, key: o.Key, owner: rand.Text()}
}

// complaint is about a storage that fails, told at most every ten seconds.
type complaint struct {
	mu   sync.Mutex // guards told
	told time.Time
}

// due reports whether to complain now.
func (c *complaint) due() bool {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.told) < 10*time.Second {
		return false
	}
	c.told = now
	return true
}

func (s *Source) storageFailed(ctx context.Context, err error) {
	if s.shared.down.due() {
		s.opts.Observer(ctx, StorageFailed{Name: s.opts.Name, Err: err})
	}
}

// turn waits for this process's turn to make r, if there are others. errDetached
// says that one of them has made it, and the source has its token. Otherwise it
// returns r with the latest refresh token, and what ends the turn, given the error
// of the request. A storage that fails holds nobody up.
func (s *Source) turn(ctx context.Context, r round) (round, func(error), error) {
	none := func(error) {}
	if s.shared == nil {
		return r, none, nil
	}
	sh, old := s.shared, r.old
	look := func(ctx context.Context) (bool, error) {
		rec, err := sh.read(ctx)
		switch {
		case err != nil:
			return false, err
		case rec.serves(old):
			s.adopt(rec.token, rec.issued)
			return true, nil
		case rec.state == StateCustomer && rec.token.RefreshToken != "":
			r.old = rec.token
		case rec.state == StateCustomer && r.reason == ReasonEvicted:
			sh.remove(ctx, rec) // for those who have not met with the rejection
		}
		failed, err := load(Uncached(ctx), sh.storage, sh.failureKey())
		if err == nil && failed != nil {
			err = errElsewhere
		}
		return false, err
	}
	l, found, err := takeTurn(ctx, sh.storage, sh.key, sh.owner, look, func() string {
		if s.canRefresh(r.old) {
			return r.old.RefreshToken
		}
		return ""
	})
	switch {
	case found:
		return r, nil, errDetached
	case err == errElsewhere || ctx.Err() != nil:
		return r, nil, err
	case err != nil:
		s.storageFailed(ctx, err)
	}
	s.mu.Lock()
	if s.last == old {
		s.last = r.old
	}
	s.refreshing = s.canRefresh(r.old)
	s.mu.Unlock()
	if l == nil {
		return r, none, nil
	}
	return r, func(err error) { sh.end(ctx, l, err) }, nil
}

// serves reports whether the record has a token for somebody who needs another one
// than old.
func (r record) serves(old *Token) bool {
	if r.state != StateCustomer || old != nil && r.token.AccessToken == old.AccessToken {
		return false
	}
	now := time.Now()
	h := newHeld(r.token, now, -1)
	return h != nil && !h.expired(now)
}

// end gives the turn to the next, and tells it of a failure.
func (sh *shared) end(ctx context.Context, l *lease, err error) {
	if err != nil && err != errDetached {
		set(context.WithoutCancel(ctx), sh.storage, sh.failureKey(), []byte("failed"), failureLife)
	}
	l.end(ctx, err)
}

func (sh *shared) failureKey() string { return sh.key + "-failed" }

// overtaken reports whether the storage holds another refresh token than the one
// that r has spent: then that is why it was refused.
func (sh *shared) overtaken(ctx context.Context, r round) bool {
	if sh == nil {
		return false
	}
	rec, err := sh.read(ctx)
	return err == nil && rec.state == StateCustomer && rec.token.RefreshToken != r.old.RefreshToken
}

// read returns the record, past every copy. What is none counts as no record: the
// next token takes its place.
func (sh *shared) read(ctx context.Context) (record, error) {
	raw, err := load(Uncached(ctx), sh.storage, sh.key)
	if err != nil {
		return record{}, err
	}
	sh.mu.Lock()
	behind := sh.unsaved && bytes.Equal(raw, sh.kept)
	if !behind {
		sh.kept, sh.unsaved = raw, false
	}
	sh.mu.Unlock()
	if behind {
		return record{raw: raw}, nil
	}
	r, err := decodeRecord(raw)
	if err != nil {
		return record{raw: raw}, nil
	}
	return r, nil
}

// remove deletes the record, unless it has been replaced.
func (sh *shared) remove(ctx context.Context, r record) error {
	storage, ok := sh.storage.(CompareAndSwapper)
	if !ok {
		return nil // it will be overwritten
	}
	_, err := stored{storage, sh.key}.swap(ctx, r.raw, nil, 0)
	return err
}

// write puts a token into the storage. One with a refresh token does not replace
// what another process has written meanwhile: that one is the later.
func (sh *shared) write(ctx context.Context, t *Token, now time.Time) error {
	life := refreshLife
	switch {
	case t.RefreshToken != "":
	case t.Expiry.IsZero():
		return nil // nobody could tell whether it is still good
	default:
		life = max(t.Expiry.Sub(now), time.Second)
	}
	r, err := encodeRecord(new(*t), "", now)
	if err != nil {
		return err
	}
	sh.mu.Lock()
	kept := sh.kept
	sh.mu.Unlock()
	if storage, ok := sh.storage.(CompareAndSwapper); ok && t.RefreshToken != "" {
		_, err = stored{storage, sh.key}.swap(ctx, kept, r.raw, life)
	} else {
		err = set(ctx, sh.storage, sh.key, r.raw, life)
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.unsaved = err != nil
	if err == nil && bytes.Equal(sh.kept, kept) {
		sh.kept = r.raw // or what the swap has lost to, which the next read tells
	}
	return err
}

// Remove is [Source.Forget] for all processes: it deletes the token from
// SourceOptions.Storage too. Processes that hold it in memory go on with it until
// a server rejects it. The token is returned also if that fails.
func (s *Source) Remove(ctx context.Context) (*Token, error) {
	t := s.Forget()
	if s.shared == nil {
		return t, nil
	}
	if t == nil {
		if r, err := s.shared.read(ctx); err == nil {
			t = r.token
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storageTimeout)
	defer cancel()
	if err := s.shared.storage.Delete(ctx, s.shared.key); err != nil && !errors.Is(err, ErrNotFound) {
		return t, &safeError{"the token could not be deleted from the storage: " + describe(err), err}
	}
	return t, nil
}

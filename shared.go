package bearer

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// shared is what a [Source] with a storage has besides: other processes that use
// the same token.
type shared struct {
	storage Storage
	key     string
	owner   string // this source among them
	accept  func(*Token) bool
	down    complaint

	mu      sync.Mutex // guards what follows
	kept    []byte     // what the storage was last known to hold
	pending *pending   // what it has failed to take; nil if nothing
	tried   [][]byte   // what it may hold though it seemed to fail
	met     bool       // it has held something
}

// refreshLife is how long a storage keeps a token whose refresh token's life
// nobody knows: Commerce Layer's 2 weeks.
const refreshLife = 14 * 24 * time.Hour

func newShared(o *SourceOptions) *shared {
	if o.Storage == nil {
		return nil
	}
	if o.Key == "" {
		panic("bearer: SourceOptions.Storage needs a Key, one that names the client and the scope of the token")
	}
	return &shared{storage: o.Storage, key: o.Key, owner: rand.Text(), accept: o.Accept}
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

// turn waits for this process's turn to make r, if there are others. errDetached
// says that one of them has made it, and the source has its token. Otherwise it
// returns r with the latest refresh token, and what ends the turn, given the error
// of the request. A storage that fails holds nobody up.
func (s *Source) turn(ctx context.Context, r round) (round, func(error), error) {
	if s.shared == nil {
		return r, func(error) {}, nil
	}
	sh, old := s.shared, r.old
	if r.reason == ReasonEvicted && !s.canRefresh(old) {
		sh.drop()
	}
	c := &claim{storage: sh.storage, key: sh.key, owner: sh.owner}
	c.look = func(ctx context.Context) (bool, error) {
		if err := sh.catchUp(ctx); err != nil {
			return false, err
		}
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
		case rec.state == StateExpired || isTombstone(rec.raw):
			r.old = nil
		}
		return false, nil
	}
	c.spend = func() string {
		if s.canRefresh(r.old) {
			return r.old.RefreshToken
		}
		return ""
	}
	l, found, failed := c.take(ctx)
	switch {
	case found:
		return r, nil, errDetached
	case failed != nil && final(ctx, failed):
		return r, nil, failed
	case failed != nil && sh.down.due():
		s.opts.Observer(ctx, StorageFailed{Name: s.opts.Name, Err: failed})
	}
	if failed != nil && r.reason == ReasonAging && c.contended() {
		l.finish(ctx)
		return r, nil, failed // the token serves, and the storage may be back before its end
	}
	s.mu.Lock()
	if s.last == old {
		s.last = r.old
	}
	s.refreshing = s.canRefresh(r.old)
	s.mu.Unlock()
	return r, func(err error) {
		// A TokenFunc that is asked because no refresh token is left may have made no
		// request at all.
		asked := r.old != nil || s.opts.Refresh == nil
		if err != nil && err != errDetached && failed == nil && asked {
			c.pause(ctx, err)
		}
		sh.end(ctx, l)
	}, nil
}

// isTombstone reports whether raw says that the token was removed, for all
// processes.
func isTombstone(raw []byte) bool { return bytes.Equal(bytes.TrimSpace(raw), signedOut.raw) }

// serves reports whether the record has a token for somebody who needs another one
// than old.
func (r record) serves(old *Token) bool {
	if r.state != StateCustomer || old != nil && r.token.AccessToken == old.AccessToken {
		return false
	}
	return newHeld(r.token, time.Now(), -1) != nil
}

// end ends the turn.
func (sh *shared) end(ctx context.Context, l *lease) {
	sh.mu.Lock()
	pending, over := sh.pending != nil, bytes.Equal(sh.kept, expired.raw)
	sh.mu.Unlock()
	switch {
	case pending:
		l.linger(ctx, sh.catchUp)
	case over:
		l.release(ctx) // the note tells what was refused
	default:
		l.finish(ctx)
	}
}

// read returns the record, past every copy. What is none counts as no record: the
// next token takes its place.
func (sh *shared) read(ctx context.Context) (record, error) {
	raw, err := load(Uncached(ctx), sh.storage, sh.key)
	if err != nil {
		return record{}, err
	}
	sh.mu.Lock()
	sh.met = sh.met || raw != nil
	if sh.pending == nil {
		sh.kept = raw
	}
	sh.mu.Unlock()
	return sh.decode(raw), nil
}

// decode returns the record, if that is one that this source may use.
func (sh *shared) decode(raw []byte) record {
	r, err := decodeRecord(raw)
	if err != nil || r.state == StateCustomer && sh.accept != nil && !sh.accept(r.token) {
		return record{raw: raw}
	}
	return r
}

// remove deletes the record, unless it has been replaced.
func (sh *shared) remove(ctx context.Context, r record) {
	if storage, ok := sh.storage.(CompareAndSwapper); ok { // else it will be overwritten
		stored{storage, sh.key}.swap(ctx, r.raw, nil, 0)
	}
}

// overtaken reports whether the storage holds another refresh token than the one
// that r has spent in vain: then that is why it was refused. If not, the storage is
// told that there is none any more. The error says that nobody knows.
func (sh *shared) overtaken(ctx context.Context, r round) (bool, error) {
	if sh == nil {
		return false, nil
	}
	own := sh.drop() // nobody is to get what was refused
	for range 4 {
		raw, err := load(Uncached(ctx), sh.storage, sh.key)
		if err != nil {
			return false, err
		}
		rec := sh.decode(raw)
		switch {
		case raw == nil && !sh.hasMet(): // as those who begin from the same Initial
		case rec.state != StateCustomer:
			return false, nil
		case rec.token.RefreshToken != r.old.RefreshToken && !contains(own, raw):
			return true, nil
		}
		storage, ok := sh.storage.(CompareAndSwapper)
		if !ok {
			return false, nil
		}
		ok, err = stored{storage, sh.key}.swap(ctx, raw, expired.raw, refreshLife)
		if ok {
			sh.mu.Lock()
			sh.kept = expired.raw
			sh.mu.Unlock()
		}
		if ok || err != nil {
			return false, nil
		}
	}
	return false, nil
}

func (sh *shared) hasMet() bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.met
}

// Remove is [Source.Forget] for all processes: it deletes the token from
// SourceOptions.Storage too. Processes that hold it in memory go on with it until
// it ends or a server rejects it; its refresh token is not used again. The token is
// the latest there is, in the storage or here, and returned also if that fails.
func (s *Source) Remove(ctx context.Context) (*Token, error) {
	t, sh := s.Forget(), s.shared
	if sh == nil {
		return t, nil
	}
	t, err := sh.bury(context.WithoutCancel(ctx), t)
	if err != nil {
		return t, &safeError{"the token could not be removed from the storage as it should be: " + describe(err), err}
	}
	return t, nil
}

// bury deletes the record, whatever it is, and returns the token that is the later
// of t, this process's own, and that in the record. If there is a refresh token it
// leaves a tombstone: a refresh that is under way elsewhere must not bring it back,
// and whoever has an access token that lives for long must not refresh it after that.
func (sh *shared) bury(ctx context.Context, t *Token) (*Token, error) {
	own := sh.drop()
	for range 8 {
		raw, err := load(Uncached(ctx), sh.storage, sh.key)
		if err != nil {
			return t, sh.buryUnread(ctx, err)
		}
		if r := sh.decode(raw); r.state == StateCustomer && !contains(own, raw) {
			t = r.token
		}
		var next []byte
		if t != nil && t.RefreshToken != "" {
			next = signedOut.raw
		}
		ok, err := sh.replace(ctx, raw, next, refreshLife)
		if err != nil && next != nil { // a storage that is full can remove it
			if gone, failed := sh.replace(ctx, raw, nil, 0); failed == nil && gone {
				err = &safeError{"it is gone, but without a mark a process that holds it may refresh it: " + describe(err), err}
			}
		}
		if ok || err != nil {
			return t, err
		}
	}
	return t, errTooLate
}

// buryUnread puts a tombstone in the place of what could not be read, which may have
// had a refresh token.
func (sh *shared) buryUnread(ctx context.Context, err error) error {
	if set(ctx, sh.storage, sh.key, signedOut.raw, refreshLife) != nil && remove(ctx, sh.storage, sh.key) != nil {
		return err
	}
	return &safeError{"it is gone, but what was there could not be read: " + describe(err), err}
}

// replace swaps the record, or as much of that as the storage is able to.
func (sh *shared) replace(ctx context.Context, old, next []byte, life time.Duration) (bool, error) {
	if storage, ok := sh.storage.(CompareAndSwapper); ok {
		return stored{storage, sh.key}.swap(ctx, old, next, life)
	}
	if next != nil {
		return true, set(ctx, sh.storage, sh.key, next, life)
	}
	return true, remove(ctx, sh.storage, sh.key)
}

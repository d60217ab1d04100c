package bearer

import (
	"bytes"
	"context"
	"log/slog"
	"time"
)

// spending is what became of one refresh.
type spending struct {
	record
	by        *customer
	requested bool // the token was issued to it just now
}

var (
	errOtherOwner = &safeError{"the refresh of a customer's token was answered with somebody else's, which is refused", nil}
	errTooLate    = &safeError{"the customer's record has changed time and again", nil}
)

// renew gets the customer's next token: it is the token request of c.source,
// which makes one at a time. What another writer has brought c.source has from saw,
// and asks again if that is not good: so it does if old, which is to be replaced, has
// just been.
func (c *customer) renew(ctx context.Context, old *Token) (*Token, error) {
	seen, _, changes := c.latest()
	if _, ended := c.hasEnded(); ended {
		return nil, ErrCustomerExpired
	}
	if old != nil && seen.serves(old) && c.offer(changes) {
		return nil, errDetached
	}
	v, err, _ := c.front.spends.Do(c.home.lock(seen), func() (any, error) { return c.spendContained(ctx, seen) })
	if err != nil {
		return nil, err
	}
	switch r := v.(spending); {
	case r.by == c && r.requested:
		return r.token, nil
	case r.state == StateCustomer:
		c.saw(ctx, r.raw, changes)
		return nil, errDetached
	default:
		c.isOver(ctx, r.state, seen)
	}
	return nil, ErrCustomerExpired
}

// offer gives the source the record, if changes is still what latest said.
func (c *customer) offer(changes int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.source.adopt(c.rec.token, c.rec.issued)
	}
	return c.changes == changes
}

// spendContained is spend, for those who join it too: a panic in a function of the
// application's would reach them all.
func (c *customer) spendContained(ctx context.Context, seen record) (s spending, err error) {
	r := <-contain(ctx, func(ctx context.Context) (*Token, error) {
		s, err = c.spend(ctx, seen)
		return nil, err
	})
	return s, r.err
}

// spend refreshes the record, unless another writer has replaced it since seen.
func (c *customer) spend(ctx context.Context, seen record) (s spending, err error) {
	f := c.front
	if h, ok := c.home.(carried); ok && seen.token.RefreshToken != "" && f.opts.Refresh != nil {
		leave, late := h.strangers.enter(ctx, seen.raw)
		if late != nil {
			return spending{}, late
		}
		defer func() {
			_, refused := err.(*refusedError)
			leave(refused || s.state == StateExpired || classify(err, time.Now()).permanent)
		}()
	}
	var rec record
	turn := &claim{storage: f.opts.Customers, key: c.home.lock(seen), owner: f.owner}
	turn.look = func(ctx context.Context) (bool, error) {
		if err := c.catchUp(ctx); err != nil {
			return false, err
		}
		var err error
		if rec, err = c.current(ctx); err != nil {
			return false, err
		}
		return !bytes.Equal(rec.raw, seen.raw), nil
	}
	turn.spend = func() string {
		if f.opts.Refresh == nil {
			return ""
		}
		return seen.token.RefreshToken
	}
	for range 4 {
		l, found, err := turn.take(ctx)
		switch {
		case found:
			return spending{record: rec, by: c}, nil
		case err != nil && final(ctx, err):
			return spending{}, err
		case err != nil:
			f.down(ctx, err)
			if _, serving := c.source.due(); serving && turn.contended() {
				l.finish(ctx)
				return spending{}, err // the token serves, and the storage may be back before its end
			}
			rec, _, _ = c.latest()
		}
		if s, done, err := c.spendAlone(ctx, l, rec); done || err != nil {
			return s, err
		}
	}
	return spending{}, errTooLate
}

// spendAlone is spend in this process's turn, l, which it ends. It is not done if
// another writer was quicker.
func (c *customer) spendAlone(ctx context.Context, l *lease, rec record) (s spending, done bool, err error) {
	f := c.front
	refused := false
	defer func() {
		switch {
		case refused:
			l.release(ctx) // the note tells which one
		case c.unsaved(time.Now()):
			l.linger(ctx, c.catchUp)
		default:
			l.finish(ctx)
		}
	}()
	if rec.token.RefreshToken == "" || f.opts.Refresh == nil {
		if _, serving := c.source.due(); serving {
			return spending{record: rec, by: c, requested: true}, true, nil // there will be no other one
		}
		over, err := c.expire(ctx)
		return spending{record: expired, by: c}, over || err != nil, nil // also if it cannot be written
	}
	c.setAsking(true)
	defer c.setAsking(false)
	_, kept, changes := c.latest()
	start := time.Now()
	var t *Token
	known := c.isRefused(rec.token)
	if !known {
		t, err = c.ask(ctx, rec.token)
	}
	switch {
	case known || isInvalidGrant(err):
		over, err := c.giveUp(ctx, rec, l != nil || known)
		refused = over || err != nil
		return spending{record: expired, by: c}, refused, err
	case err != nil:
		if l != nil {
			l.pause(ctx, err)
		}
		return spending{}, true, err
	}
	return c.keep(context.WithoutCancel(ctx), change{rec, kept, changes}, received(t, start))
}

// ask makes the token request. One that panics or brings nothing has failed as any
// other, also for those who would make the same one.
func (c *customer) ask(ctx context.Context, old *Token) (*Token, error) {
	r := <-contain(ctx, func(ctx context.Context) (*Token, error) { return c.front.opts.Refresh(ctx, old) })
	if r.err == nil && (r.token == nil || r.token.AccessToken == "") {
		r.err = errEmptyToken
	}
	return r.token, r.err
}

// current is the record as it is now: the home's, or the one that the home has
// failed to take.
func (c *customer) current(ctx context.Context) (record, error) {
	raw, err := c.home.load(Uncached(ctx))
	if err != nil {
		return record{}, err
	}
	if rec, ok := c.holds(raw); ok {
		return rec, nil
	}
	return c.front.read(ctx, raw), nil
}

// replaced reports whether another writer has put something in the place of rec,
// whose refresh token was refused. If that writer was quicker to spend it, what it has
// got may still be on its way to the home. Who is alone, since a lock keeps other
// processes out, waits for less: only for another library, which may take no lock.
func (c *customer) replaced(ctx context.Context, rec record, alone bool) (bool, error) {
	pauses := []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond}
	if alone {
		pauses = pauses[:3]
	}
	for _, pause := range pauses {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false, ctx.Err()
		}
		now, err := c.current(ctx)
		if replaced := !bytes.Equal(now.raw, rec.raw); err != nil || replaced {
			return replaced, err
		}
	}
	return false, nil
}

// giveUp ends the session, since the refresh token of rec was refused, unless another
// writer has put something in the place of rec: then it is not over. A storage that
// fails leaves the session as it is, with an error, but the token is not sent again.
func (c *customer) giveUp(ctx context.Context, rec record, alone bool) (over bool, err error) {
	replaced, err := c.replaced(ctx, rec, alone)
	if err == nil && replaced {
		return false, nil
	}
	c.setRefused(rec.token)
	if err != nil {
		return false, unknownRefusal(err)
	}
	if over, err = c.expire(ctx); err != nil {
		return false, unwrittenEnd(err)
	}
	return over, nil
}

// refusedError says that a refresh token was refused, and that for want of the storage
// nothing has ended by it.
type refusedError struct{ safeError }

func (e *refusedError) LogValue() slog.Value { return slog.StringValue(e.text) }

// unknownRefusal says that a refresh token was refused while the storage could not
// be read.
func unknownRefusal(err error) error {
	return &refusedError{safeError{"the refresh token was refused, and the storage does not tell whether another process was quicker: " + describe(err), err}}
}

// unwrittenEnd says that the session is over, which could not be written down. With the
// record as it is the next request would begin anew.
func unwrittenEnd(err error) error {
	return &refusedError{safeError{"the customer's session is over, and the storage does not take the note of it: " + describe(err), err}}
}

// expire notes that the customer's session is over. It is not if the home holds
// something new.
func (c *customer) expire(ctx context.Context) (over bool, err error) {
	_, kept, _ := c.latest()
	over, err = c.home.swap(context.WithoutCancel(ctx), kept, expired.raw, c.front.opts.RefreshLife)
	if err != nil {
		c.front.down(ctx, err)
	}
	return over, err
}

// change is the replacement of a record, and what was known when it began.
type change struct {
	of      record
	kept    []byte // what the home held
	changes int    // as latest counts
}

// keep writes what a refresh has brought, a token of our own, to the home, before
// anybody gets it. If it is not ok the home holds something else. Those who wait
// for a token do not wait until one that they will not get is revoked.
func (c *customer) keep(ctx context.Context, ch change, t *Token) (s spending, ok bool, err error) {
	f, now, rec := c.front, time.Now(), ch.of
	if t.RefreshToken == "" {
		t.RefreshToken = rec.token.RefreshToken
	}
	next, err := f.newRecord(t, now)
	if err == nil && next.owner != rec.owner {
		err = errOtherOwner
	}
	if err != nil {
		// What was spent is spent; what came must not be used.
		f.opts.Observer(ctx, SessionRefused{Storefront: f.opts.Name, Err: err})
		go f.takeBack(ctx, t)
		if ok, err = c.expire(ctx); err != nil {
			c.setRefused(rec.token)
			return spending{}, true, unwrittenEnd(err)
		}
		return spending{record: expired, by: c}, ok, nil
	}
	kept, ok, err := c.write(ctx, ch, next)
	if err != nil {
		f.opts.Observer(ctx, SaveFailed{Source: f.opts.Name + " customer", Err: err})
	}
	if !ok && err == nil {
		other, err := c.current(ctx)
		if err != nil || other.state != StateCustomer {
			go f.takeBack(ctx, t) // signed out meanwhile: nobody knows these tokens but us
		}
		return spending{record: other, by: c}, true, nil
	}
	c.mu.Lock()
	c.take(next, kept)
	c.saveAt, c.saveEnd = now.Add(saveInterval), now.Add(f.life(next, now))
	end, ended := c.end, c.ended
	c.mu.Unlock()
	switch {
	case ended && end == StateGuest: // signed out, and the home could not be told
		c.home.swap(ctx, next.raw, signedOut.raw, tombstoneLife)
		go f.takeBack(ctx, t)
		return spending{record: signedOut, by: c}, true, nil
	case err != nil:
		f.remember(ctx, c)
	}
	return spending{record: next, by: c, requested: true}, true, nil
}

// write makes the change to next, and returns what the home holds then, as far as
// known. It is not ok if that is somebody else's.
func (c *customer) write(ctx context.Context, ch change, next record) (kept []byte, ok bool, err error) {
	kept = ch.kept
	for range 4 {
		life := c.front.life(next, time.Now())
		if bytes.Equal(kept, expired.raw) {
			ok, err = c.home.restore(ctx, next.raw, life)
		} else {
			ok, err = c.home.swap(ctx, kept, next.raw, life)
		}
		if err != nil {
			c.mu.Lock()
			c.tried = alsoTried(c.tried, next.raw)
			c.mu.Unlock()
			return kept, false, err
		}
		if ok {
			return next.raw, true, nil
		}
		raw, err := c.home.load(Uncached(ctx))
		if err != nil {
			return kept, false, err
		}
		if bytes.Equal(raw, next.raw) {
			return next.raw, true, nil
		}
		yields, err := c.yields(ctx, raw, ch, next)
		if err != nil || !yields {
			return kept, false, err
		}
		kept = raw
	}
	return kept, false, errTooLate
}

// yields reports whether what the home holds makes way for next.
func (c *customer) yields(ctx context.Context, raw []byte, ch change, next record) (bool, error) {
	switch {
	case bytes.Equal(raw, ch.of.raw):
		return true, nil // another write was quicker
	case bytes.Equal(raw, expired.raw): // since the token was refused that was spent, or that of next
		itself, err := refused(ctx, c.front.opts.Customers, c.home.lock(ch.of), next.token.RefreshToken)
		return !itself, err
	}
	// What it is known to hold is older than next, unless it has changed meanwhile.
	_, known := c.holds(raw)
	_, _, now := c.latest()
	return known && now == ch.changes, nil
}

// catchUp writes a record that the home has failed to take. If the home holds
// somebody else's by now, that stays.
func (c *customer) catchUp(ctx context.Context) error {
	if !c.unsaved(time.Now()) {
		return nil
	}
	rec, kept, changes := c.latest()
	holds, ok, err := c.write(ctx, change{record{raw: kept}, kept, changes}, rec)
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok && c.changes == changes {
		c.kept, c.tried = holds, nil
	}
	return err
}

// saveInterval is how often writing a record again is tried.
const saveInterval = time.Second

// saveAgain is save in the background, at most once a second.
func (c *customer) saveAgain(ctx context.Context) {
	if c.maySave(time.Now()) {
		go c.save(detached(ctx))
	}
}

// maySave reports whether the record is to be written again, now and by nobody else:
// save has to follow.
func (c *customer) maySave(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.saving || !c.mustSave(now) || now.Before(c.saveAt) {
		return false
	}
	c.saving, c.saveAt = true, now.Add(saveInterval)
	return true
}

// save is catchUp, which tells if it fails, and ends the customer if there is nothing
// to catch up with.
func (c *customer) save(ctx context.Context) error {
	r := <-contain(ctx, func(ctx context.Context) (*Token, error) {
		_, _, changes := c.latest()
		if err := c.catchUp(ctx); err != nil || !c.unsaved(time.Now()) {
			return nil, err
		}
		raw, err := c.home.load(Uncached(ctx))
		if err == nil {
			c.met(ctx, raw, changes)
		}
		return nil, err
	})
	c.mu.Lock()
	c.saving = false
	c.mu.Unlock()
	if r.err != nil {
		c.front.opts.Observer(ctx, SaveFailed{Source: c.front.opts.Name + " customer", Err: r.err})
	}
	return r.err
}

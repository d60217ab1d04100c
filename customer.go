package bearer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// customer is one signed-in customer while somebody uses it: all sessions with
// the same record share one. It is found through a weak pointer, so that a
// customer who is not here costs nothing but the record in its home.
type customer struct {
	front  *Storefront
	key    string // in front.live
	home   home
	source *Source

	mu      sync.Mutex // guards what follows
	rec     record     // the latest one
	kept    []byte     // what the home holds, as far as known: not rec if saving that has failed
	changes int        // of rec
	past    []string   // access tokens that it had before rec
	ended   bool
	end     State // how it has ended
	saving  bool
	saveAt  time.Time // rec is not written again before
}

var (
	// ErrNoCustomer says that the visitor is a guest.
	ErrNoCustomer error = &safeError{"the visitor is not signed in as a customer", nil}

	// ErrCustomerExpired is an [ErrNoCustomer]: the visitor was a customer when the
	// request began, and is not any more. A call on the customer's behalf must not
	// go on as a guest's without the handler's knowing, which [Session.State] tells.
	ErrCustomerExpired error = &safeError{"the customer's session has ended: look at Session.State, and have the customer sign in again", ErrNoCustomer}

	errOtherOwner = &safeError{"the refresh of a customer's token was answered with somebody else's, which is refused", nil}
	errTooLate    = &safeError{"the customer's record has changed time and again", nil}
)

func newCustomer(f *Storefront, key string, h home, r record) *customer {
	c := &customer{front: f, key: key, home: h, rec: r, kept: r.raw}
	c.source = NewSource(c.renew, &SourceOptions{
		Name:         f.opts.Name + " customer",
		Refresh:      func(ctx context.Context, _ *Token) (*Token, error) { return c.renew(ctx) },
		RefreshAhead: f.opts.RefreshAhead,
		FetchTimeout: f.opts.FetchTimeout,
		Observer: func(ctx context.Context, e Event) {
			if failed, ok := e.(TokenFailed); !ok || failed.Err != ErrCustomerExpired { // which has an event of its own
				f.opts.Observer(ctx, e)
			}
		},
	})
	c.source.adopt(r.token, r.issued)
	return c
}

// token returns the customer's token, or ErrCustomerExpired.
func (c *customer) token(ctx context.Context) (*Token, error) {
	if _, ended := c.hasEnded(); ended {
		return nil, ErrCustomerExpired
	}
	c.saveAgain(ctx)
	t, err := c.source.TokenContext(ctx)
	if _, ended := c.hasEnded(); ended {
		return nil, ErrCustomerExpired
	}
	if failed, ok := err.(*TokenError); ok {
		c.front.pin(c, failed.NextTry)
	}
	return t, err
}

// evict is Source.Evict. What it remembers outlives the request.
func (c *customer) evict(ctx context.Context, rejected *Token) error {
	c.front.pin(c, time.Now().Add(brakeReset))
	return c.source.Evict(ctx, rejected)
}

func (c *customer) latest() (rec record, kept []byte, changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rec, c.kept, c.changes
}

func (c *customer) hasEnded() (State, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end, c.ended
}

func (c *customer) holdsUnsaved() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended && !bytes.Equal(c.kept, c.rec.raw)
}

// finish ends the customer; it is the first who does so if it returns true.
func (c *customer) finish(end State) bool {
	c.mu.Lock()
	first := !c.ended
	c.ended, c.end = true, end
	c.mu.Unlock()
	if first {
		if p, ok := c.front.live.Load(c.key); ok && c.front.find(c.key) == c {
			c.front.live.CompareAndDelete(c.key, p)
		}
	}
	return first
}

// saw tells that the home was seen to hold raw, at a time when changes was what
// latest said: what came to pass meanwhile is newer.
func (c *customer) saw(ctx context.Context, raw []byte, changes int) {
	if c.knows(raw, changes) {
		return
	}
	r := c.front.read(ctx, raw)
	if r.state != StateCustomer {
		c.mu.Lock()
		newer := c.changes != changes
		c.mu.Unlock()
		if !newer && c.finish(r.state) && r.state == StateExpired {
			c.front.opts.Observer(ctx, CustomerExpired{Storefront: c.front.opts.Name})
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes && !c.ended {
		c.take(r, raw)
		c.source.adopt(r.token, r.issued)
	}
}

func (c *customer) knows(raw []byte, changes int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended || c.changes != changes || bytes.Equal(raw, c.kept)
}

// take replaces the record; c.mu is held.
func (c *customer) take(r record, kept []byte) {
	if old := c.rec.token.AccessToken; old != r.token.AccessToken {
		c.past = note(c.past, old)
	}
	c.rec, c.kept = r, kept
	c.changes++
}

// had reports whether t is or was the customer's token.
func (c *customer) had(t *Token) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rec.token.AccessToken == t.AccessToken || slices.Contains(c.past, t.AccessToken)
}

// renew gets the customer's next token: it is the token request of c.source,
// which makes one at a time.
func (c *customer) renew(ctx context.Context) (*Token, error) {
	for range 4 {
		seen, _, changes := c.latest()
		if _, ended := c.hasEnded(); ended {
			return nil, ErrCustomerExpired
		}
		v, err, _ := c.front.spends.Do(c.home.lock(seen), func() (any, error) { return c.spend(ctx, seen) })
		if err != nil {
			return nil, err
		}
		switch r := v.(spending); {
		case r.by == c && r.requested:
			return r.token, nil
		case r.state != StateCustomer:
			if c.finish(r.state) && r.state == StateExpired {
				c.front.opts.Observer(ctx, CustomerExpired{Storefront: c.front.opts.Name, Owner: seen.owner})
			}
			return nil, ErrCustomerExpired
		case c.rejects(r.token, seen.token):
			c.saw(ctx, r.raw, changes) // and go on from there
		default:
			c.saw(ctx, r.raw, changes)
			return nil, errDetached
		}
	}
	return nil, errTooLate
}

// rejects reports whether t, which another writer has brought, is not what c
// needs: it is the one that c wants to replace, or its life is over.
func (c *customer) rejects(t, seen *Token) bool {
	if t.AccessToken == seen.AccessToken {
		return true
	}
	h := newHeld(t, time.Now(), -1)
	return h == nil || h.expired(time.Now())
}

// spending is what became of one refresh.
type spending struct {
	record
	by        *customer
	requested bool // the token was issued to it just now
}

// spend refreshes the record, unless another writer has replaced it since seen.
func (c *customer) spend(ctx context.Context, seen record) (spending, error) {
	f := c.front
	for range 4 {
		rec, err := c.current(ctx)
		if err != nil {
			f.down(ctx, err)
			rec, _, _ = c.latest()
		}
		if rec.state != StateCustomer || !bytes.Equal(rec.raw, seen.raw) {
			return spending{record: rec, by: c}, nil
		}
		if rec.token.RefreshToken == "" || f.opts.Refresh == nil {
			if _, serving := c.source.due(); serving {
				return spending{record: rec, by: c, requested: true}, nil // there will be no other one
			}
			if c.expire(ctx) {
				return spending{record: expired, by: c}, nil
			}
			continue
		}
		start := time.Now()
		t, err := f.opts.Refresh(ctx, rec.token)
		switch {
		case isInvalidGrant(err):
			// It may be that another process has spent it.
			if c.expire(ctx) {
				return spending{record: expired, by: c}, nil
			}
			continue
		case err != nil:
			return spending{}, err
		case t == nil || t.AccessToken == "":
			return spending{}, errEmptyToken
		}
		return c.keep(ctx, rec, received(t, start))
	}
	return spending{}, errTooLate
}

// current is the record as it is now: the home's, or the one that the home has
// failed to take.
func (c *customer) current(ctx context.Context) (record, error) {
	raw, err := c.home.load(ctx)
	if err != nil {
		return record{}, err
	}
	rec, kept, _ := c.latest()
	if bytes.Equal(raw, kept) {
		return rec, nil
	}
	return c.front.read(ctx, raw), nil
}

// expire notes that the customer's session is over, unless the home holds
// something new. A home that fails does not keep the session alive.
func (c *customer) expire(ctx context.Context) bool {
	_, kept, _ := c.latest()
	ok, err := c.home.swap(context.WithoutCancel(ctx), kept, expired.raw, c.front.opts.RefreshLife)
	if err != nil {
		c.front.down(ctx, err)
	}
	return ok || err != nil
}

// keep writes what a refresh of rec has brought, a token of our own, to the home,
// before anybody gets it.
func (c *customer) keep(ctx context.Context, rec record, t *Token) (spending, error) {
	f := c.front
	now := time.Now()
	if t.RefreshToken == "" {
		t.RefreshToken = rec.token.RefreshToken
	}
	next, err := f.newRecord(t, now)
	if err != nil || next.owner != rec.owner {
		// What was spent is spent; what came must not be used.
		takeBack(ctx, f.opts.Revoke, t)
		f.opts.Observer(ctx, SessionRefused{Storefront: f.opts.Name, Err: errOtherOwner})
		c.expire(ctx)
		return spending{record: expired, by: c}, nil
	}
	_, kept, _ := c.latest()
	ok, err := c.home.swap(context.WithoutCancel(ctx), kept, next.raw, f.life(next, now))
	switch {
	case err != nil:
		f.opts.Observer(ctx, SaveFailed{Source: f.opts.Name + " customer", Err: err})
		f.pin(c, now.Add(f.opts.RefreshLife))
		c.mu.Lock()
		c.take(next, kept)
		c.saveAt = now.Add(time.Second)
		c.mu.Unlock()
	case !ok:
		other, err := c.current(ctx)
		if err != nil || other.state != StateCustomer {
			// Signed out meanwhile: nobody knows these tokens but us.
			takeBack(ctx, f.opts.Revoke, t)
		}
		return spending{record: other, by: c}, nil
	default:
		c.mu.Lock()
		c.take(next, next.raw)
		c.mu.Unlock()
	}
	if _, ended := c.hasEnded(); ended {
		takeBack(ctx, f.opts.Revoke, t)
		return spending{record: signedOut, by: c}, nil
	}
	return spending{record: next, by: c, requested: true}, nil
}

// saveAgain writes a record that the home has failed to take, at most once a
// second.
func (c *customer) saveAgain(ctx context.Context) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.saving || c.ended || bytes.Equal(c.kept, c.rec.raw) || now.Before(c.saveAt) {
		return
	}
	c.saving, c.saveAt = true, now.Add(time.Second)
	rec, kept, changes := c.rec, c.kept, c.changes
	ctx = detached(ctx)
	go func() {
		ok, err := c.home.swap(ctx, kept, rec.raw, c.front.life(rec, time.Now()))
		var raw []byte
		if err == nil && !ok {
			raw, err = c.home.load(ctx)
		}
		c.mu.Lock()
		c.saving = false
		if err == nil && ok && c.changes == changes {
			c.kept = rec.raw
		}
		c.mu.Unlock()
		switch {
		case err != nil:
			c.front.opts.Observer(ctx, SaveFailed{Source: c.front.opts.Name + " customer", Err: err})
		case !ok:
			c.saw(ctx, raw, changes)
		}
	}()
}

// authorization is the token of c, as a handler sees it.
func (c *customer) authorization(t *Token) *Authorization {
	rec, _, _ := c.latest()
	return &Authorization{Token: t, Owner: rec.owner, Scope: rec.scope, Origin: c.home.origin()}
}

// read is readRecord with an event for what cannot be read.
func (f *Storefront) read(ctx context.Context, raw []byte) record {
	r, err := f.readRecord(raw)
	if err != nil {
		f.opts.Observer(ctx, SessionRefused{Storefront: f.opts.Name, Err: errors.Join(errUnreadable, err)})
	}
	return r
}

var errUnreadable = &safeError{"a customer's record cannot be read, and counts as none", nil}

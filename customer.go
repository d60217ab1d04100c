package bearer

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"
	"weak"
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
	tried   [][]byte   // what it may hold though saving it seemed to fail
	changes int        // of rec
	past    []string   // access tokens that it had before rec
	ended   bool
	end     State  // how it has ended
	asking  bool   // its refresh token is being spent
	refused string // the one that was refused, and is not to be sent again
	saving  bool
	saveAt  time.Time // rec is not written again before
	saveEnd time.Time // nor after
}

var (
	// ErrNoCustomer says that the visitor is a guest.
	ErrNoCustomer error = &safeError{"the visitor is not signed in as a customer", nil}

	// ErrCustomerExpired is an [ErrNoCustomer]: the visitor was a customer when the
	// request began, and is not any more. A call on the customer's behalf must not
	// go on as a guest's without the handler's knowing, which [Session.State] tells.
	ErrCustomerExpired error = &safeError{"the customer's session has ended: look at Session.State, and have the customer sign in again", ErrNoCustomer}
)

func newCustomer(f *Storefront, key string, h home, r record) *customer {
	c := &customer{front: f, key: key, home: h, rec: r, kept: r.raw}
	c.source = NewSource(func(ctx context.Context) (*Token, error) { return c.renew(ctx, nil) }, &SourceOptions{
		Name:         f.opts.Name + " customer",
		Refresh:      c.renew,
		RefreshAhead: f.opts.RefreshAhead,
		FetchTimeout: f.opts.FetchTimeout,
		Observer:     c.observe,
	})
	c.source.adopt(r.token, r.issued)
	return c
}

// observe passes on what the source tells. What it knows of failures has to outlive
// the requests that met with them: nobody asks again before the next try, and the
// pauses grow.
func (c *customer) observe(ctx context.Context, e Event) {
	if failed, ok := e.(TokenFailed); ok {
		if failed.Err == ErrCustomerExpired {
			return // which has an event of its own
		}
		if failed.Err == errStrangers {
			if c.front.strangers.complaint.due() {
				c.front.opts.Observer(ctx, e)
			}
			return
		}
		until := failed.NextTry.Add(permanentPause.max)
		if rec, _, _ := c.latest(); spent(failed.Err) && until.Before(rec.token.Expiry) {
			until = rec.token.Expiry // and is not to be spent again while that serves
		}
		c.front.pin(c, until)
	}
	c.front.opts.Observer(ctx, e)
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

// unsaved reports whether the home lacks rec, and is still to get it.
func (c *customer) unsaved(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mustSave(now)
}

// mustSave is unsaved; c.mu is held.
func (c *customer) mustSave(now time.Time) bool {
	return !c.ended && !bytes.Equal(c.kept, c.rec.raw) && now.Before(c.saveEnd)
}

// owes reports whether the home may lack what is newer than all that it holds.
func (c *customer) owes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asking || c.mustSave(time.Now())
}

func (c *customer) setAsking(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking = yes
}

// setRefused notes that the refresh token of t is good for nothing.
func (c *customer) setRefused(t *Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = t.RefreshToken
}

func (c *customer) isRefused(t *Token) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused != "" && c.refused == t.RefreshToken
}

// finish ends the customer; it is the first who does so if it returns true.
func (c *customer) finish(end State) bool {
	c.mu.Lock()
	first := !c.ended
	if first {
		c.ended, c.end = true, end
	}
	c.mu.Unlock()
	if first {
		c.front.live.CompareAndDelete(c.key, weak.Make(c))
	}
	return first
}

// saw tells that the home was seen to hold raw, at a time when changes was what
// latest said: what came to pass meanwhile is newer.
func (c *customer) saw(ctx context.Context, raw []byte, changes int) {
	if bytes.Equal(raw, expired.raw) && c.owes() {
		return // it was for want of what is yet to be written; or that will not be taken
	}
	c.met(ctx, raw, changes)
}

// met is saw for what takes no other record in its place.
func (c *customer) met(ctx context.Context, raw []byte, changes int) {
	if c.knows(raw, changes) {
		return
	}
	r := c.front.read(ctx, raw)
	if r.state != StateCustomer {
		rec, _, now := c.latest()
		if now == changes {
			c.isOver(ctx, r.state, rec)
		}
		return
	}
	if rec, _, now := c.latest(); now == changes && r.owner != rec.owner {
		c.finish(StateGuest) // somebody else has signed in here: nothing that has begun may go on as them
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.take(r, raw)
		c.source.adopt(r.token, r.issued)
	}
}

// someoneElse is the record that raw holds, if c has ended since it is another
// customer's.
func (f *Storefront) someoneElse(c *customer, raw []byte) record {
	if _, ended := c.hasEnded(); !ended {
		return record{}
	}
	r, err := f.readRecord(raw)
	if rec, _, _ := c.latest(); err != nil || r.owner == rec.owner {
		return record{}
	}
	return r
}

// owing is the customer who has yet to write what has followed on the record that a
// request has brought, for want of which that may be said to have expired; nil if
// there is none here.
func (f *Storefront) owing(ctx context.Context, h carried) *customer {
	trail, _, _ := h.follow(ctx)
	for _, raw := range trail {
		if c := f.find(h.lock(record{raw: raw})); c != nil && c.owes() {
			return c
		}
	}
	return nil
}

// lookAgain reports whether the customer is signed in still, asking the home now.
func (c *customer) lookAgain(ctx context.Context) bool {
	_, _, changes := c.latest()
	ctx = context.WithoutCancel(ctx)
	if raw, err := c.home.load(ctx); err == nil {
		c.saw(ctx, raw, changes)
	}
	_, ended := c.hasEnded()
	return !ended
}

// isOver ends the customer, since its home holds no record any more.
func (c *customer) isOver(ctx context.Context, end State, rec record) {
	f, unsaved := c.front, c.unsaved(time.Now())
	switch first := c.finish(end); {
	case first && end == StateExpired:
		f.opts.Observer(ctx, CustomerExpired{Storefront: f.opts.Name, Owner: rec.owner})
	case first && unsaved: // who has signed out did not know these tokens
		go f.takeBack(detached(ctx), rec.token)
	}
}

// knows reports whether raw tells nothing new.
func (c *customer) knows(raw []byte, changes int) bool {
	if _, ok := c.holds(raw); ok {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended || c.changes != changes
}

// holds returns the latest record, and reports whether raw is what the home is
// known to hold.
func (c *customer) holds(raw []byte) (record, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Equal(raw, c.rec.raw) || slices.ContainsFunc(c.tried, func(t []byte) bool { return bytes.Equal(raw, t) }) {
		c.kept = raw // a write that seemed to fail has not
	}
	return c.rec, bytes.Equal(raw, c.kept)
}

// take replaces the record; c.mu is held.
func (c *customer) take(r record, kept []byte) {
	if old := c.rec.token.AccessToken; old != r.token.AccessToken {
		c.past = note(c.past, old)
	}
	c.rec, c.kept = r, kept
	c.changes++
	if bytes.Equal(kept, r.raw) {
		c.tried = nil
	}
}

// had reports whether t is or was the customer's token.
func (c *customer) had(t *Token) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rec.token.AccessToken == t.AccessToken || slices.Contains(c.past, t.AccessToken)
}

// authorization is the token of c, as a handler sees it.
func (c *customer) authorization(t *Token) *Authorization {
	rec, _, _ := c.latest()
	return &Authorization{Token: t, Owner: rec.owner, Scope: rec.scope, Origin: c.home.origin()}
}

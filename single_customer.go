package bearer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// SingleCustomer is one customer without a browser: the user of a command-line
// tool, or the one customer that a program shares with another library. Whoever
// uses its storage acts as that customer. It must not serve visitors, who would all
// be the one who signed in last: that is for a [Storefront], and [Middleware] does
// not take this. Make one with [NewSingleCustomer]; it is safe for concurrent use
// and needs no closing.
//
// It is a [ContextTokenSource] that never falls back to a guest's token, and looks
// after the customer's as a Storefront does: processes that share the storage spend
// each refresh token once, and one of them signs out for all. What others have done
// to the storage it learns within a second of running time; while the storage fails
// it goes on with what it knows.
type SingleCustomer struct {
	front *Storefront
	home  stored

	mu      sync.Mutex // guards what follows
	cust    *customer  // nil if there is none
	state   State      // of whoever there is
	askedAt time.Time  // when the home was asked; zero: it is to be asked
	turns   int        // sign-ins and sign-outs through it
}

var (
	_ ContextTokenSource = (*SingleCustomer)(nil)
	_ Evicter            = (*SingleCustomer)(nil)
)

// NewSingleCustomer returns the customer whose record opts.Customers keeps under
// opts.Key, just so: without the id that a Storefront's customers have there. It
// panics unless both are given. Guests, GuestKey and OnLogin mean nothing here.
func NewSingleCustomer(opts *StorefrontOptions) *SingleCustomer {
	if opts == nil || opts.Customers == nil || opts.Key == "" {
		panic("bearer: NewSingleCustomer needs StorefrontOptions.Customers to keep the customer in, such as a filestore, and a Key")
	}
	o := *opts
	o.Guests, o.GuestKey, o.OnLogin = nil, "", nil
	f := NewStorefront(func(context.Context) (*Token, error) { return nil, ErrNoCustomer }, &o)
	return &SingleCustomer{front: f, home: stored{f.opts.Customers, f.opts.Key}}
}

// Token returns a copy of the customer's token; see [SingleCustomer.TokenContext].
func (s *SingleCustomer) Token() (*Token, error) {
	t, err := s.TokenContext(context.Background())
	if err != nil {
		return nil, err
	}
	return new(*t), nil
}

// TokenContext returns the customer's token, which is shared and must not be
// modified. The error is an [ErrNoCustomer] if nobody is signed in, in the form of
// [ErrCustomerExpired] if somebody was, or if another customer has taken the place
// of the one whom this began for; any other says that the token cannot be had for
// the time being. A session in ctx means nothing here.
func (s *SingleCustomer) TokenContext(ctx context.Context) (*Token, error) {
	c, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return c.token(ctx)
}

// Customer returns the customer's authorization, with the errors of TokenContext.
func (s *SingleCustomer) Customer(ctx context.Context) (*Authorization, error) {
	c, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	t, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	return c.authorization(t), nil
}

// Evict forgets the access token if it is rejected, one that a server did not
// accept; the next one is got with the refresh token. An error says that another
// customer's token may not take its place.
func (s *SingleCustomer) Evict(ctx context.Context, rejected *Token) error {
	s.mu.Lock()
	c := s.cust
	s.mu.Unlock()
	switch {
	case rejected == nil:
		return nil
	case c == nil || !c.had(rejected):
		return errAnotherVisitor
	}
	return c.evict(ctx, rejected)
}

// current finds the customer, asking the home if it has not just been asked.
func (s *SingleCustomer) current(ctx context.Context) (*customer, error) {
	now := time.Now()
	s.mu.Lock()
	before, state, turns := s.cust, s.state, s.turns
	if !s.askedAt.IsZero() && now.Sub(s.askedAt) < memo {
		s.mu.Unlock()
		return before, nobody(before, state)
	}
	if before != nil {
		s.askedAt = now // the others go on meanwhile
	}
	s.mu.Unlock()
	changes := 0
	if before != nil {
		_, _, changes = before.latest()
	}
	raw, err := s.home.load(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		s.reset()
		return nil, waitEnded(ctx)
	case err != nil:
		s.front.down(ctx, err)
		if before == nil {
			return nil, &safeError{"the customer's record cannot be read from the storage: " + describe(err), err}
		}
		return before, nil
	}
	c := before
	if c != nil {
		c.saw(ctx, raw, changes)
	}
	c, state = s.in(ctx, c, raw)
	if !s.found(turns, c, state, now) {
		return s.current(ctx)
	}
	if before != nil && c != before {
		return nil, ErrCustomerExpired // nothing that has begun may go on as somebody else
	}
	return c, nobody(c, state)
}

// in returns c, or who is in the home if c has ended; nil is nobody.
func (s *SingleCustomer) in(ctx context.Context, c *customer, raw []byte) (*customer, State) {
	if c != nil {
		if _, ended := c.hasEnded(); !ended {
			return c, StateCustomer
		}
	}
	r := s.front.read(ctx, raw)
	if r.state != StateCustomer {
		return nil, r.state
	}
	return s.front.customer(s.home.key, s.home, r), StateCustomer
}

// found notes who was found in the home, unless somebody has signed in or out since
// turns was counted.
func (s *SingleCustomer) found(turns int, c *customer, state State, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns != turns {
		return false
	}
	s.cust, s.state, s.askedAt = c, state, now
	return true
}

// reset has the next caller ask the home.
func (s *SingleCustomer) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.askedAt = time.Time{}
}

func nobody(c *customer, state State) error {
	switch {
	case c != nil:
		return nil
	case state == StateExpired:
		return ErrCustomerExpired
	}
	return ErrNoCustomer
}

// SetCustomer signs in the customer that t speaks for, one that the token endpoint
// has just issued; it is not verified. The tokens of whoever was signed in before
// are revoked. After an error nothing has changed, unless it says that the record may
// have been written all the same, by a storage that fails.
func (s *SingleCustomer) SetCustomer(ctx context.Context, t *Token) error {
	f, now := s.front, time.Now()
	if t == nil || t.AccessToken == "" {
		return errEmptyToken
	}
	t = received(t, now)
	r, err := f.admit(t, now)
	if err != nil {
		return err
	}
	old, err := s.moveIn(ctx, r, now)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	c := f.find(s.home.key)
	if c != nil {
		_, _, changes := c.latest()
		c.saw(ctx, r.raw, changes)
	}
	c, _ = s.in(ctx, c, r.raw)
	s.mu.Lock()
	s.turns++
	s.cust, s.state, s.askedAt = c, StateCustomer, time.Time{}
	s.mu.Unlock()
	f.opts.Observer(ctx, SignedIn{Storefront: f.opts.Name, Owner: r.owner, Again: old.token != nil})
	if old.token != nil {
		f.takeBack(ctx, without([]*Token{old.token}, t)...) // the program may be about to end
	}
	return nil
}

// moveIn puts the record in the place of what is in the home, which it returns.
func (s *SingleCustomer) moveIn(ctx context.Context, r record, now time.Time) (old record, err error) {
	life := s.front.life(r, now)
	for range 8 {
		raw, err := s.home.load(Uncached(ctx))
		if err != nil { // what is there may be what is broken, and not the storage
			if err = set(ctx, s.home.storage, s.home.key, r.raw, life); err != nil {
				err = s.moveOut(ctx, r, record{}, now, err)
			}
			return record{}, err
		}
		old := s.front.read(ctx, raw)
		if bytes.Equal(raw, r.raw) {
			return old, nil
		}
		ok, err := s.home.swap(ctx, raw, r.raw, life)
		if err != nil {
			old.raw = raw
			return record{}, s.moveOut(ctx, r, old, now, err)
		}
		if ok {
			return old, nil
		}
	}
	return record{}, notMovedIn(errTooLate)
}

// moveOut puts what was there back, since r may have been written though it seemed to
// fail, and returns the error to tell.
func (s *SingleCustomer) moveOut(ctx context.Context, r, old record, now time.Time, failed error) error {
	life := tombstoneLife
	switch old.state {
	case StateCustomer:
		life = s.front.life(old, now)
	case StateExpired:
		life = s.front.opts.RefreshLife
	}
	if _, err := s.home.swap(context.WithoutCancel(ctx), r.raw, old.raw, life); err != nil {
		return &safeError{"the customer's record cannot be written to the storage for certain, and may be there all the same: when the storage is back sign in again, or out: " + describe(failed), failed}
	}
	return notMovedIn(failed)
}

func notMovedIn(err error) error {
	return &safeError{"the customer's record cannot be written to the storage, and nobody is signed in: " + describe(err), err}
}

// Logout signs the customer out, for all who share the storage: it removes the
// record, leaves in its place for an hour what keeps slower processes from bringing
// the customer back, and then revokes the refresh and access tokens, which are not
// refreshed first. Without a customer it does nothing. It goes on when ctx ends, and
// may take 30 seconds if the revocation endpoint hangs.
//
// An error says that not all of it could be done: the record may still be there, or
// tokens be good elsewhere.
func (s *SingleCustomer) Logout(ctx context.Context) error { return s.leave(ctx, true) }

// Forget is [SingleCustomer.Logout] without the revocation.
func (s *SingleCustomer) Forget(ctx context.Context) error { return s.leave(ctx, false) }

func (s *SingleCustomer) leave(ctx context.Context, revoke bool) error {
	f := s.front
	ctx = context.WithoutCancel(ctx)
	var errs []error
	tokens, err := f.end(ctx, s.home, s.home.key)
	errs = append(errs, explainEnd(err, revoke))
	s.mu.Lock()
	s.turns++
	s.cust, s.state, s.askedAt = nil, StateGuest, time.Now()
	s.mu.Unlock()
	if len(tokens) > 0 {
		f.opts.Observer(ctx, SignedOut{Storefront: f.opts.Name})
	}
	if revoke {
		if err := f.revoke(ctx, tokens...); err != nil {
			errs = append(errs, &safeError{"the customer is signed out, but not all tokens could be revoked: " + describe(err), err})
		}
	}
	return errors.Join(errs...)
}

// String names the customer's storefront.
func (s *SingleCustomer) String() string {
	return fmt.Sprintf("bearer.SingleCustomer(%q)", s.front.opts.Name)
}

// Format prints what String returns, whatever the verb.
func (s *SingleCustomer) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what String returns.
func (s *SingleCustomer) LogValue() slog.Value { return slog.StringValue(s.String()) }

package bearer

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"time"
	"weak"

	"golang.org/x/sync/singleflight"
)

// StorefrontOptions are the optional settings of a [Storefront]. Without
// Customers it serves guests only.
type StorefrontOptions struct {
	// Name tells storefronts apart in events and logs.
	Name string

	// Customers keeps the customers' tokens, each under Key, a hyphen and the
	// SHA-256 of the browser's session id in hex; with a [Carrier] only what
	// parallel requests have to know of each other.
	Customers CompareAndSwapper

	// Key begins the keys of customers. Storefronts that share a storage must have
	// different ones, unless their tokens are interchangeable. Default: "customer-"
	// and Name.
	Key string

	// Guests keeps the guests' token under GuestKey, as SourceOptions.Storage does. A
	// token there that has an Owner counts as none.
	Guests   Storage
	GuestKey string

	// Scope is noted in a customer's record if the token's Extra has no scope.
	Scope string

	// Owner tells whom a token speaks for; the zero Owner for a guest. With it a
	// token without an owner is no customer's, and a refresh that answers with
	// another owner's is refused. It must not verify anything over the network. If
	// nil, nobody knows.
	Owner func(*Token) (Owner, error)

	// Refresh gets a new token by means of a customer's refresh token, as
	// SourceOptions.Refresh does. If nil, customers are signed in for as long as
	// their token lives.
	Refresh func(ctx context.Context, old *Token) (*Token, error)

	// Inbound tells whether a token that a request has brought itself may go out with
	// the calls of this Storefront; an error says why not, and is that of the call, which
	// is not sent. It is needed if the [Verifier] admits tokens that are not for the API
	// of these calls, such as another provider's: that API could use them. It is asked
	// each time that the Storefront, or CustomerOnly, supplies such a token, so it must
	// be quick, and safe for concurrent use; it must not modify what it gets, nor quote
	// the token. What a Session tells the handlers is the same without it. If nil, all go.
	Inbound func(*Authorization) error

	// Revoke takes one access or refresh token back (RFC 7009). It is asked for the
	// refresh token first. If nil, a logout only forgets the tokens here.
	Revoke func(ctx context.Context, token string) error

	// OnLogin is called when a customer has signed in, with what the visitor was
	// and has become, to merge carts for example. The context holds the session,
	// whose customer is the new one. guest is nil if no guest token could be had.
	OnLogin func(ctx context.Context, guest, customer *Authorization)

	// RefreshLife is how long a refresh token lives, and with it the record and the
	// cookie of a customer who has one, counted from each refresh. Default 14 days.
	RefreshLife time.Duration

	RefreshAhead time.Duration // as in SourceOptions, for guests and customers
	FetchTimeout time.Duration // as in SourceOptions
	Logger       *slog.Logger  // nil logs nothing
	Observer     Observer      // nil observes nothing
}

func (o *StorefrontOptions) withDefaults() StorefrontOptions {
	var r StorefrontOptions
	if o != nil {
		r = *o
	}
	if r.Key == "" {
		r.Key = "customer-" + r.Name
	}
	if r.RefreshLife <= 0 {
		r.RefreshLife = 14 * 24 * time.Hour
	}
	r.Observer = observe(r.Logger, r.Observer)
	return r
}

// Storefront is one shop: the token that all its guests share, and the tokens of
// its customers, each one visitor's alone. Make one with [NewStorefront] and put
// [Middleware] round the handlers. It is safe for concurrent use and needs no
// closing.
//
// It is a [ContextTokenSource]: asked with the context of a request, or one made
// with [NewContext], it supplies the token of the session in it, the customer's
// if there is one, else the guest's; asked with any other, the guest's. What it
// supplies to a request that has acted as a customer is never a guest's, unless
// the handler has learned from [Session.State] that the customer is gone, or has
// called [Session.Logout].
type Storefront struct {
	opts     StorefrontOptions
	guest    *Source
	noGuests bool // guest is never asked

	live   sync.Map           // string → weak.Pointer[customer]: those that somebody uses
	owner  string             // this process among those that share Customers
	spends singleflight.Group // one refresh per customer, also if two hold its record

	complaint complaint // about Customers
	refusals  complaint // of what visitors have brought
	strangers *strangers
	unsaved   unsaved

	mu      sync.Mutex              // guards what follows
	pinned  map[*customer]time.Time // those that must be remembered until then, used or not
	sweepAt time.Time               // when some of them may be let go
	doors   []door                  // replaced, never written into
	plain   bool                    // a PlainCarrier brings customers
}

// maxPinned bounds those who are remembered though nobody uses them: a stranger can
// send any number of records that cannot be refreshed.
const maxPinned = 4096

// sweepInterval is how long a customer may be remembered in vain.
const sweepInterval = time.Minute

var (
	_ ContextTokenSource = (*Storefront)(nil)
	_ Evicter            = (*Storefront)(nil)
)

// ErrNoGuest says that the [Storefront] has no token for guests.
var ErrNoGuest error = &safeError{"the storefront has no token for guests: the request needs one of its own, or a customer", nil}

// NewStorefront returns a storefront whose guests' token comes from guest. If that is
// nil there is none for them, and asking for it is an [ErrNoGuest]: for a backend that
// requests come to with tokens of their own, see MiddlewareOptions.Verifier. The options
// may be nil.
func NewStorefront(guest TokenFunc, opts *StorefrontOptions) *Storefront {
	switch {
	case opts == nil || opts.Guests == nil:
	case guest == nil:
		panic("bearer: NewStorefront has StorefrontOptions.Guests and no TokenFunc for guests: add one, such as the method clientcredentials.Config.Token, or leave Guests out")
	case opts.GuestKey == "":
		panic("bearer: StorefrontOptions.Guests needs a GuestKey, one that names the client and the scope of the guests' token")
	}
	f := &Storefront{opts: opts.withDefaults(), noGuests: guest == nil, owner: rand.Text(), strangers: newStrangers(), pinned: map[*customer]time.Time{}}
	f.unsaved.all, f.unsaved.max = map[*customer]struct{}{}, maxUnsaved
	if f.noGuests {
		guest = func(context.Context) (*Token, error) { return nil, ErrNoGuest }
	}
	f.guest = NewSource(guest, &SourceOptions{
		Name:         f.opts.Name + " guest",
		RefreshAhead: f.opts.RefreshAhead,
		FetchTimeout: f.opts.FetchTimeout,
		Storage:      f.opts.Guests,
		Key:          f.opts.GuestKey,
		Accept:       f.isGuest,
		Observer:     f.opts.Observer,
	})
	return f
}

// Token returns a copy of the guests' token. It knows of no session.
func (f *Storefront) Token() (*Token, error) { return f.GuestOnly().Token() }

// TokenContext returns the token of the session in ctx, which is shared and must
// not be modified: the customer's, else the guests'. A customer's token that
// cannot be refreshed for the time being is an error, never a guest's token; one
// whose end it is [ErrCustomerExpired]. If the request has brought a token of its own
// it is that, or the error of StorefrontOptions.Inbound. Waiting ends with ctx.
func (f *Storefront) TokenContext(ctx context.Context) (*Token, error) {
	s, err := f.session(ctx)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return f.guestToken(ctx)
	}
	return s.token(ctx)
}

// guestToken is the guests' token, or ErrNoGuest.
func (f *Storefront) guestToken(ctx context.Context) (*Token, error) {
	if f.noGuests {
		return nil, ErrNoGuest // at once: nothing has failed, and the source would count it so
	}
	return f.guest.TokenContext(ctx)
}

// Evict forgets the token if it is rejected, one that a server did not accept,
// and if it belongs to whom the session in ctx still is. A customer's is then
// refreshed at its next use. An error says that no other token may take its
// place, since the visitor has changed meanwhile.
func (f *Storefront) Evict(ctx context.Context, rejected *Token) error {
	s, err := f.session(ctx)
	if err != nil {
		return err
	}
	if s == nil {
		return f.guest.Evict(ctx, rejected)
	}
	return s.evict(ctx, rejected)
}

// session is the session in ctx, nil if there is none.
func (f *Storefront) session(ctx context.Context) (*Session, error) {
	s, ok := FromContext(ctx)
	if !ok {
		return nil, nil
	}
	if s.front != f {
		return nil, errOtherStorefront
	}
	return s, nil
}

// Guest returns the guests' authorization.
func (f *Storefront) Guest(ctx context.Context) (*Authorization, error) {
	t, err := f.guestToken(ctx)
	if err != nil {
		return nil, err
	}
	a := &Authorization{Token: t, Scope: f.opts.Scope, Origin: OriginGuest}
	if scope, _ := t.Extra("scope").(string); scope != "" {
		a.Scope = scope
	}
	return a, nil
}

// ForgetGuest drops the guests' token that this process holds and returns it, nil if
// there was none; see [Source.Forget].
func (f *Storefront) ForgetGuest() *Token { return f.guest.Forget() }

// RemoveGuest is ForgetGuest for all processes: it deletes the token from
// StorefrontOptions.Guests too; see [Source.Remove].
func (f *Storefront) RemoveGuest(ctx context.Context) (*Token, error) { return f.guest.Remove(ctx) }

// isGuest reports whether t speaks for nobody, as far as can be told.
func (f *Storefront) isGuest(t *Token) bool {
	_, err := f.ownerOf(t)
	return err == errNoOwner || err == nil && f.opts.Owner == nil
}

// GuestOnly returns a source of the guests' token, whoever the visitor is: for
// what may be cached for all.
func (f *Storefront) GuestOnly() ContextTokenSource {
	if f.noGuests {
		return noGuest{}
	}
	return f.guest
}

// noGuest is the source of a token that does not exist.
type noGuest struct{}

func (noGuest) Token() (*Token, error)                       { return nil, ErrNoGuest }
func (noGuest) TokenContext(context.Context) (*Token, error) { return nil, ErrNoGuest }

// CustomerOnly returns a source of the customer's token, which it never falls back
// from: without a customer its error is an [ErrNoCustomer]. It is an [Evicter].
func (f *Storefront) CustomerOnly() ContextTokenSource { return customerOnly{f} }

type customerOnly struct{ front *Storefront }

// Token is an error: without a context there is no customer.
func (c customerOnly) Token() (*Token, error) { return nil, errNoSession }

func (c customerOnly) TokenContext(ctx context.Context) (*Token, error) {
	s, err := c.front.session(ctx)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, errNoSession
	}
	a, err := s.Customer(ctx)
	if err != nil {
		return nil, err
	}
	if in := s.browser.inbound; in != nil {
		return in.tokenFor(ctx, c.front)
	}
	return a.Token, nil
}

func (c customerOnly) Evict(ctx context.Context, rejected *Token) error {
	return c.front.Evict(ctx, rejected)
}

// String names the storefront.
func (c customerOnly) String() string { return c.front.String() + ".CustomerOnly()" }

// Format prints what String returns, whatever the verb.
func (c customerOnly) Format(s fmt.State, _ rune) { io.WriteString(s, c.String()) }

// customer returns the live customer under key, or makes one of r.
func (f *Storefront) customer(key string, h home, r record) *customer {
	for {
		if c := f.find(key); c != nil {
			return c
		}
		f.sweep()
		c := newCustomer(f, key, h, r)
		p := weak.Make(c)
		other, taken := f.live.LoadOrStore(key, p)
		if !taken {
			front := weak.Make(f) // which may hold c, and would do so for ever if c held it until c is gone
			runtime.AddCleanup(c, func(p weak.Pointer[customer]) {
				if f := front.Value(); f != nil {
					f.live.CompareAndDelete(key, p)
				}
			}, p)
			return c
		}
		if other.(weak.Pointer[customer]).Value() == nil { // its cleanup is yet to come
			f.live.CompareAndDelete(key, other)
		}
	}
}

// find returns the live customer under key, nil if nobody uses it.
func (f *Storefront) find(key string) *customer {
	p, ok := f.live.Load(key)
	if !ok {
		return nil
	}
	return p.(weak.Pointer[customer]).Value()
}

// pin keeps c in memory until then.
func (f *Storefront) pin(c *customer, until time.Time) {
	f.sweep()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pinned[c].Before(until) {
		f.pinned[c] = until
	}
	for other := range f.pinned { // any
		if len(f.pinned) <= maxPinned {
			return
		}
		if other != c {
			delete(f.pinned, other)
		}
	}
}

// sweep lets go of those who need not be remembered any more.
func (f *Storefront) sweep() {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Before(f.sweepAt) {
		return
	}
	f.sweepAt = now.Add(sweepInterval)
	f.unsaved.tidy(now)
	maps.DeleteFunc(f.pinned, func(_ *customer, until time.Time) bool { return now.After(until) })
}

// takeBack revokes tokens that nobody is to have, and tells if that fails.
func (f *Storefront) takeBack(ctx context.Context, tokens ...*Token) {
	if err := f.revoke(ctx, tokens...); err != nil {
		f.opts.Observer(ctx, RevocationFailed{Storefront: f.opts.Name, Err: err})
	}
}

// down tells that the storage fails.
func (f *Storefront) down(ctx context.Context, err error) {
	if f.complaint.due() {
		f.opts.Observer(ctx, StorageFailed{Name: f.opts.Name, Err: err})
	}
}

// refuse tells that what is said to be a customer's record is none. Strangers can send
// any number of such.
func (f *Storefront) refuse(ctx context.Context, err error) {
	if f.refusals.due() {
		f.opts.Observer(ctx, SessionRefused{Storefront: f.opts.Name, Err: err})
	}
}

// String names the storefront.
func (f *Storefront) String() string { return fmt.Sprintf("bearer.Storefront(%q)", f.opts.Name) }

// Format prints what String returns, whatever the verb.
func (f *Storefront) Format(s fmt.State, _ rune) { io.WriteString(s, f.String()) }

package bearer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// tombstoneLife is how long a logout is remembered: longer than any refresh, or
// any request of another library, that may have begun before.
const tombstoneLife = time.Hour

// guestWait is how long a sign-in waits for the guests' token, which OnLogin is told
// and the visitor has probably used before.
const guestWait = 2 * time.Second

var (
	errNoCustomers = &safeError{"the Storefront has nowhere to keep customers: set StorefrontOptions.Customers, such as to memstore.New(nil)", nil}
	errNoGrant     = &safeError{"Session.Login needs a function that gets the customer's token: for a token that is there already call SetCustomer", nil}
	errLeft        = &safeError{"the request has ended, and the visitor's cookie can no longer be set", nil}
	errNoExpiry    = &safeError{"the customer's token does not say when it expires, and kept it would count as expired: set its Expiry", nil}
	errNotForever  = &safeError{"the customer's token has expired already: sign in again", nil}
)

// SetCustomer makes the visitor the customer that t speaks for, one that the token
// endpoint has just issued. The session gets a new id (session fixation), with
// which its records for other storefronts go along; a customer who was signed in
// before is signed out. With a refresh token the browser remembers the customer
// for as long as that lives, else until it is closed.
//
// It must be called before the answer is begun. The token is not verified: it must
// come from the token endpoint, not from a visitor. Of the other storefronts' records
// only those of the same Owner go along; anybody else is signed out there, too. After
// an error nothing has changed and nobody is signed in by t. It is [ErrInbound] if the
// request has brought a token of its own.
func (s *Session) SetCustomer(ctx context.Context, t *Token) error {
	return s.Login(ctx, func(context.Context) (*Token, error) { return t, nil })
}

// Login is [Session.SetCustomer] with the token that grant gets from the token endpoint.
// grant is not called where nobody could be signed in: after the answer is begun or the
// request has ended, by a request that has brought a token of its own, or under the id
// that an application's session had before. An error of grant is returned as it is.
func (s *Session) Login(ctx context.Context, grant TokenFunc) error {
	f := s.front
	switch {
	case f.opts.Customers == nil:
		return errNoCustomers
	case grant == nil:
		return errNoGrant
	}
	c, again, err := s.signIn(ctx, grant)
	if err != nil {
		return err
	}
	rec, _, _ := c.latest()
	f.opts.Observer(ctx, SignedIn{Storefront: f.opts.Name, Owner: rec.owner, Again: again})
	if f.opts.OnLogin != nil {
		ctx = NewContext(ctx, s)
		patient, cancel := context.WithTimeout(ctx, guestWait)
		guest, _ := s.Guest(patient)
		cancel()
		f.opts.OnLogin(ctx, guest, c.authorization(rec.token))
	}
	return nil
}

// signIn puts the record in its home, and then whoever was there before out of it;
// again tells that there was somebody.
func (s *Session) signIn(ctx context.Context, grant TokenFunc) (c *customer, again bool, err error) {
	f, b := s.front, s.browser
	if err := b.ready(); err != nil {
		return nil, false, err
	}
	t, err := grant(ctx)
	if err != nil {
		return nil, false, err
	}
	if t == nil || t.AccessToken == "" {
		return nil, false, errEmptyToken
	}
	done, err := b.change(true)
	if err != nil {
		return nil, false, err
	}
	defer done()
	now := time.Now()
	t = received(t, now)
	r, err := f.admit(t, now)
	if err != nil {
		return nil, false, err
	}
	oldID := b.currentID()
	if b.opts.SessionID != nil {
		oldID = b.firstID
	}
	old, oldKey := s.leaving(oldID)
	h, key, id, err := s.moveIn(ctx, r, now)
	if err != nil {
		return nil, false, err
	}
	if !b.send(id, f.rememberFor(r)) {
		h.swap(context.WithoutCancel(ctx), r.raw, nil, 0)
		return nil, false, errBegun
	}
	c = f.customer(key, h, r)
	s.mu.Lock()
	s.turns++
	s.cust, s.state, s.known, s.askedAt = c, StateCustomer, true, now
	s.lost, s.private, s.drop = false, true, false
	s.mu.Unlock()
	b.mu.Lock()
	b.firstID = id
	b.mu.Unlock()

	ctx = context.WithoutCancel(ctx)
	switch {
	case b.opts.Carrier != nil:
		b.endOthers(ctx, f, r.owner)
	case oldID != "":
		b.send(id, max(f.rememberFor(r), b.moveOthers(ctx, f, r.owner, oldID, id)))
	}
	if old == nil {
		return c, false, nil
	}
	if b.opts.Carrier != nil && sameTokens(ctx, old, h, r) {
		return c, true, nil
	}
	gone, err := f.end(ctx, old, oldKey)
	if err != nil {
		f.down(ctx, err)
	}
	go f.takeBack(ctx, without(gone, t)...) // nobody waits for it
	return c, len(gone) > 0, nil
}

// admit makes the record of a customer who is to be signed in by t.
func (f *Storefront) admit(t *Token, now time.Time) (record, error) {
	r, err := f.newRecord(t, now)
	switch {
	case err != nil:
		return record{}, err
	case usedOnce(t) || newHeld(t, now, -1) == nil:
		return record{}, errNotForever
	case t.Expiry.IsZero():
		return record{}, errNoExpiry
	}
	return r, nil
}

// leaving is the home that a customer who signs in leaves behind, nil if there is
// none.
func (s *Session) leaving(oldID string) (home, string) {
	s.mu.Lock()
	c := s.cust
	s.mu.Unlock()
	switch {
	case c != nil:
		return c.home, c.key
	case s.browser.opts.SessionID == nil:
		return s.home()
	case oldID == "":
		return nil, ""
	}
	key := s.front.customerKey(oldID)
	return stored{s.front.opts.Customers, key}, key
}

// sameTokens reports whether what is in old, which the browser carries, is what r
// puts into h: then it is not to be ended.
func sameTokens(ctx context.Context, old, h home, r record) bool {
	raw, err := old.load(Uncached(ctx))
	return err == nil && old.lock(record{raw: raw}) == h.lock(r)
}

// moveIn puts the record in its new home, which has the id, if it is not the
// browser.
func (s *Session) moveIn(ctx context.Context, r record, now time.Time) (h home, key, id string, err error) {
	f, b := s.front, s.browser
	if b.opts.Carrier != nil {
		if err := b.fits(f, r); err != nil {
			return nil, "", "", err
		}
		record := b.carried(f, r.raw)
		record.strangers.meet(r.raw)
		if err := record.revive(ctx); err != nil {
			f.down(ctx, err)
		}
		return record, record.lock(r), "", nil
	}
	if id, err = b.nextID(); err != nil {
		return nil, "", "", err
	}
	key = f.customerKey(id)
	h = stored{f.opts.Customers, key}
	// A record under the application's id is as strange as it would be under ours.
	ok, err := h.swap(ctx, nil, r.raw, f.life(r, now))
	switch {
	case err != nil:
		// It may have been written all the same, under an id that the visitor has if it
		// is the application's.
		if _, left := h.swap(context.WithoutCancel(ctx), r.raw, nil, 0); left != nil && b.opts.SessionID != nil {
			return nil, "", "", &safeError{"the customer's session cannot be written to the storage for certain: give the visitor another session id, under which nobody is signed in: " + describe(err), err}
		}
		return nil, "", "", &safeError{"the customer's session cannot be written to the storage, and nobody is signed in: " + describe(err), err}
	case !ok:
		return nil, "", "", errSameID
	}
	return h, key, id, nil
}

// without returns gone without the tokens that t has too: two sign-ins of one
// customer may be given the same ones.
func without(gone []*Token, t *Token) []*Token {
	for i, g := range gone {
		g = new(*g)
		if g.RefreshToken == t.RefreshToken {
			g.RefreshToken = ""
		}
		if g.AccessToken == t.AccessToken {
			g.AccessToken = ""
		}
		gone[i] = g
	}
	return gone
}

// reset makes the session ask its home again.
func (s *Session) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns++
	if s.cust != nil || s.lost && s.state == StateGuest { // that may have learned it from the move
		s.cust, s.state, s.known, s.lost = nil, StateGuest, false, true
	}
}

// Logout makes the visitor a guest, of all storefronts of the session. It removes
// the records, leaves in their place for an hour what keeps slower requests from
// bringing the customer back, and then revokes the refresh and access tokens,
// which are not refreshed first. Verifiers of all the storefronts' Middlewares are told
// to refuse the access tokens, if they are a [Refuser]. For a guest it does nothing.
//
// It goes on when ctx ends, and may take 30 seconds if a revocation endpoint hangs,
// and some more if the storage does.
//
// An error says that not all of it could be done: a record may still be there, or
// tokens be good elsewhere. The session is a guest's all the same, and the browser
// forgets its id if the answer has not begun. Nothing has been done if it is
// [ErrInbound], or while the request signs in or out elsewhere.
func (s *Session) Logout(ctx context.Context) error { return s.leave(ctx, true) }

// Forget is [Session.Logout] without the revocation: the tokens stay good for
// whoever else has them.
func (s *Session) Forget(ctx context.Context) error { return s.leave(ctx, false) }

func (s *Session) leave(ctx context.Context, revoke bool) error {
	b := s.browser
	done, err := b.change(false)
	if err != nil {
		return err
	}
	defer done()
	ctx = context.WithoutCancel(ctx)
	tokens, left := make([][]*Token, len(b.fronts)), make([]error, len(b.fronts))
	var ends sync.WaitGroup
	for i, f := range b.fronts {
		ends.Go(func() { tokens[i], left[i] = b.session(f).end(ctx) })
	}
	ends.Wait()
	var errs []error
	for _, err := range left {
		errs = append(errs, explainEnd(err, revoke))
	}
	if b.opts.Carrier == nil && b.currentID() != "" {
		b.send("", 0)
	}
	failed := make([]error, len(b.fronts))
	var revocations sync.WaitGroup
	for i, f := range b.fronts {
		if len(tokens[i]) == 0 {
			continue
		}
		f.opts.Observer(ctx, SignedOut{Storefront: f.opts.Name})
		if revoke {
			revocations.Go(func() { failed[i] = f.revoke(ctx, tokens[i]...) })
		}
	}
	revocations.Wait()
	for _, err := range failed {
		if err != nil {
			errs = append(errs, &safeError{"the customer is signed out, but not all tokens could be revoked: " + describe(err), err})
		}
	}
	return errors.Join(errs...)
}

// end makes the visitor a guest of this storefront, and returns the tokens that
// the customer had.
func (s *Session) end(ctx context.Context) (tokens []*Token, err error) {
	s.mu.Lock()
	c := s.cust
	s.mu.Unlock()
	homes := map[string]home{} // by key
	if c != nil {
		homes[c.key] = c.home
	} else if h, key := s.home(); h != nil {
		homes[key] = h
	}
	// The application may have ended or renewed its own session first.
	if b := s.browser; b.opts.SessionID != nil && s.front.opts.Customers != nil {
		for _, id := range [...]string{b.firstID, b.currentID()} {
			if len(id) >= minSessionID {
				key := s.front.customerKey(id)
				homes[key] = stored{s.front.opts.Customers, key}
			}
		}
	}
	for key, h := range homes {
		some, failed := s.front.end(ctx, h, key)
		tokens = append(tokens, some...)
		if failed != nil {
			err = failed
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns++
	s.cust, s.state, s.known, s.lost, s.drop = nil, StateGuest, true, false, true
	return tokens, err
}

// end ends the customer in h, and returns the tokens that were there and here.
func (f *Storefront) end(ctx context.Context, h home, key string) (tokens []*Token, err error) {
	r, err := f.bury(ctx, h)
	if r.token != nil {
		tokens = append(tokens, r.token)
	}
	if key == "" && r.state == StateCustomer {
		key = h.lock(r)
	}
	if c := f.find(key); c != nil {
		if rec, _, _ := c.latest(); c.finish(StateGuest) {
			tokens = append(tokens, rec.token)
		}
	}
	return tokens, err
}

// bury puts a tombstone in the place of a record, which it returns, also if it
// fails. What cannot be read is removed, with an unreadError.
func (f *Storefront) bury(ctx context.Context, h home) (r record, err error) {
	for range 8 {
		raw, err := h.load(Uncached(ctx))
		if err != nil {
			if at, ok := h.(stored); ok && at.remove(ctx) == nil {
				err = &unreadError{err}
			}
			return r, err
		}
		found := f.read(ctx, raw)
		if found.state == StateGuest {
			return r, nil
		}
		r = found
		ok, err := h.swap(ctx, raw, signedOut.raw, tombstoneLife)
		if at, in := h.(stored); err != nil && in {
			// A storage that is full can remove it. No refresh replaces what is not there.
			if gone, failed := at.swap(ctx, raw, nil, 0); failed == nil {
				ok, err = gone, nil
			}
		}
		if ok || err != nil {
			return r, err
		}
	}
	return r, errTooLate
}

// unreadError is that of a record which has been removed without being read: nobody
// knows the tokens that were in it.
type unreadError struct{ err error }

func (e *unreadError) Error() string { return describe(e.err) }
func (e *unreadError) Unwrap() error { return e.err }

// explainEnd says what of a sign-out could not be done in the storage.
func explainEnd(err error, revoke bool) error {
	_, unread := err.(*unreadError)
	switch {
	case err == nil || unread && !revoke:
		return nil
	case unread:
		return &safeError{"the customer is signed out, but the record could not be read, and its tokens not be revoked: " + describe(err), err}
	}
	return &safeError{"the customer's record could not be removed from the storage: " + describe(err), err}
}

// For returns the browser's session with another storefront, one that the same
// [Middleware] serves.
func (s *Session) For(f *Storefront) (*Session, error) {
	if !slices.Contains(s.browser.fronts, f) {
		return nil, errOtherShop
	}
	return s.browser.session(f), nil
}

var errOtherShop = &safeError{"the Storefront is not one that the session's Middleware serves: add it to MiddlewareOptions.Storefronts", nil}

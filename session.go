package bearer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// State is what a visitor is.
type State int

// The states of a session.
const (
	StateGuest    State = iota
	StateCustomer       // signed in
	StateExpired        // was signed in; a guest who is told so once
)

// String is "guest", "customer" or "customer expired".
func (s State) String() string {
	switch s {
	case StateCustomer:
		return "customer"
	case StateExpired:
		return "customer expired"
	}
	return "guest"
}

// Session is what one browser is to one [Storefront], for the length of a request:
// a guest, until a customer signs in. [Middleware] makes it, [FromContext] finds
// it. It is safe for concurrent use.
//
// It asks the storage when a token or the state is first needed, and then at most
// once a second, so that long requests learn that the customer has signed out
// elsewhere; what is done through the session itself shows at once. It may be used
// after the request has ended, see [NewContext].
type Session struct {
	front   *Storefront
	browser *browser

	mu      sync.Mutex // guards what follows
	known   bool       // the home has been asked
	askedAt time.Time  // when
	turns   int        // sign-ins and sign-outs through it
	state   State
	cust    *customer // if state is StateCustomer
	loaded  bool      // the Carrier has been asked
	carries bool      // the browser carries something
	carried []byte    // the record in that, as the browser knows it; nil if it cannot be read
	drop    bool      // the browser is not to carry it any longer
	lost    bool      // it has acted as a customer who is gone, and nobody has been told
	told    bool      // that it has expired
	private bool      // the answer is a customer's
	guested []string  // access tokens of guests that were handed out, the latest last
}

// maxNoted bounds the access tokens that are remembered; with one in several
// hours, more than a day's.
const maxNoted = 16

// memo is for how long the home's answer holds.
const memo = time.Second

var (
	errOtherStorefront = &safeError{"the session in the context is of another Storefront: put that of Session.For into it, with NewContext", nil}
	errNoSession       = &safeError{"there is no session in the context: put Middleware round the handler, and pass on the context of its request", ErrNoCustomer}
	errAnotherVisitor  = &safeError{"the visitor has signed in or out meanwhile", nil}
)

// Storefront returns the one that the session belongs to.
func (s *Session) Storefront() *Storefront { return s.front }

// Guest returns the guests' authorization, whoever the visitor is; [ErrNoGuest] if the
// Storefront has none.
func (s *Session) Guest(ctx context.Context) (*Authorization, error) {
	a, err := s.front.Guest(ctx)
	if err == nil {
		s.handedOut(a.Token)
	}
	return a, err
}

// Customer returns the customer's authorization, with a token that is good now.
// The error is [ErrNoCustomer] for a guest, [ErrCustomerExpired] for one who was a
// customer when the request began; any other, such as a *[TokenError], says that
// the token, or what is known of the customer, cannot be had for the time being.
func (s *Session) Customer(ctx context.Context) (*Authorization, error) {
	a, err := s.customer(ctx)
	if err == nil && a == nil {
		err = ErrNoCustomer
	}
	return a, err
}

// Authorization returns the customer's, else the guests' authorization: what
// [Storefront.TokenContext] uses, with the same errors. StorefrontOptions.Inbound is not
// asked: who sends the token of a request by other ways has to know where it may go.
func (s *Session) Authorization(ctx context.Context) (*Authorization, error) {
	if in := s.browser.inbound; in != nil {
		if _, err := in.token(ctx); err != nil {
			return nil, err
		}
		return &in.authorization, nil
	}
	a, err := s.customer(ctx)
	if a != nil || err != nil {
		return a, err
	}
	return s.Guest(ctx)
}

// Inbound returns the authorization that the request has brought itself, as a bearer
// token that the [Verifier] has admitted; ok is false if it has brought none. It stays
// what it was when the token has expired since, or the API or the Verifier has rejected it,
// which Authorization tells.
func (s *Session) Inbound() (a *Authorization, ok bool) {
	in := s.browser.inbound
	if in == nil {
		return nil, false
	}
	in.used.Store(true)
	return &in.authorization, true
}

// State tells what the visitor is. [Session.Inbound] tells whether the request has
// brought that itself; else Authorization.Origin tells where it is from. A customer whose token has expired is one if it
// can be refreshed; StateExpired is told to one request, or to those that are under
// way when it happens. Whoever has asked for the state is expected to act on it:
// from then on a visitor who is no customer any more gets the guests' token. An
// error says that it cannot be known for the time being.
func (s *Session) State(ctx context.Context) (State, error) {
	if s.browser.inbound != nil {
		return s.browser.inbound.state(ctx), nil
	}
	_, err := s.customer(ctx)
	_, notNow := err.(*TokenError) // a customer without a token for the time being
	s.mu.Lock()
	state := s.state
	if err == nil || err == ErrCustomerExpired || notNow {
		s.lost, err = false, nil
	}
	tell := state == StateExpired && !s.told
	s.told, s.drop, s.private = s.told || tell, s.drop || tell, s.private || tell
	s.mu.Unlock()
	if tell {
		s.forgetExpired(ctx)
	}
	return state, err
}

// forgetExpired removes the note that the customer has expired, so that it is told
// once.
func (s *Session) forgetExpired(ctx context.Context) {
	if id := s.browser.currentID(); id != "" {
		ctx = context.WithoutCancel(ctx)
		h := stored{s.front.opts.Customers, s.front.customerKey(id)}
		if _, err := h.swap(ctx, expired.raw, nil, 0); err != nil {
			s.front.down(ctx, err)
		}
	}
}

// token is Storefront.TokenContext for this session.
func (s *Session) token(ctx context.Context) (*Token, error) {
	if in := s.browser.inbound; in != nil {
		return in.tokenFor(ctx, s.front)
	}
	t, _, err := s.customerOf(ctx)
	if t != nil || err != nil {
		return t, err
	}
	if t, err = s.front.guestToken(ctx); err == nil {
		s.handedOut(t)
	}
	return t, err
}

// handedOut notes a guests' token, so that evict knows it again.
func (s *Session) handedOut(t *Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guested = note(s.guested, t.AccessToken)
}

// customer is the customer's authorization; nil without an error for a guest.
func (s *Session) customer(ctx context.Context) (*Authorization, error) {
	if in := s.browser.inbound; in != nil {
		return in.customer(ctx)
	}
	t, c, err := s.customerOf(ctx)
	if t == nil || err != nil {
		return nil, err
	}
	return c.authorization(t), nil
}

// customerOf returns the customer's token; neither a token nor an error for a
// guest.
func (s *Session) customerOf(ctx context.Context) (*Token, *customer, error) {
	c, err := s.resolve(ctx)
	if err != nil {
		return nil, nil, err
	}
	if c == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lost {
			return nil, nil, ErrCustomerExpired
		}
		return nil, nil, nil
	}
	t, err := c.token(ctx)
	if end, ended := c.hasEnded(); ended {
		s.lose(c, end)
		return nil, nil, ErrCustomerExpired // even if Logout has just been called: this began as the customer's
	}
	return t, c, err
}

// note adds a token to those that are remembered.
func note(list []string, token string) []string {
	if n := len(list); n > 0 && list[n-1] == token {
		return list
	}
	if len(list) == maxNoted {
		list = append(list[:0], list[1:]...)
	}
	return append(list, token)
}

// lose makes the session one without a customer, if c is still the one it has.
func (s *Session) lose(c *customer, end State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cust == c {
		s.cust, s.state, s.lost = nil, end, true
	}
}

// resolve finds the customer, asking the home if it has not just been asked. nil
// is a guest. The customer may have ended meanwhile.
func (s *Session) resolve(ctx context.Context) (*customer, error) {
	defer s.front.saveAll(ctx)
	now := time.Now()
	s.mu.Lock()
	if s.known && (now.Sub(s.askedAt) < memo || s.cust == nil) {
		defer s.mu.Unlock()
		return s.cust, nil
	}
	before, turns := s.cust, s.turns
	s.mu.Unlock()
	h, key := s.home()
	c := before
	switch {
	case before != nil && (key == "" || key == before.key):
		h = before.home // that of a carried record may be a later one than the browser knows
	case h == nil:
		return s.found(turns, nil, StateGuest, now), nil
	default: // the application may have changed its session id
		c = s.front.find(key)
	}
	changes := 0
	if c != nil {
		_, _, changes = c.latest()
	}
	raw, err := h.load(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, waitEnded(ctx)
	case err != nil:
		s.front.down(ctx, err)
		now = time.Now() // the storage may have hung
		if raw = h.brought(); c == nil && raw == nil {
			return nil, &safeError{"the customer's session cannot be read from the storage: " + describe(err), err}
		}
	case c == nil && key == "" && bytes.Equal(raw, expired.raw):
		c = s.front.owing(ctx, h.(carried))
	case c != nil:
		c.saw(ctx, raw, changes)
		if r := s.front.someoneElse(c, raw); r.state == StateCustomer && c != before {
			c = s.front.customer(c.key, h, r)
		}
	}
	if c == nil {
		r := s.front.read(ctx, raw)
		if r.state != StateCustomer {
			return s.found(turns, nil, r.state, now), nil
		}
		if key == "" { // a carried record is known by its latest successor
			key = h.lock(r)
		}
		c = s.front.customer(key, h, r)
	}
	if end, ended := c.hasEnded(); ended && c != before {
		return s.found(turns, nil, end, now), nil // it is none whom this session has acted as
	}
	return s.found(turns, c, StateCustomer, now), nil
}

// found notes what the home was found to hold, unless somebody has signed in or
// out since turns was counted, and returns the customer, if there is one.
func (s *Session) found(turns int, c *customer, state State, now time.Time) *customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns == turns {
		s.lost = c == nil && (s.lost || s.cust != nil)
		s.cust, s.state = c, state
		s.known, s.askedAt = true, now
		s.private = s.private || c != nil
	}
	return s.cust
}

// home is where this visitor's record is, and its key if that is known; nil for
// a visitor who has brought nothing, or an id that nobody can have signed in with.
func (s *Session) home() (home, string) {
	f, b := s.front, s.browser
	if f.opts.Customers == nil {
		return nil, ""
	}
	if b.opts.Carrier != nil {
		raw := s.load()
		if raw == nil {
			return nil, ""
		}
		return b.carried(f, raw), ""
	}
	id := b.currentID()
	if len(id) < minSessionID {
		return nil, ""
	}
	key := f.customerKey(id)
	return stored{f.opts.Customers, key}, key
}

// evict is Storefront.Evict for this session.
func (s *Session) evict(ctx context.Context, rejected *Token) error {
	if rejected == nil {
		return nil
	}
	if in := s.browser.inbound; in != nil {
		if in.evict(rejected) {
			s.front.opts.Observer(ctx, TokenEvicted{Source: s.front.opts.Name + " inbound"})
		}
		return ErrCustomerExpired
	}
	s.mu.Lock()
	c := s.cust
	guests := c == nil && slices.Contains(s.guested, rejected.AccessToken)
	s.mu.Unlock()
	if c != nil && c.had(rejected) {
		return c.evict(ctx, rejected)
	}
	s.front.guest.Evict(ctx, rejected) // whoever the visitor is now, the guests are better off without
	if guests {
		return nil
	}
	return errAnotherVisitor
}

// load returns the record that the browser carries, read once.
func (s *Session) load() []byte {
	s.mu.Lock()
	raw, loaded := s.carried, s.loaded
	s.mu.Unlock()
	if loaded {
		return raw
	}
	r := s.browser.request
	raw, err := s.browser.opts.Carrier.Load(r, s.front.opts.Key)
	if err != nil {
		raw = nil
	}
	s.mu.Lock()
	first := !s.loaded
	s.loaded, s.carries, s.carried = true, raw != nil || err != nil, raw
	s.mu.Unlock()
	if err != nil && first {
		s.front.refuse(r.Context(), err)
	}
	return raw
}

// String names the storefront. What the visitor is does not show.
func (s *Session) String() string { return fmt.Sprintf("bearer.Session(%q)", s.front.opts.Name) }

// Format prints what String returns, whatever the verb.
func (s *Session) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

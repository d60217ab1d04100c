package bearer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// SourceOptions are the optional settings of a [Source].
type SourceOptions struct {
	// Name tells sources apart in events and logs.
	Name string

	// Initial is the token to start from, such as one saved by an earlier run;
	// nil for none. One without an access token, or an expired one, is good for
	// its refresh token.
	Initial *Token

	// Refresh gets a new token by means of the old one's refresh token; it must
	// not modify the old one. A refresh token that the new one lacks is carried
	// over (RFC 6749 §6). The TokenFunc is asked instead if Refresh is nil, if the
	// old token has no refresh token, or if Refresh fails with invalid_grant, upon
	// which the old token is given up. An error with a method Spent() bool that
	// returns true says that the refresh token may have been used: it is then not
	// sent again while the old access token serves.
	Refresh func(ctx context.Context, old *Token) (*Token, error)

	// OnChange saves each new token, before it is handed out, within 5 seconds.
	// Calls do not overlap. If it fails the token is served all the same, and
	// saved at a later use, at most once a second. It must not modify the token.
	// One that is under way when Forget is called may end after it.
	OnChange func(ctx context.Context, t *Token) error

	// Storage keeps the token under Key, for other processes and for later runs: it
	// is read before a token is requested, and written before a new one is handed
	// out. Processes that share one that is a [Locker] make one request for all. If
	// it fails they go on without; but a refresh token, which another process may be
	// spending, is then sent only when the access token has expired. What it has not
	// taken is written again for 10 seconds, then at each use. If nil, the token is
	// kept in memory only.
	Storage Storage

	// Key must name all that makes the token what it is, the client and the scope, and
	// no secret. Storage needs it, and may get values under keys that begin with it.
	Key string

	// Accept reports whether a token that Storage holds is one for this source, in
	// case that others write under the same Key. What is not counts as no token, and
	// is overwritten. If nil, all are accepted. It must not verify anything over the
	// network.
	Accept func(*Token) bool

	// RefreshAhead is how long before its expiry a token begins to age, and is
	// refreshed while it serves. Each token takes between 5/7 of it and all of
	// it, and at most a quarter of its life. Default 5 minutes; negative means
	// that a token serves until it expires.
	RefreshAhead time.Duration

	// FetchTimeout is the time limit of a token request. Default 30 seconds.
	FetchTimeout time.Duration

	Logger   *slog.Logger // nil logs nothing
	Observer Observer     // nil observes nothing
}

func (o *SourceOptions) withDefaults() SourceOptions {
	var r SourceOptions
	if o != nil {
		r = *o
	}
	if r.RefreshAhead == 0 {
		r.RefreshAhead = 5 * time.Minute
	}
	if r.FetchTimeout <= 0 {
		r.FetchTimeout = 30 * time.Second
	}
	r.Observer = observe(r.Logger, r.Observer)
	return r
}

// Source is a [TokenSource] that holds one token and looks after it: requests it
// once for all callers, refreshes it before it expires, forgets it when a server
// rejects it. Make one with [NewSource]; it is safe for concurrent use, needs no
// closing, and starts nothing that outlives a token request (by more than 10 seconds,
// if its Storage fails).
//
// A token is fresh, aging or expired. A fresh one is returned after one atomic
// load. An aging one is returned at once, while one request in the background
// gets the next. For an expired one, which one with less than 10 seconds (or a
// tenth of its life) left counts as, callers wait for the one request. A token
// without Expiry is kept until evicted, one that expires at once is handed to
// those who wait for it and not kept.
//
// When no token can be had, those who wait get the same *[TokenError], and so do
// those who come in the pause that follows: from 100 ms up to 5 s, or from 1 s
// up to a minute if the failure looks permanent or the endpoint answered 429, or
// what its Retry-After says (at most an hour, and up to a tenth more).
type Source struct {
	fetch  TokenFunc
	opts   SourceOptions
	base   time.Time            // where the monotonic clock's readings count from
	cur    atomic.Pointer[held] // nil while there is no token to hand out
	flight flight
	saving chan struct{} // holds a value while a token is saved
	shared *shared       // nil without a Storage

	mu         sync.Mutex // guards what follows, and changes of cur to another token
	round      uint64     // the number of the latest request
	floor      uint64     // results of this and earlier requests come too late
	last       *Token     // what Refresh begins from; an eviction leaves it
	refreshing bool       // the latest request has spent what was in last
	evicted    bool       // there is no token because it was evicted
	failures   int        // requests that failed in a row, with no token to hand out,
	failing    backoff    // all in a way that calls for this
	pause      *TokenError
	brakes     int // evictions in a row, each soon after the token was issued
	brakeUntil time.Time
}

var (
	_ ContextTokenSource = (*Source)(nil)
	_ Evicter            = (*Source)(nil)
)

// NewSource returns a source whose tokens come from fetch. It panics if fetch is
// nil. The options may be nil.
func NewSource(fetch TokenFunc, opts *SourceOptions) *Source {
	if fetch == nil {
		panic("bearer: NewSource needs a TokenFunc, such as the method clientcredentials.Config.Token")
	}
	s := &Source{fetch: fetch, opts: opts.withDefaults(), base: time.Now(), saving: make(chan struct{}, 1)}
	s.shared = newShared(&s.opts)
	if t := s.opts.Initial; t != nil {
		s.opts.Initial, s.last = nil, new(*t)
		if h := newHeld(s.last, time.Now(), s.opts.RefreshAhead); h != nil && t.AccessToken != "" {
			s.cur.Store(h)
		}
	}
	return s
}

// Token returns a copy of the token, which the caller may modify. It waits, if
// it has to, for as long as a token request takes; see [Source.TokenContext].
func (s *Source) Token() (*Token, error) {
	t, err := s.TokenContext(context.Background())
	if err != nil {
		return nil, err
	}
	return new(*t), nil
}

// TokenContext returns the token, which is shared and must not be modified. If
// it has to wait it does so until ctx ends at the latest; the token request goes
// on for others. Its error is a *[TokenError], or wraps that of ctx.
func (s *Source) TokenContext(ctx context.Context) (*Token, error) {
	if h := s.cur.Load(); h != nil && time.Since(s.base) < h.lookAt {
		return h.token, nil
	}
	return s.look(ctx)
}

// look decides by the wall clock.
func (s *Source) look(ctx context.Context) (*Token, error) {
	h, now := s.cur.Load(), time.Now()
	if h == nil || h.expired(now) {
		return s.wait(ctx, h)
	}
	next := h
	aging := h.aging(now)
	if aging {
		// Whoever puts the question off is the one to ask it.
		next = h.postponed(now, s.opts.FetchTimeout)
	}
	if s.cur.CompareAndSwap(h, next.looked(now, now.Sub(s.base))) {
		switch {
		case aging:
			s.flight.begin(ctx, s.opts.FetchTimeout, func(ctx context.Context) (*Token, error) { return s.request(ctx, h) })
		case h.unsaved:
			go s.saveAgain(context.WithoutCancel(ctx), h.token)
		}
	}
	return h.token, nil
}

// wait waits for a token other than that of seen, which cannot be handed out.
func (s *Source) wait(ctx context.Context, seen *held) (*Token, error) {
	for {
		if ctx.Err() != nil {
			return nil, waitEnded(ctx)
		}
		if err := s.paused(); err != nil {
			return nil, err
		}
		t, err := s.flight.do(ctx, s.opts.FetchTimeout, func(ctx context.Context) (*Token, error) { return s.request(ctx, seen) })
		if err != errDetached {
			return t, err
		}
	}
}

// paused returns the error of the last request while the pause after it lasts.
func (s *Source) paused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pause != nil && time.Now().Before(s.pause.NextTry) {
		return s.pause
	}
	return nil
}

var (
	errDetached   = &safeError{"the token request was overtaken by an eviction", nil}
	errEmptyToken = &safeError{"the answer to the token request has no access token", nil}
)

// String names the source, never its token.
func (s *Source) String() string { return fmt.Sprintf("bearer.Source(%q)", s.opts.Name) }

// Format prints what String returns, whatever the verb.
func (s *Source) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

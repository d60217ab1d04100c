package bearer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
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
	// which the old token is given up.
	Refresh func(ctx context.Context, old *Token) (*Token, error)

	// OnChange saves each new token, before it is handed out, within 5 seconds.
	// Calls do not overlap. If it fails the token is served all the same, and
	// saved at a later use, at most once a second. It must not modify the token.
	// One that is under way when Forget is called may end after it.
	OnChange func(ctx context.Context, t *Token) error

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
// rejects it. Make one with [NewSource]; it is safe for concurrent use, starts
// nothing that outlives a token request, and needs no closing.
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
	saving chan struct{} // holds a value while OnChange runs

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

// request is one token request, the only one under way. It gets a token other
// than that of seen.
func (s *Source) request(ctx context.Context, seen *held) (*Token, error) {
	// Another request may have ended between the caller's look and this one's
	// beginning, well or badly.
	start, h := time.Now(), s.cur.Load()
	serving := h != nil && !h.expired(start)
	if serving && (seen == nil || h.token != seen.token) {
		return h.token, nil
	}
	if err := s.paused(); err != nil && !serving {
		return nil, err
	}
	s.mu.Lock()
	s.round++
	r := round{number: s.round, start: start, old: s.last, reason: s.reason(serving)}
	s.refreshing = s.canRefresh(s.last)
	s.mu.Unlock()

	// The time limit is that of the request. Once it has brought a token, or if it
	// does so when nobody waits any more, that is saved and kept.
	obtained := make(chan struct{})
	done := contain(ctx, func(ctx context.Context) (*Token, error) {
		t, err := s.obtain(ctx, r)
		if err != nil {
			return nil, err
		}
		close(obtained)
		return s.settle(ctx, r, t)
	})
	res := result{err: errNoAnswer}
	select {
	case res = <-done:
	case <-ctx.Done():
		select {
		case res = <-done:
		case <-obtained:
			res = <-done
		default:
		}
	}
	if res.err != nil && res.err != errDetached {
		return nil, s.failed(ctx, r, res.err)
	}
	return res.token, res.err
}

// canRefresh reports whether t is good for Refresh.
func (s *Source) canRefresh(t *Token) bool {
	return s.opts.Refresh != nil && t != nil && t.RefreshToken != ""
}

// round is one token request.
type round struct {
	number uint64
	start  time.Time
	old    *Token // for Refresh; nil if there is none
	reason Reason
}

// reason must be called with mu held.
func (s *Source) reason(serving bool) Reason {
	switch {
	case serving:
		return ReasonAging
	case s.evicted:
		return ReasonEvicted
	case s.last != nil:
		return ReasonExpired
	}
	return ReasonMissing
}

// obtain asks Refresh, or the TokenFunc.
func (s *Source) obtain(ctx context.Context, r round) (*Token, error) {
	if s.canRefresh(r.old) {
		t, err := s.opts.Refresh(ctx, r.old)
		switch {
		case isInvalidGrant(err):
			if !s.giveUp(r) {
				return nil, errDetached
			}
		case err != nil:
			return nil, err
		case t == nil || t.AccessToken == "":
			return nil, errEmptyToken
		default:
			t = received(t, r.start)
			if t.RefreshToken == "" {
				t.RefreshToken = r.old.RefreshToken
			}
			return t, nil
		}
	}
	t, err := s.fetch(ctx)
	if err != nil {
		return nil, err
	}
	if t == nil || t.AccessToken == "" {
		return nil, errEmptyToken
	}
	return received(t, r.start), nil
}

// received returns a copy of a token, with an Expiry if its answer has told one.
func received(t *Token, requested time.Time) *Token {
	t = new(*t)
	if t.Expiry.IsZero() && t.ExpiresIn > 0 {
		const century = 100 * 365 * 24 * 3600
		t.Expiry = requested.Round(0).Add(time.Duration(min(t.ExpiresIn, century)) * time.Second)
	}
	return t
}

// giveUp forgets the token that Refresh began from: it is good for nothing. It is
// false if another one has come meanwhile.
func (s *Source) giveUp(r round) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != r.old {
		return false
	}
	s.last, s.refreshing = nil, false
	return true
}

// settle saves and keeps a token that was obtained, unless it comes too late.
func (s *Source) settle(ctx context.Context, r round, t *Token) (*Token, error) {
	alive := newHeld(t, time.Now(), s.opts.RefreshAhead) != nil
	s.mu.Lock()
	if r.number > s.floor {
		s.last = t // what it was got with is spent, whatever becomes of saving it
	}
	s.mu.Unlock()
	unsaved := false
	if s.opts.OnChange != nil && !s.holds(t) {
		err := s.save(ctx, r, t)
		if err == errDetached {
			return nil, err
		}
		unsaved = err != nil
	}

	now := time.Now()
	s.mu.Lock()
	h := newHeld(t, now, s.opts.RefreshAhead)
	if r.number <= s.floor || alive && (h == nil || h.expired(now)) { // or its life went by meanwhile
		s.mu.Unlock()
		return nil, errDetached
	}
	s.floor, s.evicted = r.number, false
	s.failures, s.pause = 0, nil
	old := s.cur.Load()
	same := old != nil && old.token.AccessToken == t.AccessToken
	switch {
	case h == nil || usedOnce(t):
		h = nil
	case same:
		h = old.again(h, now)
		h.unsaved = h.unsaved || unsaved
	default:
		h.issued, h.unsaved = now, unsaved
		if old != nil && !old.issued.IsZero() && now.Sub(old.issued) >= brakeReset {
			s.brakes = 0
		}
	}
	if h != nil || old != nil && old.expired(now) {
		s.cur.Store(h)
	}
	if h != nil {
		t = h.token
	}
	s.last = t
	s.mu.Unlock()

	s.opts.Observer(ctx, TokenIssued{Source: s.opts.Name, Reason: r.reason, Took: now.Sub(r.start), Expiry: t.Expiry, Same: same})
	return t, nil
}

// holds reports whether t is the current token, given again.
func (s *Source) holds(t *Token) bool {
	h := s.cur.Load()
	return h != nil && h.token.AccessToken == t.AccessToken && h.token.RefreshToken == t.RefreshToken
}

// late reports whether the result of r must not be kept.
func (s *Source) late(r round) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.number <= s.floor
}

// usedOnce reports whether the answer said that the token's life is over at
// once, which leaves Expiry zero in the tokens of x/oauth2.
func usedOnce(t *Token) bool {
	if !t.Expiry.IsZero() {
		return false
	}
	text := fmt.Sprint(t.Extra("expires_in")) // a number or a string, depending on the answer
	seconds, err := strconv.ParseFloat(text, 64)
	return err == nil && seconds <= 0 || t.ExpiresIn < 0
}

// failed opens the pause after a request that failed, and returns the error for
// all who waited for it.
func (s *Source) failed(ctx context.Context, r round, cause error) error {
	now := time.Now()
	f := classify(cause, now)
	s.mu.Lock()
	if r.number <= s.floor {
		s.mu.Unlock()
		return errDetached
	}
	h := s.cur.Load()
	serving := h != nil && !h.expired(now)
	var pause time.Duration
	if serving {
		pause = aheadPause.after(h.failures + 1)
	} else {
		kind := transientPause
		if f.permanent || f.limited {
			kind = permanentPause
		}
		if s.failing != kind {
			s.failing, s.failures = kind, 0
		}
		s.failures++
		pause = kind.after(s.failures)
	}
	pause = jitter(pause, 0.2)
	if f.retryAfter > 0 {
		pause = max(pause, f.retryAfter+jitter(f.retryAfter/10, 1))
	}
	err := &TokenError{Err: cause, NextTry: now.Add(pause)}
	for ; serving && h != nil; h = s.cur.Load() { // somebody may be looking at the clock
		next := h.postponed(now, pause)
		next.failures++
		if s.cur.CompareAndSwap(h, next) {
			break
		}
	}
	if !serving || f.limited {
		s.pause = err
	}
	s.mu.Unlock()

	s.opts.Observer(ctx, TokenFailed{Source: s.opts.Name, Reason: r.reason, Took: now.Sub(r.start), Err: cause, NextTry: err.NextTry, Serving: serving})
	return err
}

// String names the source, never its token.
func (s *Source) String() string { return fmt.Sprintf("bearer.Source(%q)", s.opts.Name) }

// Format prints what String returns, whatever the verb.
func (s *Source) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

package bearer

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// round is one token request.
type round struct {
	number uint64
	start  time.Time
	old    *Token // for Refresh; nil if there is none
	reason Reason
}

// request is one token request, the only one under way. It gets a token other
// than that of seen.
func (s *Source) request(ctx context.Context, seen *held) (*Token, error) {
	// Another request may have ended between the caller's look and this one's
	// beginning, well or badly, or another process's token have come.
	s.mu.Lock()
	start, h := time.Now(), s.cur.Load()
	serving := h != nil && !h.expired(start)
	switch {
	case serving && (seen == nil || h.token != seen.token):
		s.mu.Unlock()
		return h.token, nil
	case !serving && s.pause != nil && start.Before(s.pause.NextTry):
		defer s.mu.Unlock()
		return nil, s.pause
	}
	s.round++
	r := round{number: s.round, start: start, old: s.last, reason: s.reason(serving)}
	s.refreshing = s.canRefresh(s.last)
	s.mu.Unlock()

	// The time limit is that of the request. Once it has brought a token, or if it
	// does so when nobody waits any more, that is saved and kept.
	obtained := make(chan struct{})
	done := contain(ctx, func(ctx context.Context) (*Token, error) {
		r, end, err := s.turn(ctx, r)
		if err != nil {
			return nil, err
		}
		var t *Token
		err = errNoAnswer // if there is a panic
		defer func() { end(err) }()
		if t, err = s.obtain(ctx, &r); err != nil {
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

// obtain asks Refresh, or the TokenFunc; then there is no old token in r.
func (s *Source) obtain(ctx context.Context, r *round) (*Token, error) {
	var unread error
	if s.canRefresh(r.old) {
		t, err := s.opts.Refresh(ctx, r.old)
		switch {
		case isInvalidGrant(err):
			var overtaken bool
			if overtaken, unread = s.shared.overtaken(ctx, *r); overtaken || !s.giveUp(*r) {
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
	r.old = nil
	t, err := s.fetch(ctx)
	if err != nil && unread != nil {
		return nil, unknownRefusal(unread) // nothing has ended yet
	}
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
	if (s.opts.OnChange != nil || s.shared != nil) && !s.holds(t) {
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
	spentIt := s.canRefresh(r.old) && spent(cause)
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
		if spentIt {
			next.askAt = time.Time{}
		}
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

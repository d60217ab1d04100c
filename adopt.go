package bearer

import (
	"context"
	"time"
)

// adopt takes a token that came from elsewhere, such as another process, in place
// of the one that is held. issued is when it was issued, zero if nobody knows. A
// request under way comes too late.
func (s *Source) adopt(t *Token, issued time.Time) {
	known := !issued.IsZero()
	if now := time.Now(); !known || issued.After(now) {
		issued = now
	}
	h := newHeld(t, issued, s.opts.RefreshAhead)
	if h != nil && known {
		h.issued = issued // a server that rejects it soon after is to be braked
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rejected := s.evicted && s.last != nil && s.last.AccessToken == t.AccessToken
	if rejected {
		h = nil // only what it is refreshed with is new
	}
	s.cur.Store(h)
	s.last, s.refreshing, s.evicted = t, false, rejected
	s.failures, s.pause = 0, nil
	s.floor = s.round
	s.flight.detach()
}

// due reports whether the token is aging or expired, and whether there is one to
// hand out meanwhile.
func (s *Source) due() (due, serving bool) {
	h, now := s.cur.Load(), time.Now()
	if h == nil || h.expired(now) {
		return true, false
	}
	return h.aging(now), true
}

// putOff lets the token count as fresh for as long as a token request may take.
func (s *Source) putOff() {
	if h := s.cur.Load(); h != nil {
		s.cur.CompareAndSwap(h, h.postponed(time.Now(), s.opts.FetchTimeout))
	}
}

// renew waits for another token than the one that is held, within the limits of
// ctx.
func (s *Source) renew(ctx context.Context) error {
	if err := s.paused(); err != nil {
		return err
	}
	h := s.cur.Load()
	_, err := s.flight.do(ctx, s.opts.FetchTimeout, func(ctx context.Context) (*Token, error) { return s.request(ctx, h) })
	return err
}

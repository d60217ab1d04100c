package bearer

import (
	"context"
	"time"
)

// brakeReset is how long a token has to live unrejected for its source to count
// as sound.
const brakeReset = 10 * time.Minute

// Evict forgets the token if rejected is the current one (they are compared by
// access token), so that the next caller gets another. What Refresh needs stays.
// A request already under way is detached, since it may bring back the same
// token, unless it is one of Refresh: that has spent the refresh token.
//
// A token rejected within 10 minutes of its issue puts a brake on: for 1 second,
// doubling to a minute, Evict does nothing. The error is always nil.
func (s *Source) Evict(ctx context.Context, rejected *Token) error {
	if e := s.evict(rejected); e != nil {
		s.opts.Observer(ctx, e)
	}
	return nil
}

func (s *Source) evict(rejected *Token) Event {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.cur.Load()
	if h == nil || rejected == nil || h.token.AccessToken != rejected.AccessToken {
		return nil
	}
	if end := h.token.Expiry; !end.IsZero() && !now.Before(end) {
		return nil // nobody gets it any more, and a request under way brings another one
	}
	if now.Before(s.brakeUntil) {
		return EvictionPaused{Source: s.opts.Name, Until: s.brakeUntil}
	}
	var age time.Duration
	if !h.issued.IsZero() {
		age = now.Sub(h.issued)
		if age < brakeReset {
			s.brakes++
			s.brakeUntil = now.Add(evictionPause.after(s.brakes))
		} else {
			s.brakes = 0
		}
	}
	s.cur.Store(nil)
	s.evicted = true
	if !s.refreshing {
		s.floor = s.round
		s.flight.detach()
	}
	return TokenEvicted{Source: s.opts.Name, Age: age}
}

// Forget drops the token with all that belongs to it, and a request under way,
// and returns what was held, nil if nothing was. The next caller gets a new one
// from the TokenFunc, or that which SourceOptions.Storage has: [Source.Remove]
// deletes that, too. It is for a logout: a token that a server rejected is a case
// for [Source.Evict].
func (s *Source) Forget() *Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.last
	if h := s.cur.Load(); h != nil {
		t = h.token // also one that Refresh has given up
	}
	s.cur.Store(nil)
	s.last, s.evicted = nil, false
	s.failures, s.pause = 0, nil
	s.floor = s.round
	s.flight.detach()
	return t
}

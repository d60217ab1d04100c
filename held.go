package bearer

import "time"

// held is a token and what a [Source] knows about it. It is never changed, only
// replaced, so that one atomic load reads it whole.
type held struct {
	token  *Token
	issued time.Time // when the token was received; zero if it came from elsewhere

	// Read off the wall clock (they have no monotonic part), zero for never.
	askAt time.Time // from here on it is aging: a refresh is due
	endAt time.Time // from here on it counts as expired: never handed out

	failures int  // early refreshes that failed in a row
	unsaved  bool // OnChange has failed for it

	// lookAt is a reading of the Source's monotonic clock. Until then the token
	// is handed out without a look at anything else.
	lookAt time.Duration
}

const (
	// wallInterval is how long the wall clock is trusted to go on as the
	// monotonic clock does: a machine that was suspended, or whose clock was
	// set, is noticed so much running time later.
	wallInterval = time.Second

	// maxMargin is the most that a token's end is brought forward, so that one
	// that is sent is still good when it arrives.
	maxMargin = 10 * time.Second

	// aheadFraction bounds the refresh-ahead window: a wider one would mean that
	// a short-lived token is asked for again at once, and then on each call.
	aheadFraction = 4

	// aheadJitter is the part of the window by which the members of a fleet
	// spread: 14 minutes become 10 to 14.
	aheadJitter = 2.0 / 7
)

// newHeld works out when a token received now is to be refreshed, and when to be
// given up. It returns nil for one that has no life left.
func newHeld(t *Token, now time.Time, ahead time.Duration) *held {
	h := &held{token: t}
	if t.Expiry.IsZero() {
		return h
	}
	expiry := t.Expiry.Round(0)
	life := expiry.Sub(now)
	if life <= 0 {
		return nil
	}
	h.endAt = expiry.Add(-min(maxMargin, life/10))
	if ahead > 0 {
		h.askAt = expiry.Add(-jitter(min(ahead, life/aheadFraction), aheadJitter))
	}
	return h
}

// expired reports whether the token must not be handed out any more.
func (h *held) expired(now time.Time) bool {
	return !h.endAt.IsZero() && !now.Before(h.endAt)
}

// aging reports whether a refresh is due.
func (h *held) aging(now time.Time) bool {
	return !h.askAt.IsZero() && !now.Before(h.askAt)
}

// looked returns h after a look at the clocks: the wall clock says now, the
// monotonic clock mono.
func (h *held) looked(now time.Time, mono time.Duration) *held {
	d := time.Duration(wallInterval)
	for _, t := range []time.Time{h.askAt, h.endAt} {
		if !t.IsZero() {
			d = min(d, t.Sub(now))
		}
	}
	next := *h
	next.lookAt = mono + d
	return &next
}

// postponed returns h with the next early refresh put off by d.
func (h *held) postponed(now time.Time, d time.Duration) *held {
	next := *h
	next.askAt = now.Round(0).Add(d)
	next.lookAt = 0
	return &next
}

// saved returns h after OnChange has done its work.
func (h *held) saved() *held {
	next := *h
	next.unsaved = false
	return &next
}

// again returns h after the server gave its token back, now with the times of
// again. The end that was known stays while it lies ahead: a server that always
// says "an hour from now" does not make a token live for ever. The next question
// waits until half of what is left has passed, since before the server will
// hardly answer otherwise.
func (h *held) again(again *held, now time.Time) *held {
	next := *h
	next.failures, next.lookAt = 0, 0
	if h.endAt.IsZero() || h.expired(now) {
		next.endAt = again.endAt
		next.token = again.token
	} else if again.token.RefreshToken != h.token.RefreshToken {
		next.token = new(*again.token)
		next.token.Expiry = h.token.Expiry
	}
	if !again.endAt.IsZero() && again.endAt.Before(next.endAt) {
		next.endAt, next.token = again.endAt, again.token
	}
	if !again.askAt.IsZero() {
		rest := next.endAt.Sub(now)
		next.askAt = now.Round(0).Add(max(rest/2, wallInterval))
	}
	return &next
}

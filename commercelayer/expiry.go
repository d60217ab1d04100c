package commercelayer

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/unverified"
	"github.com/bearerkit/bearer/tokenendpoint"
)

// tolerance is by how much two clocks may differ and still agree.
const tolerance = time.Minute

// sameLife is by how much exp less expires_in may be off the server's clock, of
// which all that is known may be a Date that a cache has kept, or our own clock.
const sameLife = 5 * time.Minute

// maxLife bounds what claims can say; the service's own bound is a year.
const maxLife = 10 * 365 * 24 * time.Hour

// expiry is when the token ends by the local clock: its life, from the moment it
// was asked for.
//
// The life is exp - iat, which no clock of ours can spoil. But the service gives
// a token back that it minted hours ago, as long as more than 15 minutes are
// left: then expires_in is the rest. That it is the rest, and not a constant, is
// known by the server's clock: exp less expires_in must be now.
func expiry(r *tokenendpoint.Response) time.Time {
	issued, expires := unverified.Times(r.Token.AccessToken)
	if expires.IsZero() {
		return r.Token.Expiry
	}
	server := r.ServerDate
	if server.IsZero() {
		server = r.SentAt
	}
	life := expires.Sub(issued)
	known := !issued.IsZero() && life > 0
	switch {
	case r.ExpiresIn > 0 && expires.Add(-r.ExpiresIn).Sub(server).Abs() <= sameLife,
		!known && !r.Token.Expiry.IsZero():
		life = r.ExpiresIn
	case !known:
		life = expires.Sub(server)
	}
	return r.SentAt.Add(min(max(life, 0), maxLife))
}

// restored is a copy of a token that was saved, with an expiry: from its claims,
// if it was saved without; a token that nobody knows the end of has ended.
func restored(t *bearer.Token) *bearer.Token {
	if t == nil {
		return nil
	}
	t = new(*t)
	if t.Expiry.IsZero() {
		t.Expiry = time.Unix(1, 0)
		if _, expires := unverified.Times(t.AccessToken); !expires.IsZero() {
			t.Expiry = expires
		}
	}
	return t
}

// ClockOff is a bearer.Event: the local clock and that of the auth host differ
// by more than a minute. Tokens are unharmed: their life is counted, not
// compared. It is told at most every ten minutes.
type ClockOff struct {
	Host string        // the auth host's base
	By   time.Duration // how much the local clock is ahead; negative if it is behind
}

// Level is Warn.
func (e ClockOff) Level() slog.Level { return slog.LevelWarn }

// Message implements bearer.Event.
func (e ClockOff) Message() string { return "the local clock differs from the auth host's: set it" }

// LogValue implements slog.LogValuer.
func (e ClockOff) LogValue() slog.Value {
	return slog.GroupValue(slog.String("host", e.Host), slog.Duration("ahead", e.By))
}

// clock remembers when it last told that the clocks differ.
type clock struct{ told atomic.Int64 } // Unix seconds

// off is by how much the local clock is ahead of the server's, and whether that
// is worth telling. The answer was made between r.SentAt and now.
func (c *clock) off(r *tokenendpoint.Response, now time.Time) (time.Duration, bool) {
	if r.ServerDate.IsZero() {
		return 0, false
	}
	var ahead time.Duration
	switch date := r.ServerDate; {
	case r.SentAt.Sub(date) > tolerance:
		ahead = r.SentAt.Sub(date)
	case now.Round(0).Sub(date) < -tolerance:
		ahead = now.Round(0).Sub(date)
	default:
		return 0, false
	}
	told := c.told.Load()
	if told != 0 && now.Unix()-told < 600 || !c.told.CompareAndSwap(told, now.Unix()) {
		return 0, false
	}
	return ahead.Round(time.Second), true
}

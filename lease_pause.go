package bearer

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

const (
	// pauseTime is how long a failed request keeps the other processes from making
	// the same one, if the endpoint does not say. It is enough for all who wait to
	// learn of it; beyond that each has a pause of its own, since what has failed
	// may be one process's network.
	pauseTime = time.Second

	// maxPause bounds what a process believes another one.
	maxPause = 70 * time.Minute
)

// pause tells the other processes that a request has failed: until when, by this
// one's clock, and for how long, by any. A storage that fails does not matter: they
// find out for themselves.
func (c *claim) pause(ctx context.Context, cause error) {
	now := time.Now()
	wait := max(pauseTime, classify(cause, now).retryAfter)
	text := now.Add(wait).UTC().Format(time.RFC3339Nano) + " " + wait.String()
	set(context.WithoutCancel(ctx), c.storage, c.pauseKey(), []byte(text), wait)
}

// pausedUntil returns an error if raw, which claim.pause has written, says that it
// is too early for a request. It lasts for as long as it was meant to, whatever the
// clocks of the two processes say.
func pausedUntil(raw []byte, now time.Time) error {
	end, length, _ := strings.Cut(string(raw), " ")
	until, err := time.Parse(time.RFC3339Nano, end)
	if err != nil || !now.Before(until) {
		return nil
	}
	wait, err := time.ParseDuration(length)
	if err != nil || wait <= 0 || wait > maxPause {
		return nil
	}
	if latest := now.Add(wait); until.After(latest) {
		until = latest
	}
	return &elsewhereError{until}
}

// elsewhereError is the failure of another process's request.
type elsewhereError struct{ until time.Time }

const elsewhereText = "another process has just failed to get the token"

func (e *elsewhereError) Error() string        { return "bearer: " + elsewhereText }
func (e *elsewhereError) LogValue() slog.Value { return slog.StringValue(elsewhereText) }

package bearer

import (
	"context"
	"log/slog"
	"time"
)

const (
	// pauseTime is how long a failed request keeps the other processes from making
	// the same one, if the endpoint does not say. It is enough for all who wait to
	// learn of it; beyond that each has a pause of its own, since what has failed
	// may be one process's network.
	pauseTime = time.Second

	// maxPause bounds what a process believes another one's clock.
	maxPause = 70 * time.Minute
)

// pause tells the other processes that a request has failed. A storage that fails
// does not matter: they find out for themselves.
func (c *claim) pause(ctx context.Context, cause error) {
	now := time.Now()
	wait := max(pauseTime, classify(cause, now).retryAfter)
	until := now.Add(wait).UTC().Format(time.RFC3339Nano)
	set(context.WithoutCancel(ctx), c.storage, c.pauseKey(), []byte(until), wait)
}

// pausedUntil returns an error if raw, which claim.pause has written, says that it
// is too early for a request.
func pausedUntil(raw []byte, now time.Time) error {
	until, err := time.Parse(time.RFC3339Nano, string(raw))
	if err != nil || !now.Before(until) || until.Sub(now) > maxPause {
		return nil
	}
	return &elsewhereError{until}
}

// elsewhereError is the failure of another process's request.
type elsewhereError struct{ until time.Time }

const elsewhereText = "another process has just failed to get the token"

func (e *elsewhereError) Error() string        { return "bearer: " + elsewhereText }
func (e *elsewhereError) LogValue() slog.Value { return slog.StringValue(elsewhereText) }

package bearer

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Event is something that happened to a token, as told to an [Observer]: one of
// the types below that say so, or a provider's own. No event holds a secret.
type Event interface {
	slog.LogValuer
	Level() slog.Level // Info: something happened; Debug: steady state; Warn: degraded; Error: something may be lost
	Message() string   // a constant per kind of event
}

// Observer is told of each event, for metrics and traces. It is called from
// many goroutines at once, some of them callers waiting for a token: it must be
// quick and must not panic.
type Observer func(ctx context.Context, e Event)

// LogEvents returns an observer that writes each event to l.
func LogEvents(l *slog.Logger) Observer {
	return func(ctx context.Context, e Event) {
		if l.Enabled(ctx, e.Level()) {
			l.LogAttrs(ctx, e.Level(), e.Message(), e.LogValue().Group()...)
		}
	}
}

// observe makes one observer of the two ways to look on; it is never nil.
func observe(l *slog.Logger, o Observer) Observer {
	switch {
	case l == nil && o == nil:
		return func(context.Context, Event) {}
	case l == nil:
		return o
	case o == nil:
		return LogEvents(l)
	}
	log := LogEvents(l)
	return func(ctx context.Context, e Event) { log(ctx, e); o(ctx, e) }
}

// format prints an event that holds an error, whose text must not show.
func format(f fmt.State, e Event) { fmt.Fprintf(f, "%s %v", e.Message(), e.LogValue()) }

// Reason says why a token was requested.
type Reason string

// The reasons for a token request.
const (
	ReasonMissing Reason = "missing" // there was none
	ReasonAging   Reason = "aging"   // its end comes near; it serves meanwhile
	ReasonExpired Reason = "expired"
	ReasonEvicted Reason = "evicted" // a server had rejected it
)

// TokenIssued is an [Event]: a token request succeeded.
type TokenIssued struct {
	Source string        // the Source's name
	Reason Reason        // why it was requested
	Took   time.Duration // how long the request took
	Expiry time.Time     // the new token's; zero if unknown
	Same   bool          // the server gave the token back that was held already
}

// Level is Info, or Debug if nothing changed.
func (e TokenIssued) Level() slog.Level {
	if e.Same {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// Message implements [Event].
func (e TokenIssued) Message() string {
	switch {
	case e.Same:
		return "token request answered with the same token"
	case e.Reason == ReasonAging:
		return "token refreshed"
	}
	return "token requested"
}

// LogValue implements [slog.LogValuer].
func (e TokenIssued) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("source", e.Source), slog.String("reason", string(e.Reason)), slog.Duration("took", e.Took)}
	if !e.Expiry.IsZero() {
		attrs = append(attrs, slog.Time("expiry", e.Expiry))
	}
	return slog.GroupValue(attrs...)
}

// TokenFailed is an [Event]: a token request failed.
type TokenFailed struct {
	Source  string
	Reason  Reason
	Took    time.Duration
	Err     error     `json:"-"` // its text may hold secrets; LogValue describes it without
	NextTry time.Time // no request is made before
	Serving bool      // the old token is still good, so that no caller notices
}

// Level is Warn.
func (e TokenFailed) Level() slog.Level { return slog.LevelWarn }

// Format prints the message and what LogValue says, whatever the verb.
func (e TokenFailed) Format(f fmt.State, _ rune) { format(f, e) }

// Message implements [Event].
func (e TokenFailed) Message() string { return "token request failed" }

// LogValue implements [slog.LogValuer].
func (e TokenFailed) LogValue() slog.Value {
	return slog.GroupValue(slog.String("source", e.Source), slog.String("reason", string(e.Reason)),
		slog.Duration("took", e.Took), slog.String("error", describe(e.Err)),
		slog.Time("next_try", e.NextTry), slog.Bool("serving", e.Serving))
}

// TokenEvicted is an [Event]: a server rejected the current token, which is
// forgotten, or one that a request has brought itself, which that request does not use
// any more.
type TokenEvicted struct {
	Source string        // the Source's name; the Storefront's, and "inbound", if a request has brought it
	Age    time.Duration // since it was issued; 0 if it came from elsewhere
}

// Level is Info.
func (e TokenEvicted) Level() slog.Level { return slog.LevelInfo }

// Message implements [Event].
func (e TokenEvicted) Message() string { return "token evicted" }

// LogValue implements [slog.LogValuer].
func (e TokenEvicted) LogValue() slog.Value {
	return slog.GroupValue(slog.String("source", e.Source), slog.Duration("age", e.Age))
}

// EvictionPaused is an [Event]: a server rejected a token soon after another
// one, and the token is kept so that a broken API does not drive token requests.
type EvictionPaused struct {
	Source string
	Until  time.Time
}

// Level is Warn.
func (e EvictionPaused) Level() slog.Level { return slog.LevelWarn }

// Message implements [Event].
func (e EvictionPaused) Message() string { return "token rejected again, and kept for a while" }

// LogValue implements [slog.LogValuer].
func (e EvictionPaused) LogValue() slog.Value {
	return slog.GroupValue(slog.String("source", e.Source), slog.Time("until", e.Until))
}

// SaveFailed is an [Event]: OnChange failed. The token is served from memory,
// and lost if the process ends before a later try succeeds.
type SaveFailed struct {
	Source string
	Err    error `json:"-"` // its text may hold secrets; LogValue describes it without
}

// Level is Error.
func (e SaveFailed) Level() slog.Level { return slog.LevelError }

// Format prints the message and what LogValue says, whatever the verb.
func (e SaveFailed) Format(f fmt.State, _ rune) { format(f, e) }

// Message implements [Event].
func (e SaveFailed) Message() string { return "token not saved, will be tried again" }

// LogValue implements [slog.LogValuer].
func (e SaveFailed) LogValue() slog.Value {
	return slog.GroupValue(slog.String("source", e.Source), slog.String("error", describe(e.Err)))
}

// RequestReplayed is an [Event]: a server rejected the token of a request, which
// was sent again with a new one.
type RequestReplayed struct {
	Method string
	Host   string
	Status int // of the second answer; 0 if there is none
}

// Level is Info.
func (e RequestReplayed) Level() slog.Level { return slog.LevelInfo }

// Message implements [Event].
func (e RequestReplayed) Message() string { return "request replayed with a new token" }

// LogValue implements [slog.LogValuer].
func (e RequestReplayed) LogValue() slog.Value {
	return slog.GroupValue(slog.String("method", e.Method), slog.String("host", e.Host), slog.Int("status", e.Status))
}

// RequestNotReplayed is an [Event]: a server rejected the token of a request, and
// the caller got that answer.
type RequestNotReplayed struct {
	Method string
	Host   string
	Why    string // in words
	Err    error  `json:"-"` // what went wrong, if something did; LogValue describes it
}

// Level is Warn.
func (e RequestNotReplayed) Level() slog.Level { return slog.LevelWarn }

// Format prints the message and what LogValue says, whatever the verb.
func (e RequestNotReplayed) Format(f fmt.State, _ rune) { format(f, e) }

// Message implements [Event].
func (e RequestNotReplayed) Message() string { return "token rejected, and the request not replayed" }

// LogValue implements [slog.LogValuer].
func (e RequestNotReplayed) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("method", e.Method), slog.String("host", e.Host), slog.String("why", e.Why)}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", describe(e.Err)))
	}
	return slog.GroupValue(attrs...)
}

// TokenWithheld is an [Event]: a request went out without the token, which may
// not go where it went.
type TokenWithheld struct {
	Host string
	Why  string // in words
}

// Level is Debug: redirects to a download host are everyday.
func (e TokenWithheld) Level() slog.Level { return slog.LevelDebug }

// Message implements [Event].
func (e TokenWithheld) Message() string { return "token withheld" }

// LogValue implements [slog.LogValuer].
func (e TokenWithheld) LogValue() slog.Value {
	return slog.GroupValue(slog.String("host", e.Host), slog.String("why", e.Why))
}

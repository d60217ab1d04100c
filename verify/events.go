package verify

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
)

// KeysFetched is a bearer.Event: an issuer's key set has been had.
type KeysFetched struct {
	Issuer  string
	Took    time.Duration
	KeyIDs  []string // those that can verify
	Changed bool     // there are other keys than before
}

// Level is Info, or Debug if nothing has changed.
func (e KeysFetched) Level() slog.Level {
	if e.Changed {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// Message implements bearer.Event.
func (e KeysFetched) Message() string { return "key set fetched" }

// LogValue implements slog.LogValuer.
func (e KeysFetched) LogValue() slog.Value {
	return slog.GroupValue(slog.String("issuer", e.Issuer), slog.Duration("took", e.Took), slog.Int("keys", len(e.KeyIDs)), slog.String("ids", shorten(strings.Join(e.KeyIDs, " "))))
}

// KeysFailed is a bearer.Event: an issuer's key set cannot be had.
type KeysFailed struct {
	Issuer  string
	Took    time.Duration
	Err     error     `json:"-"` // its text is not this package's alone; LogValue describes it
	NextTry time.Time // no request is made before
	Serving bool      // the last good key set serves on
}

// Level is Warn.
func (e KeysFailed) Level() slog.Level { return slog.LevelWarn }

// Message implements bearer.Event.
func (e KeysFailed) Message() string { return "the key set cannot be fetched" }

// LogValue implements slog.LogValuer.
func (e KeysFailed) LogValue() slog.Value {
	return slog.GroupValue(slog.String("issuer", e.Issuer), slog.Duration("took", e.Took), slog.Attr{Key: "error", Value: (&bearer.UnavailableError{Err: e.Err}).LogValue()},
		slog.Time("next_try", e.NextTry), slog.Bool("serving", e.Serving))
}

// Format prints the message and what LogValue says, whatever the verb.
func (e KeysFailed) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s %v", e.Message(), e.LogValue()) }

// TokenRefused is a bearer.Event: a token is not accepted.
type TokenRefused struct {
	Err      error    // why; an *Error, or what Options.Authorize has said
	Issuer   string   // whom the token names, true or not; empty if it could not be read
	Accepted []string // the issuers that are configured
}

// Level is Debug: anybody can send what is refused.
func (e TokenRefused) Level() slog.Level { return slog.LevelDebug }

// Message implements bearer.Event.
func (e TokenRefused) Message() string { return "token refused" }

// LogValue implements slog.LogValuer.
func (e TokenRefused) LogValue() slog.Value {
	attrs := []slog.Attr{{Key: "error", Value: (&bearer.UnavailableError{Err: e.Err}).LogValue()}, slog.String("issuer", e.Issuer)}
	if errors.Is(e.Err, ErrIssuer) {
		attrs = append(attrs, slog.Any("accepted", e.Accepted))
	}
	return slog.GroupValue(attrs...)
}

// Format prints the message and what LogValue says, whatever the verb.
// The issuer, which anybody may have made up, is quoted.
func (e TokenRefused) Format(f fmt.State, _ rune) {
	e.Issuer = strconv.Quote(e.Issuer)
	fmt.Fprintf(f, "%s %v", e.Message(), e.LogValue())
}

// maxIDs is how much of what others have named is logged.
const maxIDs = 500

func shorten(ids string) string {
	if len(ids) <= maxIDs {
		return ids
	}
	return strings.ToValidUTF8(ids[:maxIDs], "") + "…"
}

package bearer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bearerkit/bearer/internal/retryafter"
	"golang.org/x/oauth2"
)

// TokenError says that no token could be had. All callers who waited for the
// same request get the same one, and so do those who come before NextTry.
//
// errors.As reaches the cause: *[oauth2.RetrieveError] if the token endpoint
// answered. The text of a cause may hold secrets, so Error describes it in words
// of its own.
type TokenError struct {
	Err     error     `json:"-"` // the cause
	NextTry time.Time // no request is made before; zero if the next call makes one
}

func (e *TokenError) Error() string {
	return "bearer: no token: " + describe(e.Err) + nextTryText(e.NextTry)
}

// nextTryText ends an error's text with when it may be over, if that is known.
func nextTryText(next time.Time) string {
	if next.IsZero() {
		return ""
	}
	return "; the next try is at " + next.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// Format prints what Error returns, whatever the verb.
func (e *TokenError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// Unwrap returns the cause.
func (e *TokenError) Unwrap() error { return e.Err }

// failure is what an error of a TokenFunc says about trying again.
type failure struct {
	permanent  bool          // another try will most likely fail alike
	limited    bool          // 429: the endpoint wants fewer requests, from anybody
	retryAfter time.Duration // what the endpoint asked for, at most an hour; 0 if nothing
}

func classify(err error, now time.Time) failure {
	var f failure
	if e, ok := err.(*elsewhereError); ok {
		f.retryAfter = max(e.until.Sub(now), 0)
		return f
	}
	e := retrieveError(err)
	if e == nil {
		return f
	}
	switch e.ErrorCode {
	case "invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope",
		"invalid_request", "unsupported_grant_type", "access_denied":
		f.permanent = true
	}
	if e.Response == nil {
		return f
	}
	switch status := e.Response.StatusCode; {
	case status == http.StatusTooManyRequests:
		f.limited = true
	case status == http.StatusRequestTimeout:
	case status >= 300 && status < 500:
		f.permanent = true
	}
	f.retryAfter, _ = retryafter.Parse(e.Response.Header, now)
	return f
}

// isInvalidGrant reports whether the server said that what Refresh spent is
// worth nothing any more (RFC 6749 §5.2).
func isInvalidGrant(err error) bool {
	e := retrieveError(err)
	return e != nil && e.ErrorCode == "invalid_grant"
}

// retrieveError is the answer of the token endpoint in err's chain, nil if there
// is none.
func retrieveError(err error) *oauth2.RetrieveError { return as[*oauth2.RetrieveError](err) }

// spent reports whether err says of itself that the server may have acted.
func spent(err error) bool {
	return look(func() bool {
		var e interface{ Spent() bool }
		return errors.As(err, &e) && e.Spent()
	})
}

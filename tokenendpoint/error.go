package tokenendpoint

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Error is a failed exchange with a token endpoint. Its text says what failed,
// why, and what to do next; it holds no secret and no free text of the server's,
// and so does what it logs and prints.
//
// errors.As finds an *oauth2.RetrieveError in it if a server answered, and
// errors.Is the error below, such as context.DeadlineExceeded. The texts of
// those are not this package's, and may show more.
type Error struct {
	// Host is the host of the endpoint, with its port.
	Host string
	// Action is what was asked for: a grant type, "token" for one that this
	// package does not know, or "revocation".
	Action string
	// Status is the status of the last answer, 0 if there was none.
	Status int
	// Code is the error code of RFC 6749 §5.2, such as invalid_grant, where the
	// answer has one; for a list errors without one it is that list's own code,
	// such as TOO_MANY_REQUESTS. Empty if the answer has none that is fit to show.
	Code string
	// Detail is the server's own explanation. It is free text: show it to people
	// who may see what was sent. Empty if the answer has none, or repeats a
	// secret.
	Detail string `json:"-"`
	// RetryAt is when the server, or this package after a 429, allows the next
	// try. Zero if neither named a time.
	RetryAt time.Time
	// Attempts is the number of requests made: 0 for a call that was answered
	// from the memory of an earlier 429.
	Attempts int
	// MayHaveActed reports that the server may have carried out the request: the
	// refresh token, code or assertion that it held may be spent.
	MayHaveActed bool

	problem   string // our words
	next      string // the next step
	transient bool
	err       error
	uri       string
	header    http.Header
	body      []byte
}

// Error tells what failed, why, and the next step.
func (e *Error) Error() string {
	text := "tokenendpoint: " + e.text()
	if !e.RetryAt.IsZero() {
		text += "; next try at " + e.RetryAt.UTC().Format(time.RFC3339)
	}
	return text
}

func (e *Error) text() string {
	var b strings.Builder
	b.WriteString(e.Action)
	if e.Action != "revocation" {
		b.WriteString(" request")
	}
	fmt.Fprintf(&b, " to %s failed: %s", e.Host, e.problem)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d", e.Status)
		if printable(e.Code) {
			b.WriteString(", " + e.Code)
		}
		b.WriteString(")")
	}
	if e.next != "" {
		b.WriteString(": " + e.next)
	}
	return b.String()
}

// Spent is MayHaveActed. Package bearer asks an error of SourceOptions.Refresh for
// it, and then does not send the refresh token again while the old access token
// serves: a second use may end all that came of the first.
func (e *Error) Spent() bool { return e.MayHaveActed }

// String is what Error returns.
func (e *Error) String() string { return e.Error() }

// Format prints what Error returns, whatever the verb.
func (e *Error) Format(s fmt.State, _ rune) { io.WriteString(s, e.Error()) }

// LogValue is what Error returns, but for the package's name and the time of the
// next try: those who wrap the error have their own.
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.text()) }

// Unwrap returns the error below, nil if the server's answer is the error.
func (e *Error) Unwrap() error { return e.err }

// As sets target, an **oauth2.RetrieveError, if a server answered. Its Response
// has the status and the headers that repeat no secret; its Body is what the server wrote, unless the
// answer was a success or repeats a secret. It does not hold the request.
func (e *Error) As(target any) bool {
	t, ok := target.(**oauth2.RetrieveError)
	if !ok || e.Status == 0 {
		return false
	}
	h := e.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if e.Attempts == 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(max(time.Until(e.RetryAt), 0).Seconds()))))
	}
	*t = &oauth2.RetrieveError{
		Response: &http.Response{
			Status:     strings.TrimSpace(strconv.Itoa(e.Status) + " " + http.StatusText(e.Status)),
			StatusCode: e.Status,
			Proto:      "HTTP/1.1",
			ProtoMajor: 1,
			ProtoMinor: 1,
			Header:     h,
			Body:       http.NoBody,
		},
		Body:             append([]byte(nil), e.body...),
		ErrorCode:        e.Code,
		ErrorDescription: e.Detail,
		ErrorURI:         e.uri,
	}
	return true
}

// explain sets the words for an answer that names an error.
func (e *Error) explain() {
	switch {
	case e.Status == http.StatusTooManyRequests:
		e.problem, e.next = "too many requests", "keep tokens and ask less often"
	case e.Status >= 300 && e.Status < 400:
		e.problem, e.next = "the endpoint redirects", "configure its final address: following would hand the secret to another host"
	case e.Code == "invalid_client":
		e.problem, e.next = "the client is not accepted", "check its id, its secret and how the secret is sent"
	case e.Code == "invalid_grant":
		e.problem, e.next = "the credentials of the grant are not accepted", "they are wrong, used up, expired or revoked: sign in again"
	case e.Code == "invalid_assertion":
		e.problem, e.next = "the assertion is not accepted", "check its claims, algorithm and times"
	case e.Code == "unauthorized_client":
		e.problem, e.next = "the client may not do this", "check its kind and its grants"
	case e.Code == "unsupported_grant_type":
		e.problem, e.next = "the endpoint does not know the grant type", "check that the address is the right endpoint"
	case e.Code == "invalid_scope":
		e.problem, e.next = "the scope is not accepted", "check the requested scope"
	case e.Status >= 500:
		e.problem, e.next = "the server is failing", "try again later"
	case e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed:
		e.problem, e.next = "there is no endpoint at this address", "check the configured address"
	default:
		e.problem, e.next = "the server refused", "check the request and the client's configuration"
	}
}

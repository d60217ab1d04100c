package bearer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Verifier checks a bearer token that came with a request (RFC 6750 §2.1). It must
// be safe for concurrent use. Package verify has one for JWTs.
type Verifier interface {
	// Verify returns whom the token speaks for, or why it is not to be trusted. It is
	// not told for which Storefront: see MiddlewareOptions.Verifier. It is called once for
	// each request, and again, at most once a second, while a long one uses the token: it
	// must not take that for a second use. What it refuses then has expired.
	//
	// The Authorization may be shared between requests; nobody modifies it. What its
	// Token has is what goes out with the request's own calls, which end with the
	// Token's Expiry: a Verifier that grants some leeway has to add it there. Its Owner
	// is the zero Owner, or has an ID: one without, or with an ID of spaces, is refused.
	//
	// Any error means that the token is refused, with 401 and invalid_token, unless it
	// is an [UnavailableError] or ctx has ended, which is answered with 503. If there
	// is an error in its chain with a method Description() string, that tells the
	// client why, as far as RFC 6750 §3 has the characters for it, in 200 bytes.
	// Nothing else of an error is shown to the client. It must not quote the token.
	Verify(ctx context.Context, token string) (*Authorization, error)
}

// Refuser is a [Verifier] that can be told to refuse a token which it has admitted:
// the API that the token went to did not accept it, or the customer has signed out. It
// is not told of a token without an Owner that the API has rejected: many may have that,
// and one of them could lock the others out.
type Refuser interface {
	// Refuse has Verify refuse the token for d; for as long as it lives if that is 0. It
	// must not block, and be safe for concurrent use.
	Refuse(token string, d time.Duration)
}

// refuseFor is how long a token is refused at the door that the API has rejected. It
// is short, since the API may have been wrong.
const refuseFor = time.Minute

// UnavailableError says that a [Verifier], or a check of [Require], cannot tell for
// the time being: it says nothing about the token, nor about the visitor. The request
// is answered with 503 Service Unavailable, and Retry-After. The zero value is ready
// to use.
type UnavailableError struct {
	NextTry time.Time // a request makes sense again from then on; zero if nobody knows
	Err     error     `json:"-"` // the cause; its text may hold secrets, and Error describes it without
}

func (e *UnavailableError) Error() string {
	return "bearer: cannot tell for the time being: " + describe(e.Err) + nextTryText(e.NextTry)
}

// Format prints what Error returns, whatever the verb.
func (e *UnavailableError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// LogValue describes the cause, without its text.
func (e *UnavailableError) LogValue() slog.Value { return slog.StringValue(describe(e.Err)) }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

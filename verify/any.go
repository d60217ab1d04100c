package verify

import (
	"context"
	"errors"
	"time"

	"github.com/bearerkit/bearer"
)

// Any returns a verifier of what one of these accepts, for a server that gets tokens of
// several providers. The first that accepts a token decides whom it speaks for; if none
// does, the error is that of the first that knows its issuer. Refuse is told to all that
// are a bearer.Refuser. It panics if there is none, or a nil.
//
// Mind where such tokens go: with a call of one provider's API only that provider's may.
// See bearer.StorefrontOptions.Inbound.
func Any(of ...bearer.Verifier) bearer.Verifier {
	if len(of) == 0 {
		panic("verify: Any needs a Verifier")
	}
	for _, v := range of {
		if v == nil {
			panic("verify: Any has a nil: leave it out")
		}
	}
	return append(either(nil), of...)
}

type either []bearer.Verifier

var _ bearer.Refuser = either(nil)

// Verify implements bearer.Verifier.
func (e either) Verify(ctx context.Context, token string) (*bearer.Authorization, error) {
	var first error
	for _, v := range e {
		a, err := v.Verify(ctx, token)
		if err == nil {
			return a, nil
		}
		if first == nil || isForeign(first) {
			first = err
		}
	}
	return nil, first
}

// isForeign reports whether a token is refused for its issuer, whom another verifier may
// know.
func isForeign(err error) bool {
	own, ok := errors.AsType[*Error](err)
	return errors.Is(err, ErrIssuer) || ok && own != nil && own.Kind == ErrMissingClaim && own.Detail == noIssuer
}

// Refuse implements bearer.Refuser.
func (e either) Refuse(token string, d time.Duration) {
	for _, v := range e {
		if r, ok := v.(bearer.Refuser); ok {
			r.Refuse(token, d)
		}
	}
}

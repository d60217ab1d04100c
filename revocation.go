package bearer

import (
	"context"
	"errors"
	"time"

	"github.com/bearerkit/bearer/internal/revocation"
)

// takeBack revokes tokens, of which any may be nil, all of them whatever becomes of
// one.
func takeBack(ctx context.Context, revoke func(context.Context, string) error, tokens ...*Token) error {
	if revoke == nil {
		return nil
	}
	// The visitor who leaves does not end this, nor does a server that hangs.
	ctx, cancel := context.WithTimeout(detached(ctx), 30*time.Second)
	defer cancel()
	var errs []error
	for _, token := range revocation.Order(tokens...) {
		r := result{err: errRevokeTimeout}
		select {
		case r = <-contain(ctx, func(ctx context.Context) (*Token, error) { return nil, revoke(ctx, token) }):
		case <-ctx.Done():
		}
		errs = append(errs, r.err)
	}
	return errors.Join(errs...)
}

var errRevokeTimeout = &safeError{"the revocation did not end within 30 seconds", context.DeadlineExceeded}

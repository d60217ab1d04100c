package bearer

import (
	"context"
	"errors"
	"slices"
	"time"
)

// takeBack revokes tokens, of which any may be nil: the refresh tokens first,
// since they can bring back the others, each token once, all of them whatever
// becomes of one.
func takeBack(ctx context.Context, revoke func(context.Context, string) error, tokens ...*Token) error {
	if revoke == nil {
		return nil
	}
	var refresh, access []string
	for _, t := range tokens {
		if t != nil {
			refresh, access = append(refresh, t.RefreshToken), append(access, t.AccessToken)
		}
	}
	// The visitor who leaves does not end this, nor does a server that hangs.
	ctx, cancel := context.WithTimeout(detached(ctx), 30*time.Second)
	defer cancel()
	var errs []error
	var done []string
	for _, token := range append(refresh, access...) {
		if token == "" || slices.Contains(done, token) {
			continue
		}
		done = append(done, token)
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

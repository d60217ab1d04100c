package bearer

import (
	"context"
	"errors"
	"time"

	"github.com/bearerkit/bearer/internal/revocation"
)

// revoke takes tokens back, of which any may be nil, all of them whatever becomes of
// one. Where requests bring them they are refused from now on, also if the revocation
// fails.
func (f *Storefront) revoke(ctx context.Context, tokens ...*Token) error {
	// The visitor who leaves does not end this, nor does a server that hangs.
	ctx, cancel := context.WithTimeout(detached(ctx), 30*time.Second)
	defer cancel()
	barred := contain(ctx, func(ctx context.Context) (*Token, error) { f.bar(ctx, tokens); return nil, nil })
	errs := []error{f.revokeEach(ctx, tokens)}
	select {
	case r := <-barred:
		errs = append(errs, r.err)
	case <-ctx.Done():
	}
	return errors.Join(errs...)
}

func (f *Storefront) revokeEach(ctx context.Context, tokens []*Token) error {
	if f.opts.Revoke == nil {
		return nil
	}
	var errs []error
	for _, token := range revocation.Order(tokens...) {
		r := result{err: errRevokeTimeout}
		select {
		case r = <-contain(ctx, func(ctx context.Context) (*Token, error) { return nil, f.opts.Revoke(ctx, token) }):
		case <-ctx.Done():
		}
		errs = append(errs, r.err)
	}
	return errors.Join(errs...)
}

var errRevokeTimeout = &safeError{"the revocation did not end within 30 seconds", context.DeadlineExceeded}

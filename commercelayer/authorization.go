package commercelayer

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/revocation"
)

// authorization is what one user's consent has brought. Its first token goes
// through the source like any other, so that it is saved and told of alike.
type authorization struct {
	credentials *Credentials
	source      *bearer.Source
	first       atomic.Pointer[bearer.Token]
	latest      atomic.Pointer[bearer.Token] // received, even if the source has not kept it
	began       atomic.Bool                  // there has been a token
	revoked     atomic.Bool                  // what is still to come must be taken back
}

// authorization makes one of what o says to start from.
func (w *Webapp) authorization(o *bearer.SourceOptions) *authorization {
	a := &authorization{credentials: w.credentials}
	a.began.Store(o.Initial != nil)
	o.Refresh = a.refresh
	// What the storage has does not take the place of what a user has just allowed.
	o.Accept = func(*bearer.Token) bool { return a.first.Load() == nil }
	if save := o.OnChange; save != nil {
		// The sources of two authorizations know nothing of each other.
		o.OnChange = func(ctx context.Context, t *bearer.Token) error {
			select {
			case w.saving <- struct{}{}:
				defer func() { <-w.saving }()
			case <-ctx.Done():
				return ctx.Err()
			}
			if w.current.Load() != a {
				return nil
			}
			return save(ctx, t)
		}
	}
	// Asked for a token without an old one: the first, or none is left.
	a.source = bearer.NewSource(func(context.Context) (*bearer.Token, error) {
		if t := a.first.Swap(nil); t != nil {
			return t, nil
		}
		if !a.began.Load() {
			return nil, ErrNotAuthorized
		}
		return nil, ErrAuthorizationEnded
	}, o)
	return a
}

// begin makes t the first token.
func (a *authorization) begin(t *bearer.Token) {
	a.began.Store(true)
	a.latest.Store(t)
	a.first.Store(t)
}

func (a *authorization) refresh(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
	a.began.Store(true)
	if old.RefreshToken == "" {
		return nil, ErrAuthorizationEnded
	}
	ctx = withoutClientIP(ctx)
	t, err := a.credentials.RefreshToken(ctx, old.RefreshToken, &GrantOptions{Scope: narrowScope(old.AccessToken)})
	if err != nil {
		return nil, err
	}
	// In this order: revoke, which goes the other way round, sees t, or is seen.
	a.latest.Store(t)
	if a.revoked.Load() {
		return nil, errors.Join(ErrNotAuthorized, a.takeBack(context.WithoutCancel(ctx), t))
	}
	return t, nil
}

// revoke forgets the tokens and takes them back, those too that a refresh under
// way may bring.
func (a *authorization) revoke(ctx context.Context) error {
	a.revoked.Store(true)
	t, err := a.source.Remove(ctx)
	return errors.Join(err, a.takeBack(withoutClientIP(ctx), a.latest.Load(), t))
}

// takeBack revokes tokens, of which any may be nil.
func (a *authorization) takeBack(ctx context.Context, tokens ...*bearer.Token) error {
	var errs []error
	for _, token := range revocation.Order(tokens...) {
		errs = append(errs, a.credentials.Revoke(ctx, token, nil))
	}
	return errors.Join(errs...)
}

// narrowScope is the scope of an access token, which a refresh has to repeat.
// Empty: it need not, or the token does not tell.
func narrowScope(accessToken string) string {
	claims, err := DecodeUnverified(accessToken)
	if err != nil || claims.Scope == "market:all" {
		return ""
	}
	return claims.Scope
}

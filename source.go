package bearer

import (
	"context"

	"golang.org/x/oauth2"
)

// Token is oauth2's token: every library that knows one knows ours. It prints
// its secrets when formatted, so never log one.
type Token = oauth2.Token

// TokenSource is oauth2's interface: anything that supplies a token. It must
// be safe for concurrent use.
type TokenSource = oauth2.TokenSource

// ContextTokenSource is a [TokenSource] that honors the context of the request
// that the token is for: TokenContext returns when ctx ends, at the latest.
//
// The returned token is shared between callers and must not be modified.
type ContextTokenSource interface {
	TokenSource
	TokenContext(ctx context.Context) (*Token, error)
}

// Evicter is a [TokenSource] that can forget a token which a server rejected.
//
// Evict must do nothing unless rejected is still the current token, so that a
// late rejection of an old token never throws away its successor. After it,
// the source supplies another token, if it can get one.
type Evicter interface {
	Evict(ctx context.Context, rejected *Token) error
}

// TokenFunc requests one new token. It must honor ctx, which carries the values
// of the request that needed the token first, but not its cancellation, nor its
// hooks of net/http/httptrace.
// The method clientcredentials.Config.Token is a TokenFunc.
type TokenFunc func(ctx context.Context) (*Token, error)

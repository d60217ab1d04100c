package bearer

import "context"

// ReuseTokenSource takes the place of oauth2.ReuseTokenSource: it returns a source
// that starts with t, which may be nil, and goes to src for another token when
// that one expires or is evicted. It is a [Source] with default options, and so
// asks src ahead of expiry, once for all callers, and lets each caller wait no
// longer than its context allows. If t is nil, a src that is a
// [ContextTokenSource] already is returned as it is.
//
// src may keep tokens itself, as those of package oauth2 do. It then gives the
// same token back until that has expired, and after an eviction too. A nil src
// panics.
func ReuseTokenSource(t *Token, src TokenSource) TokenSource {
	if src == nil {
		panic("bearer: ReuseTokenSource needs a TokenSource")
	}
	if own, ok := src.(ContextTokenSource); ok {
		if t == nil {
			return own
		}
		return NewSource(own.TokenContext, &SourceOptions{Initial: t})
	}
	return NewSource(func(context.Context) (*Token, error) { return src.Token() }, &SourceOptions{Initial: t})
}

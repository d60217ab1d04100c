package bearer

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// ErrInbound says that nobody can sign in or out by a request which has brought a token
// of its own: that decides alone who the visitor is, and no cookie is looked at or set.
// Send this request without the Authorization header. To sign in whom a token speaks for,
// have the client send it in the body, verify it, and call [Session.SetCustomer].
var ErrInbound error = &safeError{"the request has brought a token of its own, and cannot sign in or out by it: send this request without the Authorization header", nil}

// inbound is the authorization that a request has brought itself. It is used as it
// is: nothing here can refresh it.
type inbound struct {
	shop          *shop
	brought       string        // the token of the request's header, which the Verifier may have changed for another
	authorization Authorization // a copy, with own: the Verifier's may be other requests' too
	own           Token
	admitted      time.Time
	looked        atomic.Int64 // when the Verifier was last asked, as a time.Duration since then
	used          atomic.Bool
	rejected      atomic.Bool // by the API, or by the Verifier meanwhile
}

func (in *inbound) token(ctx context.Context) (*Token, error) {
	now := time.Now()
	in.used.Store(true)
	in.lookAgain(ctx, now)
	if in.hasEnded(now) {
		return nil, ErrCustomerExpired
	}
	return in.authorization.Token, nil
}

func (in *inbound) hasEnded(now time.Time) bool {
	end := in.authorization.Token.Expiry
	return in.rejected.Load() || !end.IsZero() && !now.Before(end)
}

// lookAgain asks the Verifier once more if it has not just been asked: a long request
// learns that its token has been revoked. That nobody can tell now changes nothing.
func (in *inbound) lookAgain(ctx context.Context, now time.Time) {
	last, since := in.looked.Load(), now.Sub(in.admitted)
	if since-time.Duration(last) < memo || in.hasEnded(now) || !in.looked.CompareAndSwap(last, int64(since)) {
		return
	}
	if _, ref := in.shop.verify(withoutSession{ctx}, in.brought); ref != nil && ref.Code == codeInvalidToken {
		in.rejected.Store(true)
	}
}

// tokenFor returns the token for f's calls, if f lets it go out with them.
func (in *inbound) tokenFor(ctx context.Context, f *Storefront) (*Token, error) {
	t, err := in.token(ctx)
	if err != nil || f.opts.Inbound == nil {
		return t, err
	}
	if err = f.opts.Inbound(&in.authorization); err != nil {
		return nil, &safeError{"the token that the request has brought must not go out with the Storefront's calls, says its StorefrontOptions.Inbound: " + describe(err), err}
	}
	return t, nil
}

// customer is nil without an error if the token is a guest's.
func (in *inbound) customer(ctx context.Context) (*Authorization, error) {
	if _, err := in.token(ctx); err != nil {
		return nil, err
	}
	if in.authorization.Owner == (Owner{}) {
		return nil, nil
	}
	return &in.authorization, nil
}

func (in *inbound) state(ctx context.Context) State {
	a, err := in.customer(ctx)
	switch {
	case err != nil:
		return StateExpired
	case a == nil:
		return StateGuest
	}
	return StateCustomer
}

// evict notes that the API has rejected the token, and reports whether that is news. If
// the Verifier can do that, it refuses the token for a while; not one that is nobody's,
// since others may have the same: the API decides each time.
func (in *inbound) evict(rejected *Token) bool {
	if in.authorization.Token.AccessToken != rejected.AccessToken || !in.rejected.CompareAndSwap(false, true) {
		return false
	}
	if r := in.shop.refuser; r != nil && in.authorization.Owner != (Owner{}) {
		r.Refuse(in.brought, refuseFor)
	}
	return true
}

// bearerToken is the token in the request's Authorization header; ok is false if
// there is none. More than one such header, what may have been meant for a token but is
// none, and what has no scheme, are an empty one.
func bearerToken(h http.Header) (token string, ok bool) {
	values := h["Authorization"]
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", false
	case len(values) > 1:
		return "", true
	}
	scheme, token, spaced := strings.Cut(values[0], " ") // RFC 9110 §11.4
	switch {
	case !spaced || !isToken(scheme):
		return "", true
	case !strings.EqualFold(scheme, "Bearer"):
		return "", alsoBearer(token) // else not ours to judge
	}
	token = strings.Trim(token, " ")
	chars := strings.TrimRight(token, "=")
	if chars == "" || strings.ContainsFunc(chars, func(c rune) bool { return !isToken68(c) }) { // RFC 6750 §2.1
		return "", true
	}
	return token, true
}

// alsoBearer reports whether behind the credentials of another scheme there seem to be
// some of this one: somebody on the way may have made one header of two.
func alsoBearer(credentials string) bool {
	_, rest, more := strings.Cut(credentials, ",")
	for more {
		var part string
		part, rest, more = strings.Cut(rest, ",")
		part = strings.TrimLeft(part, " \t")
		name := part[:len(part)-len(strings.TrimLeftFunc(part, isTokenChar))]
		if strings.EqualFold(name, "Bearer") && !strings.HasPrefix(part[len(name):], "=") { // that would be a parameter's name
			return true
		}
	}
	return false
}

var (
	errNotOneBearer = &safeError{"the Authorization header is not one bearer token", nil}
	errNobody       = &safeError{"the Verifier has returned no error, and no token either", nil}
	errOwnerless    = &safeError{"the Verifier has returned an Owner without an ID, who would be everybody of that Type", nil}
)

// admit looks at the request's own token. Without one, in and ref are nil; one that is
// not admitted is to be answered with ref.
func (sh *shop) admit(r *http.Request) (in *inbound, ref *Refusal) {
	token, ok := bearerToken(r.Header)
	if !ok {
		return nil, nil
	}
	if token == "" {
		return nil, &Refusal{http.StatusBadRequest, codeInvalidRequest, errNotOneBearer}
	}
	a, ref := sh.verify(r.Context(), token)
	if ref != nil {
		return nil, ref
	}
	in = &inbound{shop: sh, brought: token, authorization: *a, own: *a.Token, admitted: time.Now()}
	in.authorization.Origin, in.authorization.Token = OriginHeader, &in.own
	return in, nil
}

// verify asks the Verifier.
func (sh *shop) verify(ctx context.Context, token string) (*Authorization, *Refusal) {
	a, err := sh.opts.Verifier.Verify(ctx, token)
	switch {
	case err != nil && (isUnavailable(err) || ctx.Err() != nil):
		return nil, unavailable(err)
	case err != nil:
		return nil, &Refusal{http.StatusUnauthorized, codeInvalidToken, err}
	case a == nil || a.Token == nil || a.Token.AccessToken == "":
		return nil, &Refusal{http.StatusUnauthorized, codeInvalidToken, errNobody}
	case a.Owner != (Owner{}) && strings.TrimSpace(a.Owner.ID) == "":
		return nil, &Refusal{http.StatusUnauthorized, codeInvalidToken, errOwnerless}
	}
	return a, nil
}

package bearer

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Verifier checks a bearer token that came with a request (RFC 6750 §2.1). It must
// be safe for concurrent use. The error must not quote the token.
type Verifier interface {
	// Verify returns whom the token speaks for, or why it is not to be trusted. It is
	// not told for which Storefront: see MiddlewareOptions.Verifier.
	Verify(ctx context.Context, token string) (*Authorization, error)
}

// inbound is the authorization that a request has brought itself. It is used as it
// is: nothing here can refresh it.
type inbound struct {
	authorization *Authorization
	used          atomic.Bool
	rejected      atomic.Bool
}

func (in *inbound) token() (*Token, error) {
	t := in.authorization.Token
	in.used.Store(true)
	if in.rejected.Load() || !t.Expiry.IsZero() && !time.Now().Before(t.Expiry) {
		return nil, ErrCustomerExpired
	}
	return t, nil
}

// customer is nil without an error if the token is a guest's.
func (in *inbound) customer() (*Authorization, error) {
	if _, err := in.token(); err != nil {
		return nil, err
	}
	if in.authorization.Owner == (Owner{}) {
		return nil, nil
	}
	return in.authorization, nil
}

func (in *inbound) state() State {
	a, err := in.customer()
	switch {
	case err != nil:
		return StateExpired
	case a == nil:
		return StateGuest
	}
	return StateCustomer
}

// challenge is what to answer those whom in does not make a customer; in may be nil.
func (in *inbound) challenge() string {
	if in != nil && in.state() == StateExpired {
		return `Bearer error="invalid_token"`
	}
	return "Bearer"
}

func (in *inbound) evict(rejected *Token) error {
	if in.authorization.Token.AccessToken == rejected.AccessToken {
		in.rejected.Store(true)
	}
	return ErrCustomerExpired
}

// bearerToken is the token in the request's Authorization header; ok is false if
// there is none. More than one such header, or a token that is none, is an empty
// one.
func bearerToken(h http.Header) (token string, ok bool) {
	values := h["Authorization"]
	if len(values) == 0 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") && len(values) == 1 {
		return "", false // of another scheme, and not ours to judge
	}
	token = strings.Trim(token, " ")
	chars := strings.TrimRight(token, "=")
	if len(values) > 1 || chars == "" || strings.ContainsFunc(chars, func(c rune) bool { return !isToken68(c) }) { // RFC 6750 §2.1
		return "", true
	}
	return token, true
}

// verify looks at the request's own token. Without one it returns nil; one that is
// refused has been answered, and ok is false.
func verify(w http.ResponseWriter, r *http.Request, v Verifier) (in *inbound, ok bool) {
	token, ok := bearerToken(r.Header)
	if !ok {
		return nil, true
	}
	if token == "" {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_request"`)
		http.Error(w, "the Authorization header is not one bearer token", http.StatusBadRequest)
		return nil, false
	}
	a, err := v.Verify(r.Context(), token)
	if err != nil || a == nil || a.Token == nil || a.Token.AccessToken == "" {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "the access token is not valid", http.StatusUnauthorized)
		return nil, false
	}
	a = new(*a)
	a.Origin = OriginHeader
	return &inbound{authorization: a}, true
}

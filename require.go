package bearer

import (
	"context"
	"net/http"
	"time"
)

// RequireOptions are the optional settings of [RequireCustomer], [RequireBearer] and
// [Require].
type RequireOptions struct {
	// Denied answers those who are not let through, by sending them to a sign-in page
	// for example: RefusalFromContext tells why, Session.State tells guests from
	// customers who have expired. If the Middleware has a Verifier, the header has the
	// challenge already (RFC 6750 §3). Default: MiddlewareOptions.Denied, which see.
	Denied http.Handler

	// Failed answers when nobody can tell for the time being, or when the visitor's
	// token cannot be had; the header has Retry-After already. Default:
	// MiddlewareOptions.Failed, which see.
	Failed http.Handler
}

// RequireCustomer lets only customers through, with a token that is good now. It
// belongs within [Middleware]; without it all requests are answered with 500. The
// options may be nil.
//
// Guests are answered with 401, those who have brought a guest's token of their own
// with 403 (RFC 6750 §3.1: insufficient_scope), and told that it is not a customer's.
func RequireCustomer(opts *RequireOptions) func(http.Handler) http.Handler {
	return requirement{name: "RequireCustomer", admit: func(ctx context.Context, s *Session) *Refusal {
		if _, err := s.Customer(ctx); err != nil {
			return s.refusal(err)
		}
		return nil
	}}.middleware(opts)
}

// RequireBearer lets only requests through that have brought a bearer token of their
// own, a guest's or a customer's, which is good still. Cookies do not count: a browser
// adds them to the requests of other sites too, but never such a token, so that what is
// within needs no other defence against forged requests (CSRF). Preflights of other
// origins' scripts (CORS) bring no token: what answers them belongs further out.
//
// It belongs within [Middleware] with a Verifier; without, all requests are answered with
// 500. The options may be nil.
func RequireBearer(opts *RequireOptions) func(http.Handler) http.Handler {
	return requirement{name: "RequireBearer", verifier: true, admit: func(ctx context.Context, s *Session) *Refusal {
		if s.browser.inbound == nil {
			return &Refusal{Status: http.StatusUnauthorized, Err: errNoBearer}
		}
		if _, err := s.browser.inbound.token(ctx); err != nil {
			return s.refusal(err)
		}
		return nil
	}}.middleware(opts)
}

var errNoBearer = &safeError{"the request has brought no bearer token", nil} // and may be a customer's

// Require lets those through for whom check returns nil. It is called with the
// session's authorization, as [Session.Authorization] has it: the one that the request
// has brought, else the customer's, else the guests'. It must not modify that, and be
// safe for concurrent use.
//
// An [UnavailableError] of check, a [TokenError], or one that says that a context has
// ended, is answered by Failed; any other by Denied: with 401 if the visitor is a guest,
// who may sign in, else with 403. If the request has brought a token the challenge has
// insufficient_scope, and the method Description() string of an error in the chain tells
// the client why, as with a [Verifier]. Nothing else of the error is shown.
//
// Only Authorization.Claims has been verified, and nobody but a Verifier sets it. With a
// [PlainCarrier] all the rest is what the visitor says of himself.
//
// It belongs within [Middleware]; without it all requests are answered with 500. It
// panics if check is nil. The options may be nil.
func Require(check func(ctx context.Context, a *Authorization) error, opts *RequireOptions) func(http.Handler) http.Handler {
	if check == nil {
		panic("bearer: Require needs a check: to let all customers through use RequireCustomer")
	}
	return requirement{name: "Require", admit: func(ctx context.Context, s *Session) *Refusal {
		a, err := s.Authorization(ctx)
		if err != nil {
			return s.refusal(err)
		}
		if err = check(ctx, a); err != nil {
			return s.rejected(ctx, a, err)
		}
		return nil
	}}.middleware(opts)
}

// requirement is what one of these middlewares asks for.
type requirement struct {
	name     string
	verifier bool                                     // nobody can meet it without one
	admit    func(context.Context, *Session) *Refusal // nil lets through
}

func (q requirement) middleware(opts *RequireOptions) func(http.Handler) http.Handler {
	var o RequireOptions
	if opts != nil {
		o = *opts
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, ok := FromContext(r.Context())
			switch {
			case !ok:
				http.Error(w, q.name+" needs Middleware round it", http.StatusInternalServerError)
				return
			case q.verifier && s.browser.opts.Verifier == nil:
				http.Error(w, q.name+" needs a Middleware with a Verifier round it", http.StatusInternalServerError)
				return
			}
			if ref := q.admit(r.Context(), s); ref != nil {
				s.browser.refuse(w, r, ref, o, s.browser.inbound != nil)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// refusal is for a session that err is all there is of.
func (s *Session) refusal(err error) *Refusal {
	in := s.browser.inbound
	switch {
	case !is(err, ErrNoCustomer) && !is(err, ErrNoGuest):
		return unavailable(err)
	case in == nil:
		return &Refusal{Status: http.StatusUnauthorized, Err: err}
	case in.hasEnded(time.Now()):
		return &Refusal{http.StatusUnauthorized, codeInvalidToken, err}
	}
	return &Refusal{http.StatusForbidden, codeInsufficientScope, errGuestToken}
}

// toldError is an error whose text the client gets to see.
type toldError struct{ safeError }

// Description is the text.
func (e *toldError) Description() string { return e.text }

var errGuestToken = &toldError{safeError{"the token is not a customer's", ErrNoCustomer}}

// rejected is for a session whose authorization a check has not accepted.
func (s *Session) rejected(ctx context.Context, a *Authorization, err error) *Refusal {
	in := s.browser.inbound
	switch {
	case saysNothing(ctx, err):
		return unavailable(err)
	case in != nil && in.hasEnded(time.Now()): // by now
		return &Refusal{http.StatusUnauthorized, codeInvalidToken, err}
	case in != nil:
		return &Refusal{http.StatusForbidden, codeInsufficientScope, err}
	case a.Origin == OriginGuest || is(err, ErrCustomerExpired):
		return &Refusal{Status: http.StatusUnauthorized, Err: err}
	}
	return &Refusal{Status: http.StatusForbidden, Err: err}
}

// saysNothing reports whether an error of a check says nothing about the visitor.
func saysNothing(ctx context.Context, err error) bool {
	_, ok := nextTry(err)
	return ok || ctx.Err() != nil || is(err, context.Canceled) || is(err, context.DeadlineExceeded)
}

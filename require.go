package bearer

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// RequireOptions are the optional settings of [RequireCustomer].
type RequireOptions struct {
	// Denied answers those who are no customers, by sending them to a sign-in page
	// for example; Session.State tells guests from customers who have expired.
	// Default: 401 Unauthorized in plain text, with a challenge if the Middleware
	// has a Verifier (RFC 6750 §3).
	Denied http.Handler

	// Failed answers when nobody can tell for the time being, or when the customer's
	// token cannot be had. Default: 503 Service Unavailable in plain text, with
	// Retry-After.
	Failed http.Handler
}

// RequireCustomer lets only customers through, with a token that is good now. It
// belongs within [Middleware]; without it all requests are answered with 500. The
// options may be nil.
func RequireCustomer(opts *RequireOptions) func(http.Handler) http.Handler {
	var o RequireOptions
	if opts != nil {
		o = *opts
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, ok := FromContext(r.Context())
			if !ok {
				http.Error(w, "RequireCustomer needs Middleware round it", http.StatusInternalServerError)
				return
			}
			_, err := s.Customer(r.Context())
			switch {
			case err == nil:
				next.ServeHTTP(w, r)
			case errors.Is(err, ErrNoCustomer) && o.Denied != nil:
				o.Denied.ServeHTTP(w, r)
			case errors.Is(err, ErrNoCustomer):
				if s.browser.opts.Verifier != nil {
					w.Header().Set("WWW-Authenticate", s.browser.inbound.challenge())
				}
				http.Error(w, "sign in first", http.StatusUnauthorized)
			case o.Failed != nil:
				o.Failed.ServeHTTP(w, r)
			default:
				w.Header().Set("Retry-After", strconv.Itoa(secondsUntilNextTry(err)))
				http.Error(w, "the service is not available right now, try again soon", http.StatusServiceUnavailable)
			}
		})
	}
}

// secondsUntilNextTry is when a request makes sense again, at least a second.
func secondsUntilNextTry(err error) int {
	wait := time.Second
	if failed, ok := errors.AsType[*TokenError](err); ok {
		wait = max(wait, time.Until(failed.NextTry)+time.Second)
	}
	return int(wait / time.Second)
}

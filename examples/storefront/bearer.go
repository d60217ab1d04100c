package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/tokenendpoint"
)

// All that a shop has to do about tokens is in this file. No handler ever sees a
// token: it calls the API with the client of a market and the context of the
// request, and the call speaks for whoever the visitor is. (What the panel shows
// and spoils is in inspect.go, which a shop of yours would not have.)

// market is one of the shop's markets: the same client, with a scope of its own.
type market struct {
	Path     string // in front of its pages: "/eu"
	Name     string
	Currency string // empty if the API alone knows
	Scope    string

	channel *commercelayer.SalesChannel
	client  *http.Client // speaks for the visitor: the customer, else a guest
	guests  *http.Client // speaks for a guest, whoever the visitor is

	core atomic.Pointer[string] // the Core API's base, once it is known
}

// open makes the market's sales channel. It sends nothing: the first token is
// requested when the first call needs it.
func (m *market) open(s *shop) (err error) {
	m.channel, err = commercelayer.NewSalesChannel(s.clientID, m.Scope, &commercelayer.Options{
		Domain:  s.domain,
		AuthURL: s.authURL,
		Base:    s.hood.wire,
		Timeout: 10 * time.Second,

		// Where the guests' token is, and those of signed-in customers, each under the
		// hash of a browser's session id: see openRedis. Without a Storage all are in
		// memory, which does for one process; when that ends, everybody is signed out.
		Storage: s.storage,

		// Called by Login, when the guest has become a customer.
		OnLogin: s.keepCart(m),

		Logger:   s.log,                          // what happens to tokens, for the operator,
		Observer: s.hood.observer(m, s.instance), // and for the panel. Never a token.
	})
	if err != nil {
		return err
	}
	m.client = m.channel.Client()
	m.client.Timeout = 10 * time.Second
	m.guests = &http.Client{
		Transport: &bearer.Transport{Source: m.channel.Storefront().GuestOnly(), Base: s.hood.wire},
		Timeout:   10 * time.Second,
	}
	return nil
}

// openRedis opens the storage that the instances of a shop share. Whoever signs in to
// one is signed in to all; and one of them asks for the guests' token, for all. In
// front of it is the memory of this process: there what is used lately costs no round
// trip, and while Redis is away those who were here before stay signed in.
func (s *shop) openRedis(url string) (err error) {
	s.redis, err = redisstore.Open(url, &redisstore.Options{
		Prefix:       "kiosk", // others may use this Redis too
		DisableCache: true,    // one memory in front will do
		Logger:       s.log,
	})
	if err != nil {
		return err
	}
	s.storage = layered.New(s.watch(s.redis), &layered.Options{Logger: s.log}) // watched for the panel alone
	return nil
}

// openMarkets opens all of them and returns the middleware that gives each request
// its session. The session's cookie is set when somebody signs in; a guest has
// none. One cookie serves both markets, each with tokens of its own: Pick says
// which of them a request is about.
func (s *shop) openMarkets() (func(http.Handler) http.Handler, error) {
	opts := &bearer.MiddlewareOptions{
		InsecureCookie: s.cookies.insecure,
		Pick:           func(r *http.Request) *bearer.Storefront { return s.marketOf(r.URL.Path).channel.Storefront() },
	}
	for i, m := range s.markets {
		if err := m.open(s); err != nil {
			return nil, err
		}
		if i > 0 {
			opts.Storefronts = append(opts.Storefronts, m.channel.Storefront())
		}
	}
	return s.markets[0].channel.Middleware(opts), nil
}

// resolve finds out who the visitor is. For a guest that costs nothing, for a
// customer one look into the storage. StateExpired is told once: it is the chance
// to say that one has to sign in again.
func (v *visit) resolve() (err error) {
	v.session, _ = bearer.FromContext(v.r.Context())
	if v.state, err = v.session.State(v.r.Context()); err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err) // the storage fails, and memory does not tell
	}
	return nil
}

// expiredMeanwhile reports whether the customer's session has ended since the
// visit began: the API refused the token, and the refresh token is spent or
// revoked. Until State has told so the calls of this request fail, so that nothing
// meant for a customer is done as a guest.
func (v *visit) expiredMeanwhile() bool {
	if v.state != bearer.StateCustomer {
		return false
	}
	state, err := v.session.State(v.r.Context())
	return err == nil && state == bearer.StateExpired
}

// signIn makes the visitor a customer, in the market at hand first and then in the
// others: a token is good in one market alone. The browser gets a new session id
// each time, and the last one stays. It reports whether it has worked everywhere.
func (v *visit) signIn(email, password string) (everywhere bool, err error) {
	ctx := v.r.Context()
	if err := v.market.channel.Login(ctx, email, password); err != nil {
		if _, asked := nextTry(err); !asked { // then it is not the token endpoint that has failed
			err = fmt.Errorf("%w: %w", errNotKept, err)
		}
		return false, err
	}
	everywhere = true
	for _, m := range v.markets {
		if m == v.market {
			continue
		}
		if err := m.channel.Login(ctx, email, password); err != nil {
			v.log.WarnContext(ctx, "not signed in to all markets", "market", m.Name, "error", err)
			everywhere = false
		}
	}
	return everywhere, nil
}

// wrongPassword reports whether that is why signIn has failed.
func wrongPassword(err error) bool {
	refused, ok := errors.AsType[*tokenendpoint.Error](err)
	return ok && refused.Code == "invalid_grant"
}

// signOut makes the visitor a guest, in all markets, and has the tokens revoked.
// Even with an error the visitor is a guest here.
func (v *visit) signOut() error { return v.market.channel.LogoutCustomer(v.r.Context()) }

// customersOnly lets customers pass, and sends others to the sign-in page.
func (s *shop) customersOnly(m *market, next http.Handler) http.Handler {
	return bearer.RequireCustomer(&bearer.RequireOptions{
		Denied: s.handle(m, (*visit).toSignIn),
		Failed: s.handle(m, func(v *visit) error { return cmp.Or(v.whyNoToken(), errUnknown) }),
	})(next)
}

// api is the base of the market's Core API, which a token tells.
func (m *market) api(ctx context.Context) (string, error) {
	if known := m.core.Load(); known != nil {
		return *known, nil
	}
	base, err := m.channel.CoreAPIURL(ctx)
	if err == nil {
		m.core.Store(&base)
	}
	return base, err
}

// whyNoToken tells why the visitor's token cannot be had for the time being; nil
// if it can. A customer's that cannot be refreshed is an error: the calls are never
// made as a guest instead.
func (v *visit) whyNoToken() error {
	_, err := v.session.Authorization(v.r.Context())
	return err
}

// nextTry is when a token will be asked for again, if err is that there is none.
func nextTry(err error) (at time.Time, noToken bool) {
	if none, ok := errors.AsType[*bearer.TokenError](err); ok {
		return none.NextTry, true
	}
	if failed, ok := errors.AsType[*tokenendpoint.Error](err); ok {
		return failed.RetryAt, true
	}
	return time.Time{}, false
}

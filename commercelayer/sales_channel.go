package commercelayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/bearerkit/bearer"
)

// SalesChannel is a shop: its guests share one token, its customers have one
// each. Put its [SalesChannel.Middleware] round the handlers, and use its
// [SalesChannel.Client] in them with the request's context. Make one with
// [NewSalesChannel]; it is safe for concurrent use, needs no closing, and is safe
// to print.
//
// It is a bearer.ContextTokenSource and bearer.Evicter, for a bearer.Transport of
// your own.
type SalesChannel struct {
	credentials *Credentials
	storefront  *bearer.Storefront
	transport   *bearer.Transport
}

var (
	_ bearer.ContextTokenSource = (*SalesChannel)(nil)
	_ bearer.Evicter            = (*SalesChannel)(nil)
)

// NewSalesChannel returns the sales channel with this client id. The scope has to
// name a market, such as "market:id:xYZkjABcde"; a shop with several markets has a
// SalesChannel for each. It sends nothing: the first token is asked for when it is
// needed.
func NewSalesChannel(id, scope string, opts *Options) (*SalesChannel, error) {
	c, key, o, err := newCustomers("sales channel", id, scope, opts)
	if err != nil {
		return nil, err
	}
	guests, err := storageKey("cl_guest-", id, scope)
	if err != nil {
		return nil, err
	}
	s := &SalesChannel{credentials: c}
	s.storefront = bearer.NewStorefront(func(ctx context.Context) (*bearer.Token, error) {
		return c.ClientCredentials(ctx, &GrantOptions{Public: true})
	}, &bearer.StorefrontOptions{
		Name:         "sales channel " + id + " " + scope,
		Customers:    o.Customers,
		Key:          key,
		Guests:       o.Storage,
		GuestKey:     guests,
		Scope:        scope,
		Owner:        ownerOf,
		Refresh:      c.refreshCustomer,
		Revoke:       c.revokeCustomer,
		OnLogin:      o.OnLogin,
		Inbound:      c.inbound,
		RefreshAhead: refreshAhead,
		FetchTimeout: c.options.Timeout,
		Logger:       c.options.Logger,
		Observer:     c.options.Observer,
	})
	s.transport = c.transport(s.storefront)
	return s, nil
}

// Storefront returns what the sales channel is made of: for the other markets in
// bearer.MiddlewareOptions.Storefronts, and for sources that never fall back.
func (s *SalesChannel) Storefront() *bearer.Storefront { return s.storefront }

// Client returns an HTTP client whose requests to the service's hosts carry the
// token of the session in their context: the customer's, else the guests'. Without
// a session they carry the guests'. Requests to any other host carry none. Its
// connections are those of Options.Base.
func (s *SalesChannel) Client() *http.Client { return &http.Client{Transport: s.transport} }

// Middleware is [bearer.Middleware] for this sales channel. With
// Options.BackendAuth the requests for a customer's token name the visitor's
// address, so that the service's rate limit counts per visitor: see
// Options.TrustedProxies. Where that does not do, as behind a Unix socket, a
// middleware further out may tell it by [WithClientIP]. The options may be nil.
func (s *SalesChannel) Middleware(opts *bearer.MiddlewareOptions) func(http.Handler) http.Handler {
	session := bearer.Middleware(s.storefront, opts)
	if !s.credentials.backend {
		return session
	}
	proxies := s.credentials.options.TrustedProxies
	return func(next http.Handler) http.Handler {
		next = session(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !clientIP(r.Context()).IsValid() {
				r = r.WithContext(WithClientIP(r.Context(), visitor(r, proxies)))
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Login signs the visitor in whose session is in ctx: asks for the customer's
// token, and then does what [SalesChannel.SetCustomer] does. A wrong email or
// password is an error that errors.As finds to be a *tokenendpoint.Error with the
// code invalid_grant. It must be called before the answer is begun.
func (s *SalesChannel) Login(ctx context.Context, email, password string) error {
	return s.login(ctx, func(ctx context.Context) (*bearer.Token, error) {
		return s.credentials.Password(ctx, email, password, nil)
	})
}

// LoginWithAssertion is Login for a customer whom another identity provider knows:
// make the assertion with [Assertion], of an identity that you have verified; for
// OpenID Connect, [SignOn] does both. It needs Options.ClientSecret.
func (s *SalesChannel) LoginWithAssertion(ctx context.Context, assertion string) error {
	return s.login(ctx, func(ctx context.Context) (*bearer.Token, error) {
		return s.credentials.JWTBearer(ctx, assertion, nil)
	})
}

func (s *SalesChannel) login(ctx context.Context, grant bearer.TokenFunc) error {
	session, err := s.session(ctx)
	if err != nil {
		return err
	}
	// A token that cannot be kept after all is not revoked: the service may have given the
	// same to another device of the customer's.
	return session.Login(ctx, grant)
}

// SetCustomer signs the visitor in whose session is in ctx, with a token that the
// service has issued to this client for a customer; one of a guest, of another client
// or one that has expired is refused. The token is not verified: pass only one that
// this program has got from the service, since anybody can make up one that says all
// that. Its Expiry may be zero: the token tells. See bearer.Session.SetCustomer.
func (s *SalesChannel) SetCustomer(ctx context.Context, t *bearer.Token) error {
	session, err := s.session(ctx)
	if err != nil {
		return err
	}
	if err := s.credentials.issued(t); err != nil {
		return err
	}
	return session.SetCustomer(ctx, t)
}

// LogoutCustomer signs the visitor out whose session is in ctx, and revokes the
// customer's tokens. The same customer on another device, who may share the access
// token, stays signed in there by the refresh token of that device. See
// bearer.Session.Logout.
func (s *SalesChannel) LogoutCustomer(ctx context.Context) error {
	session, err := s.session(ctx)
	if err != nil {
		return err
	}
	return session.Logout(ctx)
}

// GetAuthorization returns the authorization of the visitor whose session is in
// ctx: the customer's, else the guests'. Without a session it is the guests'.
func (s *SalesChannel) GetAuthorization(ctx context.Context) (*bearer.Authorization, error) {
	if _, ok := bearer.FromContext(ctx); ok {
		session, err := s.session(ctx)
		if err != nil {
			return nil, err
		}
		return session.Authorization(ctx)
	}
	return s.storefront.Guest(ctx)
}

// RemoveAuthorization forgets the tokens of the visitor whose session is in ctx,
// if that is a customer, without revoking them. The guests' token, which all
// visitors share, is forgotten only without a session, in Options.Storage too.
func (s *SalesChannel) RemoveAuthorization(ctx context.Context) error {
	if _, ok := bearer.FromContext(ctx); !ok {
		_, err := s.storefront.RemoveGuest(ctx)
		return err
	}
	session, err := s.session(ctx)
	if err != nil {
		return err
	}
	return session.Forget(ctx)
}

var errNoSession = errors.New("commercelayer: there is no session in the context: put SalesChannel.Middleware round the handler, and pass on the context of its request")

// session is the visitor's with this sales channel.
func (s *SalesChannel) session(ctx context.Context) (*bearer.Session, error) {
	session, ok := bearer.FromContext(ctx)
	if !ok {
		return nil, errNoSession
	}
	return session.For(s.storefront)
}

// Token returns a copy of the guests' token.
func (s *SalesChannel) Token() (*bearer.Token, error) { return s.storefront.Token() }

// TokenContext returns the token of the session in ctx; see
// bearer.Storefront.TokenContext.
func (s *SalesChannel) TokenContext(ctx context.Context) (*bearer.Token, error) {
	return s.storefront.TokenContext(ctx)
}

// Evict forgets the token if it is rejected, one that a server did not accept. A
// customer's refresh token stays.
func (s *SalesChannel) Evict(ctx context.Context, rejected *bearer.Token) error {
	return s.storefront.Evict(ctx, rejected)
}

// CoreAPIURL is as [Integration.CoreAPIURL], by the guests' token.
func (s *SalesChannel) CoreAPIURL(ctx context.Context) (string, error) {
	return s.credentials.coreAPIURL(ctx, s.storefront.GuestOnly())
}

// String names the client and where its tokens come from.
func (s *SalesChannel) String() string {
	return fmt.Sprintf("%s with scope %q", s.credentials.describe("SalesChannel"), s.credentials.options.Scope)
}

// Format prints what String returns, whatever the verb.
func (s *SalesChannel) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what String returns.
func (s *SalesChannel) LogValue() slog.Value { return slog.StringValue(s.String()) }

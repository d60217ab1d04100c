package commercelayer

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/bearerkit/bearer"
)

// SingleCustomer is one customer of a sales channel, without a browser: the user of
// a command-line tool, or the customer whom a program shares with js-auth. It keeps
// the record where js-auth looks for it by default, under
// "cl_customer-<client id>-<scope>"; whoever uses the same storage acts as that
// customer. It must not serve visitors, who would all be the one who signed in last:
// they need a [SalesChannel], whose middleware does not take this. Make one with
// [NewSingleCustomer]; it is safe for concurrent use, needs no closing, and is safe
// to print.
//
// It is a bearer.ContextTokenSource and bearer.Evicter whose token is never a
// guest's: without a customer its error is a bearer.ErrNoCustomer. For guests there
// is the SalesChannel of the same client id and scope, on the same storage. What
// others do to the storage it learns within a second; see bearer.SingleCustomer.
type SingleCustomer struct {
	credentials *Credentials
	customer    *bearer.SingleCustomer
	transport   *bearer.Transport
}

var (
	_ bearer.ContextTokenSource = (*SingleCustomer)(nil)
	_ bearer.Evicter            = (*SingleCustomer)(nil)
)

// NewSingleCustomer returns the customer of the sales channel with this client id,
// whose scope has to name a market. The record is kept as [NewSalesChannel] keeps
// customers: in Options.Customers, else in Options.Storage, such as a filestore or a
// redisstore, else in memory. It sends nothing.
func NewSingleCustomer(id, scope string, opts *Options) (*SingleCustomer, error) {
	c, key, o, err := newCustomers("single customer", id, scope, opts)
	if err != nil {
		return nil, err
	}
	s := &SingleCustomer{credentials: c}
	s.customer = bearer.NewSingleCustomer(&bearer.StorefrontOptions{
		Name:         "single customer " + id + " " + scope,
		Customers:    o.Customers,
		Key:          key,
		Scope:        scope,
		Owner:        ownerOf,
		Refresh:      c.refreshCustomer,
		Revoke:       c.revokeCustomer,
		RefreshAhead: refreshAhead,
		FetchTimeout: c.options.Timeout,
		Logger:       c.options.Logger,
		Observer:     c.options.Observer,
	})
	s.transport = c.transport(s)
	return s, nil
}

// Client returns an HTTP client whose requests to the service's hosts carry the
// customer's token; requests to any other host carry none. Without a customer its
// requests fail with bearer.ErrNoCustomer. Its connections are those of
// Options.Base.
func (s *SingleCustomer) Client() *http.Client { return &http.Client{Transport: s.transport} }

// Login signs a customer in: asks for the token, and then does what
// [SingleCustomer.SetCustomer] does. A wrong email or password is an error that
// errors.As finds to be a *tokenendpoint.Error with the code invalid_grant.
func (s *SingleCustomer) Login(ctx context.Context, email, password string) error {
	t, err := s.credentials.Password(ctx, email, password, nil)
	if err != nil {
		return err
	}
	return s.customer.SetCustomer(ctx, t)
}

// LoginWithAssertion is Login for a customer whom another identity provider knows;
// see [SalesChannel.LoginWithAssertion].
func (s *SingleCustomer) LoginWithAssertion(ctx context.Context, assertion string) error {
	t, err := s.credentials.JWTBearer(ctx, assertion, nil)
	if err != nil {
		return err
	}
	return s.customer.SetCustomer(ctx, t)
}

// SetCustomer signs the customer in whom the service has issued t to this client
// for, in place of whoever was signed in, whose tokens are revoked. What is refused
// is what [SalesChannel.SetCustomer] refuses. After an error nothing has changed,
// unless it says that the storage may hold the customer all the same.
func (s *SingleCustomer) SetCustomer(ctx context.Context, t *bearer.Token) error {
	if err := s.credentials.issued(t); err != nil {
		return err
	}
	return s.customer.SetCustomer(ctx, t)
}

// LogoutCustomer signs the customer out, for all who share the storage, and revokes
// both tokens; see bearer.SingleCustomer.Logout.
func (s *SingleCustomer) LogoutCustomer(ctx context.Context) error { return s.customer.Logout(ctx) }

// RemoveAuthorization is LogoutCustomer without the revocation.
func (s *SingleCustomer) RemoveAuthorization(ctx context.Context) error {
	return s.customer.Forget(ctx)
}

// GetAuthorization returns the customer's authorization. The error is a
// bearer.ErrNoCustomer if nobody is signed in, where js-auth would go on as a guest.
func (s *SingleCustomer) GetAuthorization(ctx context.Context) (*bearer.Authorization, error) {
	return s.customer.Customer(ctx)
}

// Token returns a copy of the customer's token; see [SingleCustomer.TokenContext].
func (s *SingleCustomer) Token() (*bearer.Token, error) { return s.customer.Token() }

// TokenContext returns the customer's token, which is shared and must not be
// modified; see bearer.SingleCustomer.TokenContext.
func (s *SingleCustomer) TokenContext(ctx context.Context) (*bearer.Token, error) {
	return s.customer.TokenContext(ctx)
}

// Evict forgets the access token if it is rejected, one that a server did not
// accept. The refresh token stays.
func (s *SingleCustomer) Evict(ctx context.Context, rejected *bearer.Token) error {
	return s.customer.Evict(ctx, rejected)
}

// CoreAPIURL is as [Integration.CoreAPIURL], by the customer's token.
func (s *SingleCustomer) CoreAPIURL(ctx context.Context) (string, error) {
	return s.credentials.coreAPIURL(ctx, s)
}

// String names the client and where its tokens come from.
func (s *SingleCustomer) String() string {
	return fmt.Sprintf("%s with scope %q", s.credentials.describe("SingleCustomer"), s.credentials.options.Scope)
}

// Format prints what String returns, whatever the verb.
func (s *SingleCustomer) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what String returns.
func (s *SingleCustomer) LogValue() slog.Value { return slog.StringValue(s.String()) }

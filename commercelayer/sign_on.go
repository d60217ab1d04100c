package commercelayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/observers"
	"github.com/bearerkit/bearer/internal/until"
	"github.com/bearerkit/bearer/verify"
)

// ErrNoSuchCustomer says that somebody has signed on whom the identity provider knows
// and the shop does not: offer to make an account, or to connect one.
var ErrNoSuchCustomer = errors.New("commercelayer: the identity is genuine, and belongs to no customer: make one, or connect it to one, and sign on again")

// SignOn signs customers in whom an identity provider knows (OpenID Connect): it checks
// the provider's ID token, and gets the customer's token by an assertion. Make one with
// [NewSignOn]; it is safe for concurrent use, needs no closing, and is safe to print.
//
// Sending the visitor to the provider and taking the answer is the program's part, with
// golang.org/x/oauth2: the state, the nonce and PKCE (RFC 7636), each new for each visitor
// and bound to the browser by a cookie, keep others from signing a visitor on.
// docs/sign-on.md, in the repository, goes through it, and examples/signon does it.
type SignOn struct {
	channel  *SalesChannel
	provider string
	audience []string
	verifier *verify.Verifier
	customer func(context.Context, *verify.Claims) (string, error)
	claim    func(*verify.Claims) any // nil: none
	spent    *until.Tokens            // ID tokens that somebody has signed in with, or is about to
	observer bearer.Observer
}

// SignOnOptions are the optional settings of a [SignOn]. The zero value is ready to use.
type SignOnOptions struct {
	// CustomClaim makes the claim custom_claim of the customer's tokens: any value that
	// encodes as a JSON object, of about 3 KB at most; nil for none. Whoever sees such
	// a token can read it. Default: none.
	CustomClaim func(*verify.Claims) any

	// Verify says how the provider's key set is got, and by how much its clock may differ.
	// Authorize must be nil, and CacheBytes is not looked at, since an ID token comes once.
	// Default: the zero value, with the sales channel's Logger and Observer.
	Verify *verify.Options
}

// NewSignOn returns what signs customers of a sales channel in by an identity provider's
// ID tokens. The sales channel needs Options.ClientSecret. The options may be nil.
//
// The provider's Audience must begin with this program's client id there. Further ones are
// whom an ID token may be for besides, such as the same shop's application for telephones;
// one that names anybody else is refused. Types are "" and "JWT" by default, so that access
// tokens (RFC 9068) are not taken.
//
// customer finds the id of the Commerce Layer customer whose identity it is, for which
// the provider's subject has to be kept with each customer: issuer and subject name
// somebody for ever (OpenID Connect Core §5.7). An email address does not: whoever can
// have an unverified one written into their account is somebody else by it, and a
// verified one (the claim email_verified is true) says only whose the mailbox was. An
// empty id says that there is no such customer. It must not keep the claims.
func NewSignOn(channel *SalesChannel, provider verify.Issuer, customer func(ctx context.Context, id *verify.Claims) (customerID string, err error), opts *SignOnOptions) (*SignOn, error) {
	var o SignOnOptions
	if opts != nil {
		o = *opts
	}
	if err := validateSignOn(channel, &provider, customer != nil, &o); err != nil {
		return nil, err
	}
	if provider.Types == nil {
		provider.Types = []string{"", "JWT"}
	}
	var v verify.Options
	if o.Verify != nil {
		v = *o.Verify
	}
	v.CacheBytes = -1
	if v.Logger == nil {
		v.Logger = channel.credentials.options.Logger
	}
	if v.Observer == nil {
		v.Observer = channel.credentials.options.Observer
	}
	verifier, err := verify.New([]verify.Issuer{provider}, &v)
	if err != nil {
		return nil, err
	}
	return &SignOn{
		channel: channel, provider: provider.Name, audience: slices.Clone(provider.Audience), verifier: verifier,
		customer: customer, claim: o.CustomClaim, spent: until.New(maxSpent), observer: observers.Join(v.Logger, v.Observer),
	}, nil
}

func validateSignOn(channel *SalesChannel, provider *verify.Issuer, customer bool, o *SignOnOptions) error {
	accessToken := func(typ string) bool {
		return strings.TrimPrefix(strings.ToLower(typ), "application/") == "at+jwt"
	}
	switch {
	case channel == nil || !customer:
		return errors.New("commercelayer: NewSignOn needs a sales channel and a function that finds the customer: pass both")
	case !channel.credentials.secret:
		return errors.New("commercelayer: single sign-on needs the sales channel's secret: set Options.ClientSecret")
	case len(provider.Audience) == 0 || slices.Contains(provider.Audience, ""):
		return errors.New("commercelayer: the identity provider's Audience is empty: set it to this program's client id there, or tokens for anybody else's would do")
	case slices.Contains(provider.Aliases, ""):
		return errors.New(`commercelayer: the identity provider's Aliases have "": leave it out, since an ID token must have the claim iss`)
	case slices.ContainsFunc(provider.Types, accessToken):
		return errors.New("commercelayer: the identity provider's Types have at+jwt: leave it out, since that is an access token's, which says nothing about who has signed on")
	case o.Verify != nil && o.Verify.Authorize != nil:
		return errors.New("commercelayer: SignOnOptions.Verify.Authorize is not for ID tokens: leave it nil, and refuse whom you do not want in the function that finds the customer")
	}
	return nil
}

// Login signs the visitor in whose session is in ctx, as the customer whom the ID token
// is about, and then does what [SalesChannel.SetCustomer] does. It must be called before
// the answer is begun. nonce is what the visitor's own browser was sent to the provider
// with; if that was none, a token that has one is refused, as it is another visitor's.
//
// Each ID token is good for one login. That is remembered here, until it expires, of the
// latest 65,536, and in no other process: where there are several, the nonce is what
// makes a token worth nothing to anybody else. After an error it may come again, as long as
// it is good.
//
// Errors are: a *verify.Error if the token is refused; [ErrNoSuchCustomer]; a
// *bearer.UnavailableError if the provider's keys cannot be had; one that wraps what the
// function that finds the customer says, without its text; and those of
// [SalesChannel.LoginWithAssertion].
func (s *SignOn) Login(ctx context.Context, idToken, nonce string) error {
	if _, err := s.channel.session(ctx); err != nil {
		return err
	}
	id, err := s.verifier.Claims(ctx, idToken)
	if err != nil {
		return err
	}
	if err := checkIDToken(id, s.audience, nonce); err != nil {
		return s.refuse(ctx, id, err)
	}
	// Before the login, so that of two at the same time one is refused.
	if !s.spent.Take(idToken, id.ExpiresAt.Add(spentGrace)) {
		return s.refuse(ctx, id, refused(verify.ErrRefused, "the ID token has been used already: sign on again"))
	}
	had, returned := false, false // a panic after the first leaves somebody signed in
	defer func() {
		if !returned && !had {
			s.spent.Remove(idToken)
		}
	}()
	err = s.channel.login(ctx, func(ctx context.Context) (*bearer.Token, error) {
		t, err := s.token(ctx, id)
		had = err == nil
		return t, err
	})
	if returned = true; err != nil {
		s.spent.Remove(idToken)
	}
	return err
}

// refuse has it observed that an ID token is refused, as the verifier has for what it
// refuses itself.
func (s *SignOn) refuse(ctx context.Context, id *verify.Claims, err error) error {
	s.observer(ctx, verify.TokenRefused{Err: err, Issuer: id.Issuer, Accepted: []string{s.provider}})
	return err
}

// token is that of the customer whom a checked ID token is about.
func (s *SignOn) token(ctx context.Context, id *verify.Claims) (*bearer.Token, error) {
	customer, err := s.customer(ctx, id)
	switch {
	case err != nil:
		return nil, fmt.Errorf("commercelayer: the customer whose identity it is could not be found out: %w", &quiet{err})
	case customer == "":
		return nil, ErrNoSuchCustomer
	}
	claims := AssertionClaims{Owner: Owner{Type: ownerCustomer, ID: customer}}
	if s.claim != nil {
		claims.CustomClaim = s.claim(id)
	}
	assertion, err := Assertion(claims)
	if err != nil {
		return nil, err
	}
	t, err := s.channel.credentials.JWTBearer(ctx, assertion, nil)
	if err != nil {
		return nil, err
	}
	switch owner, err := ownerOf(t); {
	case err != nil:
		return nil, err
	case owner.ID != customer:
		return nil, errors.New("commercelayer: the service has answered with a token that is not the customer's who signs on: nobody was signed in")
	}
	return t, nil
}

// String names the sales channel's client and the provider.
func (s *SignOn) String() string {
	return fmt.Sprintf("%s, signed on by %q", s.channel.credentials.describe("SignOn"), s.provider)
}

// Format prints what String returns, whatever the verb.
func (s *SignOn) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what String returns.
func (s *SignOn) LogValue() slog.Value { return slog.StringValue(s.String()) }

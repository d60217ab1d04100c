package commercelayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/endpoint"
	"github.com/bearerkit/bearer/verify"
)

// Verifier checks access tokens that others send, such as a storefront in the browser
// that uses js-auth. Make one with [NewVerifier], and give it to
// bearer.MiddlewareOptions. It is safe for concurrent use, needs no closing, and is safe
// to print. Package verify tells about keys, expiry, failure and memory.
type Verifier struct {
	tokens        *verify.Verifier
	organizations []string // nil: any
	options       VerifierOptions
}

var (
	_ bearer.Verifier = (*Verifier)(nil)
	_ bearer.Refuser  = (*Verifier)(nil)
)

// VerifierOptions are the optional settings of a [Verifier]. The zero value is for the
// public service.
type VerifierOptions struct {
	// Organizations are the slugs of further ones whose tokens are admitted.
	Organizations []string

	// UnsafeAnyOrganization admits tokens of every organization. Anybody can have one at
	// the service, and in it a customer and an integration with any rights: the
	// application must then look at Claims.Organization itself, with all that it does.
	UnsafeAnyOrganization bool

	// Users admits tokens of the kinds user and dashboard too. Those that are for no
	// organization are admitted whoever's they are: anybody who has signed up at the
	// service can have one.
	Users bool

	// Admit is what else all tokens have to be, see [All]. A token that is not is refused
	// with 401, as if it were not valid; for what single routes want, see
	// [Verifier.Require]. It is asked when a token is first seen, and its answer is
	// remembered with the token: it must depend on the claims alone. Default: nothing, and
	// tokens of the test mode are let in too; [InLiveMode] keeps them out.
	Admit Requirement

	// Domains are the service's domains whose tokens are accepted, each with a port if it
	// has one. The organizations have to be yours in all of them: somebody else's may
	// have the same slug in another. Default: that of AuthURL, else [DefaultDomain].
	Domains []string

	// AuthURL is the base of the auth host if it is not https://auth.<Domain>, as in
	// [Options]. One that is addressed by IP or as localhost, with the path /auth, is an
	// installation besides Domains, whose tokens are those that were asked for there; any
	// other is that of the first of Domains.
	AuthURL string

	// OldIssuers accepts old tokens of [DefaultDomain] too, which has to be one of
	// Domains: they name https://commercelayer.io as their issuer, or none.
	OldIssuers bool

	// KeySet is the key set of the service, as JSON, if it is not to be fetched: for one
	// domain, since each has keys of its own.
	KeySet []byte

	// Leeway and CacheBytes are as in verify.Options.
	Leeway     time.Duration
	CacheBytes int64

	// Base sends the requests for key sets. Default: http.DefaultTransport.
	Base http.RoundTripper `json:"-"`

	// Logger and Observer hear about key sets, and at level Debug about tokens that are
	// refused. Default: nobody does.
	Logger   *slog.Logger    `json:"-"`
	Observer bearer.Observer `json:"-"`
}

// NewVerifier returns a Verifier of the tokens of one organization, named by its slug:
// those of other organizations are as genuine, and are for somebody else. It sends
// nothing: the key set is asked for when the first token comes. The options may be nil.
func NewVerifier(organization string, opts *VerifierOptions) (*Verifier, error) {
	var o VerifierOptions
	if opts != nil {
		o = *opts
	}
	v := &Verifier{options: o}
	switch {
	case o.UnsafeAnyOrganization && (organization != "" || len(o.Organizations) > 0):
		return nil, errors.New("commercelayer: NewVerifier has an organization, and VerifierOptions.UnsafeAnyOrganization: leave one of them out")
	case !o.UnsafeAnyOrganization:
		v.organizations = append([]string{organization}, o.Organizations...)
		for _, slug := range v.organizations {
			if !isLabel(slug) {
				return nil, fmt.Errorf("commercelayer: NewVerifier needs the organization's slug, such as my-brand of https://my-brand.%s; %q is none", DefaultDomain, slug)
			}
		}
	}
	issuers, err := o.issuers()
	if err != nil {
		return nil, err
	}
	v.tokens, err = verify.New(issuers, &verify.Options{
		Authorize: v.authorize, Leeway: o.Leeway, CacheBytes: o.CacheBytes,
		Base: o.Base, Logger: o.Logger, Observer: o.Observer,
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// places are the installations: where Options would have them.
func (o *VerifierOptions) places() ([]Options, error) {
	if o.AuthURL != "" {
		if _, err := endpoint.Parse(o.AuthURL); err != nil {
			return nil, fmt.Errorf("commercelayer: VerifierOptions.AuthURL %w", err)
		}
	}
	domains := o.Domains
	var all []Options
	switch named, _ := hostsOf(o.AuthURL); {
	case slices.Contains(domains, ""):
		return nil, errors.New("commercelayer: VerifierOptions.Domains has an empty entry: leave it out")
	case named.host != "": // by its address: it is one more
		all = append(all, Options{AuthURL: o.AuthURL})
	case len(domains) == 0:
		all = append(all, Options{AuthURL: o.AuthURL})
	default:
		all = append(all, Options{Domain: domains[0], AuthURL: o.AuthURL})
		domains = domains[1:]
	}
	for _, domain := range domains {
		all = append(all, Options{Domain: domain})
	}
	return all, nil
}

// issuers are the auth hosts of the installations.
func (o *VerifierOptions) issuers() ([]verify.Issuer, error) {
	places, err := o.places()
	if err != nil {
		return nil, err
	}
	if o.KeySet != nil && len(places) > 1 {
		return nil, errors.New("commercelayer: VerifierOptions.KeySet is of one installation, and Domains and AuthURL name several, whose keys must not verify each other's tokens: make a Verifier for each, and join them with verify.Any")
	}
	var all []verify.Issuer
	old := o.OldIssuers
	for _, where := range places {
		h, authURL, err := where.resolve()
		if err != nil {
			return nil, fmt.Errorf("%w (VerifierOptions has it as Domains and AuthURL)", err)
		}
		if h == (hosts{}) {
			return nil, errors.New("commercelayer: VerifierOptions.AuthURL does not tell the issuer of tokens: want https://auth.<domain>, or an IP address or localhost with the path /auth; for a gateway's address set Domains too")
		}
		i := verify.Issuer{Name: h.url("auth"), Algorithms: []string{"RS512"}, Types: []string{"JWT"}, KeySet: o.KeySet}
		if o.KeySet == nil {
			i.KeySetURL = authURL + "/.well-known/jwks.json"
		}
		if old && h.domain == DefaultDomain {
			i.Aliases = []string{"https://" + DefaultDomain, ""}
			old = false
		}
		all = append(all, i)
	}
	if old {
		return nil, errors.New("commercelayer: VerifierOptions.OldIssuers is for tokens of " + DefaultDomain + ", which is none of its Domains: leave it out")
	}
	return all, nil
}

// Verify checks a token: that the service has issued it, to an application of one of the
// five kinds, for one of the organizations, and that it has not expired. Its Owner is the
// customer, if it is a customer's; a user of the dashboard, of whom a webapp's token
// speaks, is none. Its Claims are a *[Claims]. The errors are those of
// verify.Verifier.Verify.
func (v *Verifier) Verify(ctx context.Context, token string) (*bearer.Authorization, error) {
	return v.tokens.Verify(ctx, token)
}

// Claims checks a token as [Verifier.Verify] does, and returns what it says, as a copy.
func (v *Verifier) Claims(ctx context.Context, token string) (*Claims, error) {
	c, err := v.shared(ctx, token)
	if err != nil {
		return nil, err
	}
	return c.clone(), nil
}

// shared returns the claims that all have who bring the token.
func (v *Verifier) shared(ctx context.Context, token string) (*Claims, error) {
	a, err := v.tokens.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	return a.Claims.(*Claims), nil
}

// Refuse makes Verify refuse a token that has been revoked, for a while or, if that is 0,
// until it expires; see verify.Verifier.Refuse.
func (v *Verifier) Refuse(token string, d time.Duration) { v.tokens.Refuse(token, d) }

// Require lets only those requests through whose token is as wanted, that which they
// bring or that of their session: bearer.Require, with its options, which may be nil. The
// tokens of a session that this program has got itself, or has in its storage, are taken at
// their word, as the session takes them; one that the browser keeps is verified, since
// anybody can have made it up.
func (v *Verifier) Require(what Requirement, opts *bearer.RequireOptions) func(http.Handler) http.Handler {
	if what == nil {
		panic("commercelayer: Require needs a Requirement, such as OfCustomer")
	}
	return bearer.Require(func(ctx context.Context, a *bearer.Authorization) error {
		c, err := v.claimsOf(ctx, a)
		if err != nil {
			return err
		}
		return what(c)
	}, opts)
}

// ClaimsOf returns what the token of a session's authorization says, as [Verifier.Require]
// looks at it: the claims are known to be true, and a copy. ctx is that of the session's
// request.
func (v *Verifier) ClaimsOf(ctx context.Context, a *bearer.Authorization) (*Claims, error) {
	c, err := v.claimsOf(ctx, a)
	if err != nil || a.Origin == bearer.OriginGuest || a.Origin == bearer.OriginStorage { // own has just made them
		return c, err
	}
	return c.clone(), nil
}

func (v *Verifier) claimsOf(ctx context.Context, a *bearer.Authorization) (*Claims, error) {
	switch a.Origin {
	case bearer.OriginGuest, bearer.OriginStorage:
		return v.own(a.Token)
	case bearer.OriginCookie:
		return v.carried(ctx, a.Token)
	}
	return v.shared(ctx, a.Token.AccessToken)
}

// own reads a token that has been in nobody else's hands. Whether it is still good is the
// session's to know: it gets another one in time, whatever the clock says, and when the API
// rejects it.
func (v *Verifier) own(t *bearer.Token) (*Claims, error) {
	c, err := DecodeUnverified(t.AccessToken)
	if err != nil {
		return nil, refused(verify.ErrMalformed, "the token's claims are not the service's")
	}
	return c, v.admit(c)
}

// carried verifies a token that the browser keeps. That it has been revoked, or has just
// expired, does not end the session: there is a refresh token for that.
func (v *Verifier) carried(ctx context.Context, t *bearer.Token) (*Claims, error) {
	c, err := v.shared(ctx, t.AccessToken)
	if !errors.Is(err, verify.ErrRefused) && !errors.Is(err, verify.ErrExpired) {
		return c, err
	}
	session, ok := bearer.FromContext(ctx)
	if !ok {
		return nil, err
	}
	if err := session.Storefront().Evict(ctx, t); err != nil {
		return nil, err
	}
	a, err := session.Authorization(ctx)
	if err != nil {
		return nil, err
	}
	return v.shared(ctx, a.Token.AccessToken)
}

// authorize says whom a token speaks for that the service has issued.
func (v *Verifier) authorize(verified *verify.Claims) (*bearer.Authorization, error) {
	c := new(Claims)
	if verified.Decode(c) != nil {
		return nil, refused(verify.ErrMalformed, "the token's claims are not the service's")
	}
	if err := v.admit(c); err != nil {
		return nil, err
	}
	a := &bearer.Authorization{Scope: c.Scope, Claims: c}
	if c.IsCustomer() {
		a.Owner = bearer.Owner{Type: ownerCustomer, ID: c.Owner.ID}
	}
	return a, nil
}

// admit says whether genuine claims are to be let in.
func (v *Verifier) admit(c *Claims) error {
	if err := c.complete(); err != nil {
		return err
	}
	switch {
	case c.ofUser() && !v.options.Users:
		return refused(verify.ErrNotAdmitted, "the token is of a user of the service")
	case c.Organization != nil && v.organizations != nil && !slices.Contains(v.organizations, c.Organization.Slug):
		return refused(verify.ErrNotAdmitted, "the token is for another organization")
	case v.options.Admit == nil:
		return nil
	}
	return v.options.Admit(c)
}

// complete checks that the parts are there without which a token of its kind cannot be
// judged, and that this is a kind that can be.
func (c *Claims) complete() error {
	missing := ""
	organization := !c.ofUser() || c.Organization != nil
	// In an organization the dashboard's token names its user as the owner only.
	ownerAlone := c.IsDashboard() && organization && c.Owner != nil
	switch {
	case c.Application.Kind == "":
		missing = "application.kind"
	case !slices.Contains(kinds, c.Application.Kind):
		return refused(verify.ErrNotAdmitted, "the token is of a kind of application that is unknown here")
	case c.ofUser() && !ownerAlone && (c.User == nil || c.User.ID == ""):
		missing = "user.id"
	case organization && (c.Organization == nil || c.Organization.ID == ""):
		missing = "organization.id"
	case organization && c.Organization.Slug == "":
		missing = "organization.slug"
	case c.Owner != nil && c.Owner.Type == "":
		missing = "owner.type"
	case c.Owner != nil && c.Owner.ID == "":
		missing = "owner.id"
	}
	if missing != "" {
		return refused(verify.ErrMissingClaim, "the token has no "+missing)
	}
	return nil
}

// kinds are those of which it is known what their tokens say.
var kinds = []string{KindSalesChannel, KindIntegration, KindWebapp, KindUser, KindDashboard}

// ofUser reports that the token is a user's of the service, and no application's of an
// organization.
func (c *Claims) ofUser() bool { return c.IsUser() || c.IsDashboard() }

func refused(kind error, detail string) error { return &verify.Error{Kind: kind, Detail: detail} }

// String names the organizations and the issuers.
func (v *Verifier) String() string {
	return fmt.Sprintf("commercelayer.Verifier(%q, %v)", v.organizations, v.tokens)
}

// Format prints what String returns, whatever the verb.
func (v *Verifier) Format(s fmt.State, _ rune) { io.WriteString(s, v.String()) }

// LogValue is what String returns.
func (v *Verifier) LogValue() slog.Value { return slog.StringValue(v.String()) }

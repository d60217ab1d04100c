package commercelayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/observers"
	"github.com/bearerkit/bearer/tokenendpoint"
)

// Credentials are an API client's id and secret, with which it asks for tokens.
// Each method makes one request and keeps nothing. Make them with
// [NewCredentials]; they are safe for concurrent use, and safe to print: the
// secret does not show.
//
// The tokens have an Expiry, and what else was answered as their Extra: scope,
// created_at, owner_id and owner_type. Errors that the service or the network
// caused are *tokenendpoint.Error; any other is a mistake in the arguments, and
// nothing was sent.
type Credentials struct {
	id        string
	hosts     hosts
	authorize string // where users authorize a webapp
	secret    bool   // there is one
	backend   bool   // there is a BackendAuth
	options   Options
	endpoint  *tokenendpoint.Client
	clock     clock
}

// NewCredentials returns the credentials of the API client called id. The secret
// is empty for a sales channel that has none. It sends nothing.
func NewCredentials(id, secret string, opts *Options) (*Credentials, error) {
	c := &Credentials{id: id, secret: secret != "", options: opts.withDefaults()}
	if id == "" || strings.TrimSpace(id) != id {
		return nil, errors.New("commercelayer: the client id is empty or has spaces around it: pass that of the API credentials")
	}
	if strings.TrimSpace(secret) != secret {
		return nil, errors.New("commercelayer: the client secret has spaces or line breaks around it: trim it")
	}
	if err := c.options.validate(); err != nil {
		return nil, err
	}
	var authURL string
	var err error
	if c.hosts, authURL, err = c.options.resolve(); err != nil {
		return nil, err
	}
	c.authorize = c.hosts.url("dashboard") + "/oauth/authorize"
	if c.options.AuthURL != "" {
		c.authorize = authURL + "/oauth/authorize"
	}
	header := http.Header{}
	if c.options.BackendAuth != "" {
		header.Set("X-Backend-Auth", c.options.BackendAuth)
	}
	c.endpoint, err = tokenendpoint.New(authURL+"/oauth/token", &tokenendpoint.Options{
		ClientID:     id,
		ClientSecret: secret,
		Encoding:     tokenendpoint.JSON,
		RevokeURL:    authURL + "/oauth/revoke",
		Header:       header,
		Base:         c.options.Base,
		Timeout:      c.options.Timeout,
		RateLimit:    c.options.RateLimit,
		Logger:       c.options.Logger,
	})
	if err != nil {
		// What is left that can be wrong is the address.
		return nil, errors.New("commercelayer: Options.AuthURL: " + strings.TrimPrefix(err.Error(), "tokenendpoint: "))
	}
	if c.hosts == (hosts{}) {
		// Its tokens would go to the public service's hosts, a guess.
		return nil, errors.New("commercelayer: Options.AuthURL does not tell the domain of the API: set Options.Domain, or use https://auth.<domain>, or an IP address with the path /auth")
	}
	// Not kept where it is not needed: somebody else's struct may print this one.
	c.backend, c.options.BackendAuth, c.options.ClientSecret = c.options.BackendAuth != "", "", ""
	return c, nil
}

// GrantOptions refines one grant. The zero value is what most need.
type GrantOptions struct {
	// Scope is asked for instead of Options.Scope.
	Scope string
	// ClientIP is the shopper's address, if it is not in the context; see
	// [WithClientIP].
	ClientIP netip.Addr
	// Public leaves the client secret out, as a sales channel does that has one
	// but refreshes a customer's token. Password never sends it.
	Public bool
}

// ClientCredentials asks for a token of the client's own: a sales channel's
// guest, or an integration. As such tokens are shared, an address in ctx is not
// sent with it.
func (c *Credentials) ClientCredentials(ctx context.Context, opts *GrantOptions) (*bearer.Token, error) {
	return c.token(withoutClientIP(ctx), tokenendpoint.ClientCredentials, nil, opts)
}

// Password asks for the token of a customer. The request is not sent again once
// the service may have acted on it.
func (c *Credentials) Password(ctx context.Context, email, password string, opts *GrantOptions) (*bearer.Token, error) {
	if email == "" || password == "" {
		return nil, errors.New("commercelayer: the password grant needs an email address and a password")
	}
	var o GrantOptions
	if opts != nil {
		o = *opts
	}
	o.Public = true
	return c.token(ctx, tokenendpoint.Password, url.Values{"username": {email}, "password": {password}}, &o)
}

// RefreshToken spends refreshToken for a new access token and, most times, a new
// refresh token. The scope must be that of the token. The request is not sent
// again once the service may have acted on it: look at MayHaveActed of the error
// to know whether refreshToken may be spent.
func (c *Credentials) RefreshToken(ctx context.Context, refreshToken string, opts *GrantOptions) (*bearer.Token, error) {
	if refreshToken == "" {
		return nil, errors.New("commercelayer: the refresh token is empty: sign in again")
	}
	return c.token(ctx, tokenendpoint.RefreshToken, url.Values{"refresh_token": {refreshToken}}, opts)
}

// AuthorizationCode asks for the token of a user who has authorized a webapp.
// redirectURI is the one that the user came back to.
func (c *Credentials) AuthorizationCode(ctx context.Context, code, redirectURI string, opts *GrantOptions) (*bearer.Token, error) {
	switch {
	case code == "" || redirectURI == "":
		return nil, errors.New("commercelayer: the authorization_code grant needs the code and the redirect URI that the user came back to")
	case !c.secret:
		return nil, errors.New("commercelayer: the authorization_code grant needs the client secret of a webapp")
	}
	return c.token(ctx, tokenendpoint.AuthorizationCode, url.Values{"code": {code}, "redirect_uri": {redirectURI}}, opts)
}

// JWTBearer asks for a token with an assertion, made by [Assertion].
func (c *Credentials) JWTBearer(ctx context.Context, assertion string, opts *GrantOptions) (*bearer.Token, error) {
	switch {
	case assertion == "":
		return nil, errors.New("commercelayer: the assertion is empty: make one with Assertion")
	case !c.secret:
		return nil, errors.New("commercelayer: the JWT bearer grant needs the client secret: pass it to NewCredentials")
	}
	return c.token(ctx, tokenendpoint.JWTBearer, url.Values{"assertion": {assertion}}, opts)
}

// token makes one grant.
func (c *Credentials) token(ctx context.Context, grantType string, params url.Values, opts *GrantOptions) (*bearer.Token, error) {
	var o GrantOptions
	if opts != nil {
		o = *opts
	}
	if o.Scope == "" {
		o.Scope = c.options.Scope
	}
	if params == nil {
		params = url.Values{}
	}
	params.Set("scope", o.Scope)
	header, key := c.shopper(ctx, o.ClientIP)
	r, err := c.endpoint.Token(ctx, tokenendpoint.Grant{Type: grantType, Params: params, Header: header, Public: o.Public, LimitKey: key})
	if err != nil {
		return nil, err
	}
	if off, ok := c.clock.off(r, time.Now()); ok {
		observers.Join(c.options.Logger, c.options.Observer)(ctx, ClockOff{Host: c.hosts.url("auth"), By: off})
	}
	r.Token.Expiry = expiry(r)
	return r.Token, nil
}

// RevokeOptions refines a revocation. The zero value is what most need.
type RevokeOptions struct {
	// Public leaves the client secret out, which a sales channel's customer tokens
	// do not need.
	Public bool
	// ClientIP is as in [GrantOptions].
	ClientIP netip.Addr
}

// Revoke takes an access or refresh token back, at once and at the configured
// auth host, whatever the token says. It may be called twice for one token.
func (c *Credentials) Revoke(ctx context.Context, token string, opts *RevokeOptions) error {
	if token == "" {
		return errors.New("commercelayer: there is no token to revoke")
	}
	var o RevokeOptions
	if opts != nil {
		o = *opts
	}
	header, key := c.shopper(ctx, o.ClientIP)
	return c.endpoint.Revoke(ctx, token, &tokenendpoint.RevokeOptions{Public: o.Public, Header: header, LimitKey: key})
}

// String names the client and where its tokens come from.
func (c *Credentials) String() string { return c.describe("Credentials") }

// Format prints what String returns, whatever the verb.
func (c *Credentials) Format(s fmt.State, _ rune) { io.WriteString(s, c.String()) }

// LogValue is what String returns.
func (c *Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c *Credentials) describe(kind string) string {
	return fmt.Sprintf("commercelayer.%s{ClientID: %q, Auth: %q}", kind, c.id, c.hosts.url("auth"))
}

package tokenendpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/bearerkit/bearer/internal/retryafter"
)

// Client asks one token endpoint, as one OAuth 2.0 client. Make one with [New];
// it is safe for concurrent use and needs no closing. It is safe to print: the
// secret does not show.
type Client struct {
	options *Options // a pointer also hides it in a struct of somebody else's that is printed
	token   address
	revoke  address // zero: none
}

// New returns a Client for the endpoint at tokenURL, which must be https, or
// http on the loopback host. It sends nothing.
func New(tokenURL string, opts *Options) (*Client, error) {
	o := opts.withDefaults()
	c := &Client{options: &o}
	if err := c.options.validate(); err != nil {
		return nil, err
	}
	var err error
	if c.token, err = parseEndpoint("token URL", tokenURL); err != nil {
		return nil, err
	}
	if c.options.RevokeURL != "" {
		if c.revoke, err = parseEndpoint("Options.RevokeURL", c.options.RevokeURL); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Token asks for a token. A failed exchange is an [*Error]; any other error is
// a mistake in g, and nothing was sent.
func (c *Client) Token(ctx context.Context, g Grant) (*Response, error) {
	if err := g.validate(); err != nil {
		return nil, err
	}
	params := nonEmpty(g.Params)
	params.Set("grant_type", g.Type)
	m, err := c.options.message(params, g.Header, g.Public)
	if err != nil {
		return nil, err
	}
	var r *Response
	x := &exchange{
		options:    c.options,
		address:    c.token,
		action:     g.name(),
		replayable: g.replayable(),
		limitKey:   g.LimitKey,
		secrets:    m.secrets,
		accept: func(body []byte, h http.Header, sent time.Time) (problem string) {
			if r, problem = parseResponse(body, sent); problem == "" {
				r.ServerDate = retryafter.ServerDate(h)
			}
			return problem
		},
	}
	if e := x.do(ctx, m); e != nil {
		return nil, e
	}
	if r.Token.RefreshToken == "" && g.Type == RefreshToken {
		r.Token.RefreshToken = params.Get("refresh_token")
	}
	return r, nil
}

// RevokeOptions refines a revocation. The zero value is what most need. It is
// safe to print: the headers do not show.
type RevokeOptions struct {
	// TypeHint is the token_type_hint: access_token or refresh_token.
	TypeHint string
	// Public, Header and LimitKey are as in [Grant].
	Public   bool
	Header   http.Header `json:"-"`
	LimitKey string
}

// String names the hint.
func (o RevokeOptions) String() string {
	return fmt.Sprintf("tokenendpoint.RevokeOptions{TypeHint: %q}", o.TypeHint)
}

// Format prints what String returns, whatever the verb.
func (o RevokeOptions) Format(s fmt.State, _ rune) { io.WriteString(s, o.String()) }

// LogValue is what String returns.
func (o RevokeOptions) LogValue() slog.Value { return slog.StringValue(o.String()) }

// Revoke takes token back, an access or a refresh token (RFC 7009), at
// Options.RevokeURL. It may be called twice for one token.
func (c *Client) Revoke(ctx context.Context, token string, opts *RevokeOptions) error {
	if c.revoke.url == "" {
		return errors.New("tokenendpoint: cannot revoke: set Options.RevokeURL")
	}
	if token == "" {
		return errors.New("tokenendpoint: cannot revoke an empty token: pass an access or refresh token")
	}
	var o RevokeOptions
	if opts != nil {
		o = *opts
	}
	if err := checkHeader("RevokeOptions.Header", o.Header); err != nil {
		return err
	}
	m, err := c.options.message(url.Values{"token": {token}, "token_type_hint": {o.TypeHint}}, o.Header, o.Public)
	if err != nil {
		return err
	}
	x := &exchange{
		options:    c.options,
		address:    c.revoke,
		action:     "revocation",
		replayable: true,
		limitKey:   o.LimitKey,
		secrets:    m.secrets,
		// The status says all (RFC 7009 §2.2).
		accept: func([]byte, http.Header, time.Time) string { return "" },
	}
	if e := x.do(ctx, m); e != nil {
		return e
	}
	return nil
}

// String names the endpoint's host and the client.
func (c *Client) String() string {
	return fmt.Sprintf("tokenendpoint.Client{Host: %q, ClientID: %q}", c.token.host, c.options.ClientID)
}

// Format prints what String returns, whatever the verb.
func (c *Client) Format(s fmt.State, _ rune) { io.WriteString(s, c.String()) }

// LogValue is what String returns.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

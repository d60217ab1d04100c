package commercelayer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"

	"github.com/bearerkit/bearer"
)

// Integration is a client of the Core API that speaks for itself: a background
// job, a webhook receiver. It keeps one token, shared by all. Make one with
// [NewIntegration]; it is safe for concurrent use, needs no closing, and is safe
// to print.
//
// It is a bearer.ContextTokenSource and bearer.Evicter, for a bearer.Transport of
// your own; most use [Integration.Client].
type Integration struct {
	credentials *Credentials
	source      *bearer.Source
	transport   *bearer.Transport
}

var (
	_ bearer.ContextTokenSource = (*Integration)(nil)
	_ bearer.Evicter            = (*Integration)(nil)
)

// NewIntegration returns the integration with this client id and secret. It sends
// nothing: the first token is asked for when it is needed.
func NewIntegration(id, secret string, opts *Options) (*Integration, error) {
	if id == "" || secret == "" {
		return nil, errors.New("commercelayer: an integration needs its client id and client secret: pass those of the API credentials")
	}
	c, err := NewCredentials(id, secret, opts)
	if err != nil {
		return nil, err
	}
	o := c.sourceOptions("integration")
	if err := c.keep(o, "cl_guest-"); err != nil {
		return nil, err
	}
	o.Accept = c.speaksForItself
	i := &Integration{credentials: c}
	i.source = bearer.NewSource(func(ctx context.Context) (*bearer.Token, error) {
		return c.ClientCredentials(ctx, nil)
	}, o)
	i.transport = c.transport(i)
	return i, nil
}

// sourceOptions is what the sources of c have in common.
func (c *Credentials) sourceOptions(kind string) *bearer.SourceOptions {
	return &bearer.SourceOptions{
		Name:         kind + " " + c.id,
		Initial:      restored(c.options.Initial),
		OnChange:     c.options.OnChange,
		RefreshAhead: refreshAhead,
		FetchTimeout: c.options.Timeout,
		Logger:       c.options.Logger,
		Observer:     c.options.Observer,
	}
}

// transport sends requests with tokens of src, to hosts of c's installation only.
func (c *Credentials) transport(src bearer.TokenSource) *bearer.Transport {
	return &bearer.Transport{
		Source:   src,
		Base:     c.options.Base,
		Origins:  append(slices.Clone(c.options.Origins), c.hosts.origin()),
		Logger:   c.options.Logger,
		Observer: c.options.Observer,
	}
}

// Client returns an HTTP client whose requests to the service's hosts carry the
// token; requests to any other host carry none. Its connections are those of
// Options.Base.
func (i *Integration) Client() *http.Client { return &http.Client{Transport: i.transport} }

// Token returns a copy of the token; see [Integration.TokenContext].
func (i *Integration) Token() (*bearer.Token, error) { return i.source.Token() }

// TokenContext returns the token, which is shared and must not be modified. It
// asks for one if there is none, and waits until ctx ends at the latest.
func (i *Integration) TokenContext(ctx context.Context) (*bearer.Token, error) {
	return i.source.TokenContext(ctx)
}

// Evict forgets the token if it is rejected, one that a server did not accept.
func (i *Integration) Evict(ctx context.Context, rejected *bearer.Token) error {
	return i.source.Evict(ctx, rejected)
}

// CoreAPIURL is the base of the organization's Core API, such as
// https://my-brand.commercelayer.io, without /api. It asks for a token if there is
// none. An address outside of the configured domain is an error.
func (i *Integration) CoreAPIURL(ctx context.Context) (string, error) {
	return i.credentials.coreAPIURL(ctx, i)
}

func (c *Credentials) coreAPIURL(ctx context.Context, src bearer.ContextTokenSource) (string, error) {
	t, err := src.TokenContext(ctx)
	if err != nil {
		return "", err
	}
	claims, err := DecodeUnverified(t.AccessToken)
	if err != nil {
		return "", err
	}
	address, err := claims.CoreAPIURL()
	if err != nil {
		return "", err
	}
	if want := c.hosts.url(claims.Organization.Slug); address != want {
		return "", fmt.Errorf("commercelayer: the token was issued by another installation, or under another name, than %s: check Options.Domain and AuthURL, and that no program with others shares the Storage", c.hosts.url("auth"))
	}
	return address, nil
}

// RemoveAuthorization forgets the token, in Options.Storage too; the next request
// asks for one. As the service gives a running token back, that is often the same.
// An error says that the storage has not forgotten it.
func (i *Integration) RemoveAuthorization(ctx context.Context) error {
	_, err := i.source.Remove(ctx)
	return err
}

// RevokeAuthorization forgets the token, in Options.Storage too, then takes it back
// at the auth host, so that nobody can use it any more. Without a token it does
// nothing. If the revocation or the storage fails the rest is done all the same.
func (i *Integration) RevokeAuthorization(ctx context.Context) error {
	t, err := i.source.Remove(ctx)
	if t == nil || t.AccessToken == "" {
		return err
	}
	return errors.Join(err, i.credentials.Revoke(withoutClientIP(ctx), t.AccessToken, nil))
}

// String names the client and where its tokens come from.
func (i *Integration) String() string { return i.credentials.describe("Integration") }

// Format prints what String returns, whatever the verb.
func (i *Integration) Format(s fmt.State, _ rune) { io.WriteString(s, i.String()) }

// LogValue is what String returns.
func (i *Integration) LogValue() slog.Value { return slog.StringValue(i.String()) }

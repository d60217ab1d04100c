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
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/tokenendpoint"
)

// DefaultDomain is the domain of the public service.
const DefaultDomain = "commercelayer.io"

// refreshAhead lies just within the 15 minutes in which the service issues
// another token; before that it gives the same one back.
const refreshAhead = 14 * time.Minute

// sharedLimit is for those who share the default transport, and so the address
// by which the service counts.
var sharedLimit tokenendpoint.RateLimit

// Options configures [Credentials], [Integration], [SalesChannel], [SingleCustomer] and
// [Webapp]. The zero value is for the public service. It is safe to print: no secret shows.
type Options struct {
	// Domain is the service's domain, with a port if it has one. Its hosts are
	// auth.<Domain> and <organization>.<Domain>. Default: that of AuthURL, else
	// [DefaultDomain]. Required if AuthURL is neither auth.<domain> nor an IP
	// address or localhost with the path /auth.
	Domain string
	// AuthURL is the base of the auth host if it is not https://auth.<Domain>: for
	// example http://127.0.0.1:8080/auth, the local stand-in addressed by IP.
	// Plain http is for the loopback host only.
	AuthURL string
	// Scope is the scope to ask for, such as "market:id:xYZkjABcde"; see [Scope].
	// Empty: the service's own default, market:all.
	Scope string
	// Origins are origins that a Client's token may go to besides the domain's
	// hosts, such as a gateway's: "https://api.example.com".
	Origins []string
	// Base sends the requests, those for tokens and those of a Client. Default:
	// http.DefaultTransport.
	Base http.RoundTripper `json:"-"`
	// BackendAuth is the secret of the header x-backend-auth (enterprise plans).
	BackendAuth string `json:"-"`
	// Timeout limits a token request with its retries. Default: 30 s.
	Timeout time.Duration
	// RateLimit remembers 429s; see package tokenendpoint. Default: one that all
	// share whose Base is nil, else one of its own.
	RateLimit *tokenendpoint.RateLimit `json:"-"`
	// Storage keeps the token of an Integration or a Webapp, and the guests' of a
	// SalesChannel, for other processes and for later runs. If it is a bearer.Locker
	// all processes together make one request. What is in it is what js-auth keeps,
	// under the same keys, such as "cl_guest-<client id>-market:all"; a Webapp's is
	// under "cl_webapp-<client id>-<scope>", and one of several users' authorizations
	// needs a storage of its own, or a prefix. If it fails, they go on without. Default:
	// none, the token is kept in memory.
	Storage bearer.Storage `json:"-"`
	// Initial is the token to start from, saved by OnChange in an earlier run.
	// Integration and Webapp only.
	Initial *bearer.Token `json:"-"`
	// OnChange saves each new token, before it is handed out; see
	// bearer.SourceOptions. A Webapp's holds the refresh token, without which a user
	// has to authorize it again; a token that Exchange has replaced meanwhile is not
	// saved. Integration and Webapp only.
	OnChange func(ctx context.Context, t *bearer.Token) error `json:"-"`
	// ClientSecret is the secret of a sales channel that signs customers in by
	// assertions; most have none. SalesChannel and SingleCustomer only.
	ClientSecret string `json:"-"`
	// Customers keeps the customers' tokens, apart from the guests'. Several processes
	// that serve one shop share one. Default: Storage, which has to be able to compare
	// and swap then; without a Storage, a memstore of its own, which forgets all at the
	// program's end. SalesChannel and SingleCustomer only.
	Customers bearer.CompareAndSwapper `json:"-"`
	// OnLogin is called when a customer has signed in; see
	// bearer.StorefrontOptions. SalesChannel only.
	OnLogin func(ctx context.Context, guest, customer *bearer.Authorization) `json:"-"`
	// TrustedProxies are the addresses of the proxies that requests come through,
	// whose X-Forwarded-For is believed. Default: none, and the address of the
	// connection is the visitor's. It matters only with BackendAuth. SalesChannel
	// only.
	TrustedProxies []netip.Prefix
	// Logger and Observer hear what happens to tokens. Default: nobody does.
	Logger   *slog.Logger    `json:"-"`
	Observer bearer.Observer `json:"-"`
}

func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	r.Origins = slices.Clone(r.Origins)
	r.TrustedProxies = slices.Clone(r.TrustedProxies)
	if r.RateLimit == nil {
		if r.Base == nil {
			r.RateLimit = &sharedLimit
		} else {
			r.RateLimit = new(tokenendpoint.RateLimit)
		}
	}
	return r
}

func (o *Options) validate() error {
	if strings.ContainsFunc(o.Scope, func(c rune) bool { return c < ' ' || c >= 0x7f }) || strings.TrimSpace(o.Scope) != o.Scope {
		return errors.New("commercelayer: Options.Scope has spaces around it or characters that no scope has: build it with Scope")
	}
	if strings.TrimSpace(o.BackendAuth) != o.BackendAuth || strings.ContainsFunc(o.BackendAuth, unicode.IsControl) {
		return errors.New("commercelayer: Options.BackendAuth has spaces around it or control characters: trim it")
	}
	if o.Timeout < 0 {
		return errors.New("commercelayer: Options.Timeout is negative: leave it 0 for 30 s")
	}
	for _, origin := range o.Origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("commercelayer: Options.Origins has an entry that is not an origin: want https://host")
		}
	}
	return nil
}

// String names the addresses; secrets do not show.
func (o Options) String() string {
	return fmt.Sprintf("commercelayer.Options{Domain: %q, Scope: %q}", o.Domain, o.Scope)
}

// Format prints what String returns, whatever the verb.
func (o Options) Format(s fmt.State, _ rune) { io.WriteString(s, o.String()) }

// LogValue is what String returns.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

package tokenendpoint

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bearerkit/bearer/internal/endpoint"
)

// AuthStyle is the way in which a client presents its secret.
type AuthStyle int

const (
	// InBody puts client_id and client_secret into the body.
	InBody AuthStyle = iota
	// InHeader sends both as HTTP Basic, each form-encoded first, as RFC 6749
	// §2.3.1 has it.
	InHeader
)

// Encoding is the form of a request's body.
type Encoding int

const (
	// Form is application/x-www-form-urlencoded, as RFC 6749 has it.
	Form Encoding = iota
	// JSON is one object whose members are the parameters.
	JSON
)

const (
	defaultTimeout = 30 * time.Second
	defaultRetries = 2
	maxRetries     = 10
)

// Options configures a [Client]. Only ClientID is required. It is safe to
// print: the secret and the headers do not show.
type Options struct {
	// ClientID names the client. Required.
	ClientID string
	// ClientSecret authenticates it. Empty: a public client.
	ClientSecret string `json:"-"`
	// AuthStyle says where the secret goes. Default: InBody.
	AuthStyle AuthStyle
	// Encoding is the form of the body. Default: Form.
	Encoding Encoding
	// RevokeURL is the revocation endpoint (RFC 7009), under the same rules as
	// the token URL. Empty: Revoke reports an error.
	RevokeURL string
	// Header holds further headers for each request. Their values are treated
	// as secrets. Those that the package itself sets are refused.
	Header http.Header `json:"-"`
	// Base sends the requests. Default: http.DefaultTransport, and for plain http
	// one like it that uses no proxy and connects to loopback addresses only. A
	// Base of one's own has to see to that itself; one that follows redirects or
	// sends requests again undoes what the package promises.
	Base http.RoundTripper `json:"-"`
	// Timeout limits one call, all its attempts and pauses included. Default:
	// 30 s. A request that may be sent again gets an equal share of it for each
	// attempt (10 s by default), any other the whole.
	Timeout time.Duration
	// MaxRetries is how often a request is sent again at most: up to 10.
	// Default: 2. Negative: never.
	MaxRetries int
	// RateLimit remembers the endpoint's 429s. Default: one of the Client's own.
	RateLimit *RateLimit `json:"-"`
	// Logger hears of retries (Debug) and of pauses after a 429 (Warn). Default:
	// nothing is logged.
	Logger *slog.Logger `json:"-"`
}

func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	r.Header = canonical(r.Header)
	if r.Base == nil {
		r.Base = endpoint.Base()
	}
	if r.Timeout == 0 {
		r.Timeout = defaultTimeout
	}
	switch {
	case r.MaxRetries == 0:
		r.MaxRetries = defaultRetries
	case r.MaxRetries < 0:
		r.MaxRetries = 0
	}
	if r.RateLimit == nil {
		r.RateLimit = new(RateLimit)
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	return r
}

func (o *Options) validate() error {
	switch {
	case o.ClientID == "":
		return errors.New("tokenendpoint: Options.ClientID is empty: set the client's id")
	case o.AuthStyle != InBody && o.AuthStyle != InHeader:
		return errors.New("tokenendpoint: Options.AuthStyle is unknown: use InBody or InHeader")
	case o.AuthStyle == InHeader && o.ClientSecret == "":
		return errors.New("tokenendpoint: Options.AuthStyle is InHeader but ClientSecret is empty: a public client sends its id InBody")
	case o.Encoding != Form && o.Encoding != JSON:
		return errors.New("tokenendpoint: Options.Encoding is unknown: use Form or JSON")
	case o.Timeout < 0:
		return errors.New("tokenendpoint: Options.Timeout is negative: leave it 0 for 30 s")
	case o.MaxRetries > maxRetries:
		return fmt.Errorf("tokenendpoint: Options.MaxRetries is over %d: an endpoint that needs more is down", maxRetries)
	}
	return checkHeader("Options.Header", o.Header)
}

// String names the client; the secret and the headers do not show.
func (o Options) String() string {
	return fmt.Sprintf("tokenendpoint.Options{ClientID: %q}", o.ClientID)
}

// Format prints what String returns, whatever the verb.
func (o Options) Format(s fmt.State, _ rune) { io.WriteString(s, o.String()) }

// LogValue is what String returns.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// address is one that secrets may be sent to.
type address struct {
	url  string
	host string
}

func parseEndpoint(name, raw string) (address, error) {
	u, err := endpoint.Parse(raw)
	if err != nil {
		return address{}, fmt.Errorf("tokenendpoint: the %s %w", name, err)
	}
	return address{url: u.String(), host: u.Host}, nil
}

// reserved lists the headers that the package sets, and those that would
// change what becomes of a request: with an Idempotency-Key net/http sends a
// POST again by itself.
var reserved = []string{
	"Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie",
	"Expect", "Host", "Idempotency-Key", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "X-Idempotency-Key",
}

func checkHeader(field string, h http.Header) error {
	for name, values := range h {
		if name == "" || strings.ContainsFunc(name, notHeaderName) {
			return fmt.Errorf("tokenendpoint: %s has a name that is not a header's: use letters, digits and hyphens", field)
		}
		for _, r := range reserved {
			if http.CanonicalHeaderKey(name) == r {
				return fmt.Errorf("tokenendpoint: %s sets %s, which is not for callers to set: remove it", field, r)
			}
		}
		for _, v := range values {
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return fmt.Errorf("tokenendpoint: %s has a control character in %s: remove it (a line break at the end of a file?)", field, name)
			}
		}
	}
	return nil
}

func notHeaderName(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
}

func canonical(h http.Header) http.Header {
	c := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			c.Add(name, v)
		}
	}
	return c
}

package verify

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/endpoint"
)

// Issuer is one whose tokens are accepted.
type Issuer struct {
	// Name is the claim iss of its tokens, to the letter: usually
	// https://auth.example.com.
	Name string

	// Aliases are other values of iss that this issuer's tokens may have; "" is for
	// tokens that have none. Each may be only one issuer's.
	Aliases []string

	// KeySetURL is where its key set is (RFC 7517 §5): https, or http on the loopback
	// host. Redirects are followed within the origin only.
	KeySetURL string

	// KeySet is the key set itself, as JSON, in place of KeySetURL.
	KeySet []byte

	// Algorithms are those that its tokens are signed by, of RS256, RS384, RS512, PS256,
	// PS384, PS512, ES256, ES384, ES512 and EdDSA (RFC 7518 §3.1, RFC 8037 §3.1).
	Algorithms []string

	// Audience is who the token has to be for: one of these must be in its claim aud. If
	// empty, a token that has an aud is refused, since it is for somebody else (RFC 7519
	// §4.1.3).
	Audience []string

	// Types are the values of the header's typ, in any case and without "application/"
	// before them; "" is for tokens without one. Default: "", "JWT" and "at+jwt" (RFC
	// 9068 §2.1). Narrow it where the issuer signs other things than access tokens too.
	Types []string
}

// Options are the optional settings of a [Verifier]. The zero value is ready to use.
type Options struct {
	// Authorize says whom a token speaks for that is right otherwise; its Token and
	// Claims may be left nil. An error refuses the token, preferably an *Error with
	// ErrNotAdmitted or ErrMissingClaim. It is called when a token is seen for the first
	// time, or is remembered no longer, and not for each request; its answer is shared: it
	// must depend on the claims alone, and do nothing that takes long. Default: nobody,
	// which is a guest, with the token's scope.
	Authorize func(*Claims) (*bearer.Authorization, error)

	// Leeway is by how much the issuer's clock may be ahead of ours, for nbf and iat.
	// Default: one minute. At most five; negative: none.
	Leeway time.Duration

	// CacheBytes bounds what is remembered of tokens that have been found good.
	// Default: 16 MiB, some thousands of tokens. Negative: none is remembered.
	CacheBytes int64

	// Base sends the requests for key sets. Default: http.DefaultTransport.
	Base http.RoundTripper `json:"-"`

	// Logger and Observer hear about key sets, see [KeysFetched] and [KeysFailed], and
	// about tokens that are refused, see [TokenRefused]. Like all observers they must not
	// panic: key sets are fetched in goroutines of their own. Default: nobody does.
	Logger   *slog.Logger    `json:"-"`
	Observer bearer.Observer `json:"-"`
}

const (
	defaultLeeway = time.Minute
	maxLeeway     = 5 * time.Minute
	defaultCache  = 16 << 20
)

func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Authorize == nil {
		r.Authorize = func(c *Claims) (*bearer.Authorization, error) {
			return &bearer.Authorization{Scope: c.Scope}, nil
		}
	}
	switch {
	case r.Leeway == 0:
		r.Leeway = defaultLeeway
	case r.Leeway < 0:
		r.Leeway = 0
	}
	if r.CacheBytes == 0 {
		r.CacheBytes = defaultCache
	}
	if r.Base == nil {
		r.Base = endpoint.Base()
	}
	return r
}

func (o *Options) validate() error {
	if o.Leeway > maxLeeway {
		return errors.New("verify: Options.Leeway is over 5 minutes: set the clocks instead")
	}
	return nil
}

func (i *Issuer) withDefaults() Issuer {
	r := *i
	r.Aliases, r.Algorithms, r.Audience = slices.Clone(r.Aliases), slices.Clone(r.Algorithms), slices.Clone(r.Audience)
	if r.Types == nil {
		r.Types = []string{"", "jwt", "at+jwt"}
	}
	r.Types = slices.Clone(r.Types)
	for n, t := range r.Types {
		r.Types[n] = mediaType(t)
	}
	return r
}

func (i *Issuer) validate() error {
	if i.Name == "" {
		return errors.New("verify: an Issuer has no Name: set it to what its tokens have in the claim iss")
	}
	if len(i.Algorithms) == 0 {
		return fmt.Errorf("verify: the issuer %q has no Algorithms: name the one that it signs by, such as RS256", i.Name)
	}
	for _, alg := range i.Algorithms {
		if !slices.Contains(asymmetric, alg) {
			return fmt.Errorf("verify: the issuer %q has the algorithm %q, which is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA", i.Name, alg)
		}
	}
	if slices.Contains(i.Audience, "") {
		return fmt.Errorf("verify: the issuer %q has an Audience that is empty: set it to what the claim aud names this service", i.Name)
	}
	if i.Types != nil && len(i.Types) == 0 {
		return fmt.Errorf("verify: the issuer %q has Types without any, so that no token would do: leave it nil, or name them", i.Name)
	}
	if (i.KeySetURL == "") == (i.KeySet == nil) {
		return fmt.Errorf("verify: the issuer %q needs either a KeySetURL or a KeySet: set one of them, and not both", i.Name)
	}
	return nil
}

// mediaType is how typ is compared (RFC 7515 §4.1.9).
func mediaType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

package commercelayer_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
)

func TestVerifierIssuers(t *testing.T) {
	type options = commercelayer.VerifierOptions
	const public, old = "https://auth.commercelayer.io", "https://commercelayer.io"
	none := claimSet{"iss": nil}
	tests := []struct {
		name    string
		opts    options
		changes claimSet
		want    error
	}{
		{"public", options{}, nil, nil},
		{"another domain's", options{}, claimSet{"iss": "https://auth.commercelayer.co"}, verify.ErrIssuer},
		{"plain http", options{}, claimSet{"iss": "http://auth.commercelayer.io"}, verify.ErrIssuer},
		{"an organization's host", options{}, claimSet{"iss": "https://local-shop.commercelayer.io"}, verify.ErrIssuer},
		{"old", options{}, claimSet{"iss": old}, verify.ErrIssuer},
		{"none", options{}, none, verify.ErrMissingClaim},
		{"empty", options{}, claimSet{"iss": ""}, verify.ErrMissingClaim},
		{"old, accepted", options{OldIssuers: true}, claimSet{"iss": old}, nil},
		{"old by plain http", options{OldIssuers: true}, claimSet{"iss": "http://commercelayer.io"}, verify.ErrIssuer},
		{"old with a slash", options{OldIssuers: true}, claimSet{"iss": old + "/"}, verify.ErrIssuer},
		{"none, accepted", options{OldIssuers: true}, none, nil},
		{"new beside old", options{OldIssuers: true}, nil, nil},
		{"neither", options{OldIssuers: true}, claimSet{"iss": "https://commercelayer.co"}, verify.ErrIssuer},
		{"old of another organization", options{OldIssuers: true}, claimSet{"iss": old, "organization": claimSet{"id": "org2", "slug": "x"}}, verify.ErrNotAdmitted},
		{"first of several domains", options{Domains: []string{"commercelayer.co", "commercelayer.io"}}, claimSet{"iss": "https://auth.commercelayer.co"}, nil},
		{"second of several domains", options{Domains: []string{"commercelayer.co", "commercelayer.io"}}, nil, nil},
		{"none of several domains", options{Domains: []string{"commercelayer.co", "commercelayer.dev"}}, nil, verify.ErrIssuer},
		{"old, of several domains", options{Domains: []string{"commercelayer.co", "commercelayer.io"}, OldIssuers: true}, none, nil},
		{"domain in capitals", options{Domains: []string{"CommerceLayer.IO:443"}, OldIssuers: true}, none, nil},
		{"domain with a port", options{Domains: []string{"localhost:8443"}}, claimSet{"iss": "https://auth.localhost:8443"}, nil},
		{"domain without its port", options{Domains: []string{"localhost:8443"}}, claimSet{"iss": "https://auth.localhost"}, verify.ErrIssuer},
		{"AuthURL's domain", options{AuthURL: "https://auth.commercelayer.co/"}, claimSet{"iss": "https://auth.commercelayer.co"}, nil},
		{"AuthURL's domain alone", options{AuthURL: "https://auth.commercelayer.co"}, nil, verify.ErrIssuer},
		{"AuthURL by IP", options{AuthURL: "http://127.0.0.1:8080/auth"}, claimSet{"iss": "http://127.0.0.1:8080/auth"}, nil},
		{"AuthURL by IP, besides a domain", options{AuthURL: "http://127.0.0.1:8080/auth", Domains: []string{"localhost:8080"}}, claimSet{"iss": "http://127.0.0.1:8080/auth"}, nil},
		{"a domain, besides AuthURL by IP", options{AuthURL: "http://127.0.0.1:8080/auth", Domains: []string{"localhost:8080"}}, claimSet{"iss": "https://auth.localhost:8080"}, nil},
		{"AuthURL by IP, another port", options{AuthURL: "http://127.0.0.1:8080/auth"}, claimSet{"iss": "http://127.0.0.1:8081/auth"}, verify.ErrIssuer},
		{"AuthURL of a gateway", options{AuthURL: "https://gateway.example/cl", Domains: []string{"commercelayer.io"}}, claimSet{"iss": public}, nil},
		{"AuthURL of a gateway is no issuer", options{AuthURL: "https://gateway.example/cl", Domains: []string{"commercelayer.io"}}, claimSet{"iss": "https://gateway.example/cl"}, verify.ErrIssuer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.Base = roundTripper(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(ours().keySet()))}, nil
			})
			v := newVerifier(t, nil, &tt.opts)
			token := ours().sign(saying("sales_channel", tt.changes))
			if _, err := v.Verify(t.Context(), token); !errors.Is(err, tt.want) {
				t.Errorf("Verify: %v, want %v", err, tt.want)
			}
		})
	}
}

// The service under each of the addresses by which it can be asked for tokens; each
// knows its own tokens, and none of the others'.
func TestVerifierAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tests := []struct {
			name, domain, authURL, keys string
		}{
			{"public", "", "", "https://auth.commercelayer.io/.well-known/jwks.json"},
			{"another domain", "commercelayer.co", "https://auth.commercelayer.co", "https://auth.commercelayer.co/.well-known/jwks.json"},
			{"IP", "", "http://127.0.0.1:8080/auth", "http://127.0.0.1:8080/auth/.well-known/jwks.json"},
			{"IPv6", "", "http://[::1]:8080/auth/", "http://[::1]:8080/auth/.well-known/jwks.json"},
			{"localhost", "", "http://localhost:8080/auth", "http://localhost:8080/auth/.well-known/jwks.json"},
			{"name below localhost", "localhost", "http://auth.localhost:8080", "http://auth.localhost:8080/.well-known/jwks.json"},
		}
		tokens := make([]string, len(tests))
		for i, tt := range tests {
			s := local(t, &commercelayertest.Options{Domain: tt.domain})
			o := optionsFor(s)
			o.AuthURL, o.Scope = tt.authURL, commercelayertest.MarketScope
			c, err := commercelayer.NewCredentials(commercelayertest.SalesChannelID, "", o)
			if err != nil {
				t.Fatal(err)
			}
			token, err := c.ClientCredentials(t.Context(), nil)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			tokens[i] = token.AccessToken
		}
		for i, tt := range tests {
			s := local(t, &commercelayertest.Options{Domain: tt.domain})
			base := s.Transport()
			var asked []string
			v, err := commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{AuthURL: tt.authURL, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
				asked = append(asked, r.URL.String())
				return base.RoundTrip(r)
			})})
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			for n, token := range tokens {
				_, err := v.Verify(t.Context(), token)
				if n == i && err != nil || n != i && !errors.Is(err, verify.ErrIssuer) {
					t.Errorf("%s: the token of %s: %v", tt.name, tests[n].name, err)
				}
			}
			if !slices.Equal(asked, []string{tt.keys}) {
				t.Errorf("%s: asked for %q, want %q", tt.name, asked, tt.keys)
			}
		}
	})
}

// Behind a gateway keys come from there, and from nowhere else; the issuer stays.
func TestVerifierGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		base := s.Transport()
		var asked []string
		v, err := commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{
			AuthURL: "https://gateway.example/cl/", Domains: []string{"commercelayer.io"},
			Base: roundTripper(func(r *http.Request) (*http.Response, error) {
				asked = append(asked, r.URL.String())
				r = r.Clone(r.Context())
				r.URL.Host, r.Host, r.URL.Path = "auth.commercelayer.io", "", strings.TrimPrefix(r.URL.Path, "/cl")
				return base.RoundTrip(r)
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), guestToken(t, s)); err != nil {
			t.Error(err)
		}
		if want := []string{"https://gateway.example/cl/.well-known/jwks.json"}; !slices.Equal(asked, want) {
			t.Errorf("asked for %q, want %q", asked, want)
		}
	})
}

// Each domain's tokens are verified by its own keys.
func TestVerifierDomains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := local(t, nil), local(t, &commercelayertest.Options{Domain: "commercelayer.co"})
		two.RollKeys(&commercelayertest.RollKeysOptions{DropOld: true})
		bases := map[string]http.RoundTripper{"auth.commercelayer.io": one.Transport(), "auth.commercelayer.co": two.Transport()}
		v, err := commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{
			Domains: []string{"commercelayer.io", "commercelayer.co"},
			Base:    roundTripper(func(r *http.Request) (*http.Response, error) { return bases[r.URL.Host].RoundTrip(r) }),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*commercelayertest.Server{one, two} {
			c, err := v.Claims(t.Context(), guestToken(t, s))
			if err != nil || c.Issuer != s.AuthURL() {
				t.Fatalf("a token of %s: %v, %v", s.AuthURL(), c, err)
			}
			if api, err := c.CoreAPIURL(); err != nil || api != s.APIURL() {
				t.Errorf("CoreAPIURL = %s, %v, want %s", api, err, s.APIURL())
			}
		}
		// The second domain's service says to be the first one.
		other := local(t, nil)
		other.RollKeys(&commercelayertest.RollKeysOptions{DropOld: true})
		token := guestToken(t, other)
		_, err = v.Verify(t.Context(), token)
		refusedAs(t, token, err, verify.ErrUnknownKey)
		// One that is down does not matter to the other.
		two.Inject(commercelayertest.Fault{Endpoint: commercelayertest.KeysEndpoint, Status: 503})
		pass(2 * time.Hour)
		if _, err := v.Verify(t.Context(), guestToken(t, one)); err != nil {
			t.Errorf("while the other domain is down: %v", err)
		}
	})
}

func TestNewVerifierRefuses(t *testing.T) {
	type options = commercelayer.VerifierOptions
	slug := "my-brand"
	tests := []struct {
		name         string
		organization string
		opts         *options
		want         []string
	}{
		{"no organization", "", nil, []string{"slug", `""`}},
		{"no organization, with options", "", &options{Users: true}, []string{"slug"}},
		{"a host", "my-brand.commercelayer.io", nil, []string{"slug", "my-brand.commercelayer.io"}},
		{"an address", "https://my-brand.commercelayer.io", nil, []string{"slug"}},
		{"an id of another form", "my_brand", nil, []string{"slug"}},
		{"one of several", slug, &options{Organizations: []string{"good", ""}}, []string{"slug", `""`}},
		{"one and any", slug, &options{UnsafeAnyOrganization: true}, []string{"NewVerifier has an organization", "UnsafeAnyOrganization", "leave one of them out"}},
		{"several and any", "", &options{UnsafeAnyOrganization: true, Organizations: []string{slug}}, []string{"UnsafeAnyOrganization"}},
		{"no domain", slug, &options{Domains: []string{"https://commercelayer.io"}}, []string{"not a domain", "Domains"}},
		{"one label", slug, &options{Domains: []string{"io"}}, []string{"not a domain", "Domains"}},
		{"the auth host", slug, &options{Domains: []string{"auth.commercelayer.io"}}, []string{"not a domain", "Domains"}},
		{"an empty domain", slug, &options{Domains: []string{"commercelayer.co", ""}}, []string{"VerifierOptions.Domains", "empty"}},
		{"an empty domain alone", slug, &options{Domains: []string{""}}, []string{"VerifierOptions.Domains", "empty"}},
		{"a domain twice", slug, &options{Domains: []string{"commercelayer.co", "CommerceLayer.co:443"}}, []string{"twice", "https://auth.commercelayer.co"}},
		{"a domain and another AuthURL", slug, &options{Domains: []string{"commercelayer.co"}, AuthURL: "https://auth.commercelayer.io"}, []string{"two domains", "Domains", "AuthURL"}},
		{"AuthURL with a query", slug, &options{AuthURL: "https://auth.commercelayer.io?x"}, []string{"AuthURL", "query"}},
		{"AuthURL that does not tell", slug, &options{AuthURL: "https://gateway.example/cl"}, []string{"AuthURL", "set Domains"}},
		{"AuthURL without a scheme", slug, &options{AuthURL: "127.0.0.1:8080/auth"}, []string{"VerifierOptions.AuthURL", "want https://"}},
		{"AuthURL by IP without a path", slug, &options{AuthURL: "http://127.0.0.1:8080"}, []string{"VerifierOptions.AuthURL", "with the path /auth"}},
		{"AuthURL in the open", slug, &options{AuthURL: "http://auth.commercelayer.io"}, []string{"AuthURL", "https"}},
		{"AuthURL with a password", slug, &options{AuthURL: "https://a:s3cr3t@gateway.example/cl", Domains: []string{"commercelayer.io"}}, []string{"AuthURL"}},
		{"old issuers of another domain", slug, &options{Domains: []string{"commercelayer.co"}, OldIssuers: true}, []string{"OldIssuers", "commercelayer.io", "leave it out"}},
		{"old issuers of an IP", slug, &options{AuthURL: "http://127.0.0.1:8080/auth", OldIssuers: true}, []string{"OldIssuers"}},
		{"key set that is none", slug, &options{KeySet: []byte("s3cr3t")}, []string{"KeySet", "JWK Set"}},
		{"empty key set", slug, &options{KeySet: []byte{}}, []string{"KeySet", "JWK Set"}},
		{"one key set for several domains", slug, &options{Domains: []string{"commercelayer.io", "staging.example"}, KeySet: ours().keySet()}, []string{"VerifierOptions.KeySet", "Domains", "verify.Any"}},
		{"one key set for a domain and an address", slug, &options{Domains: []string{"commercelayer.io"}, AuthURL: "http://127.0.0.1:8080/auth", KeySet: ours().keySet()}, []string{"VerifierOptions.KeySet", "AuthURL"}},
		{"key set without a key", slug, &options{KeySet: []byte(`{"keys":[{"kty":"oct","k":"s3cr3t"}]}`)}, []string{"KeySet", "no key"}},
		{"too much leeway", slug, &options{Leeway: time.Hour}, []string{"Leeway", "5 minutes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := commercelayer.NewVerifier(tt.organization, tt.opts)
			if err == nil || v != nil {
				t.Fatalf("NewVerifier = %v, %v, want an error", v, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error = %v, want %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "s3cr3t") || strings.Count(err.Error(), "commercelayer: ")+strings.Count(err.Error(), "verify: ") != 1 {
				t.Errorf("error = %v, want one package's name and no secret", err)
			}
		})
	}
}

// The options are copied: what is done to them later does nothing.
func TestVerifierOptionsCopied(t *testing.T) {
	o := &commercelayer.VerifierOptions{Organizations: []string{"a-shop"}, KeySet: ours().keySet()}
	v := newVerifier(t, nil, o)
	o.Organizations[0], o.Users, o.Admit = "b-shop", true, commercelayer.OfCustomer
	clear(o.KeySet)
	var all sync.WaitGroup
	for _, slug := range []string{commercelayertest.Slug, "a-shop", "b-shop"} {
		all.Go(func() {
			token := ours().sign(saying("sales_channel", claimSet{"organization": claimSet{"id": "org1", "slug": slug}}))
			if _, err := v.Verify(t.Context(), token); (err == nil) != (slug != "b-shop") {
				t.Errorf("a token of %s: %v", slug, err)
			}
		})
	}
	all.Wait()
}

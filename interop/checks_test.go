package interop_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/verify"
)

// js-auth's own tests check 51 times what it reads in tokens. That holds for the
// service's tokens too, and for ours in place of js-auth: a row is one check.
func TestChecksOfReading(t *testing.T) {
	partner := newAuthHost(t, "partner.test", partnerKey(), "partner", "another")
	w := newService(t, commercelayertest.Options{})
	c := &reading{w: w, partner: partner, us: w.verifier(nil, partner), tokens: map[string]string{}}
	for _, g := range genuineTokens(t, w, partner) {
		c.tokens[g.name] = g.token
	}
	token := func(name string) string { return c.tokens[name] }
	c.tokens["expired"] = w.issue(channelID, market, ada, -time.Second).AccessToken
	from := func(issuer any, more fields) string {
		more = maps.Clone(more)
		more["iss"] = issuer
		return partner.token(partner.header(nil), partner.claims(more))
	}
	organization, provisioning := fields{}, fields{"organization": nil, "scope": "provisioning-api"}
	const old, public = "https://commercelayer.io", "https://auth.commercelayer.io"

	tests := []struct {
		name  string // js-auth's function, and what is checked
		check func(t *testing.T)
	}{
		{"jwtDecode/words", c.notDecoded("hello-world", jsFormat)},
		{"jwtDecode/no JSON", c.notDecoded("header.payload.signature", "SyntaxError")},
		{"jwtDecode/dashboard", c.decoded("dashboard", "application exp iat iss rand scope test user")},
		{"jwtDecode/user", c.decoded("user", "application exp iat iss rand scope test user")},
		{"jwtDecode/guest", c.decoded("guest", "application exp iat iss organization rand scope test")},
		{"jwtDecode/integration", c.decoded("integration", "application exp iat iss organization rand scope test")},
		{"jwtDecode/customer", c.decoded("customer", "application exp iat iss market organization owner rand scope test")},
		{"jwtDecode/refreshed customer", c.decoded("refreshed customer", "application exp iat iss market organization owner rand scope test")},
		{"jwtDecode/webapp", c.decoded("webapp", "application exp iat iss organization owner rand scope test")},
		{"jwtDecode/custom claim", c.decoded("webapp with a custom claim", "application custom_claim exp iat iss organization rand scope test")},

		{"getTokenType/dashboard", c.isOfType("dashboard in an organization", "dashboard:user")},
		{"getTokenType/user", c.isOfType("user", "user:guest")},
		{"getTokenType/guest", c.isOfType("guest", "sales_channel:guest")},
		{"getTokenType/integration", c.isOfType("integration", "integration:guest")},
		{"getTokenType/customer", c.isOfType("customer", "sales_channel:customer")},
		{"getTokenType/refreshed customer", c.isOfType("refreshed customer", "sales_channel:customer")},
		{"getTokenType/webapp", c.isOfType("webapp", "webapp:user")},
		{"getTokenType/custom claim", c.isOfType("webapp with a custom claim", "webapp:guest")},

		{"jwtVerify/expired", c.verdict(token("expired"), jsExpired, verify.ErrExpired)},
		// Ours has no such option: this error says that all else is right.
		{"jwtVerify/expired, and that does not matter", c.verdict(token("expired"), "", verify.ErrExpired, fields{"ignoreExpiration": true})},
		{"jwtVerify/another domain", c.verdict(token("another domain"), "", nil)},
		{"jwtVerify/custom claim", c.verdict(token("custom claim"), "", nil)},
		{"jwtVerify/keys are asked for once", c.keysAskedOnce},
		{"jwtVerify/key given", c.keyGiven("new", "", nil)},
		{"jwtVerify/key given of another name", c.keyGiven("1234", jsKid, verify.ErrUnknownKey)},
		{"jwtVerify/claims written again", c.verdict(rewritten(t, w, token("guest in a market")), "", nil)},
		{"jwtVerify/claims changed", c.verdict(altered(t, token("guest in a market"), func(c map[string]any) {
			c["application"].(map[string]any)["id"] = "12345"
		}), jsSignature, verify.ErrSignature)},

		{"getCoreApiBaseEndpoint/no organization", c.endpoint(coreAPI, token("dashboard"), "")},
		{"getCoreApiBaseEndpoint/no organization, quietly", c.noEndpoint(coreAPI, token("dashboard"))},
		{"getCoreApiBaseEndpoint/organization", func(t *testing.T) {
			c.endpoint(coreAPI, token("another domain"), partner.core())(t)
			c.endpoint(coreAPI, from("https://auth.commercelayer.co", organization), "https://local-shop.commercelayer.co")(t)
			c.endpoint(coreAPI, from("https://auth.stg1.commercelayer.co", organization), "https://local-shop.stg1.commercelayer.co")(t)
		}},
		{"getCoreApiBaseEndpoint/old issuer", c.endpoint(coreAPI, from(old, organization), "https://local-shop.commercelayer.io")},
		{"getCoreApiBaseEndpoint/no issuer", c.endpoint(coreAPI, from(nil, organization), "https://local-shop.commercelayer.io")},

		{"getProvisioningApiBaseEndpoint/another scope", c.endpoint(provisioningAPI, token("guest"), "")},
		{"getProvisioningApiBaseEndpoint/another scope, quietly", c.noEndpoint(provisioningAPI, token("guest"))},
		{"getProvisioningApiBaseEndpoint/its scope", c.endpoint(provisioningAPI, token("user"), "https://provisioning."+w.domain)},
		{"getProvisioningApiBaseEndpoint/another domain", c.endpoint(provisioningAPI, from("https://auth.commercelayer.co", provisioning), "https://provisioning.commercelayer.co")},
		{"getProvisioningApiBaseEndpoint/old issuer", c.endpoint(provisioningAPI, from(old, provisioning), "https://provisioning.commercelayer.io")},
		{"getProvisioningApiBaseEndpoint/no issuer", c.endpoint(provisioningAPI, from(nil, provisioning), "https://provisioning.commercelayer.io")},

		// The rest is within js-auth: what it does shows elsewhere. Ours asks nobody
		// whom only a token names.
		{"extractIssuer/none", c.asks(nil, public, verify.ErrMissingClaim)},
		{"extractIssuer/old", c.asks(old, public, verify.ErrIssuer)},
		{"extractIssuer/as it should be", func(t *testing.T) {
			c.asks(public, public, verify.ErrIssuer)(t)
			c.asks("https://auth.commercelayer.co", "https://auth.commercelayer.co", verify.ErrIssuer)(t)
		}},

		{"hasExpired/yes", c.expires(-time.Second, jsExpired)},
		{"hasExpired/no", c.expires(time.Hour, jsSignature)},

		{"hasOwner/no", c.owned("guest in a market", false)},
		{"hasOwner/yes", c.owned("customer", true)},

		{"base64 by Buffer/written", c.written(true)},
		{"base64 by Buffer/letters of base64", c.read(true, base64.StdEncoding, false)},
		{"base64 by Buffer/letters of base64url", c.read(true, base64.RawURLEncoding, true)},
		{"base64 by atob/written", c.written(false)},
		{"base64 by atob/letters of base64", c.read(false, base64.StdEncoding, false)},
		{"base64 by atob/letters of base64url", c.read(false, base64.RawURLEncoding, true)},
	}
	for _, test := range tests {
		t.Run(test.name, test.check)
	}
	if len(tests) != 51 {
		t.Errorf("there are %d checks, want 51", len(tests))
	}
}

// reading makes the checks.
type reading struct {
	w       *world
	partner *authHost
	us      *inspector
	tokens  map[string]string // by what they are
}

func (c *reading) notDecoded(token, js string) func(t *testing.T) {
	return func(t *testing.T) {
		wantThrown(t, c.w.library("jwtDecode", nil, token), js)
		if claims, err := commercelayer.DecodeUnverified(token); err == nil {
			t.Errorf("we read %v in it", claims)
		}
	}
}

// decoded checks all parts of a token, and the names of its claims, in order.
func (c *reading) decoded(name, claims string) func(t *testing.T) {
	return func(t *testing.T) {
		parts := strings.Split(c.tokens[name], ".")
		var js decodedByJS
		if err := c.w.library("jwtDecode", &js, c.tokens[name]); err != nil {
			t.Fatal(err)
		}
		header, payload := object(t, js.Header), object(t, js.Payload)
		if !reflect.DeepEqual(header, object(t, unpart(t, parts[0]))) || header["alg"] != "RS512" || header["typ"] != "JWT" || header["kid"] == "" || len(header) != 3 {
			t.Errorf("js-auth reads the header %s", js.Header)
		}
		if !reflect.DeepEqual(payload, object(t, unpart(t, parts[1]))) {
			t.Errorf("js-auth reads the claims %s", js.Payload)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(payload)), " "); got != claims {
			t.Errorf("the claims are %s, want %s", got, claims)
		}
		if js.Signature != parts[2] {
			t.Error("js-auth reads another signature")
		}
		sameClaims(t, c.ours(t, c.tokens[name]), js.Payload)
	}
}

func (c *reading) isOfType(name, want string) func(t *testing.T) {
	return func(t *testing.T) {
		c.w.sameKind(t, c.ours(t, c.tokens[name]), unpart(t, strings.Split(c.tokens[name], ".")[1]), want)
	}
}

// verdict is what either side says, js-auth with options.
func (c *reading) verdict(token, js string, ours error, options ...any) func(t *testing.T) {
	return func(t *testing.T) {
		c.w.jsSays(t, token, js, options...)
		if got := c.us.says(t, token, ours); got != nil {
			sameClaims(t, got, unpart(t, strings.Split(token, ".")[1]))
		}
	}
}

func (c *reading) keysAskedOnce(t *testing.T) {
	token := c.partner.token(c.partner.header(fields{"kid": "another"}), c.partner.claims(nil))
	us := c.w.verifier(nil, c.partner)
	before := c.partner.fetched.Load()
	for range 2 {
		c.w.jsSays(t, token, "")
	}
	if got := c.partner.fetched.Load() - before; got != 1 {
		t.Errorf("js-auth has asked for keys %d times, want once", got)
	}
	for range 2 {
		us.says(t, token, nil)
	}
	wantAsked(t, us, map[string]int{"auth." + c.partner.domain: 1})
}

// keyGiven checks a token of a key's that no key set has: it is given, under a name.
func (c *reading) keyGiven(name, js string, ours error) func(t *testing.T) {
	return func(t *testing.T) {
		token := c.partner.token(c.partner.header(fields{"kid": "new"}), c.partner.claims(fields{"iss": "https://auth.commercelayer.io"}))
		c.asked(t)
		c.w.jsSays(t, token, js, fields{"jwk": c.partner.jwk(name)})
		if got := c.asked(t); len(got) != 0 {
			t.Errorf("js-auth has asked for %q", got)
		}
		us := c.w.pinned(false, c.partner.jwk(name))
		us.says(t, token, ours)
		wantAsked(t, us, map[string]int{})
	}
}

func (c *reading) endpoint(a api, token, want string) func(t *testing.T) {
	return func(t *testing.T) { c.w.wantEndpoint(t, a, token, false, want, want) }
}

// noEndpoint has js-auth give null, as it can; we give an error.
func (c *reading) noEndpoint(a api, token string) func(t *testing.T) {
	return func(t *testing.T) { c.w.wantEndpoint(t, a, token, true, "", "") }
}

// asks checks whom js-auth asks for the key of a token from an issuer. It cannot reach
// them. We say something else.
func (c *reading) asks(issuer any, host string, ours error) func(t *testing.T) {
	return func(t *testing.T) {
		token := c.partner.token(c.partner.header(fields{"kid": "elsewhere"}), c.partner.claims(fields{"iss": issuer}))
		c.asked(t)
		c.w.jsSays(t, token, jsFetch)
		if got := c.asked(t); !slices.Equal(got, []string{host + "/.well-known/jwks.json"}) {
			t.Errorf("js-auth asks for %q", got)
		}
		us := c.w.verifier(nil, c.partner)
		us.says(t, token, ours)
		wantAsked(t, us, map[string]int{})
	}
}

// asked is for what js-auth has asked since the last time.
func (c *reading) asked(t *testing.T) (addresses []string) {
	t.Helper()
	c.w.js.do(t, "asked", nil, &addresses)
	return addresses
}

// expires changes when a token does so, which js-auth looks at before the signature. We
// tell who decodes it, and nobody else.
func (c *reading) expires(in time.Duration, js string) func(t *testing.T) {
	return func(t *testing.T) {
		at := time.Now().Add(in).Truncate(time.Second)
		token := altered(t, c.tokens["guest"], func(c map[string]any) { c["exp"] = at.Unix() })
		c.verdict(token, js, verify.ErrSignature)(t)
		if got := c.ours(t, token).ExpiresAt; !got.Equal(at) {
			t.Errorf("we read that it expires at %v, want %v", got, at)
		}
	}
}

// owned checks whether a token is taken for a customer's.
func (c *reading) owned(name string, want bool) func(t *testing.T) {
	return func(t *testing.T) {
		throws := "Error"
		if want {
			throws = ""
		}
		err := c.w.js.try("withCookies", fields{
			"where": "browser", "options": c.w.channelOptions(market), "method": "setCustomer",
			"args": []any{fields{"accessToken": c.tokens[name], "scope": market}},
		}, nil)
		wantThrown(t, err, throws)

		claims := c.ours(t, c.tokens[name])
		if claims.IsCustomer() != want || claims.IsGuest() == want {
			t.Errorf("we say that it is a customer's: %v, a guest's: %v", claims.IsCustomer(), claims.IsGuest())
		}
		us, err := commercelayer.NewSingleCustomer(channelID, market, &commercelayer.Options{Domain: c.w.domain, Base: c.w.base, Storage: memstore.New(nil)})
		if err != nil {
			t.Fatal(err)
		}
		if err := us.SetCustomer(t.Context(), &bearer.Token{AccessToken: c.tokens[name]}); (err == nil) != want {
			t.Errorf("we sign the customer in: %v, want that we do: %v", err, want)
		}
	}
}

// written checks the letters of an assertion.
func (c *reading) written(buffer bool) func(t *testing.T) {
	return func(t *testing.T) {
		claim := fields{"a": "~~~???", "bb": "~~~???", "ccc": "~~~???~~~???", "name": "Jörg 日本 🐟"}
		var js string
		payload := fields{"https://commercelayer.io/claims": fields{"custom_claim": claim}}
		if err := c.w.js.try("library", fields{"name": "createAssertion", "args": []any{fields{"payload": payload}}, "buffer": buffer}, &js); err != nil {
			t.Fatal(err)
		}
		ours, err := commercelayer.Assertion(commercelayer.AssertionClaims{CustomClaim: claim})
		if err != nil {
			t.Fatal(err)
		}
		for who, assertion := range map[string]string{"js-auth": js, "we": ours} {
			parts := strings.Split(assertion, ".")
			if len(parts) != 3 || !strings.Contains(parts[1], "-") || !strings.Contains(parts[1], "_") {
				t.Fatalf("%s: %s", who, assertion)
			}
			got := object(t, unpart(t, parts[1]))
			delete(got, "iat")
			if text(got) != text(payload) {
				t.Errorf("%s: %s, want %s", who, text(got), text(payload))
			}
			unpart(t, parts[0])
			unpart(t, parts[2])
		}
	}
}

// read checks which letters, and which padding, are read.
func (c *reading) read(buffer bool, letters *base64.Encoding, we bool) func(t *testing.T) {
	return func(t *testing.T) {
		parts := strings.Split(c.tokens["custom claim"], ".")
		claims := unpart(t, special(string(unpart(t, parts[1]))))
		for len(claims)%3 == 0 {
			claims = append(claims, ' ')
		}
		want := object(t, claims)
		token := parts[0] + "." + letters.EncodeToString(claims) + "." + parts[2]
		var js decodedByJS
		if err := c.w.js.try("library", fields{"name": "jwtDecode", "args": []any{token}, "buffer": buffer}, &js); err != nil || !reflect.DeepEqual(object(t, js.Payload), want) {
			t.Errorf("js-auth reads %s (%v), want %s", js.Payload, err, text(want))
		}
		if _, err := commercelayer.DecodeUnverified(token); (err == nil) != we {
			t.Errorf("we say %v, want that we take it: %v", err, we)
		}
	}
}

func (c *reading) ours(t *testing.T, token string) *commercelayer.Claims {
	t.Helper()
	claims, err := commercelayer.DecodeUnverified(token)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// unpart is what a part of a token says, if it is as RFC 7515 §2 wants it.
func unpart(t *testing.T, part string) json.RawMessage {
	t.Helper()
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func object(t *testing.T, b json.RawMessage) (set map[string]any) {
	t.Helper()
	if err := json.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

package interop_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// library calls one of js-auth's functions.
func (w *world) library(name string, result any, args ...any) error {
	return w.js.try("library", fields{"name": name, "args": args}, result)
}

// decodedByJS is what js-auth makes of a token.
type decodedByJS struct {
	Header    json.RawMessage `json:"header"`
	Payload   json.RawMessage `json:"payload"`
	Signature string          `json:"signature"`
}

// names has what is written in many ways, or seldom.
const names = `{"customer":{"first_name":"Jörg \"<&>\" \u2028 ","last_name":"日本 🐟","n":[1.5,-3,0,null,true]},"":""}`

// genuine is a token that the service has given for a grant.
type genuine struct {
	name        string
	token       string
	is          string // as js-auth's getTokenType says it
	noCore      bool   // it is not for the Core API
	provisioned bool   // it is for the Provisioning API
}

// genuineTokens are of all kinds and grants.
func genuineTokens(t *testing.T, w *world, partner *authHost) []genuine {
	t.Helper()
	grant := func(name string, options fields) (a authorization) {
		t.Helper()
		options["domain"] = w.domain
		var answer json.RawMessage
		w.js.do(t, "authenticate", fields{"grant": name, "options": options}, &answer)
		if err := json.Unmarshal(answer, &a); err != nil || a.AccessToken == "" {
			t.Fatalf("no token for %s: %s", name, answer)
		}
		return a
	}
	assertion := func(owner commercelayer.Owner, custom any) string {
		t.Helper()
		s, err := commercelayer.Assertion(commercelayer.AssertionClaims{Owner: owner, CustomClaim: custom})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	guest := grant("client_credentials", fields{"clientId": channelID, "scope": "market:all"})
	inMarket := grant("client_credentials", fields{"clientId": channelID, "scope": market})
	signedIn := grant("password", fields{
		"clientId": channelID, "scope": market, "username": commercelayertest.CustomerEmail, "password": commercelayertest.CustomerPassword,
	})
	refreshed := grant("refresh_token", fields{"clientId": channelID, "scope": market, "refreshToken": signedIn.RefreshToken})
	asserted := grant(jwtBearer, fields{
		"clientId": channelID, "clientSecret": commercelayertest.SalesChannelSecret, "scope": market,
		"assertion": assertion(commercelayer.Owner{Type: "Customer", ID: ada}, nil),
	})
	job := grant("client_credentials", fields{"clientId": jobsID, "clientSecret": commercelayertest.IntegrationSecret})
	named := grant(jwtBearer, fields{
		"clientId": jobsID, "clientSecret": commercelayertest.IntegrationSecret, "assertion": assertion(commercelayer.Owner{}, json.RawMessage(names)),
	})
	code, err := w.service.AuthorizationCode(commercelayertest.WebappID, nil)
	if err != nil {
		t.Fatal(err)
	}
	allowed := grant("authorization_code", fields{
		"clientId": commercelayertest.WebappID, "clientSecret": commercelayertest.WebappSecret, "code": code, "redirectUri": commercelayertest.WebappRedirectURI,
	})
	claimed := grant(jwtBearer, fields{
		"clientId": commercelayertest.WebappID, "clientSecret": commercelayertest.WebappSecret, "assertion": assertion(commercelayer.Owner{}, json.RawMessage(names)),
	})
	again := grant("refresh_token", fields{
		"clientId": commercelayertest.WebappID, "clientSecret": commercelayertest.WebappSecret, "refreshToken": allowed.RefreshToken,
	})
	user := grant("client_credentials", fields{"clientId": commercelayertest.UserClientID, "clientSecret": commercelayertest.UserClientSecret})
	// The service gives a dashboard's to its own dashboard alone.
	dashboard := fields{"id": "kVbXoiAjRn", "client_id": "DAq2ZtRm7xWcLp9sGvKdYb4nHfJe6uTo1iXyQk3rPzM", "kind": "dashboard", "public": false, "confidential": true}
	return []genuine{
		{name: "guest", token: guest.AccessToken, is: "sales_channel:guest"},
		{name: "guest in a market", token: inMarket.AccessToken, is: "sales_channel:guest"},
		{name: "customer", token: signedIn.AccessToken, is: "sales_channel:customer"},
		{name: "refreshed customer", token: refreshed.AccessToken, is: "sales_channel:customer"},
		{name: "asserted customer", token: asserted.AccessToken, is: "sales_channel:customer"},
		{name: "integration", token: job.AccessToken, is: "integration:guest"},
		{name: "custom claim", token: named.AccessToken, is: "integration:guest"},
		{name: "webapp", token: allowed.AccessToken, is: "webapp:user"},
		{name: "webapp with a custom claim", token: claimed.AccessToken, is: "webapp:guest"},
		{name: "refreshed webapp", token: again.AccessToken, is: "webapp:user"},
		{name: "user", token: user.AccessToken, is: "user:guest", noCore: true, provisioned: true},
		{name: "another domain", token: partner.token(partner.header(nil), partner.claims(nil)), is: "sales_channel:guest"},
		{name: "dashboard", is: "dashboard:guest", noCore: true, provisioned: true, token: partner.token(partner.header(nil), partner.claims(fields{
			"application": dashboard, "organization": nil, "user": fields{"id": commercelayertest.UserID}, "scope": "metrics-api provisioning-api",
		}))},
		{name: "dashboard in an organization", is: "dashboard:user", token: partner.token(partner.header(nil), partner.claims(fields{
			"application": dashboard, "owner": fields{"type": "User", "id": commercelayertest.UserID},
		}))},
	}
}

// Both sides read the same in the tokens of all kinds and grants, and both find them
// genuine.
func TestGenuineTokens(t *testing.T) {
	partner := newAuthHost(t, "partner.test", partnerKey(), "partner")
	w := newService(t, commercelayertest.Options{})
	us := w.verifier(&commercelayer.VerifierOptions{Users: true}, partner)
	for _, test := range genuineTokens(t, w, partner) {
		t.Run(test.name, func(t *testing.T) {
			var js, verified decodedByJS
			if err := w.library("jwtDecode", &js, test.token); err != nil {
				t.Fatal(err)
			}
			if err := w.library("jwtVerify", &verified, test.token); err != nil || !reflect.DeepEqual(verified, js) {
				t.Errorf("js-auth verifies %s (%v), and decodes %s", verified.Payload, err, js.Payload)
			}
			ours, err := commercelayer.DecodeUnverified(test.token)
			if err != nil {
				t.Fatal(err)
			}
			sameClaims(t, ours, js.Payload)
			w.sameKind(t, ours, js.Payload, test.is)

			domain := w.domain
			if strings.Contains(string(js.Payload), partner.domain) {
				domain = partner.domain
			}
			core, provisioning := "https://"+commercelayertest.Slug+"."+domain, "https://provisioning."+domain
			if test.noCore {
				core = ""
			}
			if !test.provisioned {
				provisioning = ""
			}
			w.wantEndpoints(t, test.token, core, core, provisioning, provisioning)

			if got := us.says(t, test.token, nil); got != nil {
				sameClaims(t, got, js.Payload)
			}
		})
	}
}

// sameClaims checks that our claims say what js-auth has read, of a token that has all
// claims of its kind.
func sameClaims(t *testing.T, ours *commercelayer.Claims, payload json.RawMessage) {
	t.Helper()
	set := fields{
		"iss": ours.Issuer, "scope": ours.Scope, "exp": ours.ExpiresAt.Unix(), "iat": ours.IssuedAt.Unix(), "test": ours.Test, "rand": ours.Rand,
		"application": ours.Application,
	}
	if ours.Organization != nil {
		set["organization"] = ours.Organization
	}
	if ours.User != nil {
		set["user"] = ours.User
	}
	if ours.Owner != nil {
		set["owner"] = ours.Owner
	}
	if ours.Market != nil {
		m := object(t, []byte(text(ours.Market)))
		if m["geocoder_id"] == "" {
			m["geocoder_id"] = nil
		}
		set["market"] = m
	}
	if ours.CustomClaim != nil {
		set["custom_claim"] = ours.CustomClaim
	}
	for name, claim := range ours.Unknown {
		set[name] = claim
	}
	if got, want := object(t, []byte(text(set))), object(t, payload); !reflect.DeepEqual(got, want) {
		t.Errorf("the claims are\n%s, and in js-auth\n%s", text(got), text(want))
	}
}

// sameKind checks what kind of token either side calls it.
func (w *world) sameKind(t *testing.T, ours *commercelayer.Claims, payload json.RawMessage, want string) {
	t.Helper()
	var kind string
	if err := w.library("getTokenType", &kind, payload); err != nil || kind != want || ours.TokenType() != want {
		t.Errorf("js-auth calls it %s (%v), we %s, want %s", kind, err, ours.TokenType(), want)
	}
	application, owner, _ := strings.Cut(want, ":")
	for _, question := range []struct {
		js, kind string
		ours     bool
	}{
		{"jwtIsSalesChannel", "sales_channel", ours.IsSalesChannel()},
		{"jwtIsIntegration", "integration", ours.IsIntegration()},
		{"jwtIsWebApp", "webapp", ours.IsWebapp()},
		{"jwtIsUser", "user", ours.IsUser()},
		{"jwtIsDashboard", "dashboard", ours.IsDashboard()},
	} {
		var js bool
		if err := w.library(question.js, &js, payload); err != nil || js != (question.kind == application) || question.ours != js {
			t.Errorf("%s: %v (%v), we say %v", question.js, js, err, question.ours)
		}
	}
	if ours.IsCustomer() != (owner == "customer") || ours.IsGuest() != (owner == "guest") {
		t.Errorf("a customer: %v, a guest: %v, want %s", ours.IsCustomer(), ours.IsGuest(), owner)
	}
}

// api is one whose address an unverified token tells.
type api struct {
	js   string // js-auth's function
	ours func(token string) (string, error)
}

var (
	coreAPI         = api{"getCoreApiBaseEndpoint", commercelayer.CoreAPIURL}
	provisioningAPI = api{"getProvisioningApiBaseEndpoint", commercelayer.ProvisioningAPIURL}
)

// wantEndpoints checks the addresses of the APIs. Empty: none.
func (w *world) wantEndpoints(t *testing.T, token, jsCore, core, jsProvisioning, provisioning string) {
	t.Helper()
	for _, quiet := range []bool{false, true} {
		w.wantEndpoint(t, coreAPI, token, quiet, jsCore, core)
		w.wantEndpoint(t, provisioningAPI, token, quiet, jsProvisioning, provisioning)
	}
}

// wantEndpoint checks one address, as js-auth gives it and as we do. For none we give an
// error; js-auth throws, or gives null if it is to be quiet.
func (w *world) wantEndpoint(t *testing.T, a api, token string, quiet bool, jsWant, want string) {
	t.Helper()
	args, throws := []any{token}, ""
	if quiet {
		args = append(args, fields{"shouldThrow": false})
	} else if jsWant == "" {
		throws = jsFormat
	}
	var js string // null is empty
	err := w.library(a.js, &js, args...)
	wantThrown(t, err, throws)
	if js != jsWant {
		t.Errorf("%s: %q (%v), want %q", a.js, js, err, jsWant)
	}
	if got, err := a.ours(token); got != want || (err == nil) != (want != "") {
		t.Errorf("in place of %s we say %q (%v), want %q", a.js, got, err, want)
	}
}

// Where the addresses of a token's APIs come from, if it is an old one or somebody has
// made it.
func TestEndpointsOfOddTokens(t *testing.T) {
	partner := newAuthHost(t, "partner.test", partnerKey(), "partner")
	w := newService(t, commercelayertest.Options{})
	organization := func(slug any) fields { return fields{"id": "x", "slug": slug} }
	tests := []struct {
		name         string
		claims       fields
		jsCore, core string
		jsProv, prov string
	}{
		{"staging", fields{"iss": "https://auth.stg1.commercelayer.co"}, "https://local-shop.stg1.commercelayer.co", "https://local-shop.stg1.commercelayer.co", "", ""},
		{"an old issuer", fields{"iss": "https://commercelayer.io", "scope": "provisioning-api"},
			"https://local-shop.commercelayer.io", "https://local-shop.commercelayer.io", "https://provisioning.commercelayer.io", "https://provisioning.commercelayer.io"},
		{"no issuer", fields{"iss": nil, "scope": "provisioning-api"},
			"https://local-shop.commercelayer.io", "https://local-shop.commercelayer.io", "https://provisioning.commercelayer.io", "https://provisioning.commercelayer.io"},
		{"no organization", fields{"organization": nil}, "", "", "", ""},
		{"no scope", fields{"scope": nil}, partner.core(), partner.core(), "", ""},

		// From here on we are more careful.
		{"an issuer that is no auth host", fields{"iss": "https://commercelayer.co"}, "https://local-shop.commercelayer.io", "", "", ""},
		{"an issuer by http", fields{"iss": "http://auth.commercelayer.co"}, "https://local-shop.commercelayer.io", "http://local-shop.commercelayer.co", "", ""},
		{"an issuer with a path", fields{"iss": "https://auth.evil.test/x"}, "https://local-shop.evil.test/x", "", "", ""},
		{"an issuer that looks like another", fields{"iss": "https://auth.commercelayer.io@evil.test"}, "https://local-shop.commercelayer.io@evil.test", "", "", ""},
		{"a slug that is a host", fields{"organization": organization("evil.test/")}, "https://evil.test/." + partner.domain, "", "", ""},
		{"a slug with a user", fields{"organization": organization("local-shop@evil")}, "https://local-shop@evil." + partner.domain, "", "", ""},
		{"a slug that is empty", fields{"organization": organization("")}, "https://." + partner.domain, "", "", ""},
		{"a scope with another name in it", fields{"scope": "no-provisioning-apis"}, partner.core(), partner.core(), "https://provisioning." + partner.domain, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w.wantEndpoints(t, partner.token(partner.header(nil), partner.claims(test.claims)), test.jsCore, test.core, test.jsProv, test.prov)
		})
	}
}

func (h *authHost) core() string { return "https://" + commercelayertest.Slug + "." + h.domain }

// What is no token, and what either side takes for one without looking at its
// signature.
func TestDecodingOfOddTokens(t *testing.T) {
	w := newService(t, commercelayertest.Options{})
	good := w.issue(channelID, market, "", time.Hour).AccessToken
	parts := strings.Split(good, ".")
	with := func(payload string) string { return parts[0] + "." + payload + "." + parts[2] }
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	padded, special := slices.Clone(text), special(string(text))
	for len(padded)%3 == 0 {
		padded = append(padded, ' ')
	}
	tests := []struct {
		name  string
		token string
		js    string // what it throws; empty: it takes it
		ours  bool   // we take it
	}{
		{"as it is", good, "", true},
		{"words", "hello-world", "InvalidTokenError", false},
		{"empty", "", "InvalidTokenError", false},
		{"two parts", parts[0] + "." + parts[1], "InvalidTokenError", false},
		{"not base64", "header.pay!load.signature", "SyntaxError", false},
		{"not JSON", "header.payload.signature", "SyntaxError", false},
		{"cut off", with(parts[1][:len(parts[1])/8*4]), "SyntaxError", false},
		{"no signature", parts[0] + "." + parts[1] + ".", "", true},
		{"letters of base64url", with(special), "", true},

		{"letters of base64", with(plain(special)), "", false},
		{"padding", with(base64.URLEncoding.EncodeToString(padded)), "", false},
		{"four parts", good + ".more", "", false},
		{"a list", with(part("[]")), "", false},
		{"a mark before the JSON", with(part("\ufeff" + string(text))), "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var js decodedByJS
			err := w.library("jwtDecode", &js, test.token)
			if got := threw(t, err); got != test.js {
				t.Errorf("js-auth throws %q (%v), want %q", got, err, test.js)
			}
			ours, err := commercelayer.DecodeUnverified(test.token)
			if (err == nil) != test.ours {
				t.Errorf("we say %v, want that we take it: %v", err, test.ours)
			}
			if ours != nil && test.js == "" {
				sameClaims(t, ours, js.Payload)
			}
		})
	}
}

// special is a part with one more claim and both letters in which base64url differs from
// base64.
func special(claims string) (letters string) {
	for n := 0; !strings.Contains(letters, "-") || !strings.Contains(letters, "_"); n++ { // which one of three has
		letters = part("{" + strings.Repeat(" ", n) + claims[1:len(claims)-1] + `,"x":"~~~???"}`)
	}
	return letters
}

// plain is a part in the letters of base64.
var plain = strings.NewReplacer("-", "+", "_", "/").Replace

func text(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(b)
}

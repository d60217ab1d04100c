package commercelayer_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bearerkit/bearer/commercelayer"
)

const customerClaims = `{
	"organization": {"id": "org1", "slug": "my-brand", "enterprise": true, "region": "eu-west-1"},
	"application": {"id": "app1", "client_id": "cl1", "kind": "sales_channel", "public": true, "confidential": false},
	"market": {"id": ["m1", "m2"], "stock_location_ids": ["s1"], "geocoder_id": null, "allows_external_prices": true},
	"owner": {"id": "cus1", "type": "Customer"},
	"custom_claim": {"a": [1, 2]},
	"scope": "market:id:m1", "exp": 1700014400, "iat": 1700000000.5, "test": true, "rand": 0.25,
	"iss": "https://auth.commercelayer.io", "something_new": {"x": 1}}`

func TestDecodeUnverified(t *testing.T) {
	c, err := commercelayer.DecodeUnverified(rawJWT(customerClaims))
	if err != nil {
		t.Fatal(err)
	}
	want := &commercelayer.Claims{
		Issuer: "https://auth.commercelayer.io", Scope: "market:id:m1",
		ExpiresAt: time.Unix(1700014400, 0), IssuedAt: time.Unix(1700000000, 5e8), Test: true, Rand: 0.25,
		Application:  commercelayer.Application{ID: "app1", Kind: "sales_channel", ClientID: "cl1", Public: true},
		Organization: &commercelayer.Organization{ID: "org1", Slug: "my-brand", Enterprise: true, Region: "eu-west-1"},
		Owner:        &commercelayer.Owner{Type: "Customer", ID: "cus1"},
		Market:       &commercelayer.Market{ID: []string{"m1", "m2"}, StockLocationIDs: []string{"s1"}, AllowsExternalPrices: true},
		CustomClaim:  json.RawMessage(`{"a": [1, 2]}`),
		Unknown:      map[string]json.RawMessage{"something_new": json.RawMessage(`{"x": 1}`)},
		Raw:          json.RawMessage(customerClaims),
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("claims =\n%+v, want\n%+v", c, want)
	}

	// What is written is read again.
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var again commercelayer.Claims
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	again.Raw, again.CustomClaim, again.Unknown = want.Raw, want.CustomClaim, want.Unknown // which differ in spaces
	if !reflect.DeepEqual(&again, want) {
		t.Errorf("%s is read as\n%+v, want\n%+v", text, again, want)
	}
	// And nothing that has been taken out.
	c.Owner, c.CustomClaim, c.Unknown = nil, nil, nil
	if text, err := json.Marshal(c); err != nil || strings.Contains(string(text), "cus1") || strings.Contains(string(text), `"a"`) || strings.Contains(string(text), "something_new") {
		t.Errorf("%s, %v", text, err)
	}
	for _, some := range []string{`{}`, `{"test":false,"iss":"x","y":null}`} {
		c, err := commercelayer.DecodeUnverified(rawJWT(some))
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted any
		if text, err := json.Marshal(c); err != nil || json.Unmarshal(text, &got) != nil || json.Unmarshal([]byte(some), &wanted) != nil || !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s is written as %s, %v", some, text, err)
		}
	}
}

// What the claims were read from may be written over.
func TestClaimsKeepTheirText(t *testing.T) {
	text := []byte(customerClaims)
	var c commercelayer.Claims
	if err := c.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	clear(text)
	if string(c.Raw) != customerClaims {
		t.Errorf("Raw = %q", c.Raw)
	}
}

func TestDecodeUnverifiedRefuses(t *testing.T) {
	tests := []struct{ name, token string }{
		{"nothing", ""},
		{"opaque", "s3cr3t"},
		{"two parts", "s3cr3t.s3cr3t"},
		{"four parts", "a.e30.c.s3cr3t"},
		{"five parts", "a.b.c.d.s3cr3t"},
		{"not base64", "a.s3cr3t!.c"},
		{"padded base64", "a.e30=.c"},
		{"not JSON", "a.czNjcjN0.c"},
		{"list", rawJWT(`["s3cr3t"]`)},
		{"null", rawJWT(`null`)},
		{"wrong type", rawJWT(`{"scope":{"s3cr3t":1}}`)},
		{"wrong type of time", rawJWT(`{"exp":"s3cr3t"}`)},
		{"market in words", rawJWT(`{"market":"s3cr3t"}`)},
		{"huge", strings.Repeat("s3cr3t", 20000)},
		{"huge claims", jwtOf(map[string]any{"custom_claim": map[string]any{"x": strings.Repeat("s3cr3t", 10000)}})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := commercelayer.DecodeUnverified(tt.token)
			if err == nil {
				t.Fatalf("claims = %+v, want an error", c)
			}
			if !strings.HasPrefix(err.Error(), "commercelayer: ") || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error = %v, want one that quotes nothing", err)
			}
		})
	}
}

func TestOddTimes(t *testing.T) {
	for _, exp := range []string{`null`, `0`, `-5`, `1e300`, `99999999999999`} {
		c, err := commercelayer.DecodeUnverified(rawJWT(`{"exp":` + exp + `}`))
		if err != nil || !c.ExpiresAt.IsZero() {
			t.Errorf("exp %s: %v, %v, want the zero time", exp, c, err)
		}
	}
}

func TestTokenType(t *testing.T) {
	type is struct{ sales, integration, webapp, user, dashboard, guest, customer bool }
	tests := []struct {
		name, claims, want string
		is                 is
	}{
		{"guest", `{"application":{"kind":"sales_channel"}}`, "sales_channel:guest", is{sales: true, guest: true}},
		{"customer", customerClaims, "sales_channel:customer", is{sales: true, customer: true}},
		{"integration", `{"application":{"kind":"integration"}}`, "integration:guest", is{integration: true, guest: true}},
		{"webapp", `{"application":{"kind":"webapp"},"owner":{"type":"User","id":"u"}}`, "webapp:user", is{webapp: true}},
		{"user", `{"application":{"kind":"user"},"user":{"id":"u"}}`, "user:guest", is{user: true, guest: true}},
		{"dashboard", `{"application":{"kind":"dashboard"}}`, "dashboard:guest", is{dashboard: true, guest: true}},
		{"nothing", `{}`, ":guest", is{guest: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := commercelayer.DecodeUnverified(rawJWT(tt.claims))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.TokenType(); got != tt.want {
				t.Errorf("TokenType = %q, want %q", got, tt.want)
			}
			if got := (is{c.IsSalesChannel(), c.IsIntegration(), c.IsWebapp(), c.IsUser(), c.IsDashboard(), c.IsGuest(), c.IsCustomer()}); got != tt.is {
				t.Errorf("predicates = %+v, want %+v", got, tt.is)
			}
		})
	}
}

func TestAPIURLs(t *testing.T) {
	tests := []struct {
		name, issuer, slug, scope string
		core, provisioning        string // "": an error
	}{
		{"public", "https://auth.commercelayer.io", "my-brand", "market:all", "https://my-brand.commercelayer.io", ""},
		{"of old", "https://commercelayer.io", "my-brand", "", "https://my-brand.commercelayer.io", ""},
		{"no issuer", "", "my-brand", "provisioning-api", "https://my-brand.commercelayer.io", "https://provisioning.commercelayer.io"},
		{"other domain", "https://auth.commercelayer.co", "my-brand", "x provisioning-api", "https://my-brand.commercelayer.co", "https://provisioning.commercelayer.co"},
		{"port", "http://auth.localhost:8080", "my-brand", "provisioning-api", "http://my-brand.localhost:8080", "http://provisioning.localhost:8080"},
		{"trailing slash", "https://auth.commercelayer.io/", "my-brand", "", "https://my-brand.commercelayer.io", ""},
		{"by IP", "http://127.0.0.1:8080/auth", "my-brand", "provisioning-api", "http://127.0.0.1:8080/my-brand", "http://127.0.0.1:8080/provisioning"},
		{"by IPv6", "http://[::1]:8080/auth", "my-brand", "", "http://[::1]:8080/my-brand", ""},
		{"localhost", "http://localhost:8080/auth", "my-brand", "", "http://localhost:8080/my-brand", ""},
		{"no organization", "https://auth.commercelayer.io", "", "provisioning-api", "", "https://provisioning.commercelayer.io"},
		{"scope that looks alike", "https://auth.commercelayer.io", "a", "not-provisioning-api", "https://a.commercelayer.io", ""},
		{"slug that leads elsewhere", "https://auth.commercelayer.io", "evil.example/", "", "", ""},
		{"slug with a fragment", "https://auth.commercelayer.io", "evil.example#", "", "", ""},
		{"slug with credentials", "https://auth.commercelayer.io", "a@evil", "", "", ""},
		{"not an auth host", "https://evil.example", "a", "provisioning-api", "", ""},
		{"auth in the middle", "https://evil.auth.example", "a", "", "", ""},
		{"path", "https://auth.commercelayer.io/x", "a", "", "", ""},
		{"by IP without path", "http://127.0.0.1:8080", "a", "", "", ""},
		{"other scheme", "javascript://auth.commercelayer.io", "a", "", "", ""},
		{"credentials", "https://u:p@auth.commercelayer.io", "a", "", "", ""},
		{"query", "https://auth.commercelayer.io?a", "a", "", "", ""},
		{"fragment", "https://auth.evil.example#.commercelayer.io", "a", "", "", ""},
		{"empty domain", "https://auth.", "a", "", "", ""},
		{"odd domain", "https://auth.a_b c", "a", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			claims := map[string]any{"scope": tt.scope}
			if tt.issuer != "" {
				claims["iss"] = tt.issuer
			}
			if tt.slug != "" {
				claims["organization"] = map[string]any{"slug": tt.slug}
			}
			token := jwtOf(claims)
			got, err := commercelayer.CoreAPIURL(token)
			if got != tt.core || (err == nil) != (tt.core != "") {
				t.Errorf("CoreAPIURL = %q, %v, want %q", got, err, tt.core)
			}
			got, err = commercelayer.ProvisioningAPIURL(token)
			if got != tt.provisioning || (err == nil) != (tt.provisioning != "") {
				t.Errorf("ProvisioningAPIURL = %q, %v, want %q", got, err, tt.provisioning)
			}
		})
	}
	if _, err := commercelayer.CoreAPIURL("x"); err == nil {
		t.Error("CoreAPIURL of no JWT: no error")
	}
	if _, err := commercelayer.ProvisioningAPIURL("x"); err == nil {
		t.Error("ProvisioningAPIURL of no JWT: no error")
	}
}

// Whatever a token says, an address made from it has the form of one of the
// service's, and an error quotes nothing of it.
func FuzzDecodeUnverified(f *testing.F) {
	f.Add(rawJWT(customerClaims))
	f.Add(rawJWT(`{"iss":"http://127.0.0.1:8080/auth","organization":{"slug":"a"},"scope":"provisioning-api"}`))
	f.Add(rawJWT(`{"exp":1e300}`))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := commercelayer.DecodeUnverified(token)
		if err != nil {
			if len(token) > 40 && strings.Contains(err.Error(), token) {
				t.Errorf("the error quotes the token: %v", err)
			}
			return
		}
		if !strings.Contains(c.TokenType(), ":") {
			t.Errorf("TokenType = %q", c.TokenType())
		}
		core, err := c.CoreAPIURL()
		if err != nil {
			return
		}
		slug := c.Organization.Slug
		if !utf8.ValidString(core) || !strings.Contains(core, "://"+slug+".") && !strings.HasSuffix(core, "/"+slug) || strings.ContainsAny(core, "@?#\\ ") {
			t.Errorf("CoreAPIURL = %q for slug %q", core, slug)
		}
	})
}

// A claim is one by its exact name, and a customer's type by its letters.
func TestClaimsByTheirNames(t *testing.T) {
	c, err := commercelayer.DecodeUnverified(rawJWT(`{"OWNER":{"type":"Customer","id":"c1"},"Application":{"kind":"integration"},"EXP":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Owner != nil || c.Application.Kind != "" || !c.ExpiresAt.IsZero() || len(c.Unknown) != 3 {
		t.Errorf("claims of other names are read: %+v", c)
	}
	for ownerType, want := range map[string]bool{"Customer": true, "customer": true, "cu\u017ftomer": false, "User": false, "": false} {
		c, err := commercelayer.DecodeUnverified(rawJWT(`{"owner":{"type":"` + ownerType + `","id":"c1"}}`))
		if err != nil || c.IsCustomer() != want {
			t.Errorf("an owner of type %q: %v, IsCustomer() = %v, want %v", ownerType, err, c.IsCustomer(), want)
		}
	}
}

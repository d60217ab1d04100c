package commercelayertest_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestAssertions(t *testing.T) {
	const head = `{"alg":"HS512","typ":"JWT"}`
	claims := func(c string) string { return `{"https://commercelayer.io/claims":` + c + `,"iat":1}` }
	const custom = `{"custom_claim":{"a":1}}`
	large := func(n int) string { return assertion(`{"custom_claim":{"a":"` + strings.Repeat("x", n) + `"}}`) }
	tests := []struct {
		name, assertion string
		good            bool
	}{
		{"custom claim", jwtOf(head, claims(custom)), true},
		{"empty custom claim", jwtOf(head, claims(`{"custom_claim":{}}`)), true},
		{"owner", jwtOf(head, claims(`{"owner":{"type":"User","id":"a"}}`)), true},
		{"owner and null", jwtOf(head, claims(`{"owner":{"type":"User","id":"a"},"custom_claim":null}`)), true},
		{"more claims", jwtOf(head, `{"https://commercelayer.io/claims":`+custom+`,"iat":1,"exp":2}`), true},
		{"almost too large", large(2800), true},
		{"too large", large(3100), false},
		{"empty claim", jwtOf(head, claims(`{}`)), false},
		{"nulls", jwtOf(head, claims(`{"owner":null,"custom_claim":null}`)), false},
		{"other claims only", jwtOf(head, claims(`{"customer":1}`)), false},
		{"no claim", jwtOf(head, `{"iat":1}`), false},
		{"claim is a list", jwtOf(head, claims(`[]`)), false},
		{"custom claim is a text", jwtOf(head, claims(`{"custom_claim":"a"}`)), false},
		{"custom claim is a list", jwtOf(head, claims(`{"custom_claim":[]}`)), false},
		{"owner of no type", jwtOf(head, claims(`{"owner":{"id":"a"}}`)), false},
		{"owner of another type", jwtOf(head, claims(`{"owner":{"type":"customer","id":"a"}}`)), false},
		{"owner without id", jwtOf(head, claims(`{"owner":{"type":"Customer"}}`)), false},
		{"owner with a number for an id", jwtOf(head, claims(`{"owner":{"type":"Customer","id":7}}`)), false},
		{"bad owner with a good custom claim", jwtOf(head, claims(`{"owner":{},"custom_claim":{"a":1}}`)), false},
		{"no iat", jwtOf(head, `{"https://commercelayer.io/claims":`+custom+`}`), false},
		{"iat is a text", jwtOf(head, `{"https://commercelayer.io/claims":`+custom+`,"iat":"1"}`), false},
		{"HS256", jwtOf(`{"alg":"HS256","typ":"JWT"}`, claims(custom)), false},
		{"none", jwtOf(`{"alg":"none","typ":"JWT"}`, claims(custom)), false},
		{"no typ", jwtOf(`{"alg":"HS512"}`, claims(custom)), false},
		{"two parts", "a.b", false},
		{"no base64", "!.!.!", false},
		{"no JSON", jwtOf("x", "y"), false},
		{"empty", "", false},
	}
	k := newKit(t, &clt.Options{RateLimit: clt.NoRateLimit})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			a := k.ask(integration.with(fields{"grant_type": jwtBearer, "assertion": tt.assertion}))
			if tt.good {
				equal(t, "status", a.status, 200)
			} else {
				equal(t, "body", string(a.body), badAssertion)
			}
		})
	}
}

// An assertion is either refused with the service's words, or its owner and
// custom claim come back in the token.
func FuzzAssertion(f *testing.F) {
	server := clt.NewServer(&clt.Options{RateLimit: clt.NoRateLimit})
	f.Add(`{"alg":"HS512","typ":"JWT"}`, `{"https://commercelayer.io/claims":{"custom_claim":{"a":1}},"iat":1}`)
	f.Add(`{"alg":"HS512","typ":"JWT"}`, `{"https://commercelayer.io/claims":{"owner":{"type":"User","id":"x"}},"iat":1}`)
	f.Add(`{}`, `null`)
	f.Fuzz(func(t *testing.T, head, payload string) {
		form := url.Values{"grant_type": {jwtBearer}, "client_id": {clt.IntegrationID}, "client_secret": {clt.IntegrationSecret}, "assertion": {jwtOf(head, payload)}}
		r := httptest.NewRequest("POST", server.TokenURL(), strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code != 200 {
			if w.Body.String() != badAssertion && w.Code != 413 {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			return
		}
		var doc tokenAnswer
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		claims := claimsOf(t, doc.Access)
		if claims["owner"] == "" && claims["custom_claim"] == "" {
			t.Errorf("accepted for nothing: %s", payload)
		}
		if (claims["owner"] != "") != (doc.OwnerID != "") {
			t.Errorf("owner %s, owner_id %q", claims["owner"], doc.OwnerID)
		}
	})
}

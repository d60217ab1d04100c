package commercelayertest_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestClaims(t *testing.T) {
	const (
		org   = `{"id":"O1","slug":"acme","enterprise":true,"region":"eu-west-1"}`
		owned = "application custom_claim exp iat iss market organization owner rand scope test"
	)
	market := clt.Market{Code: "europe", ID: "M1", CurrencyCode: "EUR",
		StockLocations: []clt.StockLocation{{Code: "a", ID: "S1"}, {Code: "b", ID: "S2"}}}
	opts := &clt.Options{
		Organization: clt.Organization{ID: "O1", Slug: "acme"},
		Markets:      []clt.Market{market},
		Applications: []clt.Application{
			{Kind: clt.SalesChannel, ClientID: "sc", ClientSecret: "s", ID: "A1"},
			{Kind: clt.Integration, ClientID: "in", ClientSecret: "s", ID: "A2"},
			{Kind: clt.Webapp, ClientID: "wa", ClientSecret: "s", ID: "A3"},
			{Kind: clt.User, ClientID: "us", ClientSecret: "s", ID: "A4", UserID: "U1"},
		},
	}
	without := func(names ...string) string {
		var left []string
		for name := range strings.SplitSeq(owned, " ") {
			if !slices.Contains(names, name) {
				left = append(left, name)
			}
		}
		return strings.Join(left, " ")
	}
	tests := []struct {
		name    string
		request fields
		keys    string
		want    map[string]string
	}{
		{"guest", fields{"client_id": "sc", "scope": "market:code:europe"}, without("owner", "custom_claim"), map[string]string{
			"organization": org, "scope": `"market:code:europe"`, "test": "true", "iss": `"https://auth.commercelayer.io"`,
			"application": `{"id":"A1","kind":"sales_channel","client_id":"sc","public":true,"confidential":false}`,
			"market":      `{"id":["M1"],"stock_location_ids":["S1","S2"],"geocoder_id":null,"allows_external_prices":false}`,
		}},
		{"guest with secret", fields{"client_id": "sc", "client_secret": "s", "scope": "market:id:M1 stock_location:id:S2"}, without("owner", "custom_claim"), map[string]string{
			"application": `{"id":"A1","kind":"sales_channel","client_id":"sc","public":true,"confidential":true}`,
			"market":      `{"id":["M1"],"stock_location_ids":["S2"],"geocoder_id":null,"allows_external_prices":false}`,
		}},
		{"guest of all markets", fields{"client_id": "sc"}, without("owner", "custom_claim", "market"), map[string]string{"scope": `"market:all"`}},
		{"integration", fields{"client_id": "in", "client_secret": "s", "scope": "market:id:M1"}, without("owner", "custom_claim", "market"), map[string]string{
			"application": `{"id":"A2","kind":"integration","client_id":"in","public":false,"confidential":true}`,
		}},
		{"webapp", fields{"grant_type": jwtBearer, "client_id": "wa", "client_secret": "s", "scope": "market:id:M1", "assertion": assertion(`{"owner":{"type":"User","id":"U9"},"custom_claim":{"b":1.10,"a":"<ü>"}}`)}, owned, map[string]string{
			"application": `{"id":"A3","kind":"webapp","client_id":"wa","public":false,"confidential":true}`,
			"owner":       `{"type":"User","id":"U9"}`, "custom_claim": `{"b":1.10,"a":"<ü>"}`,
		}},
		{"user", fields{"client_id": "us", "client_secret": "s"}, "application exp iat iss rand scope test user", map[string]string{
			"application": `{"id":"A4","kind":"user","client_id":"us","public":false,"confidential":true}`,
			"user":        `{"id":"U1"}`, "test": "false", "scope": `"provisioning-api metrics-api"`,
		}},
	}
	bubble(t, opts, func(t *testing.T, k *kit) {
		for _, tt := range tests {
			got := k.token(fields{"grant_type": "client_credentials"}.with(tt.request))
			equal(t, tt.name+": header", string(part(t, got.Access, 0))[:34], `{"alg":"RS512","typ":"JWT","kid":"`)
			equal(t, tt.name+": header's keys", strings.Join(keys(t, part(t, got.Access, 0)), " "), "alg kid typ")
			claims := claimsOf(t, got.Access)
			equal(t, tt.name+": claims", strings.Join(slices.Sorted(maps.Keys(claims)), " "), tt.keys)
			for name, want := range tt.want {
				equal(t, tt.name+": "+name, claims[name], want)
			}
			now := time.Now().Unix()
			equal(t, tt.name+": iat", claims["iat"], strconv.FormatInt(now, 10))
			equal(t, tt.name+": exp", claims["exp"], strconv.FormatInt(now+got.Life, 10))
			equal(t, tt.name+": created_at", got.Created, now)
			if r, err := strconv.ParseFloat(claims["rand"], 64); err != nil || r < 0 || r >= 1 {
				t.Errorf("%s: rand is %s", tt.name, claims["rand"])
			}
		}
	})
}

func TestLiveAndStandardOrganization(t *testing.T) {
	k := newKit(t, &clt.Options{Organization: clt.Organization{Standard: true, Live: true, Region: "us-east-1", ID: "O"}})
	claims := claimsOf(t, k.token(integration).Access)
	equal(t, "test", claims["test"], "false")
	equal(t, "organization", claims["organization"], `{"id":"O","slug":"local-shop","enterprise":false,"region":"us-east-1"}`)
}

// Sizes matter to those who keep tokens in cookies.
func TestTokenSize(t *testing.T) {
	k := newKit(t, nil)
	for name, request := range map[string]fields{"guest": guest, "integration": integration, "customer": password, "provisioning": provisioning} {
		if n := len(k.token(request).Access); n < 800 || n > 1500 {
			t.Errorf("%s: token has %d bytes, want 800 to 1500", name, n)
		}
	}
}

type keySet struct {
	Keys []map[string]string `json:"keys"`
}

func (k *kit) keySet() keySet {
	k.t.Helper()
	var set keySet
	k.do(k.request("GET", k.server.AuthURL()+"/.well-known/jwks.json", "")).into(k.t, &set)
	return set
}

// verifies tells whether a key of the set signed the token.
func (s keySet) verifies(t *testing.T, token string) bool {
	t.Helper()
	var head struct{ Kid string }
	if err := json.Unmarshal(part(t, token, 0), &head); err != nil {
		t.Fatal(err)
	}
	for _, key := range s.Keys {
		if key["kid"] != head.Kid {
			continue
		}
		n, err1 := base64.RawURLEncoding.DecodeString(key["n"])
		e, err2 := base64.RawURLEncoding.DecodeString(key["e"])
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		sum := sha512.Sum512([]byte(token[:strings.LastIndex(token, ".")]))
		return rsa.VerifyPKCS1v15(public, crypto.SHA512, sum[:], part(t, token, 2)) == nil
	}
	return false
}

func TestKeySet(t *testing.T) {
	k := newKit(t, nil)
	set := k.keySet()
	if len(set.Keys) != 1 {
		t.Fatalf("%d keys, want 1", len(set.Keys))
	}
	key := set.Keys[0]
	equal(t, "keys", strings.Join(slices.Sorted(maps.Keys(key)), " "), "alg e kid kty n use")
	equal(t, "kty", key["kty"], "RSA")
	equal(t, "alg", key["alg"], "RS512")
	equal(t, "use", key["use"], "sig")
	if !set.verifies(t, k.token(integration).Access) {
		t.Error("the key set does not verify a token")
	}
}

func TestRollKeys(t *testing.T) {
	tests := []struct {
		name     string
		opts     *clt.RollKeysOptions
		keys     int
		keepsOld bool
	}{
		{"keeping the old", nil, 2, true},
		{"dropping the old", &clt.RollKeysOptions{DropOld: true}, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil)
			old := k.token(integration).Access
			k.server.RollKeys(tt.opts)
			set := k.keySet()
			equal(t, "keys", len(set.Keys), tt.keys)
			equal(t, "old token verifies", set.verifies(t, old), tt.keepsOld)
			equal(t, "API takes the old token", k.good(old), tt.keepsOld)
			again := k.token(integration).Access
			equal(t, "the old token is given again", again == old, tt.keepsOld)
			fresh := k.token(guest).Access
			equal(t, "the new token is signed with the old key", bytes.Equal(part(t, fresh, 0), part(t, old, 0)), false)
			if !set.verifies(t, fresh) || !k.good(fresh) {
				t.Error("a new token is not good")
			}
		})
	}
}

package commercelayertest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// fields are those of a token request; a nil one is left out.
type fields map[string]any

// guest, integration and so on ask for a token in the plainest way.
var (
	guest       = fields{"grant_type": "client_credentials", "client_id": commercelayertest.SalesChannelID, "scope": commercelayertest.MarketScope}
	integration = fields{"grant_type": "client_credentials", "client_id": commercelayertest.IntegrationID, "client_secret": commercelayertest.IntegrationSecret}
	password    = fields{"grant_type": "password", "client_id": commercelayertest.SalesChannelID, "scope": commercelayertest.MarketScope,
		"username": commercelayertest.CustomerEmail, "password": commercelayertest.CustomerPassword}
	grace        = password.with(fields{"username": commercelayertest.OtherCustomerEmail, "password": commercelayertest.OtherCustomerPassword})
	provisioning = fields{"grant_type": "client_credentials", "client_id": commercelayertest.UserClientID, "client_secret": commercelayertest.UserClientSecret}
)

func (f fields) with(more fields) fields {
	all := maps.Clone(f)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// kit is a server and a client of it.
type kit struct {
	t      *testing.T
	server *commercelayertest.Server
	client *http.Client
}

func newKit(t *testing.T, opts *commercelayertest.Options) *kit {
	t.Helper()
	server, err := commercelayertest.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return &kit{t, server, server.Client()}
}

// bubble runs a test of time.
func bubble(t *testing.T, opts *commercelayertest.Options, test func(t *testing.T, k *kit)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newKit(t, opts)) })
}

// answer is a response that was read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (k *kit) do(req *http.Request) answer {
	k.t.Helper()
	resp, err := k.client.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

func (k *kit) request(method, url, body string, header ...string) *http.Request {
	k.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func (k *kit) postJSON(url string, f fields) answer {
	k.t.Helper()
	body, err := json.Marshal(f)
	if err != nil {
		k.t.Fatal(err)
	}
	return k.do(k.request("POST", url, string(body), "Content-Type", "application/json"))
}

// ask makes a token request.
func (k *kit) ask(f fields) answer { k.t.Helper(); return k.postJSON(k.server.TokenURL(), f) }

// token makes a token request that has to succeed.
func (k *kit) token(f fields) tokenAnswer {
	k.t.Helper()
	a := k.ask(f)
	if a.status != 200 {
		k.t.Fatalf("token request: status %d: %s", a.status, a.body)
	}
	return a.token(k.t)
}

func (k *kit) revoke(f fields) answer {
	k.t.Helper()
	return k.postJSON(k.server.AuthURL()+"/oauth/revoke", f)
}

// api asks the Core API.
func (k *kit) api(token, path string) answer {
	k.t.Helper()
	return k.do(k.request("GET", k.server.APIURL()+"/api/"+path, "",
		"Authorization", "Bearer "+token, "Accept", "application/vnd.api+json"))
}

func (k *kit) create(token, resourceType, body string) answer {
	k.t.Helper()
	return k.send("POST", token, resourceType, body)
}

// send makes a request with a document, or none, to the Core API.
func (k *kit) send(method, token, path, body string) answer {
	k.t.Helper()
	return k.do(k.request(method, k.server.APIURL()+"/api/"+path, body,
		"Authorization", "Bearer "+token, "Accept", "application/vnd.api+json", "Content-Type", "application/vnd.api+json"))
}

// good tells whether the API takes a token.
func (k *kit) good(token string) bool {
	k.t.Helper()
	return k.api(token, "organization").status == 200
}

type tokenAnswer struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Life    int64  `json:"expires_in"`
	Refresh string `json:"refresh_token"`
	Scope   string `json:"scope"`
	Created int64  `json:"created_at"`
	OwnerID string `json:"owner_id"`
	Owner   string `json:"owner_type"`
}

func (a answer) token(t *testing.T) (v tokenAnswer) { t.Helper(); a.into(t, &v); return v }

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("body %q: %v", a.body, err)
	}
}

// keys are the sorted keys of a JSON object.
func keys(t *testing.T, object []byte) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		t.Fatalf("%q: %v", object, err)
	}
	return slices.Sorted(maps.Keys(m))
}

// problem is one error as it stands in the body.
func problem(title, detail, code, status string) string {
	return `{"errors":[{"title":"` + title + `","detail":"` + detail + `","code":"` + code + `","status":` + status + `}]}`
}

var (
	unknownClient = problem("invalid_client", "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.", "UNAUTHORIZED", "401")
	badAssertion  = problem("invalid_assertion", "The provided assertion is invalid.", "BAD_REQUEST", "400")
	revokeRefused = problem("unauthorized_client", "You are not authorized to revoke this token", "FORBIDDEN", "403")
	invalidToken  = problem("Invalid token", "The access token you provided is invalid.", "INVALID_TOKEN", `"401"`)
	accessDenied  = problem("Access denied", "You are not authorized to perform this action on the requested resource.", "UNAUTHORIZED", `"401"`)
)

// title is that of the first error, which the auth host uses for the code of
// RFC 6749.
func (a answer) title(t *testing.T) string {
	t.Helper()
	var doc struct {
		Errors []struct{ Title, Detail, Code string }
	}
	a.into(t, &doc)
	if len(doc.Errors) != 1 || doc.Errors[0].Detail == "" || doc.Errors[0].Code == "" {
		t.Fatalf("not one whole error: %s", a.body)
	}
	return doc.Errors[0].Title
}

// part decodes one part of a JWT.
func part(t *testing.T, token string, i int) []byte {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts, want 3", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// claimsOf returns a token's claims, each as it stands there.
func claimsOf(t *testing.T, token string) map[string]string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(part(t, token, 1), &m); err != nil {
		t.Fatal(err)
	}
	claims := map[string]string{}
	for name, raw := range m {
		claims[name] = string(raw)
	}
	return claims
}

// assertion makes a JWT bearer assertion of the claims; its signature is
// anything.
func assertion(claims string) string {
	return jwtOf(`{"alg":"HS512","typ":"JWT"}`, `{"https://commercelayer.io/claims":`+claims+`,"iat":1700000000}`)
}

func jwtOf(header, payload string) string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload)) + "." + enc.EncodeToString(bytes.Repeat([]byte{7}, 64))
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func tokenRequest(k *kit, f fields) *http.Request {
	body, _ := json.Marshal(f)
	return k.request("POST", k.server.TokenURL(), string(body), "Content-Type", "application/json")
}

// orderRequest is one for an order, with so many bytes of white space in it.
func orderRequest(k *kit, token string, size int) *http.Request {
	return k.request("POST", k.server.APIURL()+"/api/orders", `{"data":{"type":"orders"}`+strings.Repeat(" ", size)+"}",
		"Authorization", "Bearer "+token, "Accept", "application/vnd.api+json", "Content-Type", "application/vnd.api+json")
}

// pass lets time pass in a synctest bubble, where it does so at once.
func pass(d time.Duration) { <-time.After(d) }

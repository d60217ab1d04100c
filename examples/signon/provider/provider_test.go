package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/examples/signon/provider"
)

const (
	issuer   = "https://id.example"
	callback = "https://shop.example/callback"
	secret   = "a secret: 100%"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

func newProvider() *provider.Provider {
	return provider.New(issuer, provider.Client{ID: "shop", Secret: secret, RedirectURI: callback},
		[]provider.User{{Subject: "1815", Name: "Ada <b>", Email: "ada@example.com", EmailVerified: true}})
}

// request is an authentication request, but for what is changed; an empty text leaves
// one out.
func request(changed map[string]string) url.Values {
	challenge := sha256.Sum256([]byte(verifier))
	all := map[string]string{
		"client_id": "shop", "redirect_uri": callback, "response_type": "code", "scope": "openid email", "state": "<state>", "nonce": "a nonce",
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	}
	maps.Copy(all, changed)
	form := url.Values{}
	for name, value := range all {
		if value != "" {
			form.Set(name, value)
		}
	}
	return form
}

// send posts a form; change may change the request.
func send(p http.Handler, path string, form url.Values, change func(*http.Request)) *http.Response {
	r := httptest.NewRequest(http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result()
}

func show(p http.Handler, query string) *http.Response {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, issuer+"/authorize?"+query, nil))
	return w.Result()
}

// Both for the page and for what it sends.
func TestAuthorize(t *testing.T) {
	tests := []struct {
		name    string
		changed map[string]string
		twice   string // a parameter that comes twice
		user    string
		status  int    // of the choice
		failed  string // the error that the client is told
	}{
		{"as it should be", nil, "", "1815", 303, ""},
		{"the user does not want to", nil, "", "", 303, "access_denied"},
		{"nobody known", nil, "", "1906", 303, "access_denied"},
		{"another client", map[string]string{"client_id": "another"}, "", "1815", 400, ""},
		{"another address", map[string]string{"redirect_uri": "https://evil.example/"}, "", "1815", 400, ""},
		{"an address that begins alike", map[string]string{"redirect_uri": callback + "/../x"}, "", "1815", 400, ""},
		{"no address", map[string]string{"redirect_uri": ""}, "", "1815", 400, ""},
		{"a token at once", map[string]string{"response_type": "id_token"}, "", "1815", 303, "unsupported_response_type"},
		{"no OpenID", map[string]string{"scope": "email openidx"}, "", "1815", 303, "invalid_scope"},
		{"no PKCE", map[string]string{"code_challenge": ""}, "", "1815", 303, "invalid_request"},
		{"PKCE plain", map[string]string{"code_challenge_method": "plain"}, "", "1815", 303, "invalid_request"},
		{"PKCE plain by default", map[string]string{"code_challenge_method": ""}, "", "1815", 303, "invalid_request"},
		{"a parameter twice", nil, "state", "1815", 303, "invalid_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, form := newProvider(), request(tt.changed)
			if tt.twice != "" {
				form.Add(tt.twice, "another")
			}
			page := show(p, form.Encode())
			body, err := io.ReadAll(page.Body)
			if err != nil {
				t.Fatal(err)
			}
			wrong := tt.failed != "" && tt.failed != "access_denied"
			switch {
			case tt.status == 400 || wrong:
				if page.StatusCode != tt.status {
					t.Errorf("the page is answered %s, want %d", page.Status, tt.status)
				}
			case page.StatusCode != 200 || !strings.Contains(string(body), "Ada &lt;b&gt;") || !strings.Contains(string(body), `value="&lt;state&gt;"`):
				t.Errorf("the page is answered %s:\n%s", page.Status, body)
			}
			form.Set("user", tt.user)
			resp := send(p, "/authorize", form, nil)
			if resp.StatusCode != tt.status {
				t.Fatalf("the choice is answered %s, want %d", resp.Status, tt.status)
			}
			if tt.status == 400 {
				if got := resp.Header.Get("Location"); got != "" {
					t.Errorf("it leads to %s", got)
				}
				return
			}
			to, err := resp.Location()
			if err != nil {
				t.Fatal(err)
			}
			q := to.Query()
			if !strings.HasPrefix(to.String(), callback+"?") || q.Get("state") != "<state>" || q.Get("iss") != issuer || q.Get("error") != tt.failed || q.Has("code") == (tt.failed != "") {
				t.Errorf("it leads to %s", to)
			}
		})
	}
}

func TestToken(t *testing.T) {
	basic := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
	}
	right := basic("shop", secret)
	tests := []struct {
		name    string
		changed map[string]string
		auth    func(*http.Request)
		after   time.Duration
		status  int
		failed  string
	}{
		{"as it should be", nil, right, 59 * time.Second, 200, ""},
		{"after a minute", nil, right, time.Minute, 400, "invalid_grant"},
		{"no client", nil, nil, 0, 401, "invalid_client"},
		{"another secret", nil, basic("shop", "another"), 0, 401, "invalid_client"},
		{"another client", nil, basic("another", secret), 0, 401, "invalid_client"},
		{"a secret that is not escaped", nil, func(r *http.Request) { r.SetBasicAuth("shop", secret) }, 0, 401, "invalid_client"},
		{"another code", map[string]string{"code": "another"}, right, 0, 400, "invalid_grant"},
		{"another address", map[string]string{"redirect_uri": callback + "/"}, right, 0, 400, "invalid_grant"},
		{"another verifier", map[string]string{"code_verifier": verifier + "x"}, right, 0, 400, "invalid_grant"},
		{"no verifier", map[string]string{"code_verifier": ""}, right, 0, 400, "invalid_grant"},
		{"another grant", map[string]string{"grant_type": "password"}, right, 0, 400, "unsupported_grant_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, choice := newProvider(), request(nil)
				choice.Set("user", "1815")
				to, err := send(p, "/authorize", choice, nil).Location()
				if err != nil {
					t.Fatal(err)
				}
				<-time.After(tt.after)
				form := url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier}}
				whole := maps.Clone(form)
				for name, value := range tt.changed {
					form.Set(name, value)
				}
				resp := send(p, "/token", form, tt.auth)
				var got struct {
					Error   string `json:"error"`
					IDToken string `json:"id_token"`
				}
				if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != tt.status || got.Error != tt.failed || (got.IDToken != "") != (tt.failed == "") || resp.Header.Get("Cache-Control") != "no-store" {
					t.Fatalf("answered %s, %s, want %d, %s", resp.Status, got.Error, tt.status, tt.failed)
				}
				if got.IDToken != "" {
					checkIDToken(t, got.IDToken)
				}
				again := send(p, "/token", whole, right)
				spent := tt.failed == "" || tt.failed == "invalid_grant" && tt.name != "another code"
				if again.StatusCode == 200 == spent {
					t.Errorf("then the code gets %s", again.Status)
				}
			})
		})
	}
}

func checkIDToken(t *testing.T, token string) {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	now := float64(time.Now().Unix())
	want := map[string]any{
		"iss": issuer, "sub": "1815", "aud": "shop", "nonce": "a nonce", "iat": now, "exp": now + 300,
		"email": "ada@example.com", "email_verified": true,
	}
	if !maps.Equal(got, want) {
		t.Errorf("the ID token says %v, want %v", got, want)
	}
}

// Another site's form chooses nobody.
func TestCrossOrigin(t *testing.T) {
	form := request(nil)
	form.Set("user", "1815")
	resp := send(newProvider(), "/authorize", form, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
	if resp.StatusCode != http.StatusForbidden || resp.Header.Get("Location") != "" {
		t.Errorf("answered %s, want 403", resp.Status)
	}
}

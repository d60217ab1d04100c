// Package provider is a small OpenID Connect provider (OpenID Connect Core 1.0, RFC 6749,
// RFC 7636, RFC 9207), for the example and its tests. It has one client, whose secret it
// checks, and asks users for no password: whoever comes chooses who to be. All else is as
// it should be: codes are good once and for a minute, and bound to the client, its address,
// the PKCE challenge and the nonce.
package provider

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

const (
	codeLife    = time.Minute
	idTokenLife = 5 * time.Minute
	maxBody     = 16 << 10
)

// User is somebody who can sign on.
type User struct {
	Subject       string // names the user for ever
	Name          string
	Email         string
	EmailVerified bool
}

// Client is the program that users sign on to.
type Client struct {
	ID          string
	Secret      string `json:"-"`
	RedirectURI string // where its users go back to, compared whole
}

// Provider is an http.Handler. Make one with [New]; it is safe for concurrent use.
type Provider struct {
	issuer string
	client Client
	users  []User
	mux    http.Handler

	mu     sync.Mutex        // guards what follows
	key    *key              // signs
	grants map[string]*grant // by their codes
}

// New returns a provider whose issuer identifier, and the base of its addresses, is
// issuer, such as https://id.example.
func New(issuer string, client Client, users []User) *Provider {
	p := &Provider{issuer: issuer, client: client, users: users, grants: map[string]*grant{}}
	p.RollKeys()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.showUsers)
	// Only this provider's own page chooses a user.
	mux.Handle("POST /authorize", http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.chooseUser)))
	mux.HandleFunc("POST /token", p.token)
	p.mux = http.MaxBytesHandler(mux, maxBody)
	return p
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// discovery tells where everything is (OpenID Connect Discovery §4).
func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer":                                         p.issuer,
		"authorization_endpoint":                         p.issuer + "/authorize",
		"token_endpoint":                                 p.issuer + "/token",
		"jwks_uri":                                       p.issuer + "/keys",
		"response_types_supported":                       []string{"code"},
		"grant_types_supported":                          []string{"authorization_code"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"ES256"},
		"scopes_supported":                               []string{"openid", "email"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	})
}

// answer answers in JSON.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

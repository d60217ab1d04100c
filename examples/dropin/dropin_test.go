package dropin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/digitalocean/godo"
	"github.com/google/go-github/v92/github"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// service is a token endpoint (RFC 6749 §4.4) and the few resources that the
// libraries ask for. Only the latest token is good.
type service struct {
	*httptest.Server

	mu       sync.Mutex // guards what follows
	requests int
	good     string
	bodies   []string
}

func newService(t *testing.T) *service {
	s := &service{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("GET /user", s.authorized(`{"login":"octocat"}`))
	mux.HandleFunc("POST /repos/octocat/hello/issues", s.authorized(`{"number":7}`))
	mux.HandleFunc("GET /v2/account", s.authorized(`{"account":{"email":"sammy@example.com"}}`))
	mux.HandleFunc("POST /v2/domains", s.authorized(`{"domain":{"name":"example.com"}}`))
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *service) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.good = fmt.Sprintf("token-%d", s.requests)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"access_token": s.good, "token_type": "bearer", "expires_in": 3600})
}

func (s *service) authorized(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		json.NewDecoder(r.Body).Decode(&body)
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "Bearer "+s.good {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"message":"Bad credentials"}`)
			return
		}
		s.bodies = append(s.bodies, fmt.Sprint(body))
		fmt.Fprint(w, answer)
	}
}

// revoke makes the running token worthless.
func (s *service) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.good = "none"
}

func (s *service) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.bodies = 0, nil
}

// want compares what the service has seen since reset: token requests, and the
// bodies of requests with a good token.
func (s *service) want(t *testing.T, requests int, bodies string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests != requests {
		t.Errorf("%d token requests, want %d", s.requests, requests)
	}
	if got := strings.Join(s.bodies, " "); got != bodies {
		t.Errorf("the service got %s, want %s", got, bodies)
	}
}

// clients are what people who come from x/oauth2 hand to a library.
func clients(s *service) map[string]*http.Client {
	cfg := &clientcredentials.Config{ClientID: "id", ClientSecret: "secret", TokenURL: s.URL + "/token"}
	return map[string]*http.Client{
		"NewClient": bearer.NewClient(bearer.NewSource(cfg.Token, nil), nil),
		"Transport": {Transport: &bearer.Transport{Source: bearer.NewSource(cfg.Token, nil), Base: http.DefaultTransport}},
	}
}

func TestGoGitHub(t *testing.T) {
	s := newService(t)
	for name, httpClient := range clients(s) {
		t.Run(name, func(t *testing.T) {
			client, err := github.NewClient(github.WithHTTPClient(httpClient), github.WithURLs(new(s.URL+"/"), new(s.URL+"/")))
			if err != nil {
				t.Fatal(err)
			}
			s.reset()
			user, _, err := client.Users.Get(t.Context(), "")
			if err != nil || user.GetLogin() != "octocat" {
				t.Fatalf("Users.Get: %v, %v", user, err)
			}
			s.revoke()
			issue, _, err := client.Issues.Create(t.Context(), "octocat", "hello", github.CreateIssueRequest{Title: "found a bug"})
			if err != nil || issue.GetNumber() != 7 {
				t.Fatalf("Issues.Create after a revocation: %v, %v", issue, err)
			}
			s.want(t, 2, "map[] map[title:found a bug]")
		})
	}
}

func TestGodo(t *testing.T) {
	s := newService(t)
	for name, httpClient := range clients(s) {
		t.Run(name, func(t *testing.T) {
			client, err := godo.New(httpClient, godo.SetBaseURL(s.URL))
			if err != nil {
				t.Fatal(err)
			}
			s.reset()
			account, _, err := client.Account.Get(t.Context())
			if err != nil || account.Email != "sammy@example.com" {
				t.Fatalf("Account.Get: %v, %v", account, err)
			}
			s.revoke()
			domain, _, err := client.Domains.Create(t.Context(), &godo.DomainCreateRequest{Name: "example.com"})
			if err != nil || domain.Name != "example.com" {
				t.Fatalf("Domains.Create after a revocation: %v, %v", domain, err)
			}
			s.want(t, 2, "map[] map[name:example.com]")
		})
	}
}

// An oauth2.TokenSource of any make is a Source, and ours is one of theirs.
func TestBothWays(t *testing.T) {
	s := newService(t)
	cfg := &clientcredentials.Config{ClientID: "id", ClientSecret: "secret", TokenURL: s.URL + "/token"}
	for name, httpClient := range map[string]*http.Client{
		"theirs in ours": bearer.NewClient(cfg.TokenSource(t.Context()), nil),
		"ours in theirs": oauth2.NewClient(t.Context(), bearer.NewSource(cfg.Token, nil)),
	} {
		t.Run(name, func(t *testing.T) {
			s.reset()
			for range 3 {
				resp, err := httpClient.Get(s.URL + "/user")
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("status %d", resp.StatusCode)
				}
			}
			s.want(t, 1, "map[] map[] map[]")
		})
	}
}

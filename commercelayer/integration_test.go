package commercelayer_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/tokenendpoint"
)

func newIntegration(t *testing.T, o *commercelayer.Options) *commercelayer.Integration {
	t.Helper()
	i, err := commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret, o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestIntegrationClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		i := newIntegration(t, optionsFor(s))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if got := list(t, i.Client(), s.APIURL()+"/api/customers"); got != 200 {
					t.Errorf("the API answers %d", got)
				}
			})
		}
		all.Wait()
		if got := s.Counts(); got.TokenRequests != 1 || got.APIRequests != 50 {
			t.Errorf("%d token requests for %d requests, want 1 for 50", got.TokenRequests, got.APIRequests)
		}
	})
}

// A token is refreshed within its last 15 minutes, when the service issues
// another one, and never asked for in vain.
func TestIntegrationLivesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		i := newIntegration(t, optionsFor(s))
		for range 12 * 60 {
			if got := list(t, i.Client(), s.APIURL()+"/api/skus"); got != 200 {
				t.Fatalf("the API answers %d", got)
			}
			pass(time.Minute)
		}
		got := s.Counts()
		if got.SameAgain != 0 || got.TokenRequests != got.Issued || got.Issued < 6 || got.Issued > 7 || got.APIInvalidToken != 0 {
			t.Errorf("in 12 hours: %d token requests, %d tokens issued, %d given again, %d refused; want 6 or 7 of each, and none", got.TokenRequests, got.Issued, got.SameAgain, got.APIInvalidToken)
		}
	})
}

func TestIntegrationSurvivesRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		i := newIntegration(t, optionsFor(s))
		list(t, i.Client(), s.APIURL()+"/api/skus")
		pass(time.Hour)
		s.RevokeAll()
		if got := list(t, i.Client(), s.APIURL()+"/api/skus"); got != 200 {
			t.Errorf("the API answers %d", got)
		}
		if got := s.Counts(); got.TokenRequests != 2 || got.APIInvalidToken != 1 {
			t.Errorf("%d token requests and %d tokens refused, want 2 and 1", got.TokenRequests, got.APIInvalidToken)
		}
	})
}

func TestIntegrationWaitsNoLongerThanItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Delay: 5 * time.Second})
		i := newIntegration(t, optionsFor(s))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := i.TokenContext(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("error = %v after %v, want DeadlineExceeded after 100 ms", err, time.Since(start))
		}
		if _, err := i.TokenContext(t.Context()); err != nil || s.Counts().TokenRequests != 1 {
			t.Errorf("the request did not go on for others: %v, %d requests", err, s.Counts().TokenRequests)
		}
	})
}

// The token goes to hosts of the configured domain and nowhere else.
func TestWhereTheTokenGoes(t *testing.T) {
	token := jwtOf(map[string]any{"iss": "https://auth.commercelayer.io", "organization": map[string]any{"slug": "my-brand"}})
	tests := []struct {
		name string
		opts commercelayer.Options
		url  string
		goes bool
	}{
		{"Core API", commercelayer.Options{}, "https://my-brand.commercelayer.io/api/skus", true},
		{"other organization", commercelayer.Options{}, "https://other.commercelayer.io/api/skus", true},
		{"plain http", commercelayer.Options{}, "http://my-brand.commercelayer.io/api/skus", false},
		{"other port", commercelayer.Options{}, "https://my-brand.commercelayer.io:8443/api/skus", false},
		{"other domain", commercelayer.Options{}, "https://my-brand.example.com/api/skus", false},
		{"name that ends alike", commercelayer.Options{}, "https://my-brand.evilcommercelayer.io/", false},
		{"name that begins alike", commercelayer.Options{}, "https://my-brand.commercelayer.io.evil.example/", false},
		{"configured domain", commercelayer.Options{Domain: "commercelayer.co"}, "https://my-brand.commercelayer.co/", true},
		{"public domain, not configured", commercelayer.Options{Domain: "commercelayer.co"}, "https://my-brand.commercelayer.io/", false},
		{"domain of the auth host", commercelayer.Options{AuthURL: "https://auth.commercelayer.test:8443"}, "https://my-brand.commercelayer.test:8443/", true},
		{"public domain, other auth host", commercelayer.Options{AuthURL: "https://auth.commercelayer.test:8443"}, "https://my-brand.commercelayer.io/", false},
		{"by IP", commercelayer.Options{AuthURL: "http://127.0.0.1:8080/auth"}, "http://127.0.0.1:8080/my-brand/api/skus", true},
		{"by IP, other port", commercelayer.Options{AuthURL: "http://127.0.0.1:8080/auth"}, "http://127.0.0.1:8081/my-brand/api/skus", false},
		{"auth host behind a gateway", commercelayer.Options{AuthURL: "https://gw.example/cl", Domain: "commercelayer.io"}, "https://my-brand.commercelayer.io/", true},
		{"gateway", commercelayer.Options{}, "https://gw.example/api/skus", false},
		{"gateway that is configured", commercelayer.Options{Origins: []string{"https://gw.example"}}, "https://gw.example/api/skus", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &stub{answer: func(stubRequest) (int, string, http.Header) {
				return 200, `{"access_token":"` + token + `","expires_in":7200}`, nil
			}}
			tt.opts.Base = s
			if got := list(t, newIntegration(t, &tt.opts).Client(), tt.url); got != 200 {
				t.Fatalf("status %d", got)
			}
			want := ""
			if tt.goes {
				want = "Bearer " + token
			}
			if r := s.last(t); r.URL != tt.url || r.Header.Get("Authorization") != want {
				t.Errorf("request to %s with Authorization %q, want %q", r.URL, r.Header.Get("Authorization"), want)
			}
		})
	}
}

func TestIntegrationCoreAPIURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		i := newIntegration(t, optionsFor(s))
		if got, err := i.CoreAPIURL(t.Context()); err != nil || got != s.APIURL() {
			t.Errorf("CoreAPIURL = %q, %v, want %q", got, err, s.APIURL())
		}
	})
	tests := []struct {
		name, issuer string
		opts         commercelayer.Options
		want         string // "": an error
	}{
		{"of old", "https://commercelayer.io", commercelayer.Options{}, "https://my-brand.commercelayer.io"},
		{"behind a gateway", "https://auth.commercelayer.io", commercelayer.Options{AuthURL: "https://gw.example/cl", Domain: "commercelayer.io"}, "https://my-brand.commercelayer.io"},
		{"by IP", "http://127.0.0.1:8080/auth", commercelayer.Options{AuthURL: "http://127.0.0.1:8080/auth"}, "http://127.0.0.1:8080/my-brand"},
		{"port written", "https://auth.commercelayer.io", commercelayer.Options{AuthURL: "https://auth.commercelayer.io:443"}, "https://my-brand.commercelayer.io"},
		{"domain's port written", "https://auth.commercelayer.io", commercelayer.Options{Domain: "commercelayer.io:443"}, "https://my-brand.commercelayer.io"},
		{"other installation", "https://auth.evil.example", commercelayer.Options{}, ""},
		{"plain http", "http://auth.commercelayer.io", commercelayer.Options{}, ""},
		{"other port", "https://auth.commercelayer.io:8443", commercelayer.Options{}, ""},
		{"odd issuer", "https://evil.example", commercelayer.Options{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.Base = &stub{answer: func(stubRequest) (int, string, http.Header) {
				return 200, `{"access_token":"` + jwtOf(map[string]any{"iss": tt.issuer, "organization": map[string]any{"slug": "my-brand"}}) + `"}`, nil
			}}
			got, err := newIntegration(t, &tt.opts).CoreAPIURL(t.Context())
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("CoreAPIURL = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	for name, s := range map[string]*stub{
		"opaque token": {},
		"no token":     {answer: func(stubRequest) (int, string, http.Header) { return 401, `{"error":"invalid_client"}`, nil }},
	} {
		if got, err := newIntegration(t, &commercelayer.Options{Base: s}).CoreAPIURL(t.Context()); err == nil {
			t.Errorf("%s: CoreAPIURL = %q, want an error", name, got)
		}
	}
}

func TestIntegrationRemoveAuthorization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		i := newIntegration(t, optionsFor(s))
		for range 2 {
			if _, err := i.TokenContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := i.RemoveAuthorization(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Counts(); got.TokenRequests != 2 || got.SameAgain != 1 || got.RevokeRequests != 0 {
			t.Errorf("%d token requests, %d of them in vain, and %d revocations, want 2, 1 and none", got.TokenRequests, got.SameAgain, got.RevokeRequests)
		}
	})
}

func TestIntegrationRevokeAuthorization(t *testing.T) {
	t.Run("token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			i := newIntegration(t, optionsFor(s))
			token, err := i.Token()
			if err != nil {
				t.Fatal(err)
			}
			// Both a copy, and the next: none is held any more.
			for range 2 {
				if err := i.RevokeAuthorization(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := list(t, as(s, token), s.APIURL()+"/api/skus"); got != 401 {
				t.Errorf("the API answers %d, want 401", got)
			}
			if got := s.Counts(); got.RevokeRequests != 1 || got.TokenRequests != 1 {
				t.Errorf("%d revocations and %d token requests, want 1 and 1", got.RevokeRequests, got.TokenRequests)
			}
			if got := list(t, i.Client(), s.APIURL()+"/api/skus"); got != 200 {
				t.Errorf("with a new token the API answers %d", got)
			}
		})
	})
	t.Run("none", func(t *testing.T) {
		s := &stub{}
		if err := newIntegration(t, &commercelayer.Options{Base: s}).RevokeAuthorization(t.Context()); err != nil || s.count() != 0 {
			t.Errorf("error = %v after %d requests, want none after none", err, s.count())
		}
	})
	t.Run("fails", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			i := newIntegration(t, optionsFor(s))
			if _, err := i.Token(); err != nil {
				t.Fatal(err)
			}
			s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.RevokeEndpoint, Status: 503})
			var e *tokenendpoint.Error
			if err := i.RevokeAuthorization(t.Context()); !errors.As(err, &e) || e.Status != 503 {
				t.Errorf("error = %v, want the 503", err)
			}
			if err := i.RevokeAuthorization(t.Context()); err != nil {
				t.Errorf("the token is still held: %v", err)
			}
		})
	})
}

func TestIntegrationPersists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		var saved *bearer.Token
		o.OnChange = func(_ context.Context, t *bearer.Token) error { saved = t; return nil }
		if _, err := newIntegration(t, o).Token(); err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			initial bearer.Token
			asks    int
		}{
			"whole":                {*saved, 0},
			"without expiry":       {bearer.Token{AccessToken: saved.AccessToken}, 0},
			"opaque, no expiry":    {bearer.Token{AccessToken: "opaque"}, 1},
			"expired by its claim": {bearer.Token{AccessToken: jwtOf(map[string]any{"exp": time.Now().Unix() - 1})}, 1},
			"nothing":              {bearer.Token{}, 1},
		} {
			s.ResetCounts()
			o := optionsFor(s)
			o.Initial = new(tt.initial)
			got, err := newIntegration(t, o).Token()
			if err != nil || got.AccessToken != saved.AccessToken || s.Counts().TokenRequests != tt.asks {
				t.Errorf("%s: %v after %d token requests, want the token after %d", name, err, s.Counts().TokenRequests, tt.asks)
			}
			if !o.Initial.Expiry.Equal(tt.initial.Expiry) {
				t.Errorf("%s: the caller's Initial was changed", name)
			}
			if got != nil && !got.Expiry.Equal(saved.Expiry) {
				t.Errorf("%s: Expiry = %v, want %v", name, got.Expiry, saved.Expiry)
			}
		}
	})
}

// The token is everybody's: the address of the visitor who happened to need it
// first must not be sent with it.
func TestIntegrationSendsNoClientIP(t *testing.T) {
	s := &stub{}
	i := newIntegration(t, &commercelayer.Options{Base: s, BackendAuth: "s3cr3t"})
	ctx := commercelayer.WithClientIP(t.Context(), netip.MustParseAddr("192.0.2.1"))
	if _, err := i.TokenContext(ctx); err != nil {
		t.Fatal(err)
	}
	if err := i.RevokeAuthorization(ctx); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.requests {
		if got := r.Header.Get("X-True-Client-Ip"); got != "" || r.Header.Get("X-Backend-Auth") != "s3cr3t" {
			t.Errorf("%s: x-true-client-ip = %q, want none, and x-backend-auth", r.URL, got)
		}
	}
	if s.count() != 2 {
		t.Errorf("%d requests, want 2", s.count())
	}
}

func TestIntegrationEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		var out *syncBuffer
		o.Logger, out = logs()
		var events int
		o.Observer = func(context.Context, bearer.Event) { events++ }
		i := newIntegration(t, o)
		if _, err := i.Token(); err != nil {
			t.Fatal(err)
		}
		if events != 1 || strings.Count(out.String(), "token requested") != 1 || !strings.Contains(out.String(), "integration "+commercelayertest.IntegrationID) {
			t.Errorf("%d events, and the log\n%s\nwant the token request once in each", events, out)
		}
	})
}

func TestNewIntegrationNeedsASecret(t *testing.T) {
	if _, err := commercelayer.NewIntegration("id", "", nil); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("error = %v, want one about the secret", err)
	}
	if _, err := commercelayer.NewIntegration("", "secret", nil); err == nil {
		t.Error("no error without an id")
	}
}

package commercelayer_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/tokenendpoint"
	"golang.org/x/oauth2"
)

type grant func(ctx context.Context, c *commercelayer.Credentials, o *commercelayer.GrantOptions) (*bearer.Token, error)

var grants = map[string]grant{
	"client_credentials": func(ctx context.Context, c *commercelayer.Credentials, o *commercelayer.GrantOptions) (*bearer.Token, error) {
		return c.ClientCredentials(ctx, o)
	},
	"password": func(ctx context.Context, c *commercelayer.Credentials, o *commercelayer.GrantOptions) (*bearer.Token, error) {
		return c.Password(ctx, "a@example.com", "s3cr3t-password", o)
	},
	"refresh_token": func(ctx context.Context, c *commercelayer.Credentials, o *commercelayer.GrantOptions) (*bearer.Token, error) {
		return c.RefreshToken(ctx, "s3cr3t-refresh", o)
	},
	"authorization_code": func(ctx context.Context, c *commercelayer.Credentials, o *commercelayer.GrantOptions) (*bearer.Token, error) {
		return c.AuthorizationCode(ctx, "s3cr3t-code", "https://app.example/back", o)
	},
	"urn:ietf:params:oauth:grant-type:jwt-bearer": func(ctx context.Context, c *commercelayer.Credentials, o *commercelayer.GrantOptions) (*bearer.Token, error) {
		return c.JWTBearer(ctx, "s3cr3t-assertion", o)
	},
}

func TestGrantRequests(t *testing.T) {
	own := map[string]map[string]string{
		"client_credentials": {},
		"password":           {"username": "a@example.com", "password": "s3cr3t-password"},
		"refresh_token":      {"refresh_token": "s3cr3t-refresh"},
		"authorization_code": {"code": "s3cr3t-code", "redirect_uri": "https://app.example/back"},
		"urn:ietf:params:oauth:grant-type:jwt-bearer": {"assertion": "s3cr3t-assertion"},
	}
	for name, ask := range grants {
		t.Run(name, func(t *testing.T) {
			check := func(o *commercelayer.GrantOptions, secret, scope string) {
				t.Helper()
				s := &stub{answer: func(stubRequest) (int, string, http.Header) {
					return 200, `{"access_token":"a","token_type":"bearer","expires_in":14400,"refresh_token":"r","scope":"market:all","created_at":1,"owner_id":"x","owner_type":"customer"}`, nil
				}}
				c := newCredentials(t, "s3cr3t-client", &commercelayer.Options{Base: s, Scope: "market:id:m1", BackendAuth: "s3cr3t-backend"})
				got, err := ask(t.Context(), c, o)
				if err != nil {
					t.Fatal(err)
				}
				if got.AccessToken != "a" || got.RefreshToken != "r" || got.Extra("owner_id") != "x" || got.Extra("owner_type") != "customer" || got.Extra("scope") != "market:all" {
					t.Errorf("the token lacks something of the answer")
				}
				want := maps.Clone(own[name])
				want["grant_type"], want["client_id"], want["scope"] = name, "my-client", scope
				if secret != "" {
					want["client_secret"] = secret
				}
				r := s.last(t)
				if r.URL != "https://auth.commercelayer.io/oauth/token" || !maps.Equal(r.Body, want) {
					t.Errorf("request = %s %v, want %v", r.URL, r.Body, want)
				}
				for header, want := range map[string]string{"Content-Type": "application/json", "Accept": "application/json", "X-Backend-Auth": "s3cr3t-backend", "X-True-Client-Ip": "", "Authorization": ""} {
					if got := r.Header.Get(header); got != want {
						t.Errorf("%s = %q, want %q", header, got, want)
					}
				}
			}
			secret := "s3cr3t-client"
			if name == "password" {
				secret = ""
			}
			check(nil, secret, "market:id:m1")
			check(&commercelayer.GrantOptions{Public: true, Scope: "market:id:m2"}, "", "market:id:m2")
		})
	}
}

func TestGrantMisuse(t *testing.T) {
	type creds = *commercelayer.Credentials
	tests := []struct {
		name, secret string
		call         func(creds) error
	}{
		{"password without email", "", func(c creds) error { _, err := c.Password(t.Context(), "", "p", nil); return err }},
		{"password without password", "", func(c creds) error { _, err := c.Password(t.Context(), "e", "", nil); return err }},
		{"refresh without token", "", func(c creds) error { _, err := c.RefreshToken(t.Context(), "", nil); return err }},
		{"code without code", "s", func(c creds) error { _, err := c.AuthorizationCode(t.Context(), "", "https://x", nil); return err }},
		{"code without redirect", "s", func(c creds) error { _, err := c.AuthorizationCode(t.Context(), "c", "", nil); return err }},
		{"code without secret", "", func(c creds) error { _, err := c.AuthorizationCode(t.Context(), "c", "https://x", nil); return err }},
		{"assertion without assertion", "s", func(c creds) error { _, err := c.JWTBearer(t.Context(), "", nil); return err }},
		{"assertion without secret", "", func(c creds) error { _, err := c.JWTBearer(t.Context(), "a", nil); return err }},
		{"revoke without token", "", func(c creds) error { return c.Revoke(t.Context(), "", nil) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &stub{}
			err := tt.call(newCredentials(t, tt.secret, &commercelayer.Options{Base: s}))
			if err == nil || !strings.HasPrefix(err.Error(), "commercelayer: ") || s.count() != 0 {
				t.Errorf("error = %v after %d requests, want one after none", err, s.count())
			}
		})
	}
}

func TestRevokeRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		opts *commercelayer.RevokeOptions
		want map[string]string
	}{
		"with secret": {nil, map[string]string{"token": "t", "client_id": "my-client", "client_secret": "s3cr3t-client"}},
		"public":      {&commercelayer.RevokeOptions{Public: true}, map[string]string{"token": "t", "client_id": "my-client"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stub{answer: func(stubRequest) (int, string, http.Header) { return 200, "{}", nil }}
			if err := newCredentials(t, "s3cr3t-client", &commercelayer.Options{Base: s}).Revoke(t.Context(), "t", tt.opts); err != nil {
				t.Fatal(err)
			}
			if r := s.last(t); r.URL != "https://auth.commercelayer.io/oauth/revoke" || !maps.Equal(r.Body, tt.want) {
				t.Errorf("request = %s %v, want %v", r.URL, r.Body, tt.want)
			}
		})
	}
}

// A forged token names a host of its own; the secret must not follow.
func TestRevokeIgnoresWhatTheTokenSays(t *testing.T) {
	s := &stub{answer: func(stubRequest) (int, string, http.Header) { return 200, "{}", nil }}
	forged := jwtOf(map[string]any{"iss": "https://auth.evil.example"})
	if err := newCredentials(t, "s3cr3t-client", &commercelayer.Options{Base: s}).Revoke(t.Context(), forged, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := s.last(t).URL, "https://auth.commercelayer.io/oauth/revoke"; got != want {
		t.Errorf("revoked at %s, want %s", got, want)
	}
}

func TestClientIP(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	mapped := netip.MustParseAddr("::ffff:192.0.2.1")
	zone := netip.MustParseAddr("fe80::1%eth0")
	tests := []struct {
		name, backend string
		ctx, opt      netip.Addr
		want          string // of the grants for one customer
		shared        string // of client credentials
	}{
		{"in the context", "s3cr3t", v4, netip.Addr{}, "192.0.2.1", ""},
		{"as an option", "s3cr3t", netip.Addr{}, v6, "2001:db8::1", "2001:db8::1"},
		{"option before context", "s3cr3t", v4, v6, "2001:db8::1", "2001:db8::1"},
		{"mapped", "s3cr3t", mapped, netip.Addr{}, "192.0.2.1", ""},
		{"zone", "s3cr3t", zone, netip.Addr{}, "fe80::1", ""},
		{"none", "s3cr3t", netip.Addr{}, netip.Addr{}, "", ""},
		{"no backend auth", "", v4, v6, "", ""},
	}
	for _, tt := range tests {
		for name, ask := range grants {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				s := &stub{}
				c := newCredentials(t, "s", &commercelayer.Options{Base: s, BackendAuth: tt.backend})
				ctx := t.Context()
				if tt.ctx.IsValid() {
					ctx = commercelayer.WithClientIP(ctx, tt.ctx)
				}
				if _, err := ask(ctx, c, &commercelayer.GrantOptions{ClientIP: tt.opt}); err != nil {
					t.Fatal(err)
				}
				want := tt.want
				if name == "client_credentials" {
					want = tt.shared
				}
				if got := s.last(t).Header.Get("X-True-Client-Ip"); got != want {
					t.Errorf("x-true-client-ip = %q, want %q", got, want)
				}
			})
		}
	}
}

// With an address the service counts per shopper, so one shopper's 429 must not
// stop another's login.
func TestPausePerShopper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stub{answer: func(r stubRequest) (int, string, http.Header) {
			if r.Header.Get("X-True-Client-Ip") == "192.0.2.1" {
				return 429, `{"errors":[{"title":"Too many requests","code":"TOO_MANY_REQUESTS","status":429}]}`, http.Header{"Retry-After": {"60"}}
			}
			return 200, `{"access_token":"a"}`, nil
		}}
		c := newCredentials(t, "", &commercelayer.Options{Base: s, BackendAuth: "s3cr3t"})
		login := func(ip string) error {
			_, err := c.Password(commercelayer.WithClientIP(t.Context(), netip.MustParseAddr(ip)), "a@example.com", "p", nil)
			return err
		}
		var e *tokenendpoint.Error
		if err := login("192.0.2.1"); !errors.As(err, &e) || e.Code != "TOO_MANY_REQUESTS" || e.RetryAt.IsZero() {
			t.Errorf("error = %v, want the 429 with the time of the next try", err)
		}
		if err := login("192.0.2.1"); !errors.As(err, &e) || e.Attempts != 0 {
			t.Errorf("error = %v, want one without another request", err)
		}
		if err := login("192.0.2.2"); err != nil {
			t.Errorf("another shopper: %v", err)
		}
	})
}

// Clients of the default transport share the address that the service counts by.
func TestSharedPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stub{answer: func(stubRequest) (int, string, http.Header) { return 429, "", http.Header{"Retry-After": {"60"}} }}
		var limit tokenendpoint.RateLimit
		newCredentials(t, "", &commercelayer.Options{Base: s, RateLimit: &limit}).ClientCredentials(t.Context(), nil)
		newCredentials(t, "", &commercelayer.Options{Base: s, RateLimit: &limit}).ClientCredentials(t.Context(), nil)
		if got := s.count(); got != 1 {
			t.Errorf("%d requests with a shared RateLimit, want 1", got)
		}
		newCredentials(t, "", &commercelayer.Options{Base: s}).ClientCredentials(t.Context(), nil)
		if got := s.count(); got != 2 {
			t.Errorf("%d requests with a RateLimit of its own, want 2", got)
		}
	})
}

func TestServiceErrors(t *testing.T) {
	const list = `{"errors":[{"title":"invalid_client","detail":"Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.","code":"UNAUTHORIZED","status":401}]}`
	s := &stub{answer: func(stubRequest) (int, string, http.Header) { return 401, list, nil }}
	_, err := newCredentials(t, "s3cr3t-client", &commercelayer.Options{Base: s}).ClientCredentials(t.Context(), nil)
	var e *tokenendpoint.Error
	if !errors.As(err, &e) || e.Status != 401 || e.Code != "invalid_client" || !strings.HasPrefix(e.Detail, "Client authentication failed") || s.count() != 1 {
		t.Errorf("error = %v after %d requests, want invalid_client after 1", err, s.count())
	}
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) || re.ErrorCode != "invalid_client" {
		t.Errorf("RetrieveError = %v, want invalid_client", re)
	}
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		name string
		opts commercelayer.Options
		want string // the token endpoint; "": an error
	}{
		{"default", commercelayer.Options{}, "https://auth.commercelayer.io/oauth/token"},
		{"domain", commercelayer.Options{Domain: "commercelayer.co"}, "https://auth.commercelayer.co/oauth/token"},
		{"domain with port", commercelayer.Options{Domain: "commercelayer.test:8443"}, "https://auth.commercelayer.test:8443/oauth/token"},
		{"domain in capitals", commercelayer.Options{Domain: "CommerceLayer.co"}, "https://auth.commercelayer.co/oauth/token"},
		{"by IP", commercelayer.Options{AuthURL: "http://127.0.0.1:8080/auth"}, "http://127.0.0.1:8080/auth/oauth/token"},
		{"trailing slash", commercelayer.Options{AuthURL: "http://127.0.0.1:8080/auth/"}, "http://127.0.0.1:8080/auth/oauth/token"},
		{"localhost", commercelayer.Options{AuthURL: "http://auth.localhost:8080"}, "http://auth.localhost:8080/oauth/token"},
		{"gateway", commercelayer.Options{AuthURL: "https://gw.example/cl", Domain: "commercelayer.co"}, "https://gw.example/cl/oauth/token"},
		{"the same domain twice", commercelayer.Options{AuthURL: "https://auth.commercelayer.co", Domain: "commercelayer.co"}, "https://auth.commercelayer.co/oauth/token"},
		{"two domains", commercelayer.Options{AuthURL: "https://auth.commercelayer.co", Domain: "commercelayer.io"}, ""},
		{"plain http", commercelayer.Options{AuthURL: "http://auth.commercelayer.io"}, ""},
		{"no scheme", commercelayer.Options{AuthURL: "auth.commercelayer.io"}, ""},
		{"query", commercelayer.Options{AuthURL: "https://auth.commercelayer.io?s3cr3t"}, ""},
		{"fragment", commercelayer.Options{AuthURL: "https://auth.commercelayer.io/#s3cr3t"}, ""},
		{"credentials", commercelayer.Options{AuthURL: "https://u:s3cr3t@auth.commercelayer.io"}, ""},
		{"domain with scheme", commercelayer.Options{Domain: "https://commercelayer.io"}, ""},
		{"domain with auth", commercelayer.Options{Domain: "auth.commercelayer.io"}, ""},
		{"domain with path", commercelayer.Options{Domain: "commercelayer.io/x"}, ""},
		{"domain with a space", commercelayer.Options{Domain: "commercelayer.io "}, ""},
		{"domain with odd port", commercelayer.Options{Domain: "commercelayer.io:http"}, ""},
		{"domain with credentials", commercelayer.Options{Domain: "x@commercelayer.io"}, ""},
		{"scope with a line break", commercelayer.Options{Scope: "market:all\n"}, ""},
		{"scope with a space before", commercelayer.Options{Scope: " market:all"}, ""},
		{"backend auth with a line break", commercelayer.Options{BackendAuth: "s3cr3t\n"}, ""},
		{"backend auth with a control character", commercelayer.Options{BackendAuth: "s3\x00cr3t"}, ""},
		{"negative timeout", commercelayer.Options{Timeout: -1}, ""},
		{"origin without scheme", commercelayer.Options{Origins: []string{"api.example.com"}}, ""},
		{"origin with path", commercelayer.Options{Origins: []string{"https://api.example.com/v1"}}, ""},
		{"origin with query", commercelayer.Options{Origins: []string{"https://api.example.com?s3cr3t"}}, ""},
		{"empty origin", commercelayer.Options{Origins: []string{""}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &stub{}
			tt.opts.Base = s
			c, err := commercelayer.NewCredentials("my-client", "", &tt.opts)
			if (err == nil) != (tt.want != "") {
				t.Fatalf("NewCredentials = %v, want %q", err, tt.want)
			}
			if err != nil {
				if !strings.HasPrefix(err.Error(), "commercelayer: ") || strings.Count(err.Error(), "tokenendpoint") > 0 || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "Options.") {
					t.Errorf("error = %v, want one of the package that names the option and no secret", err)
				}
				return
			}
			if _, err := c.ClientCredentials(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if got := s.last(t).URL; got != tt.want {
				t.Errorf("token endpoint = %s, want %s", got, tt.want)
			}
		})
	}
	for name, id := range map[string]string{"empty id": "", "id with a line break": "id\n"} {
		if _, err := commercelayer.NewCredentials(id, "", nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := commercelayer.NewCredentials("id", "s3cr3t\n", nil); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("secret with a line break: error = %v, want one without it", err)
	}
}

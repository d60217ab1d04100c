package commercelayer_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
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

// Clients of the default transport share the address that the service counts by.
func TestSharedPauseOfTheDefaultTransport(t *testing.T) {
	var requests atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(srv.Close)
	for range 2 {
		c := newCredentials(t, "", &commercelayer.Options{AuthURL: srv.URL + "/auth"})
		if _, err := c.ClientCredentials(t.Context(), nil); err == nil {
			t.Error("no error from the 429")
		}
	}
	if got := requests.Load(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

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

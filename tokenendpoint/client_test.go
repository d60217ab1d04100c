package tokenendpoint_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer/tokenendpoint"
)

func TestToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, ok)
		r, err := newClient(t, s, nil).Token(t.Context(), clientCredentials)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := r.Token.AccessToken, "access-1"; got != want {
			t.Errorf("AccessToken = %q, want %q", got, want)
		}
		if got, want := r.Token.Expiry.Sub(r.SentAt), r.ExpiresIn; got != want || got.Hours() != 2 {
			t.Errorf("Expiry - SentAt = %v, want %v and 2 h", got, want)
		}
		if got, want := r.Scope, "market:all"; got != want {
			t.Errorf("Scope = %q, want %q", got, want)
		}
		if got, want := r.Token.Extra("expires_in"), 7200.0; got != want {
			t.Errorf("Extra = %v, want %v", got, want)
		}
		if r.ServerDate.IsZero() {
			t.Error("ServerDate is zero, want the Date header")
		}
	})
}

func TestRefreshTokenIsKeptIfNotRotated(t *testing.T) {
	s := serve(t, ok, answer(200, `{"access_token":"a","refresh_token":"refresh-token-1"}`))
	c := newClient(t, s, nil)
	for _, want := range []string{"refresh-token-0", "refresh-token-1"} {
		r, err := c.Token(t.Context(), refresh)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Token.RefreshToken; got != want {
			t.Errorf("RefreshToken = %q, want %q", got, want)
		}
	}
}

func TestRevoke(t *testing.T) {
	tests := []struct {
		name     string
		handlers []http.HandlerFunc
		requests int
		code     string // "" : success
	}{
		{"empty object", []http.HandlerFunc{answer(200, "{}")}, 1, ""},
		{"no body", []http.HandlerFunc{answer(200, "")}, 1, ""},
		{"no content", []http.HandlerFunc{answer(204, "")}, 1, ""},
		{"sent again after a dropped connection", []http.HandlerFunc{drop, answer(200, "{}")}, 2, ""},
		{"sent again after a failure", []http.HandlerFunc{answer(503, ""), answer(500, ""), answer(200, "{}")}, 3, ""},
		{"not allowed", []http.HandlerFunc{answer(403, `{"errors":[{"title":"unauthorized_client","detail":"You are not authorized to revoke this token","code":"FORBIDDEN","status":403}]}`)}, 1, "unauthorized_client"},
		{"unsupported", []http.HandlerFunc{answer(400, `{"error":"unsupported_token_type"}`)}, 1, "unsupported_token_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, tt.handlers...)
				err := newClient(t, s, nil).Revoke(t.Context(), "refresh-token-0", &tokenendpoint.RevokeOptions{TypeHint: "refresh_token"})
				var e *tokenendpoint.Error
				if errors.As(err, &e); e == nil && tt.code != "" || e != nil && e.Code != tt.code {
					t.Errorf("Revoke = %v, want code %q", err, tt.code)
				}
				if got := s.count(); got != tt.requests {
					t.Errorf("requests = %d, want %d", got, tt.requests)
				}
				r := s.last()
				if want := "client_id=my-client&client_secret=s3cr3t-of-client&token=refresh-token-0&token_type_hint=refresh_token"; r.Body != want || r.Path != "/oauth/revoke" {
					t.Errorf("request = %s %s, want /oauth/revoke %s", r.Path, r.Body, want)
				}
			})
		})
	}
	t.Run("public", func(t *testing.T) {
		s := serve(t, answer(200, "{}"))
		if err := newClient(t, s, nil).Revoke(t.Context(), "t", &tokenendpoint.RevokeOptions{Public: true}); err != nil {
			t.Fatal(err)
		}
		if got, want := s.last().Body, "client_id=my-client&token=t"; got != want {
			t.Errorf("body = %s, want %s", got, want)
		}
	})
	t.Run("misuse", func(t *testing.T) {
		s := serve(t, answer(200, "{}"))
		c := newClient(t, s, nil)
		if err := c.Revoke(t.Context(), "", nil); err == nil {
			t.Error("an empty token was accepted")
		}
		if err := c.Revoke(t.Context(), "t", &tokenendpoint.RevokeOptions{Header: http.Header{"Cookie": {"a=b"}}}); err == nil {
			t.Error("a cookie was accepted")
		}
		if err := newClient(t, s, func(o *tokenendpoint.Options) { o.RevokeURL = "" }).Revoke(t.Context(), "t", nil); err == nil {
			t.Error("no error without a RevokeURL")
		}
		if s.count() != 0 {
			t.Error("a request was sent")
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, ok, answer(429, ""), drop, ok)
		c := newClient(t, s, nil)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { c.Token(t.Context(), clientCredentials) })
			all.Go(func() { c.Revoke(t.Context(), "t", nil) })
		}
		all.Wait()
		if got := s.count(); got < 20 {
			t.Errorf("requests = %d, want 20 and more", got)
		}
	})
}

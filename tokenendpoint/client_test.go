package tokenendpoint_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
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

func TestRequestForms(t *testing.T) {
	odd := "a b&c=d%+é\"<"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("my-client:"+url.QueryEscape(odd)))
	tests := []struct {
		name     string
		change   func(*tokenendpoint.Options)
		grant    tokenendpoint.Grant
		wantBody map[string]string
		basic    string
		json     bool
	}{
		{"form, secret in body", nil, clientCredentials,
			map[string]string{"grant_type": "client_credentials", "client_id": "my-client", "client_secret": odd, "scope": "market:all"}, "", false},
		{"form, basic", func(o *tokenendpoint.Options) { o.AuthStyle = tokenendpoint.InHeader }, clientCredentials,
			map[string]string{"grant_type": "client_credentials", "scope": "market:all"}, basic, false},
		{"json, secret in body", func(o *tokenendpoint.Options) { o.Encoding = tokenendpoint.JSON }, clientCredentials,
			map[string]string{"grant_type": "client_credentials", "client_id": "my-client", "client_secret": odd, "scope": "market:all"}, "", true},
		{"json, basic", func(o *tokenendpoint.Options) {
			o.Encoding, o.AuthStyle = tokenendpoint.JSON, tokenendpoint.InHeader
		}, clientCredentials, map[string]string{"grant_type": "client_credentials", "scope": "market:all"}, basic, true},
		{"public client", func(o *tokenendpoint.Options) { o.ClientSecret = "" }, password,
			map[string]string{"grant_type": "password", "client_id": "my-client", "username": "a@example.com", "password": "p4ssw0rd-of-a"}, "", false},
		{"public grant of a client with basic", func(o *tokenendpoint.Options) { o.AuthStyle = tokenendpoint.InHeader },
			tokenendpoint.Grant{Type: "refresh_token", Public: true, Params: url.Values{"refresh_token": {"r"}}},
			map[string]string{"grant_type": "refresh_token", "client_id": "my-client", "refresh_token": "r"}, "", false},
		{"empty parameters are left out", func(o *tokenendpoint.Options) { o.Encoding = tokenendpoint.JSON },
			tokenendpoint.Grant{Type: "client_credentials", Params: url.Values{"scope": {""}, "x": nil}},
			map[string]string{"grant_type": "client_credentials", "client_id": "my-client", "client_secret": odd}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, ok)
			c := newClient(t, s, func(o *tokenendpoint.Options) {
				o.ClientSecret = odd
				o.Header = http.Header{"x-backend-auth": {"backend-secret"}}
				if tt.change != nil {
					tt.change(o)
				}
			})
			tt.grant.Header = http.Header{"X-True-Client-Ip": {"192.0.2.1"}}
			if _, err := c.Token(t.Context(), tt.grant); err != nil {
				t.Fatal(err)
			}
			r := s.last()
			body := map[string]string{}
			wantType := "application/x-www-form-urlencoded"
			if tt.json {
				wantType = "application/json"
				if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
					t.Fatalf("body: %v", err)
				}
			} else {
				form, err := url.ParseQuery(r.Body)
				if err != nil {
					t.Fatalf("body: %v", err)
				}
				for name := range form {
					body[name] = form.Get(name)
				}
			}
			if r.ContentType != wantType || r.Accept != "application/json" {
				t.Errorf("Content-Type, Accept = %q, %q, want %q, application/json", r.ContentType, r.Accept, wantType)
			}
			if r.Basic != tt.basic {
				t.Errorf("Authorization = %q, want %q", r.Basic, tt.basic)
			}
			if len(body) != len(tt.wantBody) {
				t.Errorf("body has %d members, want %d: %v", len(body), len(tt.wantBody), body)
			}
			for name, want := range tt.wantBody {
				if body[name] != want {
					t.Errorf("body %s = %q, want %q", name, body[name], want)
				}
			}
			if r.Header.Get("X-Backend-Auth") != "backend-secret" || r.Header.Get("X-True-Client-Ip") != "192.0.2.1" {
				t.Errorf("headers of the Options and of the Grant: got %v", r.Header)
			}
			if r.Header.Get("Cookie") != "" {
				t.Error("a cookie was sent")
			}
		})
	}
}

func TestRepeatedParameters(t *testing.T) {
	g := tokenendpoint.Grant{Type: "client_credentials", Params: url.Values{"resource": {"https://a.example", "https://b.example"}}}
	for name, tt := range map[string]struct {
		encoding tokenendpoint.Encoding
		want     string
	}{
		"form": {tokenendpoint.Form, "resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example"},
		"json": {tokenendpoint.JSON, `"resource":["https://a.example","https://b.example"]`},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, ok)
			if _, err := newClient(t, s, func(o *tokenendpoint.Options) { o.Encoding = tt.encoding }).Token(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			if got := s.last().Body; !strings.Contains(got, tt.want) {
				t.Errorf("body = %s, want it to contain %s", got, tt.want)
			}
		})
	}
}

func TestMisuseOfToken(t *testing.T) {
	tests := []struct {
		name  string
		grant tokenendpoint.Grant
		want  string
	}{
		{"no type", tokenendpoint.Grant{}, "Grant.Type"},
		{"client id as parameter", tokenendpoint.Grant{Type: "x", Params: url.Values{"client_id": {"other"}}}, "client_id"},
		{"client secret as parameter", tokenendpoint.Grant{Type: "x", Params: url.Values{"client_secret": {"sEcReT"}}}, "client_secret"},
		{"grant type as parameter", tokenendpoint.Grant{Type: "x", Params: url.Values{"grant_type": {"y"}}}, "grant_type"},
		{"authorization header", tokenendpoint.Grant{Type: "x", Header: http.Header{"authorization": {"sEcReT"}}}, "Authorization"},
		{"idempotency key", tokenendpoint.Grant{Type: "x", Header: http.Header{"Idempotency-Key": {"1"}}}, "Idempotency-Key"},
		{"line break in a header", tokenendpoint.Grant{Type: "x", Header: http.Header{"X-Auth": {"sEcReT\n"}}}, "X-Auth"},
		{"bad header name", tokenendpoint.Grant{Type: "x", Header: http.Header{"X Auth": {"sEcReT"}}}, "Grant.Header"},
		{"bytes that JSON would change", tokenendpoint.Grant{Type: "x", Params: url.Values{"password": {"sEcReT\xff"}}}, "UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, ok)
			_, err := newClient(t, s, func(o *tokenendpoint.Options) { o.Encoding = tokenendpoint.JSON }).Token(t.Context(), tt.grant)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sEcReT") {
				t.Errorf("error = %v, want one that names %s and no value", err, tt.want)
			}
			if s.count() != 0 {
				t.Error("a request was sent")
			}
		})
	}
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

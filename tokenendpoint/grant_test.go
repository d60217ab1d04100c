package tokenendpoint_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/tokenendpoint"
)

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
		{"idempotency key with an X", tokenendpoint.Grant{Type: "x", Header: http.Header{"x-idempotency-key": {"1"}}}, "X-Idempotency-Key"},
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

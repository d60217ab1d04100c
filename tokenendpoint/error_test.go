package tokenendpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/tokenendpoint"
	"golang.org/x/oauth2"
)

func TestErrorTexts(t *testing.T) {
	tests := []struct {
		name, want string
		change     func(*tokenendpoint.Options)
		grant      tokenendpoint.Grant
	}{
		{"invalid client", "tokenendpoint: client_credentials request to auth.example.com failed: the client is not accepted (status 401, invalid_client): check its id, its secret and how the secret is sent",
			answering(401, `{"error":"invalid_client"}`), clientCredentials},
		{"invalid grant", "tokenendpoint: refresh_token request to auth.example.com failed: the credentials of the grant are not accepted (status 400, invalid_grant): they are wrong, used up, expired or revoked: sign in again",
			answering(400, `{"error":"invalid_grant"}`), refresh},
		{"unknown grant type", "tokenendpoint: token request to auth.example.com failed: the endpoint does not know the grant type (status 400, unsupported_grant_type): check that the address is the right endpoint",
			answering(400, `{"error":"unsupported_grant_type"}`), tokenendpoint.Grant{Type: "secret-of-some-kind"}},
		{"no connection", "tokenendpoint: jwt-bearer request to auth.example.com failed: the connection broke before the answer: try again later",
			func(o *tokenendpoint.Options) {
				o.Base = roundTripper(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
			}, assertion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newClient(t, nil, tt.change).Token(t.Context(), tt.grant)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error = %v\nwant    %s", err, tt.want)
			}
		})
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	tests := []struct{ name, location, wantOrigin string }{
		{"other host", "https://evil.example/steal?secret=s3cr3t-of-client#x", "https://evil.example)"},
		{"same host", "/elsewhere?token=abc", "https://auth.example.com)"},
		{"with credentials", "https://user:s3cr3t-of-client@evil.example:8443/", "https://evil.example:8443)"},
		{"secret as host", "https://s3cr3t-of-client.evil.example/", "another host"},
		{"not a URL", "https://%zz/s3cr3t-of-client", "another host"},
		{"none", "", "another host"},
	}
	for _, tt := range tests {
		for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
			t.Run(fmt.Sprint(tt.name, " ", status), func(t *testing.T) {
				s := serve(t, answer(status, "", "Location", tt.location), ok)
				if tt.location == "" {
					s = serve(t, answer(status, ""), ok)
				}
				_, err := newClient(t, s, nil).Token(t.Context(), clientCredentials)
				if err == nil || s.count() != 1 {
					t.Fatalf("error = %v after %d requests, want one after 1", err, s.count())
				}
				text := printed(err)
				if !strings.Contains(text, tt.wantOrigin) || strings.Contains(text, "s3cr3t") || strings.Contains(text, "token=abc") {
					t.Errorf("text = %s, want %q and nothing else of the location", err, tt.wantOrigin)
				}
				var re *oauth2.RetrieveError
				if !errors.As(err, &re) || re.Response.StatusCode != status || re.Response.Header.Get("Location") != "" {
					t.Errorf("RetrieveError = %v, want status %d and no Location", re, status)
				}
			})
		}
	}
}

func TestErrorIsALogValuer(t *testing.T) {
	_, err := newClient(t, nil, answering(401, `{"error":"invalid_client"}`)).Token(t.Context(), clientCredentials)
	var v slog.LogValuer
	if !errors.As(fmt.Errorf("outer: %w", err), &v) {
		t.Fatal("no slog.LogValuer in the error")
	}
	if got, want := v.LogValue(), slog.StringValue(strings.TrimPrefix(err.Error(), "tokenendpoint: ")); !got.Equal(want) {
		t.Errorf("LogValue = %v, want %v", got, want)
	}
}

func TestErrorAsOfOtherTypes(t *testing.T) {
	c := newClient(t, nil, func(o *tokenendpoint.Options) {
		o.Base = roundTripper(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })
	})
	_, err := c.Token(t.Context(), refresh)
	var re *oauth2.RetrieveError
	if errors.As(err, &re) {
		t.Error("an error without an answer is a RetrieveError")
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want what the Base returned in it", err)
	}
}

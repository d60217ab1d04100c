package tokenendpoint_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/tokenendpoint"
	"golang.org/x/oauth2"
)

func TestErrorBodies(t *testing.T) {
	tests := []struct {
		name, body           string
		status               int
		code, detail, inText string
	}{
		{"RFC 6749", `{"error":"invalid_grant","error_description":"The token is gone.","error_uri":"https://x.example/"}`, 400, "invalid_grant", "The token is gone.", "invalid_grant"},
		{"RFC 6749, code alone", `{"error":"invalid_scope"}`, 400, "invalid_scope", "", "invalid_scope"},
		{"list", `{"errors":[{"title":"invalid_client","detail":"Client authentication failed.","code":"UNAUTHORIZED","status":401}]}`, 401, "invalid_client", "Client authentication failed.", "check its id"},
		{"single object", `{"errors":{"title":"invalid_client","detail":"Client authentication failed.","code":"UNAUTHORIZED","status":"401","meta":{}}}`, 401, "invalid_client", "Client authentication failed.", "invalid_client"},
		{"list without a code of the RFCs", `{"errors":[{"title":"Too many requests","detail":"Slow down","code":"TOO_MANY_REQUESTS"}]}`, 429, "TOO_MANY_REQUESTS", "Slow down", "TOO_MANY_REQUESTS"},
		{"title alone", `{"errors":[{"title":"Something odd"}]}`, 400, "Something odd", "", "status 400)"},
		{"first of several", `{"errors":[{"title":"invalid_scope"},{"title":"invalid_grant"}]}`, 400, "invalid_scope", "", "invalid_scope"},
		{"empty list", `{"errors":[]}`, 400, "", "", "status 400)"},
		{"list of other things", `{"errors":["x",1]}`, 400, "", "", "status 400)"},
		{"error is an object", `{"error":{"code":403,"message":"x"}}`, 403, "", "", "status 403)"},
		{"members of wrong types", `{"errors":[{"title":1,"detail":{},"code":[]}]}`, 400, "", "", "status 400)"},
		{"not JSON", `<html>Bad Gateway`, 502, "", "", "server is failing"},
		{"empty", ``, 404, "", "", "check the configured address"},
		{"sentence as code", `{"error":"the server said: \u001b[31mno"}`, 400, "the server said:  [31mno", "", "status 400)"},
		{"endless code", `{"error":"` + strings.Repeat("a", 500) + `"}`, 400, "", "", "status 400)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newClient(t, nil, answering(tt.status, tt.body)).Token(t.Context(), clientCredentials)
			var e *tokenendpoint.Error
			if !errors.As(err, &e) {
				t.Fatalf("error = %v, want an *Error", err)
			}
			if e.Status != tt.status || e.Code != tt.code || e.Detail != tt.detail || e.Host != "auth.example.com" || e.Action != "client_credentials" {
				t.Errorf("Error = %d %q %q %q %q, want %d %q %q", e.Status, e.Code, e.Detail, e.Host, e.Action, tt.status, tt.code, tt.detail)
			}
			if !strings.Contains(err.Error(), tt.inText) || tt.detail != "" && strings.Contains(err.Error(), tt.detail) {
				t.Errorf("text = %q, want %q and not the detail", err, tt.inText)
			}
			var re *oauth2.RetrieveError
			if !errors.As(err, &re) {
				t.Fatal("no *oauth2.RetrieveError")
			}
			if re.Response.StatusCode != tt.status || re.ErrorCode != tt.code || re.ErrorDescription != tt.detail || string(re.Body) != tt.body {
				t.Errorf("RetrieveError = %d %q %q %q, want the same as the Error and the body", re.Response.StatusCode, re.ErrorCode, re.ErrorDescription, re.Body)
			}
			if re.Response.Request != nil {
				t.Error("the RetrieveError holds the request")
			}
			if _, err := io.ReadAll(re.Response.Body); err != nil {
				t.Errorf("its body cannot be read: %v", err)
			}
		})
	}
}

package bearer_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/bearerkit/bearer"
)

// Programs get JSON, browsers do not.
func TestRefusalForm(t *testing.T) {
	const js = "application/vnd.api+json"
	tests := []struct {
		name   string
		accept []string
		token  string // the form for those who bring one
		none   string // and for those who do not
	}{
		{"nothing", nil, js, ""},
		{"anything", []string{"*/*"}, js, ""},
		{"anything of a kind", []string{"application/*"}, js, ""},
		{"JSON:API", []string{"application/vnd.api+json"}, js, js},
		{"JSON", []string{"application/json"}, js, js},
		{"other case", []string{"Application/JSON"}, js, js},
		{"parameters", []string{`application/vnd.api+json;profile="https://a.test"`}, js, js},
		{"broken parameter", []string{`application/json;x`}, js, js},
		{"second", []string{"text/plain, application/json;q=0.5"}, js, js},
		{"second line", []string{"text/plain", "application/json"}, js, js},
		{"browser", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, "", ""},
		{"HTML and JSON", []string{"text/html, application/json"}, js, js},
		{"no JSON", []string{"application/json;q=0"}, js, ""},
		{"no JSON at all", []string{"application/json;q=0.000, application/vnd.api+json; q=0, text/html"}, "", ""},
		{"no HTML", []string{"text/html;q=0"}, js, ""},
		{"another JSON", []string{"application/problem+json"}, js, ""},
		{"nonsense", []string{",;,/;q=,\x00"}, js, ""},
		{"too many", []string{strings.Repeat("a/b,", 40) + "application/json"}, js, ""},
	}
	require := bearer.RequireCustomer(nil)(quiet)
	shop := bearer.Middleware(bearer.NewStorefront(guestToken("shop"), nil), &bearer.MiddlewareOptions{Verifier: &checker{}})(require)
	tokensAlone := bearer.Middleware(bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Verifier: &checker{}})(require)
	for _, tt := range tests {
		var accept []string
		for _, line := range tt.accept {
			accept = append(accept, "Accept", line)
		}
		for token, want := range map[string]string{"": tt.none, "eve": tt.token, "guest": tt.token, "guest guest": tt.token, "absent, and must not be": tt.token} {
			header, h := slices.Clip(accept), shop
			switch token {
			case "":
			case "absent, and must not be":
				h = tokensAlone
			default:
				header = append(header, "Authorization", "Bearer "+token)
			}
			resp, body := ask(h, header...)
			if want == "" {
				want = "text/plain; charset=utf-8"
			}
			if got := resp.Header.Get("Content-Type"); got != want || json.Valid([]byte(body)) != (want == js) || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s, with the token %q: answered with %q of type %q, want %q", tt.name, token, body, got, want)
			}
		}
	}
}

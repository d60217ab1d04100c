package tokenendpoint_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/tokenendpoint"
)

func TestNew(t *testing.T) {
	const good = "https://auth.example.com/oauth/token"
	tests := []struct {
		name, url string
		change    func(*tokenendpoint.Options)
		want      string // in the error; "": none
	}{
		{"https", good, nil, ""},
		{"query", good + "?tenant=1", nil, ""},
		{"http on 127.0.0.1", "http://127.0.0.1:8080/token", nil, ""},
		{"http on 127.9.9.9", "http://127.9.9.9/token", nil, ""},
		{"http on ::1", "http://[::1]:8080/token", nil, ""},
		{"http on mapped loopback", "http://[::ffff:127.0.0.1]/token", nil, ""},
		{"http on localhost", "http://localhost/token", nil, ""},
		{"http on Localhost.", "http://Localhost./token", nil, ""},
		{"http below localhost", "http://auth.localhost:8080/token", nil, ""},
		{"http elsewhere", "http://auth.example.com/token", nil, "use https"},
		{"http on a name that starts like an address", "http://127.0.0.1.example.com/token", nil, "use https"},
		{"http on a name that ends like localhost", "http://notlocalhost/token", nil, "use https"},
		{"http on 0.0.0.0", "http://0.0.0.0/token", nil, "use https"},
		{"no scheme", "auth.example.com/token", nil, "absolute"},
		{"other scheme", "ftp://auth.example.com/s3cr3t", nil, "absolute"},
		{"no host", "https:///token", nil, "absolute"},
		{"port alone", "https://:443/token", nil, "absolute"},
		{"opaque", "https:s3cr3t", nil, "absolute"},
		{"empty", "", nil, "absolute"},
		{"not a URL", "https://s3cr3t\x7f/", nil, "not a URL"},
		{"credentials", "https://id:s3cr3t@auth.example.com/token", nil, "user name"},
		{"fragment", good + "#s3cr3t", nil, "fragment"},
		{"empty fragment", good + "#", nil, "fragment"},
		{"no client id", good, func(o *tokenendpoint.Options) { o.ClientID = "" }, "ClientID"},
		{"basic without a secret", good, func(o *tokenendpoint.Options) { o.ClientSecret, o.AuthStyle = "", tokenendpoint.InHeader }, "ClientSecret"},
		{"unknown style", good, func(o *tokenendpoint.Options) { o.AuthStyle = 7 }, "AuthStyle"},
		{"unknown encoding", good, func(o *tokenendpoint.Options) { o.Encoding = -1 }, "Encoding"},
		{"negative timeout", good, func(o *tokenendpoint.Options) { o.Timeout = -1 }, "Timeout"},
		{"many retries", good, func(o *tokenendpoint.Options) { o.MaxRetries = 11 }, "MaxRetries"},
		{"revoke URL over http", good, func(o *tokenendpoint.Options) { o.RevokeURL = "http://auth.example.com/" }, "RevokeURL"},
		{"reserved header", good, func(o *tokenendpoint.Options) { o.Header = http.Header{"authorization": {"s3cr3t"}} }, "Authorization"},
		{"cookie", good, func(o *tokenendpoint.Options) { o.Header = http.Header{"Cookie": {"s3cr3t"}} }, "Cookie"},
		{"line break in a header", good, func(o *tokenendpoint.Options) { o.Header = http.Header{"X-Auth": {"s3cr3t\n"}} }, "X-Auth"},
		{"empty header name", good, func(o *tokenendpoint.Options) { o.Header = http.Header{"": {"s3cr3t"}} }, "Options.Header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := &tokenendpoint.Options{ClientID: "c", ClientSecret: "s3cr3t"}
			if tt.change != nil {
				tt.change(o)
			}
			_, err := tokenendpoint.New(tt.url, o)
			if (err == nil) != (tt.want == "") {
				t.Fatalf("New = %v, want an error with %q", err, tt.want)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t")) {
				t.Errorf("New = %v, want one with %q and no secret", err, tt.want)
			}
		})
	}
	if _, err := tokenendpoint.New(good, nil); err == nil {
		t.Error("New accepts no options, want an error about ClientID")
	}
}

// The caller's Options may change after New.
func TestOptionsAreCopied(t *testing.T) {
	s := serve(t, ok)
	h := http.Header{"X-Auth": {"before"}}
	var o *tokenendpoint.Options
	c := newClient(t, s, func(p *tokenendpoint.Options) { p.Header = h; o = p })
	h.Set("X-Auth", "after")
	o.ClientSecret = "after"
	if _, err := c.Token(t.Context(), clientCredentials); err != nil {
		t.Fatal(err)
	}
	if r := s.last(); r.Header.Get("X-Auth") != "before" || strings.Contains(r.Body, "after") {
		t.Errorf("request = %v, want the values at the time of New", r)
	}
}

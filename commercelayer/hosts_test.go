package commercelayer_test

import (
	"strings"
	"testing"

	"github.com/bearerkit/bearer/commercelayer"
)

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
		{"the same domain twice, port written", commercelayer.Options{AuthURL: "https://auth.commercelayer.co", Domain: "commercelayer.co:443"}, "https://auth.commercelayer.co/oauth/token"},
		{"gateway without a domain", commercelayer.Options{AuthURL: "https://gw.example/cl"}, ""},
		{"auth host with a path", commercelayer.Options{AuthURL: "https://auth.commercelayer.co/x"}, ""},
		{"by IP without the path", commercelayer.Options{AuthURL: "http://127.0.0.1:8080"}, ""},
		{"one label", commercelayer.Options{Domain: "io"}, ""},
		{"one label with port", commercelayer.Options{Domain: "io:443"}, ""},
		{"one label below auth", commercelayer.Options{AuthURL: "https://auth.io"}, ""},
		{"domain localhost", commercelayer.Options{Domain: "localhost:8443"}, "https://auth.localhost:8443/oauth/token"},
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

// However the auth host is written, tokens go to the hosts beside it, and there
// only.
func TestInstallationOfAuthURL(t *testing.T) {
	tests := []struct{ authURL, api string }{
		{"https://auth.commercelayer.co", "https://my-brand.commercelayer.co"},
		{"https://AUTH.CommerceLayer.co/", "https://my-brand.commercelayer.co"},
		{"https://auth.commercelayer.co:443", "https://my-brand.commercelayer.co"},
		{"https://auth.commercelayer.co.", "https://my-brand.commercelayer.co"},
		{"https://auth.commercelayer.co.:8443", "https://my-brand.commercelayer.co:8443"},
		{"http://auth.localhost:80", "http://my-brand.localhost"},
		{"http://LOCALHOST:8080/auth", "http://localhost:8080/my-brand"},
		{"http://127.0.0.1:80/auth", "http://127.0.0.1/my-brand"},
		{"http://[::1]:8080/auth", "http://[::1]:8080/my-brand"},
		{"http://[::FFFF:127.0.0.1]:8080/auth", "http://[::ffff:127.0.0.1]:8080/my-brand"},
	}
	for _, tt := range tests {
		t.Run(tt.authURL, func(t *testing.T) {
			s := &stub{}
			i, err := commercelayer.NewIntegration("id", "secret", &commercelayer.Options{AuthURL: tt.authURL, Base: s})
			if err != nil {
				t.Fatal(err)
			}
			for address, want := range map[string]string{tt.api: "Bearer access", "https://my-brand.commercelayer.io": ""} {
				resp, err := i.Client().Get(address + "/api/skus")
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got := s.last(t).Header.Get("Authorization"); got != want {
					t.Errorf("%s: Authorization = %q, want %q", address, got, want)
				}
			}
		})
	}
}

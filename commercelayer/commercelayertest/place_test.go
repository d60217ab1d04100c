package commercelayertest_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestHosts(t *testing.T) {
	const keyset = "/.well-known/jwks.json"
	server := clt.NewServer(&clt.Options{Domain: "shop.test:8443", Organization: clt.Organization{Slug: "acme"}})
	tests := []struct {
		host, path string
		status     int
	}{
		{"auth.shop.test", keyset, 200},
		{"auth.shop.test:8443", keyset, 200},
		{"auth.shop.test:1", keyset, 200},
		{"auth.shop.test:", keyset, 200},
		{"AUTH.Shop.Test", keyset, 200},
		{"auth.shop.test.", keyset, 200},
		{"acme.shop.test", "/api/skus", 401},
		{"provisioning.shop.test", "/api/user", 401},
		{"127.0.0.1:8443", "/auth" + keyset, 200},
		{"[::1]:8443", "/auth" + keyset, 200},
		{"[::1]", "/auth" + keyset, 200},
		{"localhost:8443", "/auth" + keyset, 200},
		{"localhost", "/acme/api/skus", 401},
		{"127.0.0.1", "/provisioning/api/user", 401},

		{"auth.shop.test", "/", 404},
		{"auth.shop.test", "/auth" + keyset, 404},
		{"auth.shop.test", "/api/skus", 404},
		{"acme.shop.test", keyset, 404},
		{"acme.shop.test", "/apis", 404},
		{"dashboard.shop.test", "/oauth/token", 404},
		{"other.shop.test", "/api/skus", 404},
		{"shop.test", keyset, 404},
		{"xauth.shop.test", keyset, 404},
		{"auth.shop.test.evil.example", keyset, 404},
		{"auth.commercelayer.io", keyset, 404},
		{"127.0.0.1", keyset, 404},
		{"127.0.0.1", "/authx" + keyset, 404},
		{"127.0.0.1", "/_local/health", 404},
		{"", keyset, 404},
		{"auth.shop.test:evil", keyset, 404},
		{"auth.shop.test:0", keyset, 404},
		{"auth.shop.test:+80", keyset, 404},
		{"auth.shop.test:080", keyset, 404},
		{"auth.shop.test:65536", keyset, 404},
		{"127.0.0.1:evil", "/auth" + keyset, 404},
		{"[::1]:evil", "/auth" + keyset, 404},
	}
	for _, tt := range tests {
		t.Run(tt.host+tt.path, func(t *testing.T) {
			r := httptest.NewRequest("GET", tt.path, nil)
			r.Host = tt.host
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			equal(t, "status", w.Code, tt.status)
			if tt.status != 200 {
				a := answer{body: w.Body.Bytes()}
				if a.title(t) == "" {
					t.Errorf("an error without a title: %s", a.body)
				}
			}
		})
	}
}

// An error's form is that of its host, whatever the path.
func TestErrorsByHost(t *testing.T) {
	server := clt.NewServer(&clt.Options{Domain: "shop.test", Organization: clt.Organization{Slug: "acme"}})
	const text, api = "application/json; charset=utf-8", "application/vnd.api+json"
	tests := []struct {
		host, path          string
		status, contentType string
	}{
		{"auth.shop.test", "/nowhere", "404", text},
		{"auth.shop.test", "/api/skus", "404", text},
		{"dashboard.shop.test", "/nowhere", "404", text},
		{"127.0.0.1", "/auth/nowhere", "404", text},
		{"127.0.0.1", "/nowhere", "404", text},
		{"example.com", "/api/skus", "404", text},
		{"acme.shop.test", "/nowhere", `"404"`, api},
		{"acme.shop.test", "/api/skus", `"401"`, api},
		{"acme.shop.test", "/oauth/token", `"404"`, api},
		{"provisioning.shop.test", "/nowhere", `"404"`, api},
		{"other.shop.test", "/api/skus", `"404"`, api},
		{"127.0.0.1", "/acme/nowhere", `"404"`, api},
		{"127.0.0.1", "/provisioning/nowhere", `"404"`, api},
	}
	for _, tt := range tests {
		t.Run(tt.host+tt.path, func(t *testing.T) {
			r := httptest.NewRequest("GET", tt.path, nil)
			r.Host = tt.host
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			var doc struct {
				Errors []struct{ Status json.RawMessage }
			}
			answer{body: w.Body.Bytes()}.into(t, &doc)
			equal(t, "status", string(doc.Errors[0].Status), tt.status)
			equal(t, "Content-Type", w.Header().Get("Content-Type"), tt.contentType)
		})
	}
}

// A port in the request appears in the issuer and in the links.
func TestPortIsKept(t *testing.T) {
	k := newKit(t, &clt.Options{Domain: "localhost:8443"})
	equal(t, "AuthURL", k.server.AuthURL(), "https://auth.localhost:8443")
	equal(t, "APIURL", k.server.APIURL(), "https://local-shop.localhost:8443")
	token := k.token(guest).Access
	equal(t, "issuer", claimsOf(t, token)["iss"], `"https://auth.localhost:8443"`)
	var doc struct {
		Data struct{ Links map[string]string }
	}
	k.api(token, "organization").into(t, &doc)
	equal(t, "link", doc.Data.Links["self"], "https://local-shop.localhost:8443/api/organization")
}

func TestMethods(t *testing.T) {
	k := newKit(t, nil)
	auth := k.server.AuthURL()
	for _, tt := range []struct{ method, url, allow string }{
		{"GET", auth + "/oauth/token", "POST"},
		{"PUT", auth + "/oauth/token", "POST"},
		{"DELETE", auth + "/oauth/revoke", "POST"},
		{"POST", auth + "/.well-known/jwks.json", "GET"},
		{"POST", auth + "/oauth/authorize", "GET"},
	} {
		a := k.do(k.request(tt.method, tt.url, ""))
		equal(t, tt.method+" "+tt.url, a.status, 405)
		equal(t, "Allow", a.header.Get("Allow"), tt.allow)
		equal(t, "title", a.title(t), "Method not allowed")
	}
	equal(t, "token requests", k.server.Counts().TokenRequests, 2)
}

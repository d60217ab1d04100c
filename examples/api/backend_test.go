package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// roundTripper is an API.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What the API answers is passed on, and a 401 never goes without a challenge, which
// calls the token invalid only if it is.
func TestOrdersPassedOn(t *testing.T) {
	const plain, invalid = `Bearer realm="shop"`, `Bearer realm="shop", error="invalid_token"`
	service := commercelayertest.NewServer(nil)
	defer service.Close()
	for _, tt := range []struct {
		name      string
		status    int
		code      string
		challenge string
		next      int // status at the door
	}{
		{"served", 200, "", "", 200},
		{"the token is refused", 401, "INVALID_TOKEN", invalid, 401},
		{"nobody knows what is refused", 401, "", invalid, 401},
		{"a permission is missing", 401, "UNAUTHORIZED", plain, 200},
		{"forbidden", 403, "FORBIDDEN", "", 200},
		{"broken", 500, "INTERNAL", "", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := `{"errors":[{"code":"` + tt.code + `"}]}`
			api := roundTripper(func(r *http.Request) (*http.Response, error) {
				header := http.Header{"Content-Type": {"application/vnd.api+json"}}
				return &http.Response{StatusCode: tt.status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			})
			verifier, err := commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{Base: service.Transport()})
			if err != nil {
				t.Fatal(err)
			}
			ada, err := service.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{
				Scope: commercelayertest.MarketScope, Owner: commercelayertest.Owner{Type: "Customer", ID: commercelayertest.CustomerID},
			})
			if err != nil {
				t.Fatal(err)
			}
			handler := backend(verifier, service.APIURL(), service.Options().Markets[0].ID, api)
			get := func(path string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(http.MethodGet, path, nil)
				r.Header.Set("Authorization", "Bearer "+ada.AccessToken)
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				return w
			}
			got := get("/orders")
			if got.Code != tt.status || got.Body.String() != body || strings.Join(got.Header()["Www-Authenticate"], "; ") != tt.challenge {
				t.Errorf("got %d %q %s, want %d %q %s", got.Code, got.Header()["Www-Authenticate"], got.Body, tt.status, tt.challenge, body)
			}
			if next := get("/whoami").Code; next != tt.next {
				t.Errorf("then got %d, want %d", next, tt.next)
			}
		})
	}
}

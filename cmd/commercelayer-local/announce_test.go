package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/verify"
)

// requested asks for a customer's token.
func (s *started) requested(t *testing.T, client *http.Client, authURL string) string {
	t.Helper()
	resp, err := client.PostForm(authURL+"/oauth/token", url.Values{
		"grant_type": {"password"}, "client_id": {s.env["COMMERCELAYER_SALES_CHANNEL_CLIENT_ID"]}, "scope": {s.env["COMMERCELAYER_SCOPE"]},
		"username": {s.env["COMMERCELAYER_CUSTOMER_EMAIL"]}, "password": {s.env["COMMERCELAYER_CUSTOMER_PASSWORD"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("%s: no token, %v", resp.Status, err)
	}
	return answer.AccessToken
}

// What is announced is all that a verifier needs. Tokens are good for that which has
// the address at which they were requested, as the announcement says.
func TestAnnouncedForVerifiers(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"organization": {"slug": "acme"}, "markets": [{"code": "moon", "id": "xMoOnXmOoN", "currency_code": "EUR"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "-addr", "127.0.0.1:0", "-log", "off", "-config", config)
	client := s.client(t, "")
	if want := "# A verifier accepts only tokens that were requested at its own AuthURL"; !strings.Contains(s.out, want) {
		t.Errorf("the announcement has no %q:\n%s", want, s.out)
	}
	byName := s.env["COMMERCELAYER_AUTH_URL"]
	_, rest, _ := strings.Cut(s.out, "# export COMMERCELAYER_AUTH_URL=")
	byIP, _, _ := strings.Cut(rest, "\n")
	for _, tt := range []struct{ name, requested, verified string }{
		{"by name", byName, byName},
		{"by address", byIP, byIP},
		{"requested by address, verified by name", byIP, byName},
		{"requested by name, verified by address", byName, byIP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			verifier, err := commercelayer.NewVerifier(s.env["COMMERCELAYER_ORGANIZATION"], &commercelayer.VerifierOptions{
				AuthURL: tt.verified, Base: client.Transport, Admit: commercelayer.InMarket(s.env["COMMERCELAYER_MARKET_ID"]),
			})
			if err != nil {
				t.Fatal(err)
			}
			var want error
			if tt.requested != tt.verified {
				want = verify.ErrIssuer
			}
			if _, err := verifier.Verify(t.Context(), s.requested(t, client, tt.requested)); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

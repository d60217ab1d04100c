package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestNewService(t *testing.T) {
	for _, tt := range []struct {
		name  string
		env   func(string) string
		life  time.Duration
		paths string // of the markets
		local bool
		err   string
	}{
		{name: "nothing set", env: env(), paths: "/eu /us", local: true},
		{name: "short tokens", env: env(), life: time.Minute, paths: "/eu /us", local: true},
		{name: "too short tokens", env: env(), life: time.Second, err: "-token-life"},
		{name: "one market", env: env("COMMERCELAYER_CLIENT_ID", "x", "COMMERCELAYER_SCOPE", "market:id:aBc"), paths: "/aBc"},
		{name: "two markets", env: env("COMMERCELAYER_SALES_CHANNEL_CLIENT_ID", "x", "COMMERCELAYER_CLIENT_ID", "integration",
			"COMMERCELAYER_SCOPE", "market:code:eu rope", "COMMERCELAYER_OTHER_SCOPE", "market:code:usa"), paths: "/eu-rope /usa"},
		{name: "the same twice", env: env("COMMERCELAYER_CLIENT_ID", "x", "COMMERCELAYER_SCOPE", "market:code:usa", "COMMERCELAYER_OTHER_SCOPE", "market:code:usa"), err: "same market"},
		{name: "no scope", env: env("COMMERCELAYER_CLIENT_ID", "x"), err: "COMMERCELAYER_SCOPE"},
		{name: "no client", env: env("COMMERCELAYER_SCOPE", "market:code:usa"), err: "COMMERCELAYER_SALES_CHANNEL_CLIENT_ID"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newService(tt.env, tt.life)
			if err != nil || tt.err != "" {
				if err == nil || tt.err == "" || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one about %q", err, tt.err)
				}
				return
			}
			defer s.close()
			var paths []string
			for _, m := range s.markets {
				paths = append(paths, m.Path)
			}
			if got := strings.Join(paths, " "); got != tt.paths || (s.local != nil) != tt.local {
				t.Errorf("markets %s, local %v", got, s.local != nil)
			}
			if tt.name == "two markets" && s.clientID != "x" {
				t.Errorf("the client is %s, want the sales channel's", s.clientID)
			}
		})
	}
}

// Over a service that is not ours there are no buttons, nor what they lead to, and
// no ready-made customers. All else is the same.
func TestOtherService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := commercelayertest.NewServer(nil)
		defer server.Close()
		s, err := newService(env("COMMERCELAYER_CLIENT_ID", commercelayertest.SalesChannelID, "COMMERCELAYER_SCOPE", commercelayertest.OtherMarketScope), 0)
		if err != nil {
			t.Fatal(err)
		}
		s.base = server.Transport()
		serveKiosk(t, s, false, func(t *testing.T, k *kiosk) {
			b := k.browser()
			p := b.get("/usa/").want(200, "")
			if p.text("sku-CAP") != "Cap $36.85 Add" || p.has("revoke-guest") || p.has("fail") {
				t.Errorf("the cap is %q, the buttons are there: %v", p.text("sku-CAP"), p.has("revoke-guest"))
			}
			if got := p.text("hood-counts"); got != "token requests 1 API calls 1 refused 0" {
				t.Errorf("the counts are %q", got)
			}
			for _, button := range []string{"guest-revoked", "failing", "all-expired"} {
				if p := b.post("/usa/hood/"+button, "back", "/usa/"); p.Status != 404 {
					t.Errorf("%s: status %d, want 404", button, p.Status)
				}
			}
			if p := b.get("/usa/sign-in"); p.has("ready-email") {
				t.Error("there are ready-made customers")
			}
			b.post("/usa/cart", "sku", "CAP", "back", "/usa/").want(200, "added")
			b.post("/usa/sign-in", "email", commercelayertest.CustomerEmail, "password", commercelayertest.CustomerPassword, "next", "/usa/cart").want(200, "cart-kept")
		})
	})
}

// Tokens that live for a minute are refreshed in good time, unnoticed.
func TestTokenLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := newService(env(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		serveKiosk(t, s, false, func(t *testing.T, k *kiosk) {
			b := k.browser()
			b.signIn()
			for range 100 {
				pass(5 * time.Second)
				if p := b.get("/eu/account"); p.field("owner") != commercelayertest.CustomerID {
					t.Fatalf("the account is that of %q: %s", p.field("owner"), p.text("problem"))
				}
			}
			if n := k.local.Counts(); n.RefreshToken < 5 || n.APIInvalidToken != 0 {
				t.Errorf("%d refreshes and %d refusals, want some and none", n.RefreshToken, n.APIInvalidToken)
			}
		})
	})
}

// With cookies for plain http the shop works just so, and only then.
func TestInsecureCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := newService(env(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		serveKiosk(t, s, true, func(t *testing.T, k *kiosk) {
			b := k.browser()
			b.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
			b.signIn().want(200, "cart-kept")
			k.mu.Lock()
			defer k.mu.Unlock()
			for _, answer := range k.seen {
				if strings.Contains(answer, "__Host-") || strings.Contains(answer, "; Secure") {
					t.Errorf("a cookie is for https only:\n%.1000s", answer)
				}
			}
		})
	})
}

package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// After each button the shop goes on.
func TestButtons(t *testing.T) {
	t.Run("revoke the guests' token", func(t *testing.T) {
		inKiosk(t, func(t *testing.T, k *kiosk) {
			b, other := k.browser(), k.browser()
			b.get("/eu/")
			other.get("/eu/")
			pass(20 * time.Minute)
			p := b.post("/eu/hood/guest-revoked", "back", "/eu/").want(200, "guest-revoked")
			if !p.has("sku-CAP") || !strings.HasPrefix(p.field("from"), "replaced just now") || p.field("tokenRequests") != "1" {
				t.Errorf("token from %q with %s token requests", p.field("from"), p.field("tokenRequests"))
			}
			if !strings.Contains(p.Body, "GET /api/skus: 401 Unauthorized") {
				t.Error("the panel does not show the call that was refused")
			}
			other.get("/eu/").want(200, "")
			if n := k.local.Counts(); n.TokenRequests != 2 || n.APIInvalidToken != 1 {
				t.Errorf("%d token requests and %d refusals, want 2 and 1", n.TokenRequests, n.APIInvalidToken)
			}
		})
	})
	t.Run("revoke the customer's token", func(t *testing.T) {
		inKiosk(t, func(t *testing.T, k *kiosk) {
			b, guest := k.browser(), k.browser()
			if p := b.get("/eu/"); p.has("revoke-customer") || p.has("end-customer") {
				t.Error("a guest has buttons for customers")
			}
			b.post("/eu/hood/customer-revoked", "back", "/eu/").want(200, "no-customer")
			b.post("/eu/hood/customer-ended", "back", "/eu/").want(200, "no-customer")
			if p := b.signIn(); !p.has("revoke-customer") || !p.has("end-customer") {
				t.Error("a customer lacks buttons")
			}
			pass(20 * time.Minute)
			p := b.post("/eu/hood/customer-revoked", "back", "/eu/account").want(200, "customer-revoked")
			if p.field("owner") != commercelayertest.CustomerID || !strings.HasPrefix(p.field("from"), "replaced just now") {
				t.Errorf("owner %q, token from %q", p.field("owner"), p.field("from"))
			}
			guest.get("/eu/").want(200, "")
			if n := k.local.Counts(); n.RefreshToken != 1 || n.APIInvalidToken != 1 || n.ClientCredentials != 2 {
				t.Errorf("%d refreshes, %d refusals, %d guests' tokens, want 1, 1 and 2", n.RefreshToken, n.APIInvalidToken, n.ClientCredentials)
			}
		})
	})
	t.Run("end the customer's session", func(t *testing.T) {
		inKiosk(t, func(t *testing.T, k *kiosk) {
			b := k.browser()
			b.signIn()
			pass(20 * time.Minute)
			b.post("/eu/hood/customer-ended", "back", "/eu/").want(200, "expired")
			b.get("/eu/").want(200, "")
			b.get("/us/").want(200, "expired") // a session of its own, as far as tokens go
			b.get("/us/").want(200, "")
		})
	})
	t.Run("let tokens expire", func(t *testing.T) {
		inKiosk(t, func(t *testing.T, k *kiosk) {
			b, guest := k.browser(), k.browser()
			b.signIn()
			guest.get("/eu/")
			pass(20 * time.Minute)
			if p := b.post("/eu/hood/all-expired", "back", "/eu/").want(200, "all-expired"); p.field("who") != "customer" {
				t.Errorf("the customer has become a %s", p.field("who"))
			}
			if p := guest.get("/eu/").want(200, ""); p.field("who") != "guest" {
				t.Errorf("the guest has become a %s", p.field("who"))
			}
			if n := k.local.Counts(); n.APIInvalidToken != 2 || n.RefreshToken != 1 {
				t.Errorf("%d refusals and %d refreshes, want the customer's and the guest's token refused, and one refresh", n.APIInvalidToken, n.RefreshToken)
			}
		})
	})
	t.Run("revoked time and again", func(t *testing.T) {
		inKiosk(t, func(t *testing.T, k *kiosk) {
			b := k.browser()
			b.get("/eu/")
			b.post("/eu/hood/guest-revoked", "back", "/eu/").want(200, "guest-revoked")
			p := b.post("/eu/hood/guest-revoked", "back", "/eu/")
			if p.Status != http.StatusServiceUnavailable || !strings.Contains(p.text("problem"), "refused once too often") {
				t.Errorf("status %d: %s", p.Status, p.text("problem"))
			}
			pass(10 * time.Second)
			b.get("/eu/").want(200, "")
		})
	})
}

// Without a token endpoint the tokens that are good serve on; where there is none
// the shop says so, and when to try again.
func TestFailingEndpoint(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b, guest := k.browser(), k.browser()
		b.signIn()
		guest.get("/eu/")
		pass(20 * time.Minute)
		p := guest.post("/eu/hood/failing", "back", "/eu/").want(200, "failing")
		if !p.has("restore") || p.has("fail") || !p.has("sku-CAP") {
			t.Error("the button does not change, or the goods are gone")
		}
		guest.post("/eu/hood/failing", "back", "/eu/").want(200, "failing") // from another tab

		p = guest.post("/eu/hood/guest-revoked", "back", "/eu/")
		if p.Status != 503 || !strings.Contains(p.text("problem"), "cannot get a token") || p.text("next-try") == "" || p.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, Retry-After %q: %s", p.Status, p.Header.Get("Retry-After"), p.text("problem"))
		}
		b.get("/eu/account").want(200, "")

		p = b.post("/eu/hood/customer-revoked", "back", "/eu/")
		if p.Status != 503 || !strings.Contains(p.text("problem"), "You are still signed in") || !p.has("sign-out") {
			t.Errorf("status %d: %s", p.Status, p.text("problem"))
		}
		if p = b.get("/eu/account"); p.Status != 503 || !strings.Contains(p.text("problem"), "You are still signed in") {
			t.Errorf("the account: status %d: %s", p.Status, p.text("problem"))
		}
		p = guest.post("/eu/sign-in", "email", commercelayertest.OtherCustomerEmail, "password", commercelayertest.OtherCustomerPassword)
		if p.Status != 503 || p.has("sign-out") {
			t.Errorf("signing in: status %d: %s", p.Status, p.text("problem"))
		}

		if p = guest.post("/eu/hood/working", "back", "/eu/sign-in").want(200, "working"); !p.has("fail") {
			t.Error("the button does not change back")
		}
		pass(10 * time.Second)
		guest.get("/eu/").want(200, "")
		if p = b.get("/eu/account").want(200, ""); p.field("owner") != commercelayertest.CustomerID {
			t.Errorf("the customer has become %q", p.field("owner"))
		}
	})
}

// An API in trouble makes a plain page, whoever asks.
func TestFailingAPI(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  commercelayertest.Fault
		status int
	}{
		{"500", commercelayertest.Fault{Status: 500}, 502},
		{"403", commercelayertest.Fault{Status: 403}, 403},
		{"a permission", commercelayertest.Fault{Status: 401}, 403},
		{"429", commercelayertest.Fault{Status: 429}, 502},
		{"a broken connection", commercelayertest.Fault{Drop: commercelayertest.DropBefore}, 503},
		{"half an answer", commercelayertest.Fault{Drop: commercelayertest.DropWithin}, 503},
		{"no JSON", commercelayertest.Fault{Malformed: true}, 502},
		{"other JSON", commercelayertest.Fault{Body: `{"data":[{"type":"skus","attributes":7}]}`}, 502},
		{"an endless answer", commercelayertest.Fault{Endless: true}, 502},
		{"no answer", commercelayertest.Fault{Delay: time.Hour}, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inKiosk(t, func(t *testing.T, k *kiosk) {
				b := k.browser()
				b.signIn()
				b.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
				fault := tt.fault
				fault.Endpoint = commercelayertest.APIEndpoint
				k.local.Inject(fault)
				for _, path := range []string{"/eu/", "/eu/cart", "/eu/account"} {
					p := b.get(path)
					if p.Status != tt.status || p.text("problem") == "" || !p.has("sign-out") {
						t.Errorf("%s: status %d, want %d: %s", path, p.Status, tt.status, p.text("problem"))
					}
					if p.attr("try-again", "href") != path {
						t.Errorf("%s: one can try again at %q", path, p.attr("try-again", "href"))
					}
					for _, word := range []string{"goroutine", "local-shop", "commercelayer.io", "Bearer"} {
						if strings.Contains(p.Body, word) {
							t.Errorf("%s: the page speaks of %q", path, word)
						}
					}
				}
				if p := b.post("/eu/cart", "sku", "BAG", "back", "/eu/"); p.Status != tt.status {
					t.Errorf("a form: status %d, want %d", p.Status, tt.status)
				}
				k.local.ClearFaults()
				if p := b.get("/eu/cart").want(200, ""); p.attr("quantity-CAP", "value") != "1" {
					t.Error("the cart is lost")
				}
			})
		})
	}
}

// With one market's sign-in refused, the visitor is a customer in the other and
// told so.
func TestOneMarket(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		k.local.Inject(commercelayertest.Fault{Delay: time.Millisecond, Endpoint: commercelayertest.TokenEndpoint, Grant: "password", Times: 1})
		k.local.Inject(commercelayertest.Fault{Status: 500, Endpoint: commercelayertest.TokenEndpoint, Grant: "password", Times: 1})
		b := k.browser()
		p := b.post("/us/sign-in", "email", commercelayertest.CustomerEmail, "password", commercelayertest.CustomerPassword, "next", "/us/").want(200, "one-market")
		if !p.has("sign-out") {
			t.Error("not signed in")
		}
		if p := b.get("/eu/"); p.has("sign-out") {
			t.Error("signed in where it was refused")
		}
		pass(time.Minute)
		b.signIn()
		if p := b.get("/us/"); !p.has("sign-out") {
			t.Error("signed out of the first market by signing in to the other one")
		}
	})
}

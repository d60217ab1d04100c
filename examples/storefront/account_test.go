package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestSignIn(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b, other := k.browser(), k.browser()
		p := b.get("/eu/account").want(200, "sign-in-first")
		if p.Path != "/eu/sign-in?next=%2Feu%2Faccount" || p.text("ready-email") != commercelayertest.CustomerEmail {
			t.Errorf("a guest gets to %s, which shows %q", p.Path, p.text("ready-email"))
		}
		p = b.post("/eu/sign-in", "email", commercelayertest.CustomerEmail, "password", "not hers <&>", "next", "/eu/account")
		if p.Status != http.StatusUnprocessableEntity || p.text("wrong") != "The email address or the password is wrong." {
			t.Errorf("a wrong password: status %d, %q", p.Status, p.text("wrong"))
		}
		if strings.Contains(p.Body, "not hers") || !strings.Contains(p.Body, `value="`+commercelayertest.CustomerEmail) {
			t.Error("the form does not keep the address and forget the password")
		}
		p = b.post("/eu/sign-in", "email", " "+commercelayertest.CustomerEmail, "password", commercelayertest.CustomerPassword, "next", "/eu/account")
		if p.want(200, "signed-in").Path != "/eu/account" {
			t.Errorf("signing in leads to %s, want where one wanted to go", p.Path)
		}
		if n := strings.Count(p.Body, `data-test="order"`); n != 2 {
			t.Errorf("%d orders, want Ada's 2", n)
		}
		if got := p.text("address"); !strings.Contains(got, "Ada Rossi") || !strings.Contains(got, "Bologna") {
			t.Errorf("the address is %q, want Ada's", got)
		}
		if got := p.text("order"); !strings.Contains(got, "placed") || !strings.Contains(got, "€") {
			t.Errorf("the order is %q", got)
		}
		if p := other.get("/eu/account"); p.has("order") || p.has("sign-out") {
			t.Error("another browser is signed in too")
		}
		if p := b.get("/eu/sign-in?next=/eu/cart"); p.Path != "/eu/cart" {
			t.Errorf("a customer who goes to the sign-in page gets to %s, want /eu/cart", p.Path)
		}
	})
}

// Each customer sees what is theirs: the API is asked as them.
func TestTwoCustomers(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		a, b := k.browser(), k.browser()
		a.signIn()
		b.post("/eu/sign-in", "email", commercelayertest.OtherCustomerEmail, "password", commercelayertest.OtherCustomerPassword, "next", "/eu/").want(200, "signed-in")
		for _, tt := range []struct {
			b                *browser
			owner, who, whom string
		}{
			{a, commercelayertest.CustomerID, "Ada", "Grace"}, {b, commercelayertest.OtherCustomerID, "Grace", "Ada"},
		} {
			p := tt.b.get("/eu/account")
			if p.field("owner") != tt.owner || !strings.Contains(p.Body, tt.who) || strings.Contains(p.Body, tt.whom) {
				t.Errorf("%s's account is shown as %s", tt.who, p.field("owner"))
			}
		}
	})
}

// Nobody plants a session: its id is new with each sign-in.
func TestFixation(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		a, b := k.browser(), k.browser()
		a.signIn()
		planted := a.cookie("__Host-session")
		a.post("/eu/sign-out")
		b.setCookie("__Host-session", planted)
		b.signIn()
		if planted == "" || b.cookie("__Host-session") == planted {
			t.Error("the session id is the one that was planted")
		}
		a.setCookie("__Host-session", planted)
		if p := a.get("/eu/"); p.has("sign-out") {
			t.Error("whoever planted a session id is signed in by it")
		}
	})
}

func TestSignOut(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.signIn()
		session := b.cookie("__Host-session")
		p := b.post("/us/sign-out").want(200, "signed-out")
		if p.has("sign-out") || p.Path != "/us/" {
			t.Errorf("at %s, signed in: %v", p.Path, p.has("sign-out"))
		}
		for _, path := range []string{"/eu/account", "/us/account"} {
			if p := b.get(path); !p.has("sign-in-form") {
				t.Errorf("%s is open to a guest", path)
			}
		}
		if n := k.local.Counts().Revoked; n != 4 {
			t.Errorf("%d tokens were revoked, want the access and refresh token of both markets", n)
		}
		b.setCookie("__Host-session", session)
		if p := b.get("/eu/"); p.has("sign-out") {
			t.Error("the old session id still works")
		}
		b.post("/eu/sign-out").want(200, "signed-out") // once more, as a guest
	})
}

// The tokens go, even if Commerce Layer does not hear of it.
func TestSignOutUnheard(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.signIn()
		k.local.Inject(commercelayertest.Fault{Endpoint: commercelayertest.RevokeEndpoint, Status: http.StatusInternalServerError})
		if p := b.post("/eu/sign-out").want(200, "signed-out-here"); p.has("sign-out") {
			t.Error("still signed in")
		}
	})
}

// For days, a customer notices nothing of tokens.
func TestDays(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.signIn()
		for range 30 {
			pass(7 * time.Hour)
			if p := b.get("/eu/account").want(200, ""); p.field("owner") != commercelayertest.CustomerID {
				t.Fatalf("after a while the account is that of %q", p.field("owner"))
			}
		}
	})
}

// A customer's session that is over is told once, whatever the visitor does next,
// and nothing of the customer's is then done as a guest.
func TestExpired(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration // five hours: the access token has expired by itself
		next  func(b *browser) *screen
	}{
		{"a page", 0, func(b *browser) *screen { return b.get("/eu/") }},
		{"the cart", 0, func(b *browser) *screen { return b.get("/eu/cart") }},
		{"the account", 0, func(b *browser) *screen { return b.get("/eu/account") }},
		{"a form", 0, func(b *browser) *screen { return b.post("/eu/cart", "sku", "CAP", "back", "/eu/") }},
		{"a page later", 5 * time.Hour, func(b *browser) *screen { return b.get("/eu/") }},
		{"the account later", 5 * time.Hour, func(b *browser) *screen { return b.get("/eu/account") }},
		{"a form later", 5 * time.Hour, func(b *browser) *screen { return b.post("/eu/cart", "sku", "CAP", "back", "/eu/") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inKiosk(t, func(t *testing.T, k *kiosk) {
				b := k.browser()
				b.signIn()
				b.post("/eu/cart", "sku", "BAG", "back", "/eu/").want(200, "added")
				pass(20 * time.Minute)
				k.local.RevokeAll()
				pass(tt.after)
				if p := tt.next(b).want(200, "expired"); p.has("sign-out") {
					t.Error("still signed in")
				}
				if p := b.get("/eu/cart").want(200, ""); !p.has("cart-empty") {
					t.Error("the guest has a cart")
				}
				if n := k.made("POST", "/api/line_items"); n != 1 {
					t.Errorf("%d line items, want the customer's one", n)
				}
				b.get("/eu/").want(200, "")
				b.signIn()
				if p := b.get("/eu/cart"); !p.has("line-BAG") {
					t.Error("the customer's cart is lost")
				}
			})
		})
	}
}

// Whoever has expired while the sign-in form was open need not send it twice.
func TestExpiredBeforeSignIn(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.signIn()
		k.local.RevokeAll()
		pass(5 * time.Hour)
		b.signIn().want(200, "signed-in")
	})
}

// After signing in, one gets to a page of this shop and nowhere else.
func TestOpenRedirects(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		for _, next := range []string{
			"https://evil.example/", "//evil.example/", "/\\evil.example", "/eu/\\..\\..//evil.example", "javascript:alert(1)",
			"/eu/\r\nSet-Cookie: a=b", "evil.example", "", "/eu", "/static/style.css", "/eu/ x",
		} {
			b := k.browser()
			p := b.post("/eu/sign-in", "email", commercelayertest.CustomerEmail, "password", commercelayertest.CustomerPassword, "next", next)
			if p.Path != "/eu/" || p.Status != 200 {
				t.Errorf("next %q leads to %d %s, want /eu/", next, p.Status, p.Path)
			}
			if p := b.post("/eu/cart", "sku", "CAP", "back", next); p.Path != "/eu/" {
				t.Errorf("back %q leads to %s, want /eu/", next, p.Path)
			}
			pass(time.Minute) // the rate limit
		}
	})
}

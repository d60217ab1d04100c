package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// orderCookieEU is the name of the cookie with the guest's order, or its beginning.
const orderCookieEU = "__Host-cl-order-" + commercelayertest.SalesChannelID + "-market%3Acode%3Aeurope"

// made counts the requests of that method to that path of the API.
func (k *kiosk) made(method, path string) (n int) {
	for _, r := range k.local.Requests() {
		if r.Method == method && r.Path == path && r.Status/100 == 2 {
			n++
		}
	}
	return n
}

func TestGuestCart(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.get("/eu/")
		b.get("/eu/cart")
		if n := k.made("POST", "/api/orders"); n != 0 {
			t.Errorf("%d orders were made for somebody who looks, want none", n)
		}
		b.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
		p := b.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
		if p.Path != "/eu/" {
			t.Errorf("after adding one is at %s, want where one was", p.Path)
		}
		b.post("/eu/cart", "sku", "MUG-WHITE", "back", "/eu/").want(200, "added")
		if n := k.made("POST", "/api/orders"); n != 1 {
			t.Errorf("%d orders were made, want one, with the first line item", n)
		}
		p = b.get("/eu/cart")
		if got := p.attr("quantity-CAP", "value") + " " + p.text("total"); got != "2 €76,00" {
			t.Errorf("caps and total %q, want 2 and €76,00", got)
		}
		change := p.form("line-CAP")
		if p = b.post(change, "quantity", "3").want(200, "changed"); p.text("total") != "€109,50" || p.Path != "/eu/cart" {
			t.Errorf("with three caps %s says %s, want /eu/cart and €109,50", p.Path, p.text("total"))
		}
		if p = b.post(change, "quantity", "", "remove", "1").want(200, "changed"); p.has("line-CAP") {
			t.Error("the caps are still there")
		}
		b.post(change, "quantity", "1").want(200, "gone")
		p = b.post(p.form("line-MUG-WHITE"), "quantity", "0").want(200, "changed")
		if !p.has("cart-empty") {
			t.Error("a quantity of 0 does not take out")
		}
		b.post("/eu/cart", "sku", "BAG", "back", "/eu/").want(200, "added")
		if n := k.made("POST", "/api/orders"); n != 1 {
			t.Errorf("%d orders were made, want the empty one to be used again", n)
		}
		pass(29 * 24 * time.Hour)
		if p = b.get("/eu/cart"); !p.has("line-BAG") {
			t.Error("the cart is forgotten after 29 days, want it to be kept")
		}
	})
}

// form is where the first form in the element with this data-test is sent.
func (p *screen) form(test string) string {
	_, rest, _ := strings.Cut(p.Body, `data-test="`+test+`"`)
	_, rest, _ = strings.Cut(rest, ` action="`)
	path, _, _ := strings.Cut(rest, `"`)
	return path
}

// Guests share a token, by which the API lets each of them change all their
// carts. The shop does not.
func TestOthersCart(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		a, b := k.browser(), k.browser()
		a.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
		b.post("/eu/cart", "sku", "BAG", "back", "/eu/").want(200, "added")
		line, order := a.get("/eu/cart").form("line-CAP"), a.cookie(orderCookieEU)
		if order == "" {
			t.Fatal("the guest's order is not in a cookie")
		}
		b.post(line, "quantity", "9").want(200, "gone")
		b.post(line, "remove", "1").want(200, "gone")
		b.post("/eu/cart", "sku", "MUG-WHITE", "order", order, "id", order, "back", "/eu/").want(200, "added")
		if p := b.get("/eu/cart"); p.has("line-CAP") || !p.has("line-BAG") || !p.has("line-MUG-WHITE") {
			t.Error("a guest has got another one's cart")
		}
		if p := a.get("/eu/cart"); p.attr("quantity-CAP", "value") != "1" || p.has("line-MUG-WHITE") {
			t.Error("a guest has changed another one's cart")
		}
		c := k.browser()
		c.signIn()
		c.post(line, "quantity", "9").want(200, "gone")

		k.mu.Lock()
		for _, answer := range k.seen {
			_, body, _ := strings.Cut(answer, "\r\n\r\n")
			if strings.Contains(body, order) {
				t.Errorf("a page has the id of a guest's order in it:\n%s", body)
			}
		}
		k.mu.Unlock()
		if p := b.get("/eu/cart?order=" + order + "&id=" + order); p.has("line-CAP") {
			t.Error("an address leads to another guest's cart")
		}
	})
}

// A cookie that is not an order's id is none, and leads nowhere else.
func TestForgedOrder(t *testing.T) {
	for _, tt := range []struct{ name, value string }{
		{"elsewhere", "../customers"}, {"a query", "x?include=customer"}, {"escaped", "..%2fcustomers"}, {"long", strings.Repeat("a", 3000)},
		{"unknown", "nOsUcHoRdEr"}, {"quoted", `"a b"`}, {"twice", "aBc; " + orderCookieEU + "=dEf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inKiosk(t, func(t *testing.T, k *kiosk) {
				b := k.browser()
				req := b.request("GET", "/eu/cart", nil)
				req.Header.Set("Cookie", orderCookieEU+"="+tt.value)
				if p := b.do(req).want(200, ""); !p.has("cart-empty") {
					t.Error("there is a cart")
				}
				for _, r := range k.local.Requests() {
					if r.Endpoint == commercelayertest.APIEndpoint && r.Path != "/api/orders/nOsUcHoRdEr" {
						t.Errorf("the API was asked for %s", r.Path)
					}
				}
				req = b.request("POST", "/eu/cart", map[string][]string{"sku": {"CAP"}, "back": {"/eu/"}})
				req.Header.Set("Cookie", orderCookieEU+"="+tt.value)
				if p := b.do(req); p.Status != 200 {
					t.Errorf("adding to the cart: status %d", p.Status)
				}
				if p := b.get("/eu/cart"); !p.has("line-CAP") {
					t.Error("there is no new cart in the place of the one that is not")
				}
			})
		})
	}
}

func TestBadForms(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
		line := b.get("/eu/cart").form("line-CAP")
		for _, tt := range []struct {
			path   string
			fields []string
			status int
		}{
			{"/eu/cart", nil, 400},
			{"/eu/cart", []string{"sku", strings.Repeat("x", 200)}, 400},
			{"/eu/cart", []string{"sku", "NOTHING-OF-OURS"}, 422},
			{line, []string{"quantity", "many"}, 400},
			{line, []string{"quantity", "-1"}, 400},
			{line, []string{"quantity", "1000"}, 400},
			{line, nil, 400},
			{"/eu/cart", []string{"sku", "CAP", "x", strings.Repeat("x", 80_000)}, 400},
			{"/eu/sign-in", []string{"email", "", "password", "x"}, 422},
			{"/eu/sign-in", []string{"email", "a@b.c", "password", ""}, 422},
			{"/eu/hood/nothing", []string{"back", "/eu/"}, 404},
		} {
			if p := b.post(tt.path, tt.fields...); p.Status != tt.status {
				t.Errorf("%s %.80q: status %d, want %d", tt.path, tt.fields, p.Status, tt.status)
			}
		}
		if p := b.get("/eu/cart"); p.attr("quantity-CAP", "value") != "1" {
			t.Error("a form that was refused has changed the cart")
		}
	})
}

// At sign-in the guest's cart goes into the customer's, in each market.
func TestCartIsKept(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		first := k.browser()
		first.signIn().want(200, "signed-in")
		first.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")

		b := k.browser()
		for _, sku := range []string{"CAP", "CAP", "BAG"} {
			b.post("/eu/cart", "sku", sku, "back", "/eu/").want(200, "added")
		}
		b.signIn().want(200, "cart-kept")
		if b.cookie(orderCookieEU) != "" {
			t.Error("the guest's order is still in the browser")
		}
		for name, b := range map[string]*browser{"this browser": b, "the customer's other one": first} {
			p := b.get("/eu/cart")
			if got := p.attr("quantity-CAP", "value") + p.attr("quantity-BAG", "value"); got != "31" {
				t.Errorf("%s: caps and bags %q, want 3 and 1", name, got)
			}
		}
		b.post("/eu/sign-out").want(200, "signed-out")
		if p := b.get("/eu/cart"); !p.has("cart-empty") {
			t.Error("the customer's cart is still shown to whoever comes next")
		}
		b.signIn().want(200, "signed-in")
		if p := b.get("/eu/cart"); p.attr("quantity-CAP", "value") != "3" {
			t.Errorf("signed in again, there are %s caps, want 3", p.attr("quantity-CAP", "value"))
		}
	})
}

// A cart that cannot be moved stays where it is, and the visitor is told.
func TestCartIsLeft(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
		k.local.Inject(commercelayertest.Fault{Endpoint: commercelayertest.APIEndpoint, Status: http.StatusInternalServerError, Times: 1})
		p := b.post("/eu/sign-in", "email", commercelayertest.CustomerEmail, "password", commercelayertest.CustomerPassword, "next", "/eu/cart")
		p.want(200, "cart-left")
		if !p.has("sign-out") || !p.has("cart-empty") {
			t.Error("the visitor is not signed in, with the customer's own cart")
		}
		b.post("/eu/sign-out")
		if p := b.get("/eu/cart"); !p.has("line-CAP") {
			t.Error("the guest's cart is lost")
		}
		b.signIn().want(200, "cart-kept")
	})
}

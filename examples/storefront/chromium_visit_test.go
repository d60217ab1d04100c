package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

const ada, adasPassword = commercelayertest.CustomerEmail, commercelayertest.CustomerPassword

// A guest shops, signs in and keeps the cart, in all tabs; whoever has another
// browser stays a guest.
func TestChromiumVisit(t *testing.T) {
	t.Parallel()
	s := openStand(t)
	b, other := s.profile(), s.profile()
	other.visit("/eu/").want(200, "").wantWho("guest")

	b.visit("/").want(200, "").wantWho("guest")
	if b.path() != "/eu/" || !strings.Contains(b.text("sku-CAP"), "€") {
		t.Errorf("%s shows a cap: %q", b.path(), b.text("sku-CAP"))
	}
	b.until(`!document.getElementById("hood-live").hidden`)
	b.click("add-CAP").want(200, "added")
	b.click("add-BAG").want(200, "added")
	if b.path() != "/eu/" || !strings.HasSuffix(b.text("cart-count"), "2") {
		t.Errorf("%s shows %q in the cart, want 2", b.path(), b.text("cart-count"))
	}
	b.picture("guest")
	b.click("cart-link").want(200, "").wantWho("guest")

	b.signIn(ada, adasPassword).want(200, "cart-kept").wantWho("customer")
	if b.path() != "/eu/cart" || !b.has("line-CAP") || !b.has("line-BAG") {
		t.Errorf("%s shows %s", b.path(), b.text("lines"))
	}
	other.reload().want(200, "").wantWho("guest")
	b.reload().want(200, "").wantWho("customer")
	if !b.has("line-CAP") {
		t.Error("the cart is lost")
	}

	second := b.another().visit("/eu/account").want(200, "").wantWho("customer")
	if got := second.field("owner"); got != commercelayertest.CustomerID {
		t.Errorf("the account is that of %s", got)
	}
	if n := eval[int](second, `document.querySelectorAll('[data-test="order"]').length`); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
	if got := second.text("address"); !strings.Contains(got, "Ada Rossi") || !strings.Contains(got, "Bologna") {
		t.Errorf("the address is %q", got)
	}
	second.picture("account")
	if got := other.visit("/eu/account").want(200, "sign-in-first").path(); got != "/eu/sign-in?next=%2Feu%2Faccount" {
		t.Errorf("a guest gets to %s", got)
	}

	// The first tab is told at once, by its panel, and shows it when it is used.
	second.click("sign-out").want(200, "signed-out")
	b.until(`document.getElementById("hood-log").innerText.includes("Signed out, tokens revoked")`)
	b.click("account-link").want(200, "sign-in-first")
	b.visit("/eu/cart").want(200, "").wantNobody()
	if !b.has("cart-empty") {
		t.Errorf("the customer's cart is still there: %s", b.text("lines"))
	}
	second.visit("/eu/").want(200, "").wantWho("guest")
	other.visit("/eu/").want(200, "").wantWho("guest")
	b.signIn(ada, adasPassword).want(200, "signed-in")
	b.click("cart-link").want(200, "").wantWho("customer")
	if !b.has("line-CAP") {
		t.Error("the customer's cart is not there the next time")
	}
}

// wantNobody fails unless the page was made without a token.
func (b *tab) wantNobody() *tab {
	b.t.Helper()
	if b.has("sign-out") || b.field("scope") != "–" {
		b.t.Fatalf("%s was made as %s", b.path(), b.field("who"))
	}
	return b
}

// All can be done by the keyboard alone, and one sees where one is.
func TestChromiumKeyboard(t *testing.T) {
	t.Parallel()
	b := openStand(t).profile()
	b.visit("/eu/").want(200, "")
	if b.tabTo(".skip"); eval[int](b, `document.activeElement.getBoundingClientRect().top`) < 0 {
		t.Error("the way past the navigation is not in sight when it has the focus")
	}
	b.do("skip", chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.id === "main"`)
	b.tabTo(`[data-test^="add-"]`)
	b.turn("add", chromedp.KeyEvent(kb.Enter)).want(200, "added")

	b.tabTo(`[data-test="sign-in-link"]`)
	b.turn("to the form", chromedp.KeyEvent(kb.Enter)).want(200, "")
	b.tabTo("#email")
	b.do("type", chromedp.KeyEvent(ada), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("a slip"))
	b.turn("sign in", chromedp.KeyEvent(kb.Enter)).want(422, "")
	if got := b.text("wrong"); got != "The email address or the password is wrong." {
		t.Errorf("after a slip the form says %q", got)
	}
	b.tabTo("#password")
	b.do("type", chromedp.KeyEvent(adasPassword))
	b.tabTo(`[data-test="sign-in"]`)
	b.turn("sign in", chromedp.KeyEvent(kb.Enter)).want(200, "cart-kept").wantWho("customer")

	b.tabTo(`[data-test="sign-out"]`)
	b.turn("sign out", chromedp.KeyEvent(" ")).want(200, "signed-out").wantWho("guest")
}

// tabTo presses the tab key until the focus is there. Wherever it is on the way, it
// must be in sight.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 60 {
		b.do("tab", chromedp.KeyEvent(kb.Tab))
		at := eval[struct {
			There, Outlined bool
			HTML            string
		}](b, `(() => {
			const e = document.activeElement, s = getComputedStyle(e);
			return {There: e.matches(`+"`"+selector+"`"+`), Outlined: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 1, HTML: e.outerHTML.slice(0, 200)};
		})()`)
		if !at.Outlined {
			b.t.Errorf("%s: one cannot see that the focus is at %s", b.path(), at.HTML)
		}
		if at.There {
			return
		}
	}
	b.t.Fatalf("%s: the tab key does not lead to %s", b.path(), selector)
}

// Markets have prices and carts of their own, and the customer is one in both.
func TestChromiumMarkets(t *testing.T) {
	t.Parallel()
	b := openStand(t).profile()
	b.visit("/eu/").click("add-CAP").want(200, "added")
	b.click("market-us").want(200, "").wantWho("guest")
	if b.path() != "/us/" || !strings.Contains(b.text("sku-CAP"), "$") || b.has("cart-count") {
		t.Errorf("%s: %q, something in the cart: %v", b.path(), b.text("sku-CAP"), b.has("cart-count"))
	}
	b.click("add-BAG").want(200, "added")
	us := b.field("scope")
	b.signIn(ada, adasPassword).want(200, "cart-kept").wantWho("customer")
	b.click("market-eu").want(200, "").wantWho("customer")
	if eu := b.field("scope"); eu == us || eu == "–" {
		t.Errorf("both markets have the scope %s", eu)
	}
	b.click("cart-link").want(200, "")
	if !b.has("line-CAP") || b.has("line-BAG") {
		t.Errorf("the cart in Europe is %s", b.text("lines"))
	}
	b.click("market-us").want(200, "").wantWho("customer")
	if b.path() != "/us/cart" || b.has("line-CAP") || !b.has("line-BAG") {
		t.Errorf("%s: the cart in the USA is %s", b.path(), b.text("lines"))
	}
	b.click("sign-out").want(200, "signed-out")
	b.click("market-eu").want(200, "").wantWho("guest")
}

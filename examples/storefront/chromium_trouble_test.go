package main

import (
	"strings"
	"testing"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// watch marks the page, so that live can tell that it is still the same one.
func (b *tab) watch() *tab {
	b.t.Helper()
	b.until(`!document.getElementById("hood-live").hidden`)
	eval[bool](b, `window.watched = true`)
	return b
}

// live waits until the panel says that, on the page that is watched.
func (b *tab) live(text string) {
	b.t.Helper()
	b.until(`document.getElementById("hood-log").innerText.includes("` + text + `")`)
	if !eval[bool](b, `window.watched === true`) {
		b.t.Errorf("the page was loaded again")
	}
}

// revokeAccess revokes every access token that was issued.
func (s *stand) revokeAccess() {
	for _, token := range s.issued.list() {
		if strings.Count(token, ".") == 2 {
			s.local.Revoke(token)
		}
	}
}

// All access tokens are revoked while people shop: they notice nothing.
func TestChromiumRevokedUnderTheFeet(t *testing.T) {
	t.Parallel()
	s := openStand(t)
	b, guest := s.profile(), s.profile()
	b.visit("/eu/").signIn(ada, adasPassword).want(200, "signed-in")
	second := b.another().visit("/eu/").watch()
	guest.visit("/eu/").want(200, "").watch()

	s.revokeAccess()
	b.click("add-CAP").want(200, "added").wantWho("customer")
	if !b.has("sku-CAP") || !strings.HasSuffix(b.text("cart-count"), "1") {
		t.Errorf("the cart has %q", b.text("cart-count"))
	}
	b.click("account-link").want(200, "").wantWho("customer")
	if got := b.field("owner"); got != commercelayertest.CustomerID {
		t.Errorf("the account is that of %s", got)
	}
	second.live("Your token replaced: the old one was rejected")
	other := guest.another().visit("/eu/").want(200, "").wantWho("guest")
	guest.live("The guests’ token replaced: the old one was rejected")
	if got := other.field("from"); !strings.HasPrefix(got, "replaced just now") {
		t.Errorf("the guests' token is from %q", got)
	}
	if n := s.local.Counts(); n.RefreshToken != 1 || n.APIInvalidToken != 2 {
		t.Errorf("%d refreshes and %d refusals, want 1 and 2", n.RefreshToken, n.APIInvalidToken)
	}
}

// The buttons of the panel, each of which spoils something.
func TestChromiumButtons(t *testing.T) {
	t.Run("revoke the guests' token", func(t *testing.T) {
		t.Parallel()
		s := openStand(t)
		b, other := s.profile(), s.profile()
		other.visit("/eu/").want(200, "").watch()
		b.visit("/eu/").press("revoke-guest").want(200, "guest-revoked").wantWho("guest")
		if got := b.field("from"); !strings.HasPrefix(got, "replaced just now") || !strings.Contains(b.field("calls"), "401 Unauthorized") {
			t.Errorf("the token is from %q, the calls are %s", got, b.field("calls"))
		}
		other.live("The guests’ token replaced: the old one was rejected")
		other.until(`document.querySelector('[data-count="tokens"]').innerText === "2"`)
	})
	t.Run("revoke the customer's token", func(t *testing.T) {
		t.Parallel()
		s := openStand(t)
		b, guest := s.profile(), s.profile()
		guest.visit("/eu/").want(200, "")
		b.visit("/eu/").signIn(ada, adasPassword).want(200, "signed-in")
		second := b.another().visit("/eu/cart").watch()
		b.press("revoke-customer").want(200, "customer-revoked").wantWho("customer")
		if got := b.field("from"); b.path() != "/eu/" || !strings.HasPrefix(got, "replaced just now") {
			t.Errorf("%s was made with a token from %q", b.path(), got)
		}
		b.until(`!document.getElementById("hood-live").hidden`)
		b.picture("storefront")
		second.live("Your token replaced: the old one was rejected")
		if got := b.click("account-link").want(200, "").wantWho("customer").field("from"); !strings.HasPrefix(got, "storage") {
			t.Errorf("the next page was made with a token from %q", got)
		}
		guest.reload().want(200, "").wantWho("guest")
	})
	t.Run("let tokens expire", func(t *testing.T) {
		t.Parallel()
		s := openStand(t)
		b, guest := s.profile(), s.profile()
		guest.visit("/eu/").want(200, "")
		b.visit("/eu/").signIn(ada, adasPassword).want(200, "signed-in")
		b.press("expire-all").want(200, "all-expired").wantWho("customer")
		guest.reload().want(200, "").wantWho("guest")
	})
	t.Run("end the customer's session", func(t *testing.T) {
		t.Parallel()
		s := openStand(t)
		b := s.profile()
		b.visit("/eu/").signIn(ada, adasPassword).want(200, "signed-in")
		second := b.another().visit("/eu/").watch()
		b.press("end-customer").want(200, "expired").wantWho("guest")
		second.live("Session ended: it cannot be refreshed any more")
		b.picture("expired")
		b.reload().want(200, "").wantWho("guest")
		second.reload().want(200, "").wantWho("guest")
		b.signIn(ada, adasPassword).want(200, "signed-in").wantWho("customer")
	})
}

// While the token endpoint fails the shop works as long as its tokens do, and then
// says what is wrong, to guests and to customers, who stay customers. When it works
// again, so does the shop.
func TestChromiumFailingEndpoint(t *testing.T) {
	t.Parallel()
	s := openStand(t)
	b, guest := s.profile(), s.profile()
	b.visit("/eu/").signIn(ada, adasPassword).want(200, "signed-in")
	guest.visit("/eu/").want(200, "")
	guest.press("fail").want(200, "failing").wantWho("guest")
	b.reload().want(200, "").wantWho("customer")

	watching := guest.another().visit("/eu/sign-in").watch()
	guest.press("revoke-guest").want(503, "guest-revoked")
	if got := guest.text("problem"); !strings.Contains(got, "The shop cannot get a token right now") || !strings.Contains(got, "The next try is possible in") {
		t.Errorf("a guest reads %q", got)
	}
	watching.live("The guests’ token could not be had")
	b.press("revoke-customer").want(503, "customer-revoked")
	if got := b.text("problem"); !strings.Contains(got, "You are still signed in") || !b.has("sign-out") {
		t.Errorf("a customer reads %q", got)
	}
	b.picture("trouble")

	if got := guest.press("restore").text("notice"); got != notices["working"].Text {
		t.Errorf("the notice is %q", got)
	}
	guest.tryAgain().wantWho("guest")
	b.tryAgain().wantWho("customer")
	b.click("account-link").want(200, "").wantWho("customer")
}

// tryAgain takes the page's offer to, until that leads somewhere. The shop does not
// ask for a token at each try, so there may have to be some.
func (b *tab) tryAgain() *tab {
	b.t.Helper()
	for b.status == 503 {
		b.until(`performance.now() > 500`) // on this page
		b.click("try-again")
	}
	return b
}

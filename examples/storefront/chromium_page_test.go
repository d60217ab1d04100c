package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// Every page is for screen readers too, and fits on a phone.
func TestChromiumPages(t *testing.T) {
	t.Parallel()
	s := openStand(t)
	b := s.profile()
	look := func(name, path string, status int64) {
		t.Helper()
		if b.visit(path); b.status != status {
			t.Errorf("%s: status %d, want %d", name, b.status, status)
		}
		b.checkNames(name)
		b.checkWidth(name, 1280)
		b.do("turn into a phone", phone)
		b.reload().checkWidth(name+" on a phone", 360)
		b.picture("phone-" + name)
		b.do("turn back", desktop)
	}
	look("catalog", "/eu/", 200)
	look("empty-cart", "/eu/cart", 200)
	look("sign-in", "/eu/sign-in", 200)
	b.do("fill the form in", chromedp.SendKeys(chromedp.ID("email"), ada), chromedp.SendKeys(chromedp.ID("password"), "a slip"))
	b.click("sign-in").want(422, "").checkNames("slip")
	look("not-found", "/eu/nothing", 404)
	b.visit("/eu/").click("add-CAP").want(200, "added")
	b.signIn(ada, adasPassword).want(200, "cart-kept").checkNames("signed-in")
	look("cart", "/eu/cart", 200)
	look("account", "/eu/account", 200)
	look("customer", "/us/", 200)
	s.local.Inject(commercelayertest.Fault{Endpoint: commercelayertest.APIEndpoint, Status: 500})
	look("problem", "/eu/account", 502)
}

// checkWidth fails if one has to scroll sideways.
func (b *tab) checkWidth(name string, width int) {
	b.t.Helper()
	got := eval[struct{ Inner, Scroll int }](b, `({Inner: innerWidth, Scroll: document.documentElement.scrollWidth})`)
	if got.Inner != width || got.Scroll > width {
		b.t.Errorf("%s is %d wide in a window of %d, want %d", name, got.Scroll, got.Inner, width)
	}
}

// checkNames fails unless a screen reader can say what everything is.
func (b *tab) checkNames(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	text := func(v *accessibility.Value) (s string) {
		if v != nil {
			json.Unmarshal(v.Value, &s)
		}
		return s
	}
	seen := map[string]int{}
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		role, label := text(n.Role), strings.TrimSpace(text(n.Name))
		seen[role]++
		switch role {
		case "button", "link", "textbox", "spinbutton", "heading", "navigation", "complementary", "region", "image", "RootWebArea":
			if label == "" {
				b.t.Errorf("%s: a %s has no name", name, role)
			}
		}
	}
	for _, role := range []string{"main", "banner", "contentinfo", "complementary", "RootWebArea"} {
		if seen[role] != 1 {
			b.t.Errorf("%s: there are %d of %s, want 1", name, seen[role], role)
		}
	}
	if seen["button"] == 0 || seen["link"] == 0 {
		b.t.Errorf("%s has %d buttons and %d links: this is no page of the shop", name, seen["button"], seen["link"])
	}
	if n := eval[int](b, `document.querySelectorAll("h1").length`); n != 1 {
		b.t.Errorf("%s has %d main headings", name, n)
	}
}

// jar is all cookies that the browser has for the shop, by name.
func (b *tab) jar() map[string]*network.Cookie {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	all, err := chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.url + "/", b.url + "/eu/account"}})
	if err != nil {
		b.t.Fatal(err)
	}
	jar := map[string]*network.Cookie{}
	for _, c := range all.Cookies {
		b.saw(c.Value)
		jar[c.Name] = c
		if !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteLax || c.Path != "/" || c.Domain != "localhost" || !strings.HasPrefix(c.Name, "__Host-") {
			b.t.Errorf("the cookie %s is HttpOnly %v, Secure %v, SameSite %s, for %q at %s", c.Name, c.HTTPOnly, c.Secure, c.SameSite, c.Path, c.Domain)
		}
	}
	return jar
}

// The browser takes the cookies of a shop at localhost, and guards them. Which one
// says who a customer is lives as long as the refresh token.
func TestChromiumCookies(t *testing.T) {
	t.Parallel()
	s := openStand(t)
	b := s.profile()
	names := func(jar map[string]*network.Cookie) (list []string) {
		for name := range jar {
			list = append(list, name)
		}
		slices.Sort(list)
		return list
	}
	b.visit("/eu/")
	if jar := b.jar(); len(jar) != 1 || jar["__Host-hood"] == nil || !jar["__Host-hood"].Session {
		t.Errorf("a guest who looks around has %q", names(jar))
	}
	b.click("add-CAP").want(200, "added")
	jar := b.jar()
	if len(jar) != 2 || jar["__Host-session"] != nil {
		t.Errorf("a guest with a cart has %q", names(jar))
	}
	b.signIn(ada, adasPassword).want(200, "cart-kept")
	jar = b.jar()
	session := jar["__Host-session"]
	if session == nil || len(jar) != 2 {
		t.Fatalf("a customer has %q", names(jar))
	}
	const twoWeeks = 14 * 24 * time.Hour
	if left := time.Until(time.Unix(int64(session.Expires), 0)); session.Session || left > twoWeeks || left < twoWeeks-2*patience {
		t.Errorf("the session's cookie lives for %v (with the browser only: %v), want 14 days", left, session.Session)
	}
	if len(session.Value) > 64 {
		t.Errorf("the session's cookie is more than an id: it has %d bytes", len(session.Value))
	}
	// The id is in no page either. That it is found where it may be shows that the
	// search does find things.
	id := session.Value
	b.visit("/eu/account").want(200, "").wantWho("customer")
	if strings.Contains(eval[string](b, `document.documentElement.outerHTML`), id) {
		t.Error("the session's id is in a page")
	}
	s.mu.Lock()
	found := slices.ContainsFunc(s.seen, func(text string) bool { return strings.Contains(text, "Set-Cookie: __Host-session="+id) })
	s.mu.Unlock()
	if !found {
		t.Error("the answer that has set the cookie was not seen")
	}
	b.click("sign-out").want(200, "signed-out")
	if jar := b.jar(); len(jar) != 1 || jar["__Host-session"] != nil {
		t.Errorf("after signing out there are %q", names(jar))
	}
	b.signIn(ada, adasPassword).want(200, "signed-in")
	if again := b.jar()["__Host-session"]; again == nil || again.Value == id {
		t.Error("the next session has the last one's id")
	}
}

// A page from elsewhere cannot send the shop's forms in the customer's name: the
// browser leaves the cookies out, and the shop takes the form for what it is.
func TestChromiumForeignForm(t *testing.T) {
	t.Parallel()
	s := openStand(t)
	// What the browser says of such a page, of which there is none else.
	s.excuse = []string{"ExcludeSameSiteLax", "about:blank", "BounceTracking", "/favicon.ico"}
	b := s.profile()
	b.visit("/eu/").signIn(ada, adasPassword).want(200, "signed-in")
	b.do("a page from elsewhere", chromedp.Navigate("about:blank"))
	b.turn("send the form", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Evaluate[chromedp.Void](`(() => {
			const form = document.createElement("form");
			form.method = "post";
			form.action = "`+s.url+`/eu/sign-out";
			document.body.append(form);
			form.submit();
		})()`)(ctx, t)
	})
	if b.status != 403 {
		t.Errorf("the form was answered with %d, want 403", b.status)
	}
	b.visit("/eu/").want(200, "").wantWho("customer")
}

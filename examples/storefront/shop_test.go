package main

import (
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// Guests share one token, and have no session.
func TestBrowse(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		p := k.browser().get("/").want(200, "")
		if p.Path != "/eu/" {
			t.Errorf("the first page is %s, want /eu/", p.Path)
		}
		if got, want := p.text("sku-CAP"), "Cap €33,50 Add"; got != want {
			t.Errorf("the cap is %q, want %q", got, want)
		}
		if n := strings.Count(p.Body, `data-test="sku-`); n != 12 {
			t.Errorf("%d goods, want 12", n)
		}
		other := k.browser()
		if p := other.get("/eu/"); p.field("who") != "guest" || !strings.HasPrefix(p.field("from"), "memory") {
			t.Errorf("the panel says %q, token from %q, want a guest's from memory", p.field("who"), p.field("from"))
		}
		if c := other.cookie("__Host-session"); c != "" {
			t.Error("a guest has got a session")
		}
		if n := k.local.Counts().TokenRequests; n != 1 {
			t.Errorf("%d token requests, want 1", n)
		}
	})
}

// A page that shows nothing of the API's costs no token.
func TestNoTokenWithoutNeed(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.get("/eu/cart").want(200, "")
		b.get("/eu/sign-in").want(200, "")
		b.get("/eu/account").want(200, "sign-in-first")
		b.get("/eu/nowhere").want(404, "")
		if n := k.local.Counts(); n != (commercelayertest.Counts{}) {
			t.Errorf("the service has been asked: %+v", n)
		}
	})
}

// One market's cart and prices are not the other's; the sign-in is.
func TestMarkets(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
		b.post("/us/cart", "sku", "BAG", "back", "/us/").want(200, "added")
		if p := b.get("/eu/cart"); !p.has("line-CAP") || p.has("line-BAG") {
			t.Error("the cart in Europe is not what was put into it")
		}
		p := b.get("/us/cart")
		if p.has("line-CAP") || p.text("total") != "$40.70" || p.field("scope") != commercelayertest.OtherMarketScope {
			t.Errorf("the cart in the USA: total %q, scope %q", p.text("total"), p.field("scope"))
		}
		b.signIn().want(200, "cart-kept")
		for path, line := range map[string]string{"/eu/cart": "line-CAP", "/us/cart": "line-BAG"} {
			p := b.get(path)
			if !p.has(line) || p.field("who") != "customer" || p.field("owner") != commercelayertest.CustomerID {
				t.Errorf("%s after signing in: %s: %v, as %q of %q", path, line, p.has(line), p.field("who"), p.field("owner"))
			}
		}
		if got := p.attr("market-eu", "href"); got != "/eu/cart" {
			t.Errorf("from the cart one gets to %s in the other market, want its cart", got)
		}
	})
}

// What a page may do is what it is said to do: nothing is inline, nothing from
// elsewhere, and everything is under the policy.
func TestPagesAreStrict(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script(?:>| [^>]*>[^<])`)
	address := regexp.MustCompile(`\s(?:href|src|action|formaction)="([^"]*)"`)
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.post("/eu/cart", "sku", "CAP", "back", "/eu/")
		b.get("/eu/sign-in")
		b.get("/eu/cart")
		b.get("/nowhere")
		b.signIn()
		b.get("/eu/account")
		b.get("/static/style.css")
		if p := b.get("/static/"); p.Status != http.StatusNotFound {
			t.Errorf("the list of static files: %d", p.Status)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, answer := range k.seen {
			header, body, _ := strings.Cut(answer, "\r\n\r\n")
			for _, want := range []string{
				"Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'\r\n",
				"X-Content-Type-Options: nosniff\r\n",
			} {
				if !strings.Contains(header+"\r\n", want) {
					t.Errorf("an answer lacks %q:\n%s", want, header)
				}
			}
			if page := strings.Contains(body, "<main"); page && !strings.Contains(header, "Cache-Control: private, no-store") {
				t.Errorf("a page may be kept by a cache:\n%s", header)
			}
			if bad := inline.FindString(body); bad != "" {
				t.Errorf("a page has %q in it", bad)
			}
			for _, m := range address.FindAllStringSubmatch(body, -1) {
				if !strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "#") || strings.HasPrefix(m[1], "//") {
					t.Errorf("a page leads to %q", m[1])
				}
			}
		}
	})
}

// A form that a page of another site sends does nothing, whichever it is.
func TestCrossSiteForms(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.signIn()
		b.post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
		before := k.local.Counts()
		for _, path := range []string{
			"/eu/cart", "/eu/cart/x", "/eu/sign-in", "/eu/sign-out", "/us/sign-out", "/eu/hood/guest-revoked", "/eu/hood/failing",
		} {
			for name, set := range map[string]func(http.Header){
				"cross-site":   func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
				"same-site":    func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
				"older":        func(h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "https://evil.example") },
				"without page": func(h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "null") },
			} {
				req := b.request("POST", path, map[string][]string{"sku": {"BAG"}, "quantity": {"1"}})
				set(req.Header)
				if p := b.do(req); p.Status != http.StatusForbidden {
					t.Errorf("%s %s: status %d, want 403", name, path, p.Status)
				}
			}
		}
		if after := k.local.Counts(); after != before {
			t.Errorf("the service was asked: %+v, before %+v", after, before)
		}
		if p := b.get("/eu/cart"); !p.has("sign-out") || p.text("cart-count") != ", items: 1" {
			t.Errorf("afterwards the customer's cart has %q", p.text("cart-count"))
		}
	})
}

// Cookies of the shop are out of reach for scripts, and for plain http; those of a
// shop that says so excepted.
func TestCookies(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		b.post("/eu/cart", "sku", "CAP", "back", "/eu/")
		b.signIn()
		names := map[string]bool{}
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, answer := range k.seen {
			for line := range strings.SplitSeq(answer, "\r\n") {
				cookie, ok := strings.CutPrefix(line, "Set-Cookie: ")
				if !ok {
					continue
				}
				name, _, _ := strings.Cut(cookie, "=")
				names[name] = true
				for _, want := range []string{"__Host-", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
					if !strings.Contains(cookie, want) {
						t.Errorf("cookie %q lacks %q", cookie, want)
					}
				}
			}
		}
		want := map[string]bool{
			"__Host-session": true, "__Host-hood": true, "__Host-notice": true,
			"__Host-cl-order-" + commercelayertest.SalesChannelID + "-market%3Acode%3Aeurope": true,
		}
		if !maps.Equal(names, want) {
			t.Errorf("cookies %v, want %v", names, want)
		}
	})
}

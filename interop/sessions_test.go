package interop_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// snippet is what the documentation has a JavaScript storefront do.
func snippet(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/js-auth.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```ts\n(.*?)```").FindAllSubmatch(page, -1)
	if len(found) != 1 {
		t.Fatalf("docs/js-auth.md has %d snippets, want 1", len(found))
	}
	// Imports are for modules.
	return regexp.MustCompile(`(?m)^import .*$`).ReplaceAllString(string(found[0][1]), "")
}

// A JavaScript storefront and ours are one shop: they have the browsers' session
// cookie and the Redis in common.
func TestOneShop(t *testing.T) {
	w := newWorld(t)
	s := newSite(w, market, nil)
	code := snippet(t)
	// has checks whom js-auth speaks for in a request with the cookie, and returns the
	// access token.
	has := func(cookie, owner string) string {
		t.Helper()
		w.js.do(t, "documented", fields{"name": "documented", "storage": "redis", "snippet": code, "cookies": cookie, "options": w.channelOptions(market)}, nil)
		return w.has("documented", owner, "").AccessToken
	}
	// we checks whom we speak for in such a request.
	we := func(cookie, owner string) string {
		t.Helper()
		a, _, err := s.authorize(cookie)
		if err != nil || a.Owner.ID != owner {
			t.Errorf("we speak for %v (%v), want %q", a, err, owner)
			return ""
		}
		return a.Token.AccessToken
	}
	both := func(cookie, owner string) string {
		t.Helper()
		js := "guest"
		if owner != "" {
			js = "customer " + owner
		}
		token := has(cookie, js)
		if we(cookie, owner) != token {
			t.Error("js-auth and we have two tokens")
		}
		return token
	}
	login := func(email, password string) string {
		t.Helper()
		set := s.visit("", func(ctx context.Context) {
			if err := s.channel.Login(ctx, email, password); err != nil {
				t.Error(err)
			}
		})
		return pair(t, set)
	}
	guests := both("", "")
	w.wantRequests(asked(1))
	cookie := login(commercelayertest.CustomerEmail, commercelayertest.CustomerPassword)
	both(cookie, ada)
	w.wantRequests(asked(1))
	key := w.keys(customerKey + "-*")
	if want := customerKey + "-" + digest(cookie); key != want {
		t.Fatalf("the customer is under\n%s, want\n%s", key, want)
	}

	// Refreshed by either.
	for _, first := range []string{"js-auth", "we"} {
		i := w.issue(channelID, market, ada, -time.Minute)
		w.redis.Do("SET", key, record(i.AccessToken, market, i.RefreshToken))
		w.service.ResetCounts()
		var token string
		if first == "js-auth" {
			token = has(cookie, customer)
		} else {
			<-time.After(1100 * time.Millisecond) // what we have just read counts for a second
			token = we(cookie, ada)
		}
		if got := both(cookie, ada); got != token {
			t.Errorf("after %s have refreshed, another token is there", first)
		}
		w.wantRequests(commercelayertest.Counts{TokenRequests: 1, RefreshToken: 1})
	}

	// Other visitors are others.
	grace := login(commercelayertest.OtherCustomerEmail, commercelayertest.OtherCustomerPassword)
	both(grace, commercelayertest.OtherCustomerID)
	both(cookie, ada)
	for name, forged := range map[string]string{"no cookie": "", "empty": "__Host-session=", "forged": "__Host-session=" + strings.Repeat("A", 43) + ".1", "short": "__Host-session=x.1"} {
		if both(forged, "") != guests {
			t.Errorf("%s: not the guests' token", name)
		}
	}

	// Signed out by either.
	w.service.ResetCounts()
	s.visit(grace, func(ctx context.Context) {
		if err := s.channel.LogoutCustomer(ctx); err != nil {
			t.Error(err)
		}
	})
	both(grace, "")
	w.wantRequests(commercelayertest.Counts{Revoked: 2})
	both(cookie, ada)
	w.call("documented", "logoutCustomer")
	w.wantRequests(commercelayertest.Counts{Revoked: 1})
	eventually(t, "we see that ada is gone", func() bool {
		a, _, err := s.authorize(cookie)
		return err == nil && a.Owner == bearer.Owner{}
	})
	both(cookie, "")
	both("", "")
}

// digest is that of the session id in a cookie.
func digest(cookie string) string {
	_, value, _ := strings.Cut(cookie, "=")
	id, _, _ := strings.Cut(value, ".")
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

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
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/redisstore"
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
		w.documented(code, cookie)
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
	guests := both("", "")
	w.wantRequests(asked(1))
	cookie := s.login(commercelayertest.CustomerEmail, commercelayertest.CustomerPassword)
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
	grace := s.login(commercelayertest.OtherCustomerEmail, commercelayertest.OtherCustomerPassword)
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

// documented makes js-auth's sales channel as the documentation says, for a request
// with the cookie.
func (w *world) documented(code, cookie string) {
	w.t.Helper()
	w.js.do(w.t, "documented", fields{"name": "documented", "storage": "redis", "snippet": code, "cookies": cookie, "options": w.channelOptions(market)}, nil)
}

// login signs a customer in, and returns the session's cookie.
func (s *site) login(email, password string) string {
	s.t.Helper()
	set := s.visit("", func(ctx context.Context) {
		if err := s.channel.Login(ctx, email, password); err != nil {
			s.t.Error(err)
		}
	})
	return pair(s.t, set)
}

// Memory in front of our Redis hears of what js-auth does.
func TestOneShopWithMemory(t *testing.T) {
	w := newWorld(t)
	store, err := redisstore.Open(w.redis.URL(), &redisstore.Options{DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	o := w.options()
	o.Storage = layered.New(store, nil)
	channel, err := commercelayer.NewSalesChannel(channelID, market, o)
	if err != nil {
		t.Fatal(err)
	}
	s := newSiteOf(w, market, channel, nil)
	cookie := s.login(commercelayertest.CustomerEmail, commercelayertest.CustomerPassword)
	w.documented(snippet(t), cookie)
	w.has("documented", customer, "")
	for range 10 { // from memory, once the feed is there
		if a, _, err := s.authorize(cookie); err != nil || a.Owner.ID != ada {
			t.Fatalf("we speak for %v (%v)", a, err)
		}
		<-time.After(100 * time.Millisecond)
	}
	// js-auth refreshes, as its clock runs ahead.
	w.js.do(t, "clock", fields{"minutes": 235}, nil)
	now := w.has("documented", customer, "").AccessToken
	w.js.do(t, "clock", fields{"minutes": 0}, nil)
	eventually(t, "we have the new token", func() bool {
		a, _, err := s.authorize(cookie)
		return err == nil && a.Token.AccessToken == now
	})
	w.call("documented", "logoutCustomer")
	eventually(t, "we see that ada is gone", func() bool {
		a, _, err := s.authorize(cookie)
		return err == nil && a.Owner == bearer.Owner{}
	})
}

// digest is that of the session id in a cookie.
func digest(cookie string) string {
	_, value, _ := strings.Cut(cookie, "=")
	id, _, _ := strings.Cut(value, ".")
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

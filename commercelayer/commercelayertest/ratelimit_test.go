package commercelayertest_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// Thirty within any sixty seconds, and a refused one does not count.
func TestRateLimitSlides(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		asked := func() int { return k.ask(guest).status }
		for range 10 {
			equal(t, "first ten", asked(), 200)
		}
		pass(40 * time.Second)
		for range 20 {
			equal(t, "next twenty", asked(), 200)
		}
		a := k.ask(guest)
		equal(t, "the 31st", a.status, 429)
		equal(t, "title", a.title(t), "Too many requests")
		var doc struct{ Errors []struct{ Code string } }
		a.into(t, &doc)
		equal(t, "code", doc.Errors[0].Code, "TOO_MANY_REQUESTS")
		equal(t, "Retry-After", a.header.Get("Retry-After"), "")
		pass(20*time.Second - time.Millisecond)
		equal(t, "just before the first ten leave the window", asked(), 429)
		pass(time.Millisecond)
		for range 10 {
			equal(t, "ten more", asked(), 200)
		}
		equal(t, "an eleventh", asked(), 429)
		equal(t, "rate limited", k.server.Counts().RateLimited, 3)
		equal(t, "token requests", k.server.Counts().TokenRequests, 43)
		// Nothing else is limited.
		equal(t, "revocation", k.revoke(fields{"client_id": clt.SalesChannelID, "token": "x"}).status, 200)
	})
}

// Addresses that were quiet for a whole window are forgotten, others are not.
func TestRateLimitForgets(t *testing.T) {
	bubble(t, &clt.Options{RateLimit: 1}, func(t *testing.T, k *kit) {
		for i := range 10_000 {
			k.server.Limited(strconv.Itoa(i))
		}
		pass(time.Minute - time.Millisecond)
		equal(t, "late", k.server.Limited("late"), false)
		equal(t, "remembered within the window", k.server.Addresses(), 10_001)
		equal(t, "first, within the window", k.server.Limited("0"), true)
		equal(t, "remembered still", k.server.Addresses(), 10_001)
		pass(time.Millisecond)
		equal(t, "first, after the window", k.server.Limited("0"), false)
		equal(t, "remembered after the window", k.server.Addresses(), 2)
		equal(t, "late again", k.server.Limited("late"), true)
	})
}

func TestRateLimitIsSwitchable(t *testing.T) {
	for _, tt := range []struct {
		name           string
		limit, allowed int
	}{{"none", clt.NoRateLimit, 40}, {"three", 3, 3}, {"default", 0, 30}} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, &clt.Options{RateLimit: tt.limit})
			served := 0
			for range 40 {
				if k.ask(guest).status == 200 {
					served++
				}
			}
			equal(t, "served", served, tt.allowed)
		})
	}
}

// A backend that proves to be one is limited by its shoppers.
func TestRateLimitByShopper(t *testing.T) {
	tests := []struct {
		name         string
		auth         string // of the server
		sent         string
		first, other string // shoppers
		separate     bool
	}{
		{"a backend", "b4ck", "b4ck", "192.0.2.1", "192.0.2.2", true},
		{"a backend, IPv6", "b4ck", "b4ck", "2001:db8::1", "2001:db8::2", true},
		{"the same address, spelled twice", "b4ck", "b4ck", "2001:db8::1", "2001:DB8:0::1", false},
		{"wrong secret", "b4ck", "other", "192.0.2.1", "192.0.2.2", false},
		{"no secret sent", "b4ck", "", "192.0.2.1", "192.0.2.2", false},
		{"no secret configured", "", "", "192.0.2.1", "192.0.2.2", false},
		{"addresses that are none", "b4ck", "b4ck", "a", "b", false},
		{"no addresses", "b4ck", "b4ck", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, &clt.Options{RateLimit: 1, BackendAuth: tt.auth})
			ask := func(shopper string) int {
				body, _ := json.Marshal(guest)
				return k.do(k.request("POST", k.server.TokenURL(), string(body), "Content-Type", "application/json",
					"X-Backend-Auth", tt.sent, "X-True-Client-Ip", shopper)).status
			}
			equal(t, "first", ask(tt.first), 200)
			equal(t, "first again", ask(tt.first), 429)
			want := 429
			if tt.separate {
				want = 200
			}
			equal(t, "other", ask(tt.other), want)
		})
	}
}

package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// The stream tells at once how things stand, and then what happens.
func TestStream(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		p := b.get("/eu/")
		events, stop := b.stream(p.attr("hood", "data-after"))
		defer stop()
		first := <-events
		if first.Event != "counts" || first.Data != `{"tokens":1,"api":1,"rejected":0}` {
			t.Errorf("the first event is %+v, want the counts", first)
		}
		// What the page could not tell yet: that it was made.
		if got := drain(events); strings.Count(got, "entry ") != 1 || !strings.Contains(got, `"text":"GET /eu/"`) || !strings.Contains(got, `"who":"guest"`) {
			t.Errorf("then came\n%s", got)
		}
		pass(20 * time.Minute) // longer than any time limit of the server's
		b.post("/eu/hood/guest-revoked", "back", "/eu/")
		got := drain(events)
		for _, want := range []string{
			"The guests’ token evicted", "The guests’ token replaced", "GET replayed with the new token: 200",
			`"text":"POST /eu/hood/guest-revoked"`, `"GET /api/skus: 401 Unauthorized"`, `{"tokens":2,"api":3,"rejected":1}`,
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the stream lacks %s:\n%s", want, got)
			}
		}
		k.checkNoToken(got)
	})
}

func (k *kiosk) checkNoToken(text string) {
	k.t.Helper()
	for _, token := range k.issued.list() {
		if strings.Contains(text, token) {
			k.t.Fatalf("the stream has a token in it:\n%s", text)
		}
	}
}

// A browser that asks again gets what it has missed, and nothing twice.
func TestStreamGoesOn(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		p := b.get("/eu/")
		events, stop := b.stream(p.attr("hood", "data-after"))
		b.get("/eu/cart")
		synctest.Wait()
		var last string
		for len(events) > 0 {
			if e := <-events; e.ID != "" {
				last = e.ID
			}
		}
		stop()
		b.get("/eu/sign-in")
		events, stop = b.stream(last)
		defer stop()
		if got := drain(events); strings.Contains(got, "/eu/cart") || !strings.Contains(got, "/eu/sign-in") {
			t.Errorf("the second stream has\n%s", got)
		}
	})
}

// Everybody is told that the storage fails, whoever has met with it.
func TestStorageFailed(t *testing.T) {
	h := newHood(&service{}, cookies{})
	mine, other := h.newFeed("", nil), h.newFeed("", nil)
	ctx := withTrace(t.Context(), &trace{hood: h, feed: mine})
	h.observer(&market{Name: "Europe"}, "A")(ctx, bearer.StorageFailed{Name: "shop", Err: errors.New("secret")})
	for _, f := range []*feed{mine, other} {
		entries, _, _ := f.after(0)
		if len(entries) != 1 || entries[0].Text != "The storage cannot be used" || entries[0].Place != "Europe, A" || strings.Contains(entries[0].Detail, "secret") {
			t.Errorf("the panel tells %+v", entries)
		}
	}
}

// Who waits for a token that somebody else's request is about to bring has it from
// memory: there is no other instance.
func TestWaitingForAToken(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		k.local.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Delay: time.Second})
		from := make(chan string)
		const visitors = 20
		for range visitors {
			go func() { from <- k.browser().get("/eu/").field("from") }()
		}
		got := map[string]int{}
		for range visitors {
			got[<-from]++
		}
		if got["requested just now: there was none"] != 1 || got["memory, one for all guests"] != visitors-1 {
			t.Errorf("%d visitors at once have their tokens from: %v", visitors, got)
		}
	})
}

// What others do is not told, but for what becomes of the token that all share.
func TestStreamOfOthers(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		a, b := k.browser(), k.browser()
		p := b.get("/eu/")
		events, stop := b.stream(p.attr("hood", "data-after"))
		defer stop()
		drain(events)
		a.signIn()
		a.post("/eu/cart", "sku", "CAP", "back", "/eu/")
		pass(20 * time.Minute)
		a.post("/eu/hood/customer-revoked", "back", "/eu/account")
		a.post("/eu/hood/customer-ended", "back", "/eu/account")
		a.post("/eu/hood/guest-revoked", "back", "/eu/")
		got := drain(events) + b.get("/eu/").text("hood-log")
		for _, secret := range []string{commercelayertest.CustomerID, "/account", "/cart", "Signed in", "Session ended", "Your token", "POST"} {
			if strings.Contains(got, secret) {
				t.Errorf("a guest is told of %q, which another visitor did:\n%s", secret, got)
			}
		}
		if !strings.Contains(got, "The guests’ token replaced") {
			t.Errorf("a guest is not told of the guests' token:\n%s", got)
		}
	})
}

// Whoever uses the browser next does not learn who has used it before.
func TestPanelOfTheNextOne(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		for _, leave := range []func(b *browser){
			func(b *browser) { b.post("/eu/sign-out") },
			func(b *browser) { pass(20 * time.Minute); k.local.RevokeAll(); b.get("/eu/") },
		} {
			b := k.browser()
			b.signIn()
			if p := b.get("/eu/account"); !strings.Contains(p.text("hood"), commercelayertest.CustomerID) {
				t.Fatal("the panel does not tell a customer who they are")
			}
			leave(b)
			p := b.get("/eu/")
			events, stop := b.stream("0")
			got := p.Body + drain(events)
			stop()
			if strings.Contains(got, commercelayertest.CustomerID) {
				t.Errorf("the panel still names the customer:\n%s", got)
			}
			if !strings.Contains(got, "Signed in, under a new session id") {
				t.Error("the panel has forgotten what happened")
			}
		}
	})
}

// Somebody who has planted a panel's cookie in another browser does not see through
// it whom that browser signs in.
func TestPlantedPanel(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		thief, b := k.browser(), k.browser()
		p := thief.get("/eu/")
		b.setCookie("__Host-hood", thief.cookie("__Host-hood"))
		events, stop := thief.stream(p.attr("hood", "data-after"))
		defer stop()
		b.post("/eu/cart", "sku", "CAP", "back", "/eu/")
		b.signIn()
		b.get("/eu/account")
		b.post("/eu/cart", "sku", "CAP", "back", "/eu/account")
		got := drain(events)
		if !strings.Contains(got, "Signed in") {
			t.Fatalf("the thief's stream does not show what is to be seen before:\n%s", got)
		}
		again, stop := thief.stream("0")
		defer stop()
		got += drain(again) + thief.get("/eu/").Body
		for _, secret := range []string{commercelayertest.CustomerID, "/eu/account"} {
			if strings.Contains(got, secret) {
				t.Errorf("the thief sees %q:\n%s", secret, got)
			}
		}
		if _, open := <-events; open {
			t.Error("the stream that was open goes on")
		}
		select {
		case _, open := <-again:
			if !open {
				t.Error("a stream of the thief's own does not stay open")
			}
		default:
		}
	})
}

// The shop stops although there are streams.
func TestStreamEndsWithTheServer(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		p := b.get("/eu/")
		events, stop := b.stream(p.attr("hood", "data-after"))
		defer stop()
		drain(events)
		start := time.Now()
		k.stop()
		err := <-k.stopped
		k.stopped <- err
		drain(events)
		if took := time.Since(start); err != nil || took > time.Second {
			t.Errorf("stopping took %v: %v", took, err)
		}
		if _, open := <-events; open {
			t.Error("the stream goes on")
		}
	})
}

// Feeds are bounded, in number and in length.
func TestFeedsAreBounded(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		for range 3 * maxEntries {
			b.get("/eu/sign-in")
		}
		if n := strings.Count(b.get("/eu/sign-in").Body, "<li class="); n != maxEntries {
			t.Errorf("the panel shows %d entries, want %d", n, maxEntries)
		}
		events, stop := b.stream("0")
		defer stop()
		drain(events)
		for range maxFeeds + 1 {
			k.hood.newFeed("", nil)
			pass(time.Millisecond)
		}
		if n := len(k.hood.feeds); n != maxFeeds {
			t.Errorf("%d feeds, want %d", n, maxFeeds)
		}
		drain(events)
		if _, open := <-events; open {
			t.Error("the stream of a feed that had to go goes on")
		}
		b.get("/eu/").want(200, "")
	})
}

// The panel counts down from where the token's life really ends.
func TestExpiry(t *testing.T) {
	inKiosk(t, func(t *testing.T, k *kiosk) {
		b := k.browser()
		for _, tt := range []struct {
			after time.Duration
			want  string
		}{{0, "in 4 h 0 min"}, {65 * time.Minute, "in 2 h 55 min"}, {2 * time.Hour, "in 55 min 0 s"}} {
			pass(tt.after)
			p := b.get("/eu/")
			if got := p.field("expiry"); got != tt.want {
				t.Errorf("%v later the token expires %q, want %q", tt.after, got, tt.want)
			}
			at := k.local.Requests()[0].Time.Add(4 * time.Hour).UTC().Format(time.RFC3339)
			if !strings.Contains(p.Body, fmt.Sprintf("datetime=%q", at)) {
				t.Errorf("the page does not give %s for the script", at)
			}
		}
	})
}

func TestMasked(t *testing.T) {
	for in, want := range map[string]string{
		"/api/orders": "/api/orders", "/api/orders/secret": "/api/orders/…", "/api/orders/secret/line_items": "/api/orders/…/…", "": "", "/": "/",
	} {
		if got := masked(in); got != want {
			t.Errorf("masked(%q) = %q, want %q", in, got, want)
		}
	}
}

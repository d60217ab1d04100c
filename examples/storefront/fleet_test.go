package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/internal/pipe"
	"github.com/bearerkit/bearer/redisstore/redistest"
)

// The tests of a fleet are by the real clock, since there is a real Redis.

// openFleet serves a shop of two instances until the test ends, and then checks that
// no browser has seen a token.
func openFleet(t *testing.T, redis *redistest.Server) *kiosk {
	t.Helper()
	service, err := newService(env(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.close)
	k := &kiosk{t: t, issued: &issued{base: service.base}, stopped: make(chan error, 1)}
	service.base = k.issued
	f, err := newFleet(t.Context(), service, redis.URL(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	k.shop = f.instances[0]
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { k.stopped <- f.serve(ctx, l) }()
	k.transport = lineTo(l.Addr())
	for _, port := range f.ports {
		k.direct = append(k.direct, lineTo(port.Addr()))
	}
	t.Cleanup(func() {
		for _, line := range append(k.direct, k.transport) {
			line.CloseIdleConnections()
		}
		stop()
		if err := <-k.stopped; err != nil {
			t.Error(err)
		}
		k.checkSecrets()
	})
	return k
}

// lineTo connects to one address, whatever is asked for.
func lineTo(addr net.Addr) *http.Transport {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr.String())
	}
	return &http.Transport{DialContext: dial, DialTLSContext: dial}
}

// at is the same browser, for which an instance answers that is not left to chance.
func (b *browser) at(instance int) *browser {
	client := *b.client
	client.Transport = recorder{b.k, b.k.direct[instance]}
	return &browser{b.k, &client}
}

// shares gives the browser the other one's session.
func (b *browser) shares(other *browser) *browser {
	b.setCookie("__Host-session", other.cookie("__Host-session"))
	return b
}

// eventually waits until done.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); <-time.After(5 * time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// The instances take turns; one of them asks for the guests' token, and what one
// knows of a visitor the other one knows too.
func TestFleet(t *testing.T) {
	t.Parallel()
	k := openFleet(t, redistest.Start(t))
	b := k.browser()
	first := b.get("/eu/").want(200, "")
	b.get("/static/style.css") // takes no turn
	second := b.get("/eu/").want(200, "")
	if got := first.field("instance") + ", " + second.field("instance"); got != "instance A, instance B" {
		t.Errorf("the instances that answer are %q, want A and then B", got)
	}
	if from := second.field("from"); !strings.HasPrefix(from, "storage: another instance") || second.field("tokenRequests") != "0" {
		t.Errorf("B has its token from %q with %s token requests, want the one in the storage", from, second.field("tokenRequests"))
	}
	if n := k.local.Counts(); n.TokenRequests != 1 {
		t.Errorf("%d token requests for the guests of both, want 1", n.TokenRequests)
	}
	if got := second.text("hood-log"); !strings.Contains(got, "requested: there was none Europe, A") || !strings.Contains(got, "GET /eu/ Europe, A") {
		t.Errorf("what A has done is not in B's panel: %s", got)
	}

	// Forms are taken by one and shown by the other.
	b.at(0).post("/eu/cart", "sku", "CAP", "back", "/eu/").want(200, "added")
	if p := b.at(1).get("/eu/cart"); !p.has("line-CAP") || p.field("instance") != "instance B" {
		t.Errorf("the cart that was begun at A is empty at %s", p.field("instance"))
	}
	b.signIn().want(200, "cart-kept")
	session := b.cookie("__Host-session")
	for range 2 {
		for i, name := range []string{"A", "B"} {
			for _, path := range []string{"/eu/account", "/us/cart"} {
				p := b.at(i).get(path).want(200, "")
				if p.field("owner") != commercelayertest.CustomerID || p.field("instance") != "instance "+name {
					t.Errorf("%s at %s is that of %q", path, p.field("instance"), p.field("owner"))
				}
			}
		}
	}
	// By now both have the customer in memory. That lasts for a second only if it is from
	// before they heard of changes, or if the machine is too busy for them to hear.
	eventually(t, "a customer who was here a moment ago costs no reads of Redis", func() bool {
		p := b.get("/eu/cart").want(200, "")
		return p.field("storageReads") == "0" && strings.HasPrefix(p.field("from"), "memory")
	})
	if b.cookie("__Host-session") != session {
		t.Error("the session has a new id without a sign-in")
	}
	if n := k.local.Counts(); n.ClientCredentials != 2 || n.RefreshToken != 0 {
		t.Errorf("%d token requests for guests and %d refreshes, want one for each market and none", n.ClientCredentials, n.RefreshToken)
	}
}

// Who is signed out by one instance is a guest for the other, which has them in
// memory, also with the old session id.
func TestFleetSignOut(t *testing.T) {
	t.Parallel()
	k := openFleet(t, redistest.Start(t))
	b, copied := k.browser(), k.browser()
	b.signIn()
	copied.shares(b)
	for range 2 {
		if p := copied.at(1).get("/eu/account"); p.field("owner") != commercelayertest.CustomerID {
			t.Fatalf("at B the customer is %q", p.field("owner"))
		}
	}
	b.at(0).post("/eu/sign-out").want(200, "signed-out")
	out := time.Now()
	for _, path := range []string{"/eu/", "/us/"} {
		// A copy that B was not told of would serve for a minute.
		eventually(t, "B knows that the customer is gone", func() bool { return !copied.at(1).get(path).want(200, "").has("sign-out") })
	}
	t.Logf("seen on the other instance after %v", time.Since(out))
	if n := k.local.Counts().Revoked; n != 4 {
		t.Errorf("%d tokens were revoked, want the access and refresh token of both markets", n)
	}
}

// Whatever the buttons at one instance spoil, both go on, and get what is new once.
func TestFleetButtons(t *testing.T) {
	t.Parallel()
	k := openFleet(t, redistest.Start(t))
	guest, b := k.browser(), k.browser()
	b.signIn()
	both := func(what string) {
		t.Helper()
		for i, name := range []string{"A", "B"} {
			if p := guest.at(i).get("/eu/").want(200, ""); p.field("who") != "guest" {
				t.Errorf("%s: at %s the guest is a %s", what, name, p.field("who"))
			}
			if p := b.at(i).get("/eu/account").want(200, ""); p.field("owner") != commercelayertest.CustomerID {
				t.Errorf("%s: at %s the customer is %q", what, name, p.field("owner"))
			}
		}
	}
	both("at first")
	guest.at(0).post("/eu/hood/guest-revoked", "back", "/eu/").want(200, "guest-revoked")
	b.at(1).post("/eu/hood/customer-revoked", "back", "/eu/account").want(200, "customer-revoked")
	both("revoked")
	if n := k.local.Counts(); n.ClientCredentials != 3 || n.RefreshToken != 1 {
		t.Errorf("%d token requests for guests and %d refreshes, want 3 (one more) and 1", n.ClientCredentials, n.RefreshToken)
	}
	if p := guest.at(1).post("/eu/hood/failing", "back", "/eu/").want(200, "failing"); !p.has("restore") {
		t.Error("the button does not change")
	}
	both("while the token endpoint fails")
	if p := guest.at(0).get("/eu/sign-in"); !p.has("restore") {
		t.Error("at A the button has not changed")
	}
	guest.at(0).post("/eu/hood/working", "back", "/eu/").want(200, "working")
	b.at(0).post("/eu/hood/customer-ended", "back", "/eu/").want(200, "expired")
	if p := b.at(1).get("/eu/"); p.has("sign-out") {
		t.Error("at B the customer's session has not ended")
	}
}

// While Redis is away the shop goes on for those who were here before, and says so.
// When it is back all is as it was.
func TestFleetWithoutRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	k := openFleet(t, redis)
	guest, b, late := k.browser(), k.browser(), k.browser()
	b.signIn()
	late.at(0).signIn() // and B never gets to know her
	round := func(when string) {
		t.Helper()
		for i, name := range []string{"A", "B"} {
			for _, market := range []string{"/eu", "/us"} {
				if p := guest.at(i).get(market+"/").want(200, ""); p.field("who") != "guest" {
					t.Errorf("%s: at %s%s the guest is a %s", when, name, market, p.field("who"))
				}
				if p := b.at(i).get(market+"/account").want(200, ""); p.field("owner") != commercelayertest.CustomerID {
					t.Errorf("%s: at %s%s the customer is %q", when, name, market, p.field("owner"))
				}
			}
		}
	}
	round("with Redis")
	redis.Kill()
	tell := func(text string) func() bool {
		return func() bool {
			round(text)
			log := guest.get("/eu/sign-in").text("hood-log")
			return strings.Contains(log, text+" A") && strings.Contains(log, text+" B")
		}
	}
	eventually(t, "the panel tells that Redis is away", tell("The storage cannot be reached, memory serves on"))
	p := guest.post("/eu/sign-in", "email", commercelayertest.OtherCustomerEmail, "password", commercelayertest.OtherCustomerPassword)
	if p.Status != 503 || !strings.Contains(p.text("problem"), "Nobody can sign in right now") || p.has("sign-out") {
		t.Errorf("signing in: status %d: %s", p.Status, p.text("problem"))
	}
	late.at(0).get("/eu/account").want(200, "")
	if p := late.at(1).get("/eu/account"); p.Status != 503 || !strings.Contains(p.text("problem"), "cannot tell who you are") {
		t.Errorf("at the instance that does not know her a customer reads %d: %s", p.Status, p.text("problem"))
	}
	// Whoever leaves does leave, as far as that can be done.
	leaver := k.browser().shares(late)
	if p := leaver.at(0).post("/eu/sign-out").want(200, "signed-out-here"); p.has("sign-out") {
		t.Error("still signed in")
	}
	before := k.local.Counts()

	redis.Restart()
	eventually(t, "the panel tells that Redis is back", tell("The storage can be reached again"))
	eventually(t, "one can sign in again", func() bool {
		p := guest.post("/eu/sign-in", "email", commercelayertest.OtherCustomerEmail, "password", commercelayertest.OtherCustomerPassword, "next", "/eu/")
		return p.Status == 200 && p.has("sign-out")
	})
	guest = k.browser()
	round("afterwards")
	if n := k.local.Counts(); n.RefreshToken != before.RefreshToken || n.ClientCredentials != before.ClientCredentials {
		t.Errorf("the tokens that were in Redis were requested again: %+v, before %+v", n, before)
	}
}

// Redis is emptied: the customers are guests, and no page fails.
func TestFleetWithEmptiedRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	k := openFleet(t, redis)
	b := k.browser()
	b.signIn()
	redis.Do("FLUSHALL")
	for i := range k.direct {
		eventually(t, "nobody is signed in", func() bool { return !b.at(i).get("/eu/").want(200, "").has("sign-out") })
	}
	b.signIn()
}

// A stream shows what happens at the other instance too.
func TestFleetStream(t *testing.T) {
	t.Parallel()
	k := openFleet(t, redistest.Start(t))
	b := k.browser()
	for stream, other := range []int{1, 0} {
		p := b.at(stream).get("/eu/sign-in")
		events, stop := b.at(stream).stream(p.attr("hood", "data-after"))
		b.at(other).get("/eu/cart").want(200, "")
		var got strings.Builder
		for !strings.Contains(got.String(), "GET /eu/cart") {
			select {
			case e := <-events:
				got.WriteString(e.Event + " " + e.Data + "\n")
			case <-time.After(patience):
				t.Fatalf("the stream at %d has only\n%s", stream, got.String())
			}
		}
		stop()
	}
}

// Through the address of both the protection against foreign forms holds, in browsers
// old and new, and knows the shop's own forms.
func TestFleetForms(t *testing.T) {
	t.Parallel()
	k := openFleet(t, redistest.Start(t))
	b := k.browser()
	b.signIn()
	for _, tt := range []struct {
		name         string
		site, origin string
		want         int
	}{
		{"own", "same-origin", origin, 200},
		{"own, older", "", origin, 200},
		{"foreign", "cross-site", "https://evil.example", 403},
		{"foreign, older", "", "https://evil.example", 403},
	} {
		for range 2 { // at each instance
			req := b.request("POST", "/eu/cart", url.Values{"sku": {"CAP"}, "back": {"/eu/cart"}})
			req.Header.Set("Sec-Fetch-Site", tt.site)
			req.Header.Set("Origin", tt.origin)
			if tt.site == "" {
				req.Header.Del("Sec-Fetch-Site")
			}
			if p := b.do(req); p.Status != tt.want {
				t.Errorf("%s: status %d, want %d", tt.name, p.Status, tt.want)
			}
		}
	}
}

// What the instances share an address with ends answers that take long, but for
// streams.
func TestFleetStreamMayTakeLong(t *testing.T) {
	f := &fleet{instances: []*shop{{service: &service{log: slog.New(slog.DiscardHandler)}}}, ports: []net.Listener{pipe.Listen()}}
	instance := func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	}
	for path, want := range map[string]bool{"/events": true, "/eu/": false, "/eu/events": false} {
		w := &patient{ResponseRecorder: httptest.NewRecorder()}
		f.proxy(roundTripper(instance)).ServeHTTP(w, httptest.NewRequest("GET", origin+path, http.NoBody))
		if w.Code != http.StatusOK || w.unlimited != want {
			t.Errorf("%s: status %d, may take as long as it likes: %v, want %v", path, w.Code, w.unlimited, want)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// patient notes that the time to answer is not limited any more.
type patient struct {
	*httptest.ResponseRecorder
	unlimited bool
}

func (p *patient) SetWriteDeadline(t time.Time) error {
	p.unlimited = t.IsZero()
	return nil
}

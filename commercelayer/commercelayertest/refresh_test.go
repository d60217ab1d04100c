package commercelayertest_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

var refresh = fields{"grant_type": "refresh_token", "client_id": clt.SalesChannelID, "scope": clt.MarketScope}

func TestRefreshRotates(t *testing.T) {
	k := newKit(t, nil)
	first := k.token(password)
	second := k.token(refresh.with(fields{"refresh_token": first.Refresh}))
	if second.Access == first.Access || second.Refresh == first.Refresh {
		t.Error("the refreshed session has an old token")
	}
	equal(t, "owner", second.OwnerID, clt.CustomerID)
	equal(t, "owner claim", claimsOf(t, second.Access)["owner"], `{"type":"Customer","id":"`+clt.CustomerID+`"}`)
	third := k.token(refresh.with(fields{"refresh_token": second.Refresh}))
	for i, token := range []tokenAnswer{first, second, third} {
		if !k.good(token.Access) {
			t.Errorf("access token %d is no longer good", i+1)
		}
	}
}

// A spent refresh token that comes back ends all that came of the sign-in, and
// no other.
func TestRefreshReuse(t *testing.T) {
	k := newKit(t, nil)
	first, other := k.token(password), k.token(password)
	second := k.token(refresh.with(fields{"refresh_token": first.Refresh}))

	a := k.ask(refresh.with(fields{"refresh_token": first.Refresh}))
	equal(t, "status", a.status, 400)
	equal(t, "title", a.title(t), "invalid_grant")
	for i, token := range []tokenAnswer{first, second} {
		if k.good(token.Access) {
			t.Errorf("access token %d of the session is still good", i+1)
		}
	}
	equal(t, "refreshing with the successor", k.ask(refresh.with(fields{"refresh_token": second.Refresh})).status, 400)
	equal(t, "reuses counted", k.server.Counts().RefreshReused, 1)
	if !k.good(other.Access) || k.ask(refresh.with(fields{"refresh_token": other.Refresh})).status != 200 {
		t.Error("another session of the customer was ended as well")
	}
}

// A forgiving service refuses the token, and no more.
func TestRefreshReuseForgiven(t *testing.T) {
	k := newKit(t, &clt.Options{ForgiveReuse: true})
	first := k.token(password)
	second := k.token(refresh.with(fields{"refresh_token": first.Refresh}))

	a := k.ask(refresh.with(fields{"refresh_token": first.Refresh}))
	equal(t, "status", a.status, 400)
	equal(t, "title", a.title(t), "invalid_grant")
	for i, token := range []tokenAnswer{first, second} {
		if !k.good(token.Access) {
			t.Errorf("access token %d of the session has ended", i+1)
		}
	}
	equal(t, "refreshing with the successor", k.ask(refresh.with(fields{"refresh_token": second.Refresh})).status, 200)
	counts := k.server.Counts()
	equal(t, "reuses counted", counts.RefreshReused, 1)
	equal(t, "sessions ended", counts.FamiliesEnded, 0)
}

// Of many who show the same refresh token at once, one is served.
func TestRefreshRace(t *testing.T) {
	k := newKit(t, nil)
	session := k.token(password)
	var served atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			resp, err := k.server.Client().Do(tokenRequest(k, refresh.with(fields{"refresh_token": session.Refresh})))
			if err == nil && resp.StatusCode == 200 {
				served.Add(1)
			}
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	equal(t, "served", served.Load(), 1)
}

func TestRefreshRules(t *testing.T) {
	opts := &clt.Options{Applications: []clt.Application{
		{Kind: clt.SalesChannel, ClientID: clt.SalesChannelID, ClientSecret: clt.SalesChannelSecret},
		{Kind: clt.SalesChannel, ClientID: "other"},
	}}
	tests := []struct {
		name   string
		signIn fields
		change fields
		title  string // empty: it succeeds
	}{
		{"the scope is repeated", password, nil, ""},
		{"the scope is left out", password, fields{"scope": nil}, "invalid_scope"},
		{"another scope", password, fields{"scope": clt.OtherMarketScope}, "invalid_scope"},
		{"market:all is left out", password.with(fields{"scope": nil}), fields{"scope": nil}, ""},
		{"market:all is repeated", password.with(fields{"scope": nil}), fields{"scope": "market:all"}, ""},
		{"market:all is narrowed", password.with(fields{"scope": nil}), nil, "invalid_scope"},
		{"another client", password, fields{"client_id": "other"}, "invalid_grant"},
		{"wrong secret", password, fields{"client_secret": "wrong"}, "invalid_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, opts)
			session := k.token(tt.signIn)
			request := refresh.with(fields{"refresh_token": session.Refresh}).with(tt.change)
			a := k.ask(request)
			if tt.title == "" {
				equal(t, "status", a.status, 200)
				equal(t, "scope", a.token(t).Scope, session.Scope)
				return
			}
			equal(t, "title", a.title(t), tt.title)
			// A refusal spends nothing.
			k.token(refresh.with(fields{"refresh_token": session.Refresh, "scope": session.Scope}))
		})
	}
}

// A session that is refreshed for months holds what is alive of it, and ends
// with all of that.
func TestRefreshChainDoesNotGrow(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		first := k.token(password)
		last := first
		for range 40 {
			pass(3 * time.Hour)
			last = k.token(refresh.with(fields{"refresh_token": last.Refresh}))
		}
		// Two access tokens, the refresh token, and the one spent just before.
		if n := k.server.Family(last.Refresh); n > 4 {
			t.Errorf("%d tokens held for one sign-in, want 4 at most", n)
		}
		equal(t, "reuse of the first", k.ask(refresh.with(fields{"refresh_token": first.Refresh})).status, 400)
		equal(t, "last access token is good", k.good(last.Access), false)
		equal(t, "last refresh token", k.ask(refresh.with(fields{"refresh_token": last.Refresh})).status, 400)
	})
}

func TestRefreshKeepsTheCustomClaim(t *testing.T) {
	k := newKit(t, nil)
	session := k.token(fields{"grant_type": jwtBearer, "client_id": clt.SalesChannelID, "client_secret": clt.SalesChannelSecret,
		"assertion": assertion(`{"owner":{"type":"Customer","id":"c"},"custom_claim":{"a":1}}`)})
	next := k.token(fields{"grant_type": "refresh_token", "client_id": clt.SalesChannelID, "refresh_token": session.Refresh})
	claims := claimsOf(t, next.Access)
	equal(t, "custom_claim", claims["custom_claim"], `{"a":1}`)
	equal(t, "owner", claims["owner"], `{"type":"Customer","id":"c"}`)
}

func TestRefreshTokenLife(t *testing.T) {
	for _, tt := range []struct {
		name   string
		after  time.Duration
		status int
	}{
		{"a second before two weeks", 14*24*time.Hour - time.Second, 200},
		{"after two weeks", 14 * 24 * time.Hour, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, k *kit) {
				session := k.token(password)
				pass(tt.after)
				equal(t, "status", k.ask(refresh.with(fields{"refresh_token": session.Refresh})).status, tt.status)
			})
		})
	}
}

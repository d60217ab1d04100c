package commercelayertest_test

import (
	"sync"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// In the last 15 minutes of a token's life, and not before, another is issued.
func TestSameTokenUntilItsLast15Minutes(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		first := k.token(guest)
		pass(4*time.Hour - 15*time.Minute - time.Second)
		same := k.token(guest)
		equal(t, "same token with 15 minutes and a second left", same.Access, first.Access)
		equal(t, "its created_at", same.Created, first.Created)
		equal(t, "its expires_in", same.Life, int64(15*60+1))

		pass(time.Second)
		fresh := k.token(guest)
		if fresh.Access == first.Access {
			t.Error("the same token was given again with 15 minutes left")
		}
		equal(t, "the new one's expires_in", fresh.Life, int64(14400))
		if !k.good(first.Access) || !k.good(fresh.Access) {
			t.Error("both tokens should be good at the same time")
		}
		equal(t, "the new one again", k.token(guest).Access, fresh.Access)

		pass(15*time.Minute - time.Second)
		if !k.good(first.Access) {
			t.Error("the old token ended before its time")
		}
		pass(time.Second)
		equal(t, "the old token at its exp", string(k.api(first.Access, "skus").body), invalidToken)
		equal(t, "tokens issued", k.server.Counts().Issued, 2)
		equal(t, "same again", k.server.Counts().SameAgain, 2)
	})
}

// What changes the token tells two requests apart.
func TestSameTokenForTheSameRequest(t *testing.T) {
	bearer := fields{"grant_type": jwtBearer, "client_id": clt.SalesChannelID, "client_secret": clt.SalesChannelSecret, "scope": clt.MarketScope}
	tests := []struct {
		name   string
		a, b   fields
		reuse  bool
		expect bool
	}{
		{"guests", guest, guest, false, true},
		{"integrations", integration, integration, false, true},
		{"scopes", guest, guest.with(fields{"scope": clt.OtherMarketScope}), false, false},
		{"scopes of the same meaning", guest, guest.with(fields{"scope": clt.MarketScope + " " + clt.MarketScope}), false, false},
		{"clients", guest.with(fields{"scope": nil}), integration, false, false},
		{"with and without secret", guest, guest.with(fields{"client_secret": clt.SalesChannelSecret}), false, false},
		{"sign-ins", password, password, false, false},
		{"sign-ins, if they are to be one", password, password, true, true},
		{"customers, if sign-ins are to be one", password, password.with(fields{"username": clt.OtherCustomerEmail, "password": clt.OtherCustomerPassword}), true, false},
		{"customer and guest", password, guest, true, false},
		{"assertions", bearer.with(fields{"assertion": assertion(`{"custom_claim":{"a":1}}`)}), bearer.with(fields{"assertion": assertion(`{"custom_claim":{"a":1}}`)}), false, true},
		{"custom claims", bearer.with(fields{"assertion": assertion(`{"custom_claim":{"a":1}}`)}), bearer.with(fields{"assertion": assertion(`{"custom_claim":{"a":2}}`)}), false, false},
		{"owners", bearer.with(fields{"assertion": assertion(`{"owner":{"type":"User","id":"a"}}`)}), bearer.with(fields{"assertion": assertion(`{"owner":{"type":"User","id":"b"}}`)}), false, false},
		{"owners whose ids look like claims", bearer.with(fields{"assertion": assertion(`{"owner":{"type":"User","id":"a{}"}}`)}), bearer.with(fields{"assertion": assertion(`{"owner":{"type":"User","id":"a"},"custom_claim":{}}`)}), false, false},
		{"owners of two types", bearer.with(fields{"assertion": assertion(`{"owner":{"type":"User","id":"a"}}`)}), bearer.with(fields{"assertion": assertion(`{"owner":{"type":"Customer","id":"a"}}`)}), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, &clt.Options{ReusePasswordToken: tt.reuse})
			a, b := k.token(tt.a), k.token(tt.b)
			equal(t, "same token", a.Access == b.Access, tt.expect)
			equal(t, "same refresh token", a.Refresh != "" && a.Refresh == b.Refresh, tt.expect && a.Refresh != "")
		})
	}
}

// A token whose refresh token is spent is not given again with it.
func TestSpentRefreshTokenIsNotGivenAgain(t *testing.T) {
	k := newKit(t, &clt.Options{ReusePasswordToken: true})
	first := k.token(password)
	successor := k.token(refresh.with(fields{"refresh_token": first.Refresh}))
	second := k.token(password)
	if second.Refresh == first.Refresh {
		t.Error("a spent refresh token was given again")
	}
	if second.Refresh == successor.Refresh {
		t.Error("the refresh token of a session was given to another sign-in")
	}
}

// A refresh token belongs to one sign-in: another grant, though it leads to the
// same subject, does not get it.
func TestRefreshTokenStaysWithItsGrant(t *testing.T) {
	webapp := fields{"client_id": clt.WebappID, "client_secret": clt.WebappSecret}
	channel := fields{"client_id": clt.SalesChannelID, "client_secret": clt.SalesChannelSecret, "scope": clt.MarketScope}
	user := assertion(`{"owner":{"type":"User","id":"` + clt.UserID + `"}}`)
	customer := assertion(`{"owner":{"type":"Customer","id":"` + clt.CustomerID + `"}}`)
	tests := []struct {
		name   string
		signIn fields // a nil one exchanges a code
		bearer fields
	}{
		{"authorization code", nil, webapp.with(fields{"grant_type": jwtBearer, "assertion": user})},
		{"password", password.with(channel), channel.with(fields{"grant_type": jwtBearer, "assertion": customer})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, &clt.Options{ReusePasswordToken: true})
			signIn := tt.signIn
			if signIn == nil {
				code, err := k.server.AuthorizationCode(clt.WebappID, nil)
				if err != nil {
					t.Fatal(err)
				}
				signIn = webapp.with(fields{"grant_type": "authorization_code", "code": code, "redirect_uri": clt.WebappRedirectURI})
			}
			session, other := k.token(signIn), k.token(tt.bearer)
			if other.Refresh == session.Refresh || other.Access == session.Access {
				t.Error("JWT bearer got the tokens of another sign-in")
			}
			equal(t, "JWT bearer gets its own again", k.token(tt.bearer).Refresh, other.Refresh)
			if tt.signIn != nil {
				equal(t, "the sign-in gets its own again", k.token(tt.signIn).Refresh, session.Refresh)
			}
		})
	}
}

// An access token is not given again with a refresh token that is of no use.
func TestDeadRefreshTokenIsNotGivenAgain(t *testing.T) {
	opts := &clt.Options{Applications: []clt.Application{
		{Kind: clt.SalesChannel, ClientID: "sc", ClientSecret: "s", TokenLife: 365 * 24 * time.Hour},
	}}
	bearer := fields{"grant_type": jwtBearer, "client_id": "sc", "client_secret": "s", "assertion": assertion(`{"custom_claim":{"a":1}}`)}
	tests := []struct {
		name string
		end  func(k *kit, refreshToken string)
		same bool
	}{
		{"alive", func(*kit, string) { pass(14*24*time.Hour - time.Second) }, true},
		{"expired", func(*kit, string) { pass(14 * 24 * time.Hour) }, false},
		{"revoked", func(k *kit, token string) { k.server.Revoke(token) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, opts, func(t *testing.T, k *kit) {
				first := k.token(bearer)
				tt.end(k, first.Refresh)
				second := k.token(bearer)
				equal(t, "same refresh token", second.Refresh == first.Refresh, tt.same)
				equal(t, "same access token", second.Access == first.Access, tt.same)
				k.token(fields{"grant_type": "refresh_token", "client_id": "sc", "refresh_token": second.Refresh})
			})
		})
	}
}

func TestOneTokenForManyWhoAskAtOnce(t *testing.T) {
	k := newKit(t, &clt.Options{RateLimit: clt.NoRateLimit})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { k.server.Client().Do(tokenRequest(k, integration)) })
	}
	wg.Wait()
	equal(t, "tokens issued", k.server.Counts().Issued, 1)
	equal(t, "same again", k.server.Counts().SameAgain, 49)
}

func TestExpiryOfEachKind(t *testing.T) {
	opts := &clt.Options{Applications: []clt.Application{
		{Kind: clt.SalesChannel, ClientID: clt.SalesChannelID},
		{Kind: clt.Integration, ClientID: clt.IntegrationID, ClientSecret: clt.IntegrationSecret},
		{Kind: clt.Integration, ClientID: "short", ClientSecret: "s", TokenLife: 3 * time.Second},
		{Kind: clt.Integration, ClientID: "long", ClientSecret: "s", TokenLife: 365 * 24 * time.Hour},
	}}
	tests := []struct {
		name    string
		request fields
		life    time.Duration
	}{
		{"sales channel", guest, 4 * time.Hour},
		{"integration", integration, 2 * time.Hour},
		{"short", integration.with(fields{"client_id": "short", "client_secret": "s"}), 3 * time.Second},
		{"long", integration.with(fields{"client_id": "long", "client_secret": "s"}), 365 * 24 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, opts, func(t *testing.T, k *kit) {
				token := k.token(tt.request)
				equal(t, "expires_in", time.Duration(token.Life)*time.Second, tt.life)
				pass(tt.life - time.Second)
				equal(t, "good a second before its end", k.good(token.Access), true)
				pass(time.Second)
				equal(t, "good at its end", k.good(token.Access), false)
			})
		})
	}
}

func TestRevokeAllAndExpireAll(t *testing.T) {
	refresh := fields{"grant_type": "refresh_token", "client_id": clt.SalesChannelID, "scope": clt.MarketScope}
	tests := []struct {
		name      string
		end       func(*clt.Server)
		refreshes int
	}{
		{"revoke all", (*clt.Server).RevokeAll, 400},
		{"expire all", (*clt.Server).ExpireAll, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil)
			guestToken, session := k.token(guest), k.token(password)
			tt.end(k.server)
			equal(t, "guest token is good", k.good(guestToken.Access), false)
			equal(t, "customer token is good", k.good(session.Access), false)
			equal(t, "refreshing", k.ask(refresh.with(fields{"refresh_token": session.Refresh})).status, tt.refreshes)
			successor := k.token(guest)
			if successor.Access == guestToken.Access || !k.good(successor.Access) {
				t.Error("the successor is not a good new token")
			}
		})
	}
}

// A server that runs for weeks does not keep what nobody can use.
func TestExpiredTokensAreForgotten(t *testing.T) {
	opts := &clt.Options{Applications: []clt.Application{{Kind: clt.SalesChannel, ClientID: "sc", ClientSecret: "s", TokenLife: time.Second}}}
	bubble(t, opts, func(t *testing.T, k *kit) {
		var last clt.Issued
		for range 250 {
			var err error
			if last, err = k.server.Issue("sc", &clt.IssueOptions{Scope: clt.MarketScope}); err != nil {
				t.Fatal(err)
			}
			pass(2 * time.Second)
		}
		if n := k.server.Held(); n > 150 {
			t.Errorf("%d tokens held, want fewer than were issued", n)
		}
		equal(t, "last token is good", k.good(last.AccessToken), false)
	})
}

package commercelayertest_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestCounts(t *testing.T) {
	k := newKit(t, nil)
	g := k.token(guest).Access
	k.token(guest)
	k.token(integration)
	session := k.token(password)
	k.token(refresh.with(fields{"refresh_token": session.Refresh}))
	k.token(exchange(code(t, k)))
	k.token(integration.with(fields{"grant_type": jwtBearer, "assertion": assertion(`{"custom_claim":{}}`)}))
	k.ask(guest.with(fields{"client_id": "x"}))
	k.ask(guest.with(fields{"scope": "x"}))
	k.ask(refresh.with(fields{"refresh_token": session.Refresh}))
	k.revoke(fields{"client_id": clt.SalesChannelID, "token": g})
	k.revoke(fields{"client_id": clt.SalesChannelID, "client_secret": clt.SalesChannelSecret, "token": g})
	k.keySet()
	k.api(g, "skus")
	k.api(k.token(guest).Access, "customers")
	want := clt.Counts{
		TokenRequests: 11, ClientCredentials: 6, Password: 1, RefreshToken: 2, AuthorizationCode: 1, JWTBearer: 1,
		Issued: 7, SameAgain: 1, BadRequests: 2, Unauthorized: 1, RefreshReused: 1, FamiliesEnded: 1,
		RevokeRequests: 2, Revoked: 1, RevokeRefused: 1, KeySetRequests: 1,
		APIRequests: 2, APIInvalidToken: 1, APIUnauthorized: 1,
	}
	equal(t, "counts", k.server.Counts(), want)
	equal(t, "counts at reset", k.server.ResetCounts(), want)
	equal(t, "counts after it", k.server.Counts(), clt.Counts{})
}

func TestRequestLogSize(t *testing.T) {
	k := newKit(t, &clt.Options{RateLimit: clt.NoRateLimit, RequestLog: 3})
	for path := range strings.FieldsSeq("a b c d e f g h") {
		k.api("", path)
	}
	var paths []string
	for _, r := range k.server.Requests() {
		paths = append(paths, r.Path)
	}
	equal(t, "paths", strings.Join(paths, " "), "/api/f /api/g /api/h")
	k = newKit(t, &clt.Options{RateLimit: clt.NoRateLimit, RequestLog: 50_000})
	for range 1003 {
		k.api("", "a")
	}
	equal(t, "entries", len(k.server.Requests()), 1003)
}

// The log tells whom each token spoke for that the API was shown.
func TestRequestLogTellsTokensApart(t *testing.T) {
	k := newKit(t, nil)
	ada := clt.Owner{Type: "Customer", ID: clt.CustomerID}
	session := k.token(password)
	renewed := k.token(refresh.with(fields{"refresh_token": session.Refresh}))
	issued, err := k.server.Issue(clt.SalesChannelID, &clt.IssueOptions{Scope: clt.OtherMarketScope})
	if err != nil {
		t.Fatal(err)
	}
	asserted := k.token(fields{"grant_type": jwtBearer, "client_id": clt.SalesChannelID, "client_secret": clt.SalesChannelSecret,
		"scope": clt.MarketScope, "assertion": assertion(`{"owner":{"type":"Customer","id":"` + clt.OtherCustomerID + `"}}`)})
	revoked := k.token(grace)
	k.server.Revoke(revoked.Access)
	tests := []struct {
		name, token, client string
		status              int
		want                clt.Shown
	}{
		{"guest", k.token(guest).Access, clt.SalesChannelID, 200, clt.Shown{Kind: clt.SalesChannel, Grant: "client_credentials", Scope: clt.MarketScope}},
		{"given again", k.token(guest).Access, clt.SalesChannelID, 200, clt.Shown{Kind: clt.SalesChannel, Grant: "client_credentials", Scope: clt.MarketScope}},
		{"customer", session.Access, clt.SalesChannelID, 200, clt.Shown{Kind: clt.SalesChannel, Grant: "password", Scope: clt.MarketScope, Owner: ada}},
		{"refreshed", renewed.Access, clt.SalesChannelID, 200, clt.Shown{Kind: clt.SalesChannel, Grant: "refresh_token", Scope: clt.MarketScope, Owner: ada}},
		{"assertion", asserted.Access, clt.SalesChannelID, 200, clt.Shown{Kind: clt.SalesChannel, Grant: jwtBearer, Scope: clt.MarketScope,
			Owner: clt.Owner{Type: "Customer", ID: clt.OtherCustomerID}}},
		{"issued", issued.AccessToken, clt.SalesChannelID, 200, clt.Shown{Kind: clt.SalesChannel, Scope: clt.OtherMarketScope}},
		{"integration", k.token(integration).Access, clt.IntegrationID, 200, clt.Shown{Kind: clt.Integration, Grant: "client_credentials", Scope: "market:all"}},
		{"webapp", k.token(exchange(code(t, k))).Access, clt.WebappID, 200, clt.Shown{Kind: clt.Webapp, Grant: "authorization_code", Scope: "market:all",
			Owner: clt.Owner{Type: "User", ID: clt.UserID}}},
		{"revoked", revoked.Access, clt.SalesChannelID, 401, clt.Shown{Kind: clt.SalesChannel, Grant: "password", Scope: clt.MarketScope,
			Owner: clt.Owner{Type: "Customer", ID: clt.OtherCustomerID}}},
		{"unknown", "x.y.z", "", 401, clt.Shown{}},
		{"a refresh token", renewed.Refresh, "", 401, clt.Shown{}},
		{"none", "", "", 401, clt.Shown{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			last := func(status int) {
				req := k.request("GET", k.server.APIURL()+"/api/skus", "", "Authorization", "Bearer "+tt.token, "X-Request-Id", "id-of-"+strings.ReplaceAll(tt.name, " ", "-"))
				equal(t, "status", k.do(req).status, status)
				log := k.server.Requests()
				entry := log[len(log)-1]
				equal(t, "shown", entry.Shown, tt.want)
				equal(t, "client", entry.ClientID, tt.client)
				equal(t, "id", entry.ID, "id-of-"+strings.ReplaceAll(tt.name, " ", "-"))
			}
			last(tt.status)
			// Known too when the request never reaches the API.
			k.server.Inject(clt.Fault{Endpoint: clt.APIEndpoint, Status: 503, Times: 1})
			last(503)
		})
	}
	// A token request shows no token, whatever its header says.
	req := tokenRequest(k, guest)
	req.Header.Set("Authorization", "Bearer "+session.Access)
	k.do(req)
	log := k.server.Requests()
	equal(t, "shown to the token endpoint", log[len(log)-1].Shown, clt.Shown{})
}

func TestRequestIDs(t *testing.T) {
	k := newKit(t, nil)
	long := strings.Repeat("x", 200)
	for id, want := range map[string]string{
		"a-1/B": "a-1/B", "two words": "", "a\ttab": "", "ümlaut": "", long: long, long + "y": long + "…",
	} {
		k.do(k.request("GET", k.server.APIURL()+"/api/skus", "", "X-Request-Id", id))
		log := k.server.Requests()
		equal(t, id, log[len(log)-1].ID, want)
	}
}

func TestRequestLogIsBounded(t *testing.T) {
	k := newKit(t, &clt.Options{RateLimit: clt.NoRateLimit})
	for range 1003 {
		k.ask(fields{})
	}
	k.ask(guest)
	log := k.server.Requests()
	equal(t, "entries", len(log), 1000)
	last := log[len(log)-1]
	equal(t, "last client", last.ClientID, clt.SalesChannelID)
	equal(t, "last grant", last.Grant, "client_credentials")
	equal(t, "last path", last.Host+last.Path, "auth.commercelayer.io/oauth/token")
	equal(t, "last status", last.Status, 200)
	equal(t, "first status", log[0].Status, 400)
}

// No secret is in the request log or in what is logged, wherever it was sent.
func TestLogsHoldNoSecret(t *testing.T) {
	var out strings.Builder
	k := newKit(t, &clt.Options{BackendAuth: "b4ckend-secret", Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	session := k.token(password)
	g := k.token(guest)
	c := code(t, k)
	secrets := []string{clt.CustomerPassword, clt.IntegrationSecret, clt.SalesChannelSecret, session.Access, session.Refresh, g.Access, c, "b4ckend-secret", "misplaced-secret"}
	k.token(integration)
	k.token(exchange(c))
	k.ask(refresh.with(fields{"refresh_token": session.Refresh}))
	k.ask(refresh.with(fields{"refresh_token": session.Refresh}))
	// A secret in a field where none belongs is a client's mistake, not ours.
	k.ask(guest.with(fields{"client_id": "misplaced-secret"}))
	k.ask(guest.with(fields{"grant_type": "misplaced-secret"}))
	k.ask(guest.with(fields{"scope": "misplaced-secret"}))
	k.revoke(fields{"client_id": clt.SalesChannelID, "token": session.Access})
	k.api(session.Access, "skus?access_token="+g.Access)
	k.do(k.request("POST", k.server.TokenURL()+"?client_secret="+clt.IntegrationSecret, "{}", "X-Backend-Auth", "b4ckend-secret"))
	for _, drop := range []clt.Fault{{Drop: clt.DropAfter, Times: 1}, {Malformed: true, Times: 1}, {Status: 500, Times: 1}} {
		k.server.Inject(drop)
		if resp, err := k.client.Do(tokenRequest(k, password)); err == nil {
			resp.Body.Close()
		}
	}
	entries, err := json.Marshal(k.server.Requests())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if strings.Contains(out.String(), secret) || strings.Contains(string(entries), secret) {
			t.Errorf("a secret was logged: %s", secret)
		}
	}
	if !strings.Contains(out.String(), clt.IntegrationID) {
		t.Error("nothing was logged")
	}
}

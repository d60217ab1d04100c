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

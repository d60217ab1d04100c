package commercelayertest_test

import (
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestRevoke(t *testing.T) {
	sales := fields{"client_id": clt.SalesChannelID}
	proven := sales.with(fields{"client_secret": clt.SalesChannelSecret})
	backend := fields{"client_id": clt.IntegrationID, "client_secret": clt.IntegrationSecret}
	userOwned := fields{"grant_type": jwtBearer, "client_id": clt.SalesChannelID, "client_secret": clt.SalesChannelSecret, "assertion": assertion(`{"owner":{"type":"User","id":"u"}}`)}
	tests := []struct {
		name    string
		token   fields // what the token is asked with
		by      fields
		allowed bool
	}{
		{"integration's own", integration, backend, true},
		{"integration's without secret", integration, backend.with(fields{"client_secret": nil}), false},
		{"integration's with a wrong secret", integration, backend.with(fields{"client_secret": "x"}), false},
		{"guest's with the secret", guest, proven, true},
		{"guest's without the secret", guest, sales, false},
		{"customer's without the secret", password, sales, true},
		{"customer's with the secret", password, proven, true},
		{"customer's with a wrong secret", password, sales.with(fields{"client_secret": "x"}), false},
		{"user's without the secret", userOwned, sales, false},
		{"another client's", guest, backend, false},
		{"by an unknown client", guest, fields{"client_id": "x"}, false},
		{"by nobody", integration, fields{"client_secret": clt.IntegrationSecret}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil)
			token := k.token(tt.token)
			a := k.revoke(tt.by.with(fields{"token": token.Access}))
			if tt.allowed {
				equal(t, "status", a.status, 200)
				equal(t, "body", string(a.body), "{}")
			} else {
				equal(t, "status", a.status, 403)
				equal(t, "body", string(a.body), revokeRefused)
			}
			equal(t, "token is good", k.good(token.Access), !tt.allowed)
			if tt.allowed {
				equal(t, "revoked again", string(k.revoke(tt.by.with(fields{"token": token.Access})).body), "{}")
				equal(t, "API", string(k.api(token.Access, "skus").body), invalidToken)
				equal(t, "counted", k.server.Counts().Revoked, 1)
				if next := k.token(tt.token); next.Access == token.Access || !k.good(next.Access) {
					t.Error("the successor is not a good new token")
				}
			}
		})
	}
}

// Each token is revoked by itself.
func TestRevokeAccessAndRefreshToken(t *testing.T) {
	by := fields{"client_id": clt.SalesChannelID}
	t.Run("access", func(t *testing.T) {
		k := newKit(t, nil)
		session := k.token(password)
		equal(t, "body", string(k.revoke(by.with(fields{"token": session.Access})).body), "{}")
		equal(t, "access token is good", k.good(session.Access), false)
		k.token(refresh.with(fields{"refresh_token": session.Refresh}))
	})
	t.Run("refresh", func(t *testing.T) {
		k := newKit(t, nil)
		session := k.token(password)
		equal(t, "body", string(k.revoke(by.with(fields{"token": session.Refresh})).body), "{}")
		equal(t, "access token is good", k.good(session.Access), true)
		equal(t, "refreshing", k.ask(refresh.with(fields{"refresh_token": session.Refresh})).status, 400)
		equal(t, "reuses counted", k.server.Counts().RefreshReused, 0)
	})
}

func TestRevokeNothing(t *testing.T) {
	k := newKit(t, nil)
	backend := fields{"client_id": clt.IntegrationID, "client_secret": clt.IntegrationSecret}
	a := k.revoke(backend.with(fields{"token": "unknown"}))
	equal(t, "unknown token", string(a.body), "{}")
	equal(t, "no token", k.revoke(backend).title(t), "invalid_request")
	equal(t, "unknown token by nobody", string(k.revoke(fields{"token": "unknown"}).body), revokeRefused)
	equal(t, "GET", k.do(k.request("GET", k.server.AuthURL()+"/oauth/revoke", "")).status, 405)
	equal(t, "revoked", k.server.Counts().Revoked, 0)
	equal(t, "Server.Revoke of an unknown token", k.server.Revoke("unknown"), false)
}

package commercelayertest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func code(t *testing.T, k *kit) string {
	t.Helper()
	code, err := k.server.AuthorizationCode(clt.WebappID, nil)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestGrantAnswers(t *testing.T) {
	five := []string{"access_token", "created_at", "expires_in", "scope", "token_type"}
	refreshing := []string{"access_token", "created_at", "expires_in", "refresh_token", "scope", "token_type"}
	all := []string{"access_token", "created_at", "expires_in", "owner_id", "owner_type", "refresh_token", "scope", "token_type"}
	bearer := fields{"grant_type": jwtBearer, "client_id": clt.SalesChannelID, "client_secret": clt.SalesChannelSecret}
	k := newKit(t, nil)
	session := k.token(password)

	tests := []struct {
		name    string
		request fields
		keys    []string
		life    int64
		scope   string
		owner   string
		ownerID string
	}{
		{"guest", guest, five, 14400, "market:code:europe", "", ""},
		{"guest without scope", guest.with(fields{"scope": nil}), five, 14400, "market:all", "", ""},
		{"guest with secret", guest.with(fields{"client_secret": clt.SalesChannelSecret}), five, 14400, "market:code:europe", "", ""},
		{"integration", integration, five, 7200, "market:all", "", ""},
		{"provisioning", provisioning, five, 7200, "provisioning-api metrics-api", "", ""},
		{"password", password, all, 14400, "market:code:europe", "customer", clt.CustomerID},
		{"password with secret", password.with(fields{"client_secret": clt.SalesChannelSecret}), all, 14400, "market:code:europe", "customer", clt.CustomerID},
		{"password, other case of email", password.with(fields{"username": strings.ToUpper(clt.CustomerEmail)}), all, 14400, "market:code:europe", "customer", clt.CustomerID},
		{"refresh token", fields{"grant_type": "refresh_token", "client_id": clt.SalesChannelID, "scope": clt.MarketScope, "refresh_token": session.Refresh},
			all, 14400, "market:code:europe", "customer", clt.CustomerID},
		{"authorization code", fields{"grant_type": "authorization_code", "client_id": clt.WebappID, "client_secret": clt.WebappSecret,
			"code": code(t, k), "redirect_uri": clt.WebappRedirectURI}, all, 7200, "market:all", "user", clt.UserID},
		{"assertion without owner", bearer.with(fields{"assertion": assertion(`{"custom_claim":{}}`)}), refreshing, 14400, "market:all", "", ""},
		{"assertion of a customer", bearer.with(fields{"assertion": assertion(`{"owner":{"type":"Customer","id":"abc"}}`)}), all, 14400, "market:all", "customer", "abc"},
		{"assertion of a user", bearer.with(fields{"assertion": assertion(`{"owner":{"type":"User","id":"abc"},"custom_claim":{"a":1}}`)}), all, 14400, "market:all", "user", "abc"},
		{"assertion of an integration", integration.with(fields{"grant_type": jwtBearer, "assertion": assertion(`{"owner":{"type":"User","id":"abc"}}`)}), all, 7200, "market:all", "user", "abc"},
		{"assertion of a webapp", fields{"grant_type": jwtBearer, "client_id": clt.WebappID, "client_secret": clt.WebappSecret, "assertion": assertion(`{"custom_claim":{"a":1}}`)}, refreshing, 7200, "market:all", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			a := k.ask(tt.request)
			if a.status != 200 {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			if got := keys(t, a.body); !slices.Equal(got, tt.keys) {
				t.Errorf("keys: got %v, want %v", got, tt.keys)
			}
			got := a.token(t)
			equal(t, "token_type", got.Type, "bearer")
			equal(t, "expires_in", got.Life, tt.life)
			equal(t, "scope", got.Scope, tt.scope)
			equal(t, "owner_type", got.Owner, tt.owner)
			equal(t, "owner_id", got.OwnerID, tt.ownerID)
			equal(t, "Content-Type", a.header.Get("Content-Type"), "application/json; charset=utf-8")
			equal(t, "Cache-Control", a.header.Get("Cache-Control"), "no-store")
		})
	}
}

func TestGrantErrors(t *testing.T) {
	opts := &clt.Options{
		RateLimit: clt.NoRateLimit,
		Applications: []clt.Application{
			{Kind: clt.SalesChannel, ClientID: clt.SalesChannelID, ClientSecret: clt.SalesChannelSecret},
			{Kind: clt.SalesChannel, ClientID: "without"},
			{Kind: clt.Integration, ClientID: clt.IntegrationID, ClientSecret: clt.IntegrationSecret},
			{Kind: clt.Webapp, ClientID: clt.WebappID, ClientSecret: clt.WebappSecret, RedirectURIs: []string{clt.WebappRedirectURI}},
			{Kind: clt.User, ClientID: clt.UserClientID, ClientSecret: clt.UserClientSecret},
		},
	}
	k := newKit(t, opts)
	webapp := fields{"client_id": clt.WebappID, "client_secret": clt.WebappSecret}
	tests := []struct {
		name    string
		request fields
		status  int
		title   string
	}{
		{"nothing", fields{}, 400, "invalid_request"},
		{"no grant type", guest.with(fields{"grant_type": nil}), 400, "invalid_request"},
		{"unknown grant type", guest.with(fields{"grant_type": "implicit"}), 400, "unsupported_grant_type"},
		{"unknown client", guest.with(fields{"client_id": "wrong-client-id"}), 401, "invalid_client"},
		{"no client", guest.with(fields{"client_id": nil}), 401, "invalid_client"},
		{"confidential without secret", integration.with(fields{"client_secret": nil}), 401, "invalid_client"},
		{"confidential with empty secret", integration.with(fields{"client_secret": ""}), 401, "invalid_client"},
		{"confidential with wrong secret", integration.with(fields{"client_secret": "wrong"}), 401, "invalid_client"},
		{"public with wrong secret", guest.with(fields{"client_secret": "wrong"}), 401, "invalid_client"},
		{"public that has no secret, with one", guest.with(fields{"client_id": "without", "client_secret": "wrong"}), 401, "invalid_client"},
		{"another's secret", guest.with(fields{"client_secret": clt.IntegrationSecret}), 401, "invalid_client"},
		{"assertion of a public client without secret", guest.with(fields{"grant_type": jwtBearer, "assertion": assertion(`{"custom_claim":{}}`)}), 401, "invalid_client"},

		{"password for an integration", integration.with(fields{"grant_type": "password", "username": clt.CustomerEmail, "password": clt.CustomerPassword}), 400, "unauthorized_client"},
		{"refresh token for an integration", integration.with(fields{"grant_type": "refresh_token", "refresh_token": "x"}), 400, "unauthorized_client"},
		{"code for an integration", integration.with(fields{"grant_type": "authorization_code", "code": "x", "redirect_uri": "http://x"}), 400, "unauthorized_client"},
		{"code for a sales channel", guest.with(fields{"grant_type": "authorization_code", "code": "x", "redirect_uri": "http://x"}), 400, "unauthorized_client"},
		{"client credentials for a webapp", webapp.with(fields{"grant_type": "client_credentials"}), 400, "unauthorized_client"},
		{"password for a webapp", webapp.with(fields{"grant_type": "password", "username": clt.CustomerEmail, "password": clt.CustomerPassword}), 400, "unauthorized_client"},
		{"assertion for a provisioning application", provisioning.with(fields{"grant_type": jwtBearer, "assertion": assertion(`{"custom_claim":{}}`)}), 400, "unauthorized_client"},
		{"password for a provisioning application", provisioning.with(fields{"grant_type": "password"}), 400, "unauthorized_client"},

		{"wrong password", password.with(fields{"password": "wrong"}), 401, "invalid_grant"},
		{"another's password", password.with(fields{"password": clt.OtherCustomerPassword}), 401, "invalid_grant"},
		{"unknown customer", password.with(fields{"username": "nobody@example.com"}), 401, "invalid_grant"},
		{"no password", password.with(fields{"password": nil}), 400, "invalid_request"},
		{"no username", password.with(fields{"username": nil}), 400, "invalid_request"},
		{"no refresh token", guest.with(fields{"grant_type": "refresh_token"}), 400, "invalid_request"},
		{"unknown refresh token", guest.with(fields{"grant_type": "refresh_token", "refresh_token": "x"}), 400, "invalid_grant"},
		{"no code", webapp.with(fields{"grant_type": "authorization_code", "redirect_uri": clt.WebappRedirectURI}), 400, "invalid_request"},
		{"unknown code", webapp.with(fields{"grant_type": "authorization_code", "code": "x", "redirect_uri": clt.WebappRedirectURI}), 400, "invalid_grant"},
		{"no assertion", integration.with(fields{"grant_type": jwtBearer}), 400, "invalid_assertion"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			a := k.ask(tt.request)
			equal(t, "status", a.status, tt.status)
			equal(t, "title", a.title(t), tt.title)
			if tt.title == "invalid_client" {
				equal(t, "body", string(a.body), unknownClient)
			}
		})
	}
	equal(t, "tokens issued", k.server.Counts().Issued, 0)
}

// Three ways to carry the same request, all in the field.
func TestClientAuthenticationForms(t *testing.T) {
	k := newKit(t, &clt.Options{Applications: []clt.Application{
		{Kind: clt.Integration, ClientID: "id with / and :", ClientSecret: "a+b %&ü"},
	}})
	form := func(more url.Values) string {
		more.Set("grant_type", "client_credentials")
		return more.Encode()
	}
	basic := func(r *http.Request, user, pass string) *http.Request { r.SetBasicAuth(user, pass); return r }
	const formType = "application/x-www-form-urlencoded"
	tests := []struct {
		name    string
		request *http.Request
		status  int
	}{
		{"JSON", k.request("POST", k.server.TokenURL(), `{"grant_type":"client_credentials","client_id":"id with / and :","client_secret":"a+b %&ü"}`, "Content-Type", "application/json; charset=utf-8"), 200},
		{"JSON without a type", k.request("POST", k.server.TokenURL(), ` {"grant_type":"client_credentials","client_id":"id with / and :","client_secret":"a+b %&ü"}`), 200},
		{"form", k.request("POST", k.server.TokenURL(), form(url.Values{"client_id": {"id with / and :"}, "client_secret": {"a+b %&ü"}}), "Content-Type", formType), 200},
		{"Basic, encoded", basic(k.request("POST", k.server.TokenURL(), form(url.Values{}), "Content-Type", formType), url.QueryEscape("id with / and :"), url.QueryEscape("a+b %&ü")), 200},
		{"Basic and the same id", basic(k.request("POST", k.server.TokenURL(), form(url.Values{"client_id": {"id with / and :"}}), "Content-Type", formType), url.QueryEscape("id with / and :"), url.QueryEscape("a+b %&ü")), 200},
		{"Basic and another id", basic(k.request("POST", k.server.TokenURL(), form(url.Values{"client_id": {"x"}}), "Content-Type", formType), url.QueryEscape("id with / and :"), url.QueryEscape("a+b %&ü")), 401},
		{"Basic, wrong", basic(k.request("POST", k.server.TokenURL(), form(url.Values{}), "Content-Type", formType), url.QueryEscape("id with / and :"), "x"), 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			a := k.do(tt.request)
			if a.status != tt.status {
				t.Errorf("status: got %d, want %d: %s", a.status, tt.status, a.body)
			}
		})
	}
}

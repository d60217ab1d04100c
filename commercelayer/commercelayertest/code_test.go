package commercelayertest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func exchange(code string) fields {
	return fields{"grant_type": "authorization_code", "client_id": clt.WebappID, "client_secret": clt.WebappSecret,
		"code": code, "redirect_uri": clt.WebappRedirectURI}
}

func TestCodeIsUsedOnce(t *testing.T) {
	k := newKit(t, nil)
	c := code(t, k)
	token := k.token(exchange(c))
	equal(t, "owner claim", claimsOf(t, token.Access)["owner"], `{"type":"User","id":"`+clt.UserID+`"}`)
	a := k.ask(exchange(c))
	equal(t, "status the second time", a.status, 400)
	equal(t, "title the second time", a.title(t), "invalid_grant")
	equal(t, "its token is good", k.good(token.Access), false)
	equal(t, "its refresh token", k.ask(fields{"grant_type": "refresh_token", "client_id": clt.WebappID,
		"client_secret": clt.WebappSecret, "refresh_token": token.Refresh}).status, 400)
}

func TestCodeIsBound(t *testing.T) {
	opts := &clt.Options{Applications: []clt.Application{
		{Kind: clt.Webapp, ClientID: clt.WebappID, ClientSecret: clt.WebappSecret, RedirectURIs: []string{clt.WebappRedirectURI, "https://other.example/"}},
		{Kind: clt.Webapp, ClientID: "other", ClientSecret: "s", RedirectURIs: []string{clt.WebappRedirectURI}},
	}}
	tests := []struct {
		name   string
		change fields
		after  time.Duration
		title  string
	}{
		{"in time", nil, 10*time.Minute - time.Second, ""},
		{"too late", nil, 10 * time.Minute, "invalid_grant"},
		{"another address", fields{"redirect_uri": "https://other.example/"}, 0, "invalid_grant"},
		{"no address", fields{"redirect_uri": nil}, 0, "invalid_request"},
		{"another client", fields{"client_id": "other", "client_secret": "s"}, 0, "invalid_grant"},
		{"another scope", fields{"scope": clt.OtherMarketScope}, 0, "invalid_scope"},
		{"the same scope", fields{"scope": "market:all"}, 0, ""},
		{"without secret", fields{"client_secret": nil}, 0, "invalid_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, opts, func(t *testing.T, k *kit) {
				c := code(t, k)
				pass(tt.after)
				a := k.ask(exchange(c).with(tt.change))
				if tt.title == "" {
					equal(t, "status", a.status, 200)
					return
				}
				equal(t, "title", a.title(t), tt.title)
			})
		})
	}
}

func TestAuthorizationCodeErrors(t *testing.T) {
	k := newKit(t, nil)
	for name, call := range map[string]func() (string, error){
		"client that is no webapp": func() (string, error) { return k.server.AuthorizationCode(clt.IntegrationID, nil) },
		"unknown address": func() (string, error) {
			return k.server.AuthorizationCode(clt.WebappID, &clt.AuthorizationCodeOptions{RedirectURI: "https://evil.example"})
		},
		"unknown market": func() (string, error) {
			return k.server.AuthorizationCode(clt.WebappID, &clt.AuthorizationCodeOptions{Scope: "market:code:x"})
		},
	} {
		if code, err := call(); err == nil || code != "" {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAuthorize(t *testing.T) {
	good := url.Values{"client_id": {clt.WebappID}, "redirect_uri": {clt.WebappRedirectURI}, "response_type": {"code"}, "state": {"a b"}, "scope": {clt.MarketScope}}
	with := func(name, value string) url.Values {
		v, _ := url.ParseQuery(good.Encode())
		v.Set(name, value)
		return v
	}
	tests := []struct {
		name   string
		query  url.Values
		status int
		err    string
	}{
		{"good", good, 302, ""},
		{"another response type", with("response_type", "token"), 302, "unsupported_response_type"},
		{"unknown market", with("scope", "market:code:x"), 302, "invalid_scope"},
		{"unknown client", with("client_id", "<script>"), 400, ""},
		{"client that is no webapp", with("client_id", clt.IntegrationID), 400, ""},
		{"address not registered", with("redirect_uri", clt.WebappRedirectURI+"/x"), 400, ""},
	}
	k := newKit(t, nil)
	k.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			for _, host := range []string{"auth", "dashboard"} {
				a := k.do(k.request("GET", "https://"+host+".commercelayer.io/oauth/authorize?"+tt.query.Encode(), ""))
				equal(t, "status", a.status, tt.status)
				location := a.header.Get("Location")
				if tt.status != 302 {
					equal(t, "Location", location, "")
					continue
				}
				back, err := url.Parse(location)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "address", back.Scheme+"://"+back.Host+back.Path, clt.WebappRedirectURI)
				equal(t, "state", back.Query().Get("state"), "a b")
				equal(t, "error", back.Query().Get("error"), tt.err)
				if tt.err == "" {
					equal(t, "scope", k.token(exchange(back.Query().Get("code"))).Scope, clt.MarketScope)
				}
			}
		})
	}
}

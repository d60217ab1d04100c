package commercelayertest_test

import (
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestCORS(t *testing.T) {
	k := newKit(t, nil)
	urls := []string{k.server.TokenURL(), k.server.AuthURL() + "/oauth/revoke", k.server.APIURL() + "/api/orders", k.server.AuthURL() + "/.well-known/jwks.json"}
	before := k.server.Counts()
	k.server.Inject(clt.Fault{Status: 500})
	for _, url := range urls {
		a := k.do(k.request("OPTIONS", url, "", "Origin", "http://shop.example",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type,x-mine"))
		equal(t, url+" status", a.status, 204)
		equal(t, "origin", a.header.Get("Access-Control-Allow-Origin"), "*")
		equal(t, "methods", a.header.Get("Access-Control-Allow-Methods"), "GET, POST, PATCH, DELETE, HEAD, OPTIONS")
		equal(t, "headers", a.header.Get("Access-Control-Allow-Headers"), "authorization,content-type,x-mine")
		equal(t, "credentials", a.header.Get("Access-Control-Allow-Credentials"), "")
	}
	equal(t, "counts: a preflight is no request", k.server.Counts(), before)
	k.server.ClearFaults()
	for _, url := range urls {
		a := k.do(k.request("GET", url, "", "Origin", "http://shop.example"))
		equal(t, url+" origin", a.header.Get("Access-Control-Allow-Origin"), "*")
		a = k.do(k.request("GET", url, ""))
		equal(t, url+" without Origin", a.header.Get("Access-Control-Allow-Origin"), "")
	}
	equal(t, "OPTIONS that is no preflight", k.do(k.request("OPTIONS", k.server.TokenURL(), "")).status, 405)
}

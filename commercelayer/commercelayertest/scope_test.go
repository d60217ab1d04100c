package commercelayertest_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestScopes(t *testing.T) {
	opts := &clt.Options{RateLimit: clt.NoRateLimit, Markets: []clt.Market{
		{Code: "europe", ID: "M1", CurrencyCode: "EUR", StockLocations: []clt.StockLocation{{Code: "eu", ID: "S1"}}, Stores: []clt.Store{{Code: "milan", ID: "T1"}}},
		{Code: "usa", ID: "M2", CurrencyCode: "USD", StockLocations: []clt.StockLocation{{Code: "us", ID: "S2"}}},
		{Code: "gone", ID: "M3", CurrencyCode: "USD", Disabled: true},
	}}
	tests := []struct {
		scope   string
		markets string // the ids in the token; empty for a refusal
		places  string // the stock locations' ids, or what the refusal says
	}{
		{"market:code:europe", `["M1"]`, `["S1"]`},
		{"market:id:M2", `["M2"]`, `["S2"]`},
		{"market:id:M1 market:code:usa", `["M1","M2"]`, `["S1","S2"]`},
		{"market:id:M1 stock_location:code:eu", `["M1"]`, `["S1"]`},
		{"stock_location:id:S1 market:id:M1", `["M1"]`, `["S1"]`},
		{"store:code:milan", `["M1"]`, `["S1"]`},
		{"store:id:T1 stock_location:id:S1", `["M1"]`, `["S1"]`},
		{"stock_location:code:eu", "", "needs its market"},
		{"market:code:usa stock_location:code:eu", "", "does not belong"},
		{"market:code:nowhere", "", ""},
		{"market:code:gone", "", ""},
		{"market:code:M1", "", ""},
		{"market:id:europe", "", ""},
		{"market:europe", "", ""},
		{"market:code:", "", ""},
		{"market:name:europe", "", ""},
		{"market:code:europe:x", "", ""},
		{"market:code:europe  market:code:usa", "", ""},
		{" market:code:europe", "", ""},
		{"warehouse:code:eu", "", ""},
		{"provisioning-api", "", ""},
		{"market:all market:code:europe", "", ""},
	}
	k := newKit(t, opts)
	for _, tt := range tests {
		t.Run(tt.scope, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			a := k.ask(guest.with(fields{"scope": tt.scope}))
			if tt.markets == "" {
				equal(t, "status", a.status, 400)
				equal(t, "title", a.title(t), "invalid_scope")
				if tt.places != "" && !strings.Contains(string(a.body), tt.places) {
					t.Errorf("got %s, want something about %s", a.body, tt.places)
				}
				return
			}
			token := a.token(t)
			equal(t, "scope", token.Scope, tt.scope)
			equal(t, "market", claimsOf(t, token.Access)["market"],
				`{"id":`+tt.markets+`,"stock_location_ids":`+tt.places+`,"geocoder_id":null,"allows_external_prices":false}`)
		})
	}
}

func TestProvisioningScopes(t *testing.T) {
	k := newKit(t, nil)
	for scope, status := range map[string]int{
		"provisioning-api": 200, "provisioning-api metrics-api": 200,
		"metrics-api": 400, "market:code:europe": 400, "market:all": 400,
	} {
		equal(t, scope, k.ask(provisioning.with(fields{"scope": scope})).status, status)
	}
}

// A scope is either refused or answered as it was asked for.
func FuzzScope(f *testing.F) {
	server := clt.NewServer(&clt.Options{RateLimit: clt.NoRateLimit})
	f.Add("market:code:europe stock_location:code:eu_warehouse")
	f.Add("store:id: market:")
	f.Fuzz(func(t *testing.T, scope string) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clt.SalesChannelID}, "scope": {scope}}
		r := httptest.NewRequest("POST", server.TokenURL(), strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		switch w.Code {
		case 200:
			want := scope
			if want == "" {
				want = "market:all"
			}
			a := answer{body: w.Body.Bytes()}
			equal(t, "scope", a.token(t).Scope, want)
		case 400, 413:
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}

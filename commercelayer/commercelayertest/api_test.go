package commercelayertest_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestPermissions(t *testing.T) {
	k := newKit(t, nil)
	tokens := map[string]string{
		"guest":         k.token(guest).Access,
		"guest of all":  k.token(guest.with(fields{"scope": nil})).Access,
		"customer":      k.token(password).Access,
		"integration":   k.token(integration).Access,
		"webapp":        k.token(exchange(code(t, k))).Access,
		"provisioning":  k.token(provisioning).Access,
		"nobody at all": "",
	}
	const yes, no = "yes", accessDeniedName
	tests := []struct {
		who, method, path string
		want              string
	}{
		{"guest", "GET", "skus", yes}, {"guest", "GET", "prices", yes}, {"guest", "GET", "markets", yes},
		{"guest", "GET", "orders", yes}, {"guest", "GET", "line_items", yes}, {"guest", "GET", "organization", yes},
		{"guest", "GET", "customers", no}, {"guest", "GET", "customers/" + clt.CustomerID, no},
		{"guest", "POST", "skus", no}, {"guest", "DELETE", "orders", no},
		{"guest of all", "GET", "skus", no}, {"guest of all", "POST", "orders", no}, {"guest of all", "GET", "organization", yes},
		{"guest", "GET", "addresses", no}, {"guest", "GET", "customer_addresses", no},
		{"guest of all", "GET", "addresses", no}, {"guest of all", "PATCH", "orders/x", no}, {"guest of all", "DELETE", "line_items/x", no},
		{"customer", "GET", "addresses", yes}, {"customer", "GET", "customer_addresses", yes}, {"customer", "DELETE", "orders/x", no},
		{"integration", "GET", "addresses", yes}, {"provisioning", "GET", "addresses", no}, {"nobody at all", "DELETE", "line_items/x", invalidTokenName},
		{"customer", "GET", "customers", yes}, {"customer", "GET", "skus", yes}, {"customer", "POST", "customers", no},
		{"integration", "GET", "customers", yes}, {"integration", "GET", "skus", yes}, {"integration", "GET", "orders", yes},
		{"webapp", "GET", "customers", yes},
		{"provisioning", "GET", "skus", no}, {"provisioning", "GET", "organization", no},
		{"nobody at all", "GET", "skus", invalidTokenName}, {"nobody at all", "GET", "nonsense", invalidTokenName},
	}
	for _, tt := range tests {
		t.Run(tt.who+" "+tt.method+" "+tt.path, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			a := k.do(k.request(tt.method, k.server.APIURL()+"/api/"+tt.path, "", "Authorization", "Bearer "+tokens[tt.who],
				"Accept", "application/vnd.api+json", "Content-Type", "application/vnd.api+json"))
			equal(t, "Content-Type", a.header.Get("Content-Type"), "application/vnd.api+json")
			switch tt.want {
			case accessDeniedName:
				equal(t, "status", a.status, 401)
				equal(t, "body", string(a.body), accessDenied)
			case invalidTokenName:
				equal(t, "status", a.status, 401)
				equal(t, "body", string(a.body), invalidToken)
			default:
				equal(t, "status", a.status, 200)
			}
		})
	}
}

const accessDeniedName, invalidTokenName = "access denied", "invalid token"

func TestAuthorizationHeader(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(guest).Access
	parts := strings.Split(token, ".")
	other := newKit(t, nil).token(guest).Access // another server's, of the same key
	tests := []struct {
		name, header string
		good         bool
	}{
		{"as it is", "Bearer " + token, true},
		{"scheme in lower case", "bearer " + token, true},
		{"none", "", false},
		{"no scheme", token, false},
		{"another scheme", "Basic " + token, false},
		{"empty token", "Bearer ", false},
		{"no token at all", "Bearer nonsense", false},
		{"wrongly signed", "Bearer " + parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), false},
		{"unsigned", "Bearer " + parts[0] + "." + parts[1] + ".", false},
		{"another server's", "Bearer " + other, false},
		{"two tokens", "Bearer " + token + " " + token, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			req := k.request("GET", k.server.APIURL()+"/api/skus", "", "Accept", "application/vnd.api+json")
			if tt.header != "" {
				req.Header.Set("Authorization", tt.header)
			}
			a := k.do(req)
			if tt.good {
				equal(t, "status", a.status, 200)
				return
			}
			equal(t, "status", a.status, 401)
			equal(t, "body", string(a.body), invalidToken)
		})
	}
}

func TestAccept(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(guest).Access
	for accept, status := range map[string]int{
		"": 200, "application/vnd.api+json": 200, "application/json, application/vnd.api+json": 200,
		"application/vnd.api+json; charset=utf-8": 200,
		"application/json":                        406, "*/*": 406, "text/html": 406, ";": 406,
	} {
		req := k.request("GET", k.server.APIURL()+"/api/skus", "", "Authorization", "Bearer "+token)
		if accept != "" {
			req.Header.Set("Accept", accept)
		}
		equal(t, "Accept: "+accept, k.do(req).status, status)
	}
}

// resources are the ids, and one attribute of each, in a list.
func (a answer) list(t *testing.T, attribute string) (ids []string, values []any) {
	t.Helper()
	var doc struct {
		Data []struct {
			ID         string
			Attributes map[string]any
		}
	}
	a.into(t, &doc)
	for _, r := range doc.Data {
		ids = append(ids, r.ID)
		values = append(values, r.Attributes[attribute])
	}
	return ids, values
}

// Everybody sees what is theirs: the market in scope, the customer's own record.
func TestWhatIsSeen(t *testing.T) {
	k := newKit(t, &clt.Options{SKUs: []clt.SKU{
		{Code: "BOTH", Prices: map[string]int64{"EUR": 100, "USD": 110}},
		{Code: "EURO", Prices: map[string]int64{"EUR": 100}},
		{Code: "NONE"},
	}})
	tests := []struct {
		name, token, path, attribute string
		want                         []any
	}{
		{"SKUs of the market", k.token(guest).Access, "skus", "code", []any{"BOTH", "EURO"}},
		{"SKUs of another market", k.token(guest.with(fields{"scope": clt.OtherMarketScope})).Access, "skus", "code", []any{"BOTH"}},
		{"all SKUs", k.token(integration).Access, "skus", "code", []any{"BOTH", "EURO", "NONE"}},
		{"prices of the market", k.token(guest.with(fields{"scope": clt.OtherMarketScope})).Access, "prices", "amount_cents", []any{110.0}},
		{"all prices", k.token(integration).Access, "prices", "currency_code", []any{"EUR", "USD", "EUR"}},
		{"market in scope", k.token(guest).Access, "markets", "code", []any{"europe"}},
		{"all markets", k.token(integration).Access, "markets", "code", []any{"europe", "usa"}},
		{"placed orders of the market", k.token(grace).Access, "orders", "currency_code", []any{"EUR"}},
		{"placed orders of another market", k.token(grace.with(fields{"scope": clt.OtherMarketScope})).Access, "orders", "currency_code", []any{"USD"}},
		{"all placed orders", k.token(integration).Access, "orders", "status", slices.Repeat([]any{"placed"}, 6)},
		{"oneself", k.token(password).Access, "customers", "email", []any{clt.CustomerEmail}},
		{"all customers", k.token(integration).Access, "customers", "email", []any{clt.CustomerEmail, clt.OtherCustomerEmail}},
	}
	for _, tt := range tests {
		_, got := k.api(tt.token, tt.path).list(t, tt.attribute)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	customer := k.token(password).Access
	equal(t, "own record", k.api(customer, "customers/"+clt.CustomerID).status, 200)
	equal(t, "another's record", k.api(customer, "customers/"+clt.OtherCustomerID).status, 404)
}

func TestProvisioningAPI(t *testing.T) {
	k := newKit(t, nil)
	get := func(token, path string) answer {
		return k.do(k.request("GET", "https://provisioning.commercelayer.io/api/"+path, "", "Authorization", "Bearer "+token))
	}
	token := k.token(provisioning).Access
	ids, slugs := get(token, "organizations").list(t, "slug")
	if !slices.Equal(slugs, []any{clt.Slug}) {
		t.Errorf("organizations: %v", slugs)
	}
	equal(t, "one organization", get(token, "organizations/"+ids[0]).status, 200)
	equal(t, "user", get(token, "user").status, 200)
	equal(t, "nothing", get(token, "skus").status, 404)
	equal(t, "integration", string(get(k.token(integration).Access, "user").body), accessDenied)
	equal(t, "nobody", string(get("", "user").body), invalidToken)
}

func TestAPIErrors(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(integration).Access
	for path, title := range map[string]string{
		"nonsense": "Record not found", "skus/x": "Record not found", "skus/x/prices": "Record not found",
		"organization/x": "Record not found", "": "Record not found",
		"skus?page[size]=0": "Invalid page value", "skus?page[size]=26": "Invalid page value", "skus?page[size]=x": "Invalid page value",
		"skus?page[number]=0": "Invalid page value", "skus?page[number]=-1": "Invalid page value",
	} {
		a := k.api(token, path)
		equal(t, path, a.title(t), title)
		var doc struct{ Errors []struct{ Status string } }
		a.into(t, &doc)
	}
	ids, _ := k.api(token, "skus").list(t, "code")
	equal(t, "unknown relationship", k.api(token, "skus/"+ids[0]+"/stores").status, 404)
	equal(t, "too deep", k.api(token, "skus/"+ids[0]+"/prices/x/y").status, 404)
	a := k.do(k.request("PATCH", k.server.APIURL()+"/api/orders", "", "Authorization", "Bearer "+token))
	equal(t, "PATCH", a.status, 405)
	equal(t, "Allow", a.header.Get("Allow"), "GET, POST")
}

func TestResourceDocument(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(guest).Access
	ids, _ := k.api(token, "skus?page[size]=1").list(t, "code")
	a := k.api(token, "skus/"+ids[0])
	var doc struct {
		Data struct {
			ID, Type      string
			Links         map[string]string
			Attributes    map[string]any
			Relationships map[string]struct{ Links map[string]string }
			Meta          map[string]string
		}
	}
	a.into(t, &doc)
	self := k.server.APIURL() + "/api/skus/" + ids[0]
	equal(t, "id", doc.Data.ID, ids[0])
	equal(t, "type", doc.Data.Type, "skus")
	equal(t, "self", doc.Data.Links["self"], self)
	equal(t, "mode", doc.Data.Meta["mode"], "test")
	for _, name := range []string{"code", "name", "description", "image_url", "do_not_ship", "do_not_track", "created_at", "updated_at", "reference", "metadata"} {
		if _, ok := doc.Data.Attributes[name]; !ok {
			t.Errorf("attribute %s is missing", name)
		}
	}
	equal(t, "relationships", strings.Join(slices.Sorted(maps.Keys(doc.Data.Relationships)), " "), "prices")
	links := doc.Data.Relationships["prices"].Links
	equal(t, "related", links["related"], self+"/prices")
	prices, cents := k.api(token, strings.TrimPrefix(links["related"], k.server.APIURL()+"/api/")).list(t, "amount_cents")
	if !slices.Equal(cents, []any{900.0}) {
		t.Errorf("related prices: %v", cents)
	}
	equal(t, "linkage", string(k.api(token, strings.TrimPrefix(links["self"], k.server.APIURL()+"/api/")).body),
		`{"data":[{"type":"prices","id":"`+prices[0]+`"}],"links":{"related":"`+self+`/prices","self":"`+self+`/relationships/prices"}}`)
	// And back: a relationship to one.
	back := k.api(token, "prices/"+prices[0]+"/sku")
	back.into(t, &doc)
	equal(t, "back", doc.Data.ID, ids[0])
}

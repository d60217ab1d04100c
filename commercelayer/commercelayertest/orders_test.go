package commercelayertest_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

type orderDoc struct {
	Data struct {
		ID         string
		Attributes struct {
			Number, Status string
			Guest          bool
			Editable       bool
			PlacedAt       *string `json:"placed_at"`
			Language       string  `json:"language_code"`
			Email          *string `json:"customer_email"`
			Currency       string  `json:"currency_code"`
			Total          int64   `json:"total_amount_cents"`
			Formatted      string  `json:"formatted_total_amount"`
			Count          int     `json:"skus_count"`
			Quantity       int
			UnitAmount     int64 `json:"unit_amount_cents"`
			Metadata       map[string]any
			Reference      *string
		}
		Relationships map[string]json.RawMessage
	}
	Included []struct{ Type, ID string }
}

const newOrder = `{"data":{"type":"orders"}}`

func (k *kit) order(token, body string) orderDoc {
	k.t.Helper()
	a := k.create(token, "orders", body)
	if a.status != 201 {
		k.t.Fatalf("creating an order: %d %s", a.status, a.body)
	}
	var doc orderDoc
	a.into(k.t, &doc)
	equal(k.t, "Location", a.header.Get("Location"), k.server.APIURL()+"/api/orders/"+doc.Data.ID)
	return doc
}

func item(order, attributes string) string {
	return `{"data":{"type":"line_items","attributes":` + attributes + `,"relationships":{"order":{"data":{"type":"orders","id":"` + order + `"}}}}}`
}

func TestOrder(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(guest).Access
	order := k.order(token, `{"data":{"type":"orders","attributes":{"customer_email":"x@example.com","metadata":{"a":1},"reference":"r","unknown":[1]}}}`)
	attributes := order.Data.Attributes
	equal(t, "status", attributes.Status, "draft")
	equal(t, "guest", attributes.Guest, true)
	equal(t, "currency", attributes.Currency, "EUR")
	equal(t, "email", *attributes.Email, "x@example.com")
	equal(t, "reference", *attributes.Reference, "r")
	equal(t, "metadata", attributes.Metadata["a"], any(1.0))

	var line orderDoc
	a := k.create(token, "line_items", item(order.Data.ID, `{"sku_code":"MUG-WHITE","quantity":3}`))
	equal(t, "line item", a.status, 201)
	a.into(t, &line)
	equal(t, "quantity", line.Data.Attributes.Quantity, 3)
	equal(t, "unit amount", line.Data.Attributes.UnitAmount, 900)
	equal(t, "line total", line.Data.Attributes.Total, 2700)
	equal(t, "second line item", k.create(token, "line_items", item(order.Data.ID, `{"sku_code":"STICKERS","quantity":30}`)).status, 201)

	var doc orderDoc
	k.api(token, "orders/"+order.Data.ID+"?include=line_items").into(t, &doc)
	equal(t, "status", doc.Data.Attributes.Status, "pending")
	equal(t, "total", doc.Data.Attributes.Total, 2700+30*(900+11*350))
	equal(t, "formatted", doc.Data.Attributes.Formatted, "€1.452,00")
	equal(t, "count", doc.Data.Attributes.Count, 33)
	equal(t, "included", len(doc.Included), 2)
	equal(t, "first included", doc.Included[0].ID, line.Data.ID)
	for path, id := range map[string]string{
		"line_items/" + line.Data.ID + "/order":             order.Data.ID,
		"orders/" + order.Data.ID + "/relationships/market": "",
	} {
		a := k.api(token, path)
		if a.status != 200 || !strings.Contains(string(a.body), id) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	equal(t, "a guest's order has no customer", k.api(token, "orders/"+order.Data.ID+"/customer").status, 401)
}

// Who sees which order.
func TestOrdersAreSeenByTheirOwners(t *testing.T) {
	k := newKit(t, &clt.Options{Applications: []clt.Application{
		{Kind: clt.SalesChannel, ClientID: clt.SalesChannelID, ClientSecret: clt.SalesChannelSecret},
		{Kind: clt.SalesChannel, ClientID: "other"},
		{Kind: clt.Integration, ClientID: clt.IntegrationID, ClientSecret: clt.IntegrationSecret},
	}})
	first := k.token(guest).Access
	ada := k.token(password).Access
	staff := k.token(integration).Access
	guests := k.order(first, newOrder).Data.ID
	adas := k.order(ada, newOrder).Data.ID
	k.server.Revoke(first)
	people := map[string]string{
		"a guest with another token": k.token(guest).Access,
		"a guest of another market":  k.token(guest.with(fields{"scope": clt.OtherMarketScope})).Access,
		"a guest of another channel": k.token(guest.with(fields{"client_id": "other"})).Access,
		"Ada":                        ada,
		"Grace":                      k.token(grace).Access,
		"an integration":             staff,
	}
	tests := []struct {
		who          string
		guests, adas bool
	}{
		{"a guest with another token", true, false},
		{"a guest of another market", false, false},
		{"a guest of another channel", false, false},
		{"Ada", false, true},
		{"Grace", false, false},
		{"an integration", true, true},
	}
	for _, tt := range tests {
		token := people[tt.who]
		equal(t, tt.who+" sees the guest's order", k.api(token, "orders/"+guests).status == 200, tt.guests)
		equal(t, tt.who+" sees Ada's order", k.api(token, "orders/"+adas).status == 200, tt.adas)
		for id, sees := range map[string]bool{guests: tt.guests, adas: tt.adas} {
			body := string(k.api(token, "orders").body)
			equal(t, tt.who+" lists it", strings.Contains(body, `"`+id+`"`), sees)
			equal(t, tt.who+" adds to it", k.create(token, "line_items", item(id, `{"sku_code":"CAP"}`)).status == 201, sees)
		}
	}
	var doc orderDoc
	k.api(ada, "orders/"+adas).into(t, &doc)
	equal(t, "guest", doc.Data.Attributes.Guest, false)
	equal(t, "email", *doc.Data.Attributes.Email, clt.CustomerEmail)
	_, status := k.api(ada, "customers/"+clt.CustomerID+"/orders").list(t, "status")
	if want := []any{"placed", "placed", "pending"}; !slices.Equal(status, want) {
		t.Errorf("orders of Ada: got %v, want %v", status, want)
	}
}

func TestCreateErrors(t *testing.T) {
	k := newKit(t, nil)
	token, staff := k.token(guest).Access, k.token(integration).Access
	usa := k.token(guest.with(fields{"scope": clt.OtherMarketScope})).Access
	order := k.order(token, newOrder).Data.ID
	tests := []struct {
		name, token, resourceType, body string
		status                          int
		want                            string
	}{
		{"no JSON", token, "orders", `{`, 400, "JSON:API"},
		{"no data", token, "orders", `{}`, 400, "JSON:API"},
		{"data is a list", token, "orders", `{"data":[]}`, 400, "JSON:API"},
		{"another type", token, "orders", `{"data":{"type":"skus"}}`, 409, "/data/type"},
		{"too large", token, "orders", `{"data":{"type":"orders","x":"` + strings.Repeat("a", 70000) + `"}}`, 413, "64 KiB"},
		{"email is a number", token, "orders", `{"data":{"type":"orders","attributes":{"customer_email":7}}}`, 422, "/data/attributes/customer_email"},
		{"metadata is a text", token, "orders", `{"data":{"type":"orders","attributes":{"metadata":"x"}}}`, 422, "/data/attributes/metadata"},
		{"no market", staff, "orders", newOrder, 422, "/data/relationships/market"},
		{"a market that does not exist", token, "orders", `{"data":{"type":"orders","relationships":{"market":{"data":{"type":"markets","id":"x"}}}}}`, 422, "/data/relationships/market"},
		{"no order", token, "line_items", `{"data":{"type":"line_items","attributes":{"sku_code":"CAP"}}}`, 422, "/data/relationships/order"},
		{"order out of scope", usa, "line_items", item(order, `{"sku_code":"CAP"}`), 422, "/data/relationships/order"},
		{"no SKU", token, "line_items", item(order, `{}`), 422, "/data/attributes/sku_code"},
		{"an SKU that does not exist", token, "line_items", item(order, `{"sku_code":"x"}`), 422, "/data/attributes/sku_code"},
		{"quantity of nothing", token, "line_items", item(order, `{"sku_code":"CAP","quantity":0}`), 422, "/data/attributes/quantity"},
		{"quantity of a half", token, "line_items", item(order, `{"sku_code":"CAP","quantity":0.5}`), 422, "/data/attributes/quantity"},
		{"quantity too large", token, "line_items", item(order, `{"sku_code":"CAP","quantity":100001}`), 422, "/data/attributes/quantity"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			a := k.create(tt.token, tt.resourceType, tt.body)
			equal(t, "status", a.status, tt.status)
			if !strings.Contains(string(a.body), tt.want) || a.title(t) == "" {
				t.Errorf("got %s, want something about %s", a.body, tt.want)
			}
		})
	}
	a := k.do(k.request("POST", k.server.APIURL()+"/api/orders", newOrder, "Authorization", "Bearer "+token, "Content-Type", "application/json"))
	equal(t, "plain JSON", a.status, 415)
	equal(t, "a page of nothing", k.create(token, "orders?page[size]=0", newOrder).status, 400)
	var doc listDoc
	k.api(token, "orders").into(t, &doc)
	equal(t, "orders", doc.Meta.RecordCount, 1)
}

func TestOrderOfAnIntegration(t *testing.T) {
	k := newKit(t, nil)
	staff := k.token(integration).Access
	ids, _ := k.api(staff, "markets").list(t, "code")
	order := k.order(staff, `{"data":{"type":"orders","relationships":{"market":{"data":{"type":"markets","id":"`+ids[1]+`"}},"customer":{"data":{"type":"customers","id":"`+clt.OtherCustomerID+`"}}}}}`)
	equal(t, "currency", order.Data.Attributes.Currency, "USD")
	equal(t, "email", *order.Data.Attributes.Email, clt.OtherCustomerEmail)
	var customer orderDoc
	k.api(staff, "orders/"+order.Data.ID+"/customer").into(t, &customer)
	equal(t, "customer", customer.Data.ID, clt.OtherCustomerID)
}

func TestChangeOrder(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(guest).Access
	order := k.order(token, `{"data":{"type":"orders","attributes":{"reference":"r","language_code":"it","metadata":{"a":1}}}}`).Data.ID
	tests := []struct {
		attributes, language, reference string
		metadata                        int
		email                           string
	}{
		{`{}`, "it", "r", 1, ""},
		{`{"customer_email":"x@example.com","metadata":{"a":1,"b":2},"status":"placed","_place":true}`, "it", "r", 2, "x@example.com"},
		{`{"language_code":"de","reference":null}`, "de", "", 2, "x@example.com"},
		{`{"language_code":null,"customer_email":null,"metadata":null}`, "en", "", 0, ""},
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	for _, tt := range tests {
		a := k.send("PATCH", token, "orders/"+order, change("orders", order, tt.attributes))
		equal(t, tt.attributes, a.status, 200)
		for _, body := range [][]byte{a.body, k.api(token, "orders/"+order).body} {
			var doc orderDoc
			answer{body: body}.into(t, &doc)
			got := doc.Data.Attributes
			equal(t, "language_code", got.Language, tt.language)
			equal(t, "reference", text(got.Reference), tt.reference)
			equal(t, "metadata", len(got.Metadata), tt.metadata)
			equal(t, "customer_email", text(got.Email), tt.email)
			equal(t, "status", got.Status, "draft")
		}
	}

	// A customer's order has the customer's address.
	ada := k.token(password).Access
	order = k.order(ada, newOrder).Data.ID
	for attributes, status := range map[string]int{
		`{"customer_email":"x@example.com"}`: 422, `{"customer_email":null}`: 422, `{"customer_email":"ADA@example.com"}`: 200,
	} {
		equal(t, attributes, k.send("PATCH", ada, "orders/"+order, change("orders", order, attributes)).status, status)
	}
	var doc orderDoc
	k.api(ada, "orders/"+order).into(t, &doc)
	equal(t, "customer_email", text(doc.Data.Attributes.Email), clt.CustomerEmail)
}

// Whatever document is sent, it makes one order or none, and says which.
func FuzzCreateOrder(f *testing.F) {
	f.Add(newOrder)
	f.Add(`{"data":{"type":"orders","attributes":{"metadata":{"a":[1]}},"relationships":{"market":{"data":null}}}}`)
	f.Add(`{"data":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		server := clt.NewServer(nil)
		issued, err := server.Issue(clt.SalesChannelID, &clt.IssueOptions{Scope: clt.MarketScope})
		if err != nil {
			t.Fatal(err)
		}
		send := func(method, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, server.APIURL()+"/api/orders", strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+issued.AccessToken)
			r.Header.Set("Content-Type", "application/vnd.api+json")
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("not JSON: %s", w.Body)
			}
			return w
		}
		made := send("POST", body)
		if made.Code >= 500 {
			t.Errorf("status %d: %s", made.Code, made.Body)
		}
		var doc listDoc
		if err := json.Unmarshal(send("GET", "").Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if got, want := doc.Meta.RecordCount, map[bool]int{true: 1}[made.Code == 201]; got != want {
			t.Errorf("status %d, and there are %d orders", made.Code, got)
		}
	})
}

package commercelayertest_test

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// change is a document for PATCH.
func change(resourceType, id, attributes string) string {
	return `{"data":{"type":"` + resourceType + `","id":"` + id + `","attributes":` + attributes + `}}`
}

// item puts an SKU into an order.
func (k *kit) item(token, order, attributes string) string {
	k.t.Helper()
	a := k.create(token, "line_items", item(order, attributes))
	if a.status != 201 {
		k.t.Fatalf("creating a line item: %d %s", a.status, a.body)
	}
	var doc orderDoc
	a.into(k.t, &doc)
	return doc.Data.ID
}

func TestChangeLineItem(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(guest).Access
	order := k.order(token, newOrder).Data.ID
	mug := k.item(token, order, `{"sku_code":"MUG-WHITE","metadata":{"gift":true}}`)
	bag := k.item(token, order, `{"sku_code":"BAG"}`)

	a := k.send("PATCH", token, "line_items/"+mug+"?include=order", change("line_items", mug, `{"quantity":4,"sku_code":"CAP"}`))
	equal(t, "status", a.status, 200)
	var doc orderDoc
	a.into(t, &doc)
	equal(t, "quantity", doc.Data.Attributes.Quantity, 4)
	equal(t, "total", doc.Data.Attributes.Total, 4*900)
	equal(t, "metadata that was left out", doc.Data.Attributes.Metadata["gift"], any(true))
	equal(t, "included", len(doc.Included), 1)
	for attributes, quantity := range map[string]int{`{"metadata":null}`: 4, `{"quantity":null}`: 4, `{}`: 4} {
		equal(t, attributes, k.send("PATCH", token, "line_items/"+mug, change("line_items", mug, attributes)).status, 200)
		doc = orderDoc{}
		k.api(token, "line_items/"+mug).into(t, &doc)
		equal(t, attributes+" quantity", doc.Data.Attributes.Quantity, quantity)
	}
	equal(t, "metadata that was cleared", len(doc.Data.Attributes.Metadata), 0)

	a = k.send("DELETE", token, "line_items/"+bag, "")
	equal(t, "status of DELETE", a.status, 204)
	equal(t, "body", len(a.body), 0)
	for _, name := range []string{"Content-Type", "Content-Length"} {
		equal(t, name, a.header.Get(name), "")
	}
	equal(t, "again", k.send("DELETE", token, "line_items/"+bag, "").status, 404)
	cap := k.item(token, order, `{"sku_code":"CAP"}`)
	if cap == mug || cap == bag {
		t.Error("an id came twice")
	}
	doc = orderDoc{}
	k.api(token, "orders/"+order+"?include=line_items").into(t, &doc)
	equal(t, "count", doc.Data.Attributes.Count, 5)
	equal(t, "total of the order", doc.Data.Attributes.Total, 4*900+(900+7*350))
	equal(t, "line items", len(doc.Included), 2)
	for _, id := range []string{mug, cap} {
		equal(t, "emptying", k.send("DELETE", token, "line_items/"+id, "").status, 204)
	}
	doc = orderDoc{}
	k.api(token, "orders/"+order).into(t, &doc)
	equal(t, "an empty cart", doc.Data.Attributes.Status, "draft")
}

// Nobody changes what they do not see, and the answer does not tell that it exists.
func TestLineItemsAreChangedByTheirOwners(t *testing.T) {
	k := newKit(t, nil)
	people := map[string]string{
		"guest": k.token(guest).Access, "Ada": k.token(password).Access, "Grace": k.token(grace).Access,
		"guest of the USA": k.token(guest.with(fields{"scope": clt.OtherMarketScope})).Access,
		"staff":            k.token(integration).Access,
	}
	for owner, may := range map[string][]string{"guest": {"guest", "staff"}, "Ada": {"Ada", "staff"}} {
		order := k.order(people[owner], newOrder).Data.ID
		line := k.item(people[owner], order, `{"sku_code":"CAP"}`)
		for who, token := range people {
			allowed := strings.Contains(strings.Join(may, " "), who)
			for _, path := range []string{"line_items/" + line, "orders/" + order} {
				resourceType, id, _ := strings.Cut(path, "/")
				a := k.send("PATCH", token, path, change(resourceType, id, `{"metadata":{"by":"`+who+`"}}`))
				equal(t, who+" changes what is "+owner+"'s", a.status, map[bool]int{true: 200, false: 404}[allowed])
				if !allowed {
					absent := k.send("PATCH", token, resourceType+"/x", change(resourceType, "x", `{}`))
					equal(t, "told apart", string(a.body), string(absent.body))
				}
			}
			if !allowed {
				equal(t, who+" deletes what is "+owner+"'s", k.send("DELETE", token, "line_items/"+line, "").status, 404)
			}
		}
		equal(t, "it is still there", k.api(people[owner], "line_items/"+line).status, 200)
	}
}

func TestPlacedOrdersAreNotChanged(t *testing.T) {
	k := newKit(t, nil)
	for who, token := range map[string]string{"Ada": k.token(password).Access, "staff": k.token(integration).Access} {
		ids, _ := k.api(token, "orders?filter[q][status_eq]=placed&include=line_items").list(t, "status")
		lines, _ := k.api(token, "orders/"+ids[0]+"/line_items").list(t, "name")
		before := string(k.api(token, "orders/"+ids[0]).body)
		for name, a := range map[string]answer{
			"its attributes": k.send("PATCH", token, "orders/"+ids[0], change("orders", ids[0], `{"metadata":{"a":1}}`)),
			"its items":      k.send("PATCH", token, "line_items/"+lines[0], change("line_items", lines[0], `{"quantity":9}`)),
			"less":           k.send("DELETE", token, "line_items/"+lines[0], ""),
			"more":           k.create(token, "line_items", item(ids[0], `{"sku_code":"CAP"}`)),
		} {
			equal(t, who+", "+name, a.status, 422)
			equal(t, "title", a.title(t), "Invalid resource")
		}
		equal(t, "the order", string(k.api(token, "orders/"+ids[0]).body), before)
	}
}

func TestChangeErrors(t *testing.T) {
	k := newKit(t, nil)
	token := k.token(guest).Access
	order := k.order(token, newOrder).Data.ID
	line := k.item(token, order, `{"sku_code":"CAP"}`)
	tests := []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"no JSON", "line_items/" + line, `{`, 400, "JSON:API"},
		{"no id", "line_items/" + line, `{"data":{"type":"line_items"}}`, 400, "/data/id"},
		{"another id", "line_items/" + line, change("line_items", order, `{}`), 400, "KEY_NOT_INCLUDED_IN_URL"},
		{"an id that is a number", "line_items/" + line, `{"data":{"type":"line_items","id":1}}`, 400, "JSON:API"},
		{"another type", "line_items/" + line, change("orders", line, `{}`), 409, "/data/type"},
		{"an order's id", "line_items/" + order, change("line_items", order, `{}`), 404, "RECORD_NOT_FOUND"},
		{"quantity of nothing", "line_items/" + line, change("line_items", line, `{"quantity":0}`), 422, "/data/attributes/quantity"},
		{"quantity below", "line_items/" + line, change("line_items", line, `{"quantity":-1}`), 422, "/data/attributes/quantity"},
		{"quantity too large", "line_items/" + line, change("line_items", line, `{"quantity":100001}`), 422, "/data/attributes/quantity"},
		{"quantity in words", "line_items/" + line, change("line_items", line, `{"quantity":"1"}`), 422, "/data/attributes/quantity"},
		{"metadata is a list", "line_items/" + line, change("line_items", line, `{"quantity":2,"metadata":[]}`), 422, "/data/attributes/metadata"},
		{"a page of nothing", "line_items/" + line + "?page[size]=0", change("line_items", line, `{"quantity":2}`), 400, "page[size]"},
		{"email is a list", "orders/" + order, change("orders", order, `{"metadata":{"a":1},"customer_email":[]}`), 422, "/data/attributes/customer_email"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			a := k.send("PATCH", token, tt.path, tt.body)
			equal(t, "status", a.status, tt.status)
			if !strings.Contains(string(a.body), tt.want) || a.title(t) == "" {
				t.Errorf("got %s, want something about %s", a.body, tt.want)
			}
		})
	}
	var doc orderDoc
	k.api(token, "orders/"+order).into(t, &doc)
	equal(t, "count", doc.Data.Attributes.Count, 1)
	equal(t, "metadata", len(doc.Data.Attributes.Metadata), 0)
	a := k.do(k.request("PATCH", k.server.APIURL()+"/api/orders/"+order, "{}", "Authorization", "Bearer "+token, "Content-Type", "application/json"))
	equal(t, "plain JSON", a.status, 415)
}

// What an address takes stands in the Allow header of a 405.
func TestAllow(t *testing.T) {
	k := newKit(t, nil)
	staff := k.token(integration).Access
	for _, tt := range []struct{ method, path, allow string }{
		{"DELETE", "orders", "GET, POST"}, {"PUT", "line_items", "GET, POST"}, {"POST", "skus", "GET"},
		{"DELETE", "orders/x", "GET, PATCH"}, {"PUT", "line_items/x", "GET, PATCH, DELETE"}, {"POST", "line_items/x", "GET, PATCH, DELETE"},
		{"PATCH", "skus/x", "GET"}, {"DELETE", "addresses/x", "GET"},
		{"PATCH", "orders/x/line_items", "GET"}, {"DELETE", "line_items/x/relationships/order", "GET"},
	} {
		a := k.send(tt.method, staff, tt.path, "{}")
		equal(t, tt.method+" "+tt.path, a.status, 405)
		equal(t, tt.method+" "+tt.path+": Allow", a.header.Get("Allow"), tt.allow)
	}
}

// The connection breaks, whether there is an answer to break within or not.
func TestFaultOfAnAnswerWithoutBody(t *testing.T) {
	for _, drop := range []clt.Drop{clt.DropBefore, clt.DropAfter, clt.DropWithin} {
		t.Run(string(drop), func(t *testing.T) {
			k := newKit(t, nil)
			token := k.token(guest).Access
			line := k.item(token, k.order(token, newOrder).Data.ID, `{"sku_code":"CAP"}`)
			k.server.Inject(clt.Fault{Endpoint: clt.APIEndpoint, Drop: drop, Times: 1})
			req := k.request("DELETE", k.server.APIURL()+"/api/line_items/"+line, "", "Authorization", "Bearer "+token)
			if resp, err := k.client.Do(req); err == nil {
				t.Errorf("got status %d", resp.StatusCode)
				resp.Body.Close()
			}
			equal(t, "still there", k.api(token, "line_items/"+line).status == 200, drop == clt.DropBefore)
		})
	}
}

// Whatever document is sent, a line item is changed as it says, or as it was.
func FuzzUpdateLineItem(f *testing.F) {
	f.Add(`"quantity":2`)
	f.Add(`"quantity":null,"metadata":null`)
	f.Add(`"quantity":1e2`)
	f.Add(`"metadata":{"a":[{}]},"quantity":100001`)
	f.Fuzz(func(t *testing.T, attributes string) {
		server := clt.NewServer(nil)
		issued, err := server.Issue(clt.SalesChannelID, &clt.IssueOptions{Scope: clt.MarketScope})
		if err != nil {
			t.Fatal(err)
		}
		send := func(method, path, body string) (int, orderDoc) {
			r := httptest.NewRequest(method, server.APIURL()+"/api/"+path, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+issued.AccessToken)
			r.Header.Set("Content-Type", "application/vnd.api+json")
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			var doc orderDoc
			if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
				t.Fatalf("%s: %v", w.Body, err)
			}
			return w.Code, doc
		}
		_, order := send("POST", "orders", newOrder)
		_, line := send("POST", "line_items", item(order.Data.ID, `{"sku_code":"CAP","quantity":7}`))
		path := "line_items/" + line.Data.ID
		status, changed := send("PATCH", path, change("line_items", line.Data.ID, "{"+attributes+"}"))
		_, now := send("GET", path, "")
		quantity := now.Data.Attributes.Quantity
		switch {
		case status == 200 && (quantity < 1 || quantity > 100_000 || changed.Data.Attributes.Quantity != quantity):
			t.Errorf("answered %d, and there are %d", changed.Data.Attributes.Quantity, quantity)
		case status != 200 && (status < 400 || status >= 500 || quantity != 7):
			t.Errorf("status %s, and there are %d", strconv.Itoa(status), quantity)
		}
	})
}

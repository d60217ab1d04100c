package commercelayertest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestPastOrders(t *testing.T) {
	k := newKit(t, nil)
	for _, tt := range []struct {
		who   string
		ask   fields
		email string
		want  int
	}{
		{"Ada in Europe", password, clt.CustomerEmail, 2},
		{"Ada in the USA", password.with(fields{"scope": clt.OtherMarketScope}), clt.CustomerEmail, 2},
		{"Grace in Europe", grace, clt.OtherCustomerEmail, 1},
		{"Grace in the USA", grace.with(fields{"scope": clt.OtherMarketScope}), clt.OtherCustomerEmail, 1},
		{"a guest", guest, "", 0},
	} {
		t.Run(tt.who, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			token := k.token(tt.ask).Access
			ids, _ := k.api(token, "orders?filter[q][status_eq]=placed").list(t, "number")
			equal(t, "orders", len(ids), tt.want)
			last := ""
			for _, id := range ids {
				var doc orderDoc
				k.api(token, "orders/"+id+"?include=line_items,customer").into(t, &doc)
				a := doc.Data.Attributes
				equal(t, "status", a.Status, "placed")
				equal(t, "editable", a.Editable, false)
				equal(t, "guest", a.Guest, false)
				equal(t, "email", *a.Email, tt.email)
				equal(t, "included", len(doc.Included), 3)
				if a.Total <= 0 || a.Count < 2 || a.PlacedAt == nil {
					t.Fatalf("an order without content: %+v", a)
				}
				placed, err := time.Parse(time.RFC3339, *a.PlacedAt)
				if err != nil || time.Since(placed) < 24*time.Hour || *a.PlacedAt <= last {
					t.Errorf("placed at %s, after %s: %v", *a.PlacedAt, last, err)
				}
				last = *a.PlacedAt
			}
		})
	}
	token := k.token(password).Access
	var doc orderDoc
	k.api(token, "orders/"+k.order(token, newOrder).Data.ID).into(t, &doc)
	equal(t, "a new one is editable", doc.Data.Attributes.Editable, true)
	equal(t, "a new one is placed", doc.Data.Attributes.PlacedAt == nil, true)
}

// There is nothing to have bought where nothing is sold, and whoever asks for
// past orders gets as many of them.
func TestPastOrdersByOptions(t *testing.T) {
	customers := crowd(3, 2)
	customers[1].PastOrders = 0
	k := newKit(t, &clt.Options{
		Customers: customers,
		Markets: []clt.Market{
			{Code: "a", CurrencyCode: "EUR"}, {Code: "b", CurrencyCode: "USD"}, {Code: "c", CurrencyCode: "EUR", Disabled: true}, {Code: "d", CurrencyCode: "EUR"},
		},
		SKUs: []clt.SKU{{Code: "ONE", Prices: map[string]int64{"EUR": 100}}},
	})
	staff := k.token(integration).Access
	ids, emails := k.api(staff, "orders?page[size]=25&sort=number").list(t, "customer_email")
	equal(t, "orders", len(ids), 2*2*2)
	for _, email := range []string{"c0@example.com", "c2@example.com"} {
		if n := len(slices.DeleteFunc(slices.Clone(emails), func(e any) bool { return e != email })); n != 4 {
			t.Errorf("%s has %d orders, want 4", email, n)
		}
	}
	_, times := k.api(staff, "orders?page[size]=25&sort=number").list(t, "placed_at")
	if !slices.IsSortedFunc(times, func(a, b any) int { return strings.Compare(a.(string), b.(string)) }) {
		t.Errorf("the numbers do not follow the times: %v", times)
	}
	lines, _ := k.api(staff, "orders/"+ids[0]+"/line_items").list(t, "name")
	equal(t, "line items, of the one SKU", len(lines), 1)

	again := newKit(t, &clt.Options{Customers: customers})
	other, _ := again.api(again.token(integration).Access, "orders?sort=number").list(t, "number")
	equal(t, "the first id in another run", other[0], ids[0])
}

package commercelayertest_test

import (
	"slices"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// Who sees which addresses: customers their own, and guests none.
func TestAddressesAreSeenByTheirOwners(t *testing.T) {
	k := newKit(t, nil)
	stranger, err := k.server.Issue(clt.SalesChannelID, &clt.IssueOptions{Scope: clt.MarketScope, Owner: clt.Owner{Type: "Customer", ID: "unknown"}})
	if err != nil {
		t.Fatal(err)
	}
	books := map[string]int{clt.CustomerID: 2, clt.OtherCustomerID: 1}
	tests := []struct {
		who, token string
		sees       []string // customers
	}{
		{"Ada", k.token(password).Access, []string{clt.CustomerID}},
		{"Grace", k.token(grace).Access, []string{clt.OtherCustomerID}},
		{"a customer without addresses", stranger.AccessToken, nil},
		{"an integration", k.token(integration).Access, []string{clt.CustomerID, clt.OtherCustomerID}},
	}
	staff := k.token(integration).Access
	for _, tt := range tests {
		t.Run(tt.who, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			want := 0
			for _, id := range tt.sees {
				want += books[id]
			}
			for _, resourceType := range []string{"addresses", "customer_addresses"} {
				ids, _ := k.api(tt.token, resourceType).list(t, "name")
				equal(t, resourceType, len(ids), want)
			}
			for id, size := range books {
				seen := slices.Contains(tt.sees, id)
				if a := k.api(tt.token, "customers/"+id+"/customer_addresses"); seen {
					ids, _ := a.list(t, "name")
					equal(t, "address book of "+id, len(ids), size)
				} else {
					equal(t, "address book of "+id, a.status, 404)
				}
				entries, _ := k.api(staff, "customers/"+id+"/customer_addresses").list(t, "name")
				for _, entry := range entries {
					for _, path := range []string{"", "/address", "/customer", "/relationships/address"} {
						path = "customer_addresses/" + entry + path
						equal(t, path, k.api(tt.token, path).status == 200, seen)
					}
					var address struct{ Data struct{ ID string } }
					k.api(staff, "customer_addresses/"+entry+"/address").into(t, &address)
					equal(t, "address", k.api(tt.token, "addresses/"+address.Data.ID).status == 200, seen)
				}
			}
		})
	}
	for _, path := range []string{"addresses", "customer_addresses", "addresses/x", "customer_addresses?include=address"} {
		equal(t, "a guest at "+path, string(k.api(k.token(guest).Access, path).body), accessDenied)
	}
	equal(t, "a guest who adds one", string(k.create(k.token(guest).Access, "addresses", `{}`).body), accessDenied)
	for _, token := range []string{tests[0].token, staff} {
		a := k.create(token, "customer_addresses", `{}`)
		equal(t, "adding one", a.status, 405)
		equal(t, "Allow", a.header.Get("Allow"), "GET")
	}
}

func TestAddressDocument(t *testing.T) {
	k := newKit(t, &clt.Options{Customers: []clt.Customer{{Email: "a@b", Password: "p", Addresses: []clt.Address{
		{ID: "home", FirstName: "Al", LastName: "Be", Line1: "Street 1", Line2: "Door 2", City: "Town", ZipCode: "123", StateCode: "ST", CountryCode: "IT", Phone: "555"},
		{Company: "Firm", Line1: "Road 3", City: "City", StateCode: "SC", CountryCode: "DE", Phone: "556"},
	}}}})
	token := k.token(password.with(fields{"username": "a@b", "password": "p"})).Access
	tests := []struct {
		attribute string
		want      []any
	}{
		{"business", []any{false, true}},
		{"first_name", []any{"Al", nil}},
		{"last_name", []any{"Be", nil}},
		{"company", []any{nil, "Firm"}},
		{"full_name", []any{"Al Be", "Firm"}},
		{"line_1", []any{"Street 1", "Road 3"}},
		{"line_2", []any{"Door 2", nil}},
		{"city", []any{"Town", "City"}},
		{"zip_code", []any{"123", nil}},
		{"state_code", []any{"ST", "SC"}},
		{"country_code", []any{"IT", "DE"}},
		{"phone", []any{"555", "556"}},
		{"full_address", []any{"Street 1 Door 2, 123 Town ST (IT) 555", "Road 3, City SC (DE) 556"}},
		{"name", []any{"Al Be, Street 1 Door 2, 123 Town ST (IT) 555", "Firm, Road 3, City SC (DE) 556"}},
	}
	for _, tt := range tests {
		if _, got := k.api(token, "addresses").list(t, tt.attribute); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.attribute, got, tt.want)
		}
	}
	equal(t, "an id that was given", k.api(token, "addresses/home").status, 200)

	var doc listDoc
	k.api(token, "customer_addresses?include=address,customer").into(t, &doc)
	equal(t, "included", len(doc.Included), 3)
	a := k.api(token, "customer_addresses?include=address&page[size]=1")
	if !strings.Contains(string(a.body), `"data":{"type":"addresses","id":"home"}`) || !strings.Contains(string(a.body), `"line_1":"Street 1"`) {
		t.Errorf("include=address: %s", a.body)
	}
	_, emails := k.api(token, "customer_addresses").list(t, "customer_email")
	if !slices.Equal(emails, []any{"a@b", "a@b"}) {
		t.Errorf("emails: %v", emails)
	}
}

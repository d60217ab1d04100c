package commercelayertest_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

var address = clt.Address{
	ID: "home", FirstName: "A", LastName: "B", Line1: "Street 1", City: "Town", StateCode: "ST", CountryCode: "IT", Phone: "555",
}

// withAddress is a customer with a good address, but for a change.
func withAddress(change func(*clt.Address)) []clt.Customer {
	a := address
	if change != nil {
		change(&a)
	}
	return []clt.Customer{{Email: "a@b", Password: "p", Addresses: []clt.Address{a}}}
}

// crowd is many customers, each with so many past orders in each market.
func crowd(size, pastOrders int) []clt.Customer {
	customers := make([]clt.Customer, size)
	for i := range customers {
		customers[i] = clt.Customer{Email: fmt.Sprintf("c%d@example.com", i), Password: "p", PastOrders: pastOrders}
	}
	return customers
}

func TestOptionsErrors(t *testing.T) {
	app := clt.Application{Kind: clt.Integration, ClientID: "a", ClientSecret: "s3cret"}
	market := clt.Market{Code: "m", CurrencyCode: "EUR"}
	tests := []struct {
		name string
		opts clt.Options
		want string // the field, in the error
	}{
		{"domain with a path", clt.Options{Domain: "a.b/c"}, "Domain"},
		{"domain with a scheme", clt.Options{Domain: "https://a.b"}, "Domain"},
		{"domain that is an address", clt.Options{Domain: "127.0.0.1"}, "Domain"},
		{"domain with a bad port", clt.Options{Domain: "a.b:99999"}, "Domain"},
		{"slug of the service", clt.Options{Organization: clt.Organization{Slug: "auth"}}, "Organization: the Slug"},
		{"slug that is no label", clt.Options{Organization: clt.Organization{Slug: "a.b"}}, "Organization: the Slug"},
		{"unknown kind", clt.Options{Applications: []clt.Application{{Kind: "x", ClientID: "a"}}}, "Applications[0]: Kind"},
		{"no client id", clt.Options{Applications: []clt.Application{{Kind: clt.SalesChannel}}}, "Applications[0]: ClientID"},
		{"no secret", clt.Options{Applications: []clt.Application{{Kind: clt.Integration, ClientID: "a"}}}, "Applications[0]: ClientSecret"},
		{"two of one id", clt.Options{Applications: []clt.Application{app, app}}, "Applications[0] and [1]"},
		{"short life", clt.Options{Applications: []clt.Application{{Kind: clt.SalesChannel, ClientID: "a", TokenLife: time.Millisecond}}}, "TokenLife"},
		{"long life", clt.Options{Applications: []clt.Application{{Kind: clt.SalesChannel, ClientID: "a", TokenLife: 366 * 24 * time.Hour}}}, "TokenLife"},
		{"broken life", clt.Options{Applications: []clt.Application{{Kind: clt.SalesChannel, ClientID: "a", TokenLife: 1500 * time.Millisecond}}}, "TokenLife"},
		{"redirect of no webapp", clt.Options{Applications: []clt.Application{{Kind: clt.SalesChannel, ClientID: "a", RedirectURIs: []string{"http://a"}}}}, "RedirectURIs"},
		{"redirect to nowhere", clt.Options{Applications: []clt.Application{{Kind: clt.Webapp, ClientID: "a", ClientSecret: "s", RedirectURIs: []string{"/a"}}}}, "RedirectURIs"},
		{"no email", clt.Options{Customers: []clt.Customer{{Email: "a", Password: "p"}}}, "Customers[0]: the Email"},
		{"no password", clt.Options{Customers: []clt.Customer{{Email: "a@b"}}}, "Customers[0]: the Password"},
		{"two of one email", clt.Options{Customers: []clt.Customer{{Email: "a@b", Password: "p"}, {Email: "A@b", Password: "p"}}}, "Customers[0] and [1]"},
		{"too many past orders", clt.Options{Customers: []clt.Customer{{Email: "a@b", Password: "p", PastOrders: 101}}}, "Customers[0]: PastOrders"},
		{"fewer than no past orders", clt.Options{Customers: []clt.Customer{{Email: "a@b", Password: "p", PastOrders: -1}}}, "Customers[0]: PastOrders"},
		{"too many past orders in all", clt.Options{Customers: crowd(100, 26)}, "5200 orders in 2 markets"},
		{"address without a street", clt.Options{Customers: withAddress(func(a *clt.Address) { a.Line1 = "" })}, "Customers[0]: Addresses[0]: Line1"},
		{"address without a city", clt.Options{Customers: withAddress(func(a *clt.Address) { a.City = "" })}, "Addresses[0]: City"},
		{"address without a state", clt.Options{Customers: withAddress(func(a *clt.Address) { a.StateCode = "" })}, "Addresses[0]: StateCode"},
		{"address without a phone", clt.Options{Customers: withAddress(func(a *clt.Address) { a.Phone = "" })}, "Addresses[0]: Phone"},
		{"address of nobody", clt.Options{Customers: withAddress(func(a *clt.Address) { a.LastName = "" })}, "Addresses[0]: FirstName or LastName"},
		{"address without a country", clt.Options{Customers: withAddress(func(a *clt.Address) { a.CountryCode = "" })}, "Addresses[0]: CountryCode"},
		{"address in no country", clt.Options{Customers: withAddress(func(a *clt.Address) { a.CountryCode = "it" })}, "Addresses[0]: CountryCode"},
		{"two addresses of one id", clt.Options{Customers: []clt.Customer{{Email: "a@b", Password: "p", Addresses: []clt.Address{address, address}}}}, "Addresses[0] and [1]"},
		{"two customers with one address", clt.Options{Customers: append(withAddress(nil), clt.Customer{Email: "c@d", Password: "p", Addresses: []clt.Address{address}})}, "Customers[0] and [1]"},
		{"market code with a colon", clt.Options{Markets: []clt.Market{{Code: "a:b", CurrencyCode: "EUR"}}}, "Markets[0]: the Code"},
		{"market currency", clt.Options{Markets: []clt.Market{{Code: "a", CurrencyCode: "eur"}}}, "Markets[0]: CurrencyCode"},
		{"two markets of one code", clt.Options{Markets: []clt.Market{market, market}}, "Markets[0] and [1]"},
		{"SKU without code", clt.Options{SKUs: []clt.SKU{{}}}, "SKUs[0]: the Code"},
		{"negative price", clt.Options{SKUs: []clt.SKU{{Code: "a", Prices: map[string]int64{"EUR": -1}}}}, "SKUs[0]: the Prices"},
		{"price in nothing", clt.Options{SKUs: []clt.SKU{{Code: "a", Prices: map[string]int64{"": 1}}}}, "SKUs[0]: the Prices"},
		{"rate limit", clt.Options{RateLimit: -2}, "RateLimit"},
		{"renew within", clt.Options{RenewWithin: -1}, "RenewWithin"},
		{"request log of nothing", clt.Options{RequestLog: -1}, "RequestLog"},
		{"endless request log", clt.Options{RequestLog: 1_000_001}, "RequestLog"},
		{"refresh token life", clt.Options{RefreshTokenLife: time.Millisecond}, "RefreshTokenLife"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server, err := clt.New(&tt.opts)
			if err == nil || server != nil {
				t.Fatalf("got %v, %v", server, err)
			}
			if text := err.Error(); !strings.Contains(text, tt.want) || strings.Count(text, "commercelayertest") != 1 || strings.Contains(text, "s3cret") {
				t.Errorf("got %q, want it to name %s", text, tt.want)
			}
			defer func() {
				if recover() == nil {
					t.Error("NewServer did not panic")
				}
			}()
			clt.NewServer(&tt.opts)
		})
	}
}

// The server has its own copy: a list may be changed afterwards.
func TestOptionsAreCopied(t *testing.T) {
	opts := &clt.Options{Customers: withAddress(func(a *clt.Address) { a.ID = "" })}
	k := newKit(t, opts)
	opts.Customers[0].Password = "other"
	k.token(password.with(fields{"username": "a@b", "password": "p"}))
	if opts.Customers[0].ID != "" || opts.Customers[0].Addresses[0].ID != "" {
		t.Error("a default was written into the caller's list")
	}
}

// Neither what the caller gave nor what the caller gets leads into the server.
func TestOptionsAreNotShared(t *testing.T) {
	given := clt.Options{
		Applications: []clt.Application{{Kind: clt.Webapp, ClientID: "w", ClientSecret: "s", RedirectURIs: []string{"http://a"}}},
		Customers:    withAddress(nil),
		Markets: []clt.Market{{Code: "m", CurrencyCode: "EUR",
			StockLocations: []clt.StockLocation{{Code: "l"}}, Stores: []clt.Store{{Code: "s"}}}},
		SKUs: []clt.SKU{{Code: "k", Prices: map[string]int64{"EUR": 1}}},
	}
	server := clt.NewServer(&given)
	for _, o := range []clt.Options{given, server.Options()} {
		o.Applications[0].RedirectURIs[0] = "http://b"
		o.Applications[0].ClientID = "x"
		o.Customers[0].Addresses[0].City = "X"
		o.Customers[0].Email = "x@y"
		o.Markets[0].StockLocations[0].Code = "x"
		o.Markets[0].Stores[0].Code = "x"
		o.Markets[0].Code = "x"
		o.SKUs[0].Prices["EUR"] = 2
		o.SKUs[0].Code = "x"
	}
	o := server.Options()
	equal(t, "RedirectURIs", o.Applications[0].RedirectURIs[0], "http://a")
	equal(t, "ClientID", o.Applications[0].ClientID, "w")
	equal(t, "Email", o.Customers[0].Email, "a@b")
	equal(t, "Addresses", o.Customers[0].Addresses[0].City, "Town")
	equal(t, "StockLocations", o.Markets[0].StockLocations[0].Code, "l")
	equal(t, "Stores", o.Markets[0].Stores[0].Code, "s")
	equal(t, "Markets", o.Markets[0].Code, "m")
	equal(t, "Prices", o.SKUs[0].Prices["EUR"], 1)
	equal(t, "SKUs", o.SKUs[0].Code, "k")
}

func TestEmptyListsStandForNone(t *testing.T) {
	k := newKit(t, &clt.Options{Customers: []clt.Customer{}, SKUs: []clt.SKU{}})
	equal(t, "sign-in", k.ask(password).status, 401)
	var doc struct{ Meta map[string]int }
	k.api(k.token(guest).Access, "skus").into(t, &doc)
	equal(t, "SKUs", doc.Meta["record_count"], 0)
}

// What holds a secret does not print it, in any verb or log.
func TestSecretsDoNotPrint(t *testing.T) {
	server := clt.NewServer(&clt.Options{BackendAuth: "b4ckend-secret"})
	issued, err := server.Issue(clt.SalesChannelID, &clt.IssueOptions{Scope: clt.MarketScope, Owner: clt.Owner{Type: "Customer", ID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	opts := server.Options()
	secrets := []string{"b4ckend-secret", clt.IntegrationSecret, clt.SalesChannelSecret, clt.CustomerPassword, issued.AccessToken, issued.RefreshToken}
	for _, value := range []any{opts, &opts, server, opts.Applications, opts.Customers, opts.Applications[0], &opts.Applications[1], opts.Customers[0], issued, &issued} {
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		for _, text := range []string{fmt.Sprint(value), fmt.Sprintf("%v", value), fmt.Sprintf("%+v", value), fmt.Sprintf("%#v", value), fmt.Sprintf("%s %q", value, value), log.String()} {
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%T prints a secret: %s", value, text)
				}
			}
		}
	}
}

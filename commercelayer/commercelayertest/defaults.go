package commercelayertest

// What a server knows when its Options name nothing else. The secrets are no
// secrets: they open this server only.
const (
	// Domain is the domain of the public service.
	Domain = "commercelayer.io"
	// Slug is the organization's: its Core API is at https://local-shop.<domain>.
	Slug = "local-shop"

	SalesChannelID     = "SVmPZ0vRkD5qGd3pVbWnYJtQxLr8aTfC2uE6hKoNsBM"
	SalesChannelSecret = "local-sales-channel-secret-0Yc4Tn8Rk2Vw"
	IntegrationID      = "INq7WzLd2mXfRb9sKcTgHv4jPyEu6oAa1tQnMr3iVwZ"
	IntegrationSecret  = "local-integration-secret-5Lp9Xd3Gs7Ze"
	WebappID           = "WAb3YkTn8vJcRq5xLmGdZp2sFhUe7oKi4tWrNa6yBvM"
	WebappSecret       = "local-webapp-secret-8Hj1Qm6Bf4Ku"
	WebappRedirectURI  = "http://localhost:3000/callback"
	UserClientID       = "USh5PwXr9kZbGn2vTcQdLm7jYfEa3oRi6tKsWu8yCxN"
	UserClientSecret   = "local-provisioning-secret-2Nv7Cw5Jy9Ta"

	// UserID is the user that the webapp and the provisioning application act
	// for.
	UserID = "PzMfJkDxWs"

	CustomerEmail    = "ada@example.com"
	CustomerPassword = "local-password-of-ada"
	CustomerID       = "KwRtLhVnYd"

	OtherCustomerEmail    = "grace@example.com"
	OtherCustomerPassword = "local-password-of-grace"
	OtherCustomerID       = "4tepftJsT2"

	// MarketScope is the scope of the first market, which sells in EUR;
	// OtherMarketScope that of the second, in USD.
	MarketScope      = "market:code:europe"
	OtherMarketScope = "market:code:usa"
)

func defaultApplications() []Application {
	return []Application{
		{Kind: SalesChannel, ClientID: SalesChannelID, ClientSecret: SalesChannelSecret},
		{Kind: Integration, ClientID: IntegrationID, ClientSecret: IntegrationSecret},
		{Kind: Webapp, ClientID: WebappID, ClientSecret: WebappSecret, RedirectURIs: []string{WebappRedirectURI}},
		{Kind: User, ClientID: UserClientID, ClientSecret: UserClientSecret},
	}
}

func defaultCustomers() []Customer {
	return []Customer{
		{
			Email: CustomerEmail, Password: CustomerPassword, ID: CustomerID, PastOrders: 2,
			Addresses: []Address{
				{
					FirstName: "Ada", LastName: "Rossi", Line1: "Via dei Mulini 12", Line2: "Scala B",
					City: "Bologna", ZipCode: "40121", StateCode: "BO", CountryCode: "IT", Phone: "+39 051 555 0142",
				},
				{
					Company: "Rossi & Figlie", Line1: "Corso Lungo 3",
					City: "Torino", ZipCode: "10121", StateCode: "TO", CountryCode: "IT", Phone: "+39 011 555 0178",
				},
			},
		},
		{
			Email: OtherCustomerEmail, Password: OtherCustomerPassword, ID: OtherCustomerID, PastOrders: 1,
			Addresses: []Address{{
				FirstName: "Grace", LastName: "Miller", Line1: "48 Harbor Street", Line2: "Apt. 5",
				City: "Newport", ZipCode: "02840", StateCode: "RI", CountryCode: "US", Phone: "+1 401 555 0119",
			}},
		},
	}
}

func defaultMarkets() []Market {
	return []Market{
		{
			Code: "europe", Name: "Europe", CurrencyCode: "EUR",
			StockLocations: []StockLocation{{Code: "eu_warehouse", Name: "Rotterdam"}, {Code: "eu_outlet", Name: "Lyon"}},
			Stores:         []Store{{Code: "milan", Name: "Milan"}},
		},
		{
			Code: "usa", Name: "USA", CurrencyCode: "USD",
			StockLocations: []StockLocation{{Code: "us_warehouse", Name: "Newark"}},
			Stores:         []Store{{Code: "austin", Name: "Austin"}},
		},
	}
}

func defaultSKUs() []SKU {
	skus := []SKU{
		{Code: "MUG-WHITE", Name: "Mug, white"},
		{Code: "MUG-BLACK", Name: "Mug, black"},
		{Code: "SHIRT-S", Name: "T-shirt, small"},
		{Code: "SHIRT-M", Name: "T-shirt, medium"},
		{Code: "SHIRT-L", Name: "T-shirt, large"},
		{Code: "HOODIE-M", Name: "Hoodie, medium"},
		{Code: "HOODIE-L", Name: "Hoodie, large"},
		{Code: "CAP", Name: "Cap"},
		{Code: "BAG", Name: "Canvas bag"},
		{Code: "POSTER", Name: "Poster"},
		{Code: "NOTEBOOK", Name: "Notebook"},
		{Code: "STICKERS", Name: "Set of stickers"},
	}
	for i := range skus {
		cents := int64(900 + 350*i)
		skus[i].Description = "A " + skus[i].Name + " that exists on this machine only."
		skus[i].Prices = map[string]int64{"EUR": cents, "USD": cents * 11 / 10}
	}
	return skus
}

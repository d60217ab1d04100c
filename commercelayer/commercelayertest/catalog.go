package commercelayertest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Organization is whose shop the server plays.
type Organization struct {
	// ID is the organization's id in tokens. Default: made of Slug.
	ID string
	// Slug is the first label of the Core API's host. Default: [Slug].
	Slug string
	// Name is what the API calls it. Default: "Local Shop".
	Name string
	// Region is the region in tokens. Default: "eu-west-1".
	Region string
	// Standard takes the enterprise plan away, which tokens tell of.
	Standard bool
	// Live makes the environment live: tokens then say test: false.
	Live bool
}

// Market is a market that a scope can name.
type Market struct {
	// Code names the market in a scope, market:code:<Code>.
	Code string
	// ID names it too, market:id:<ID>. Default: made of Code.
	ID   string
	Name string
	// CurrencyCode (ISO 4217) picks the prices that the market sells at.
	CurrencyCode string
	// Disabled makes every scope that names the market invalid.
	Disabled       bool
	StockLocations []StockLocation
	Stores         []Store
}

// StockLocation is a warehouse of a market. A scope that names it
// must name the market as well.
type StockLocation struct {
	Code string
	ID   string // default: made of Code
	Name string
}

// Store is a shop of a market. A scope that names it means its market too.
type Store struct {
	Code string
	ID   string // default: made of Code
	Name string
}

// SKU is something to buy.
type SKU struct {
	Code        string
	ID          string // default: made of Code
	Name        string
	Description string
	ImageURL    string
	// Prices are in cents, by currency code. Without a price in a market's
	// currency, the SKU is not sold in that market.
	Prices map[string]int64
}

// publicID makes ids as the service's look: ten letters, the same in each run
// for the same resource.
func publicID(kind, code string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(kind + ":" + code))
	id := make([]byte, 10)
	for i := range id {
		id[i] = letters[int(sum[i])%len(letters)]
	}
	return string(id)
}

func (o Organization) withDefaults() Organization {
	if o.Slug == "" {
		o.Slug = Slug
	}
	if o.ID == "" {
		o.ID = publicID("organizations", o.Slug)
	}
	if o.Name == "" {
		o.Name = "Local Shop"
	}
	if o.Region == "" {
		o.Region = "eu-west-1"
	}
	return o
}

func (o *Organization) validate() error {
	switch o.Slug {
	case "auth", "provisioning", "dashboard", "_local":
		return fmt.Errorf("the Slug %q belongs to the service: use another", o.Slug)
	}
	if !validLabel(o.Slug) {
		return fmt.Errorf("the Slug %q cannot be a host name: use lower-case letters, digits and inner hyphens", o.Slug)
	}
	return nil
}

// validLabel tells whether s can be one label of a host name.
func validLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range s {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func (m Market) withDefaults() Market {
	if m.ID == "" {
		m.ID = publicID("markets", m.Code)
	}
	if m.Name == "" {
		m.Name = m.Code
	}
	m.StockLocations = slices.Clone(m.StockLocations)
	for i := range m.StockLocations {
		if l := &m.StockLocations[i]; l.ID == "" {
			l.ID = publicID("stock_locations", l.Code)
		}
	}
	m.Stores = slices.Clone(m.Stores)
	for i := range m.Stores {
		if s := &m.Stores[i]; s.ID == "" {
			s.ID = publicID("stores", s.Code)
		}
	}
	return m
}

func (m *Market) validate() error {
	names := []string{m.Code, m.ID}
	for _, l := range m.StockLocations {
		names = append(names, l.Code, l.ID)
	}
	for _, s := range m.Stores {
		names = append(names, s.Code, s.ID)
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, ": \t\r\n") {
			return fmt.Errorf("the Code or ID %q of market %q, its stock locations or stores cannot stand in a scope: use one without colons and spaces", name, m.Code)
		}
	}
	if !validCurrency(m.CurrencyCode) {
		return fmt.Errorf("CurrencyCode %q of market %q: use three capital letters, such as EUR", m.CurrencyCode, m.Code)
	}
	return nil
}

func validCurrency(code string) bool {
	if len(code) != 3 {
		return false
	}
	for _, c := range code {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

func (s SKU) withDefaults() SKU {
	if s.ID == "" {
		s.ID = publicID("skus", s.Code)
	}
	if s.Name == "" {
		s.Name = s.Code
	}
	s.Prices = maps.Clone(s.Prices)
	return s
}

func (s *SKU) validate() error {
	if s.Code == "" {
		return fmt.Errorf("the Code of SKU %q is empty: give it one", s.Name)
	}
	for currency, cents := range s.Prices {
		if !validCurrency(currency) {
			return fmt.Errorf("the Prices of SKU %q: %q is no currency code, use three capital letters", s.Code, currency)
		}
		// More would overflow the total of a large order.
		if cents < 0 || cents > 1e9 {
			return fmt.Errorf("the Prices of SKU %q: %d cents is out of range, use 0 to 1000000000", s.Code, cents)
		}
	}
	return nil
}

package commercelayertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// shop is what the Core API has to offer.
type shop struct {
	opts  *Options
	born  time.Time
	kinds map[string]resourceKind

	mu     sync.Mutex // guards what follows, and the orders reached from it
	orders []*order
	number int // of orders so far
}

// resourceKind is a type of resources.
type resourceKind struct {
	singular bool
	sortable []string // with what all types have
	list     func(who access) []resource
	create   func(who access, in document) (resource, *problem)
	update   func(who access, id string, in document) (resource, *problem)
	remove   func(who access, id string) *problem
}

func newShop(o *Options) *shop {
	s := &shop{opts: o, born: time.Now().UTC().Truncate(time.Second)}
	s.kinds = map[string]resourceKind{
		"organization": {singular: true, list: func(access) []resource {
			return []resource{s.organization("organization")}
		}},
		"markets":            {list: s.markets, sortable: []string{"name", "code", "disabled_at"}},
		"skus":               {list: s.skus, sortable: []string{"code", "name", "do_not_ship", "do_not_track"}},
		"prices":             {list: s.prices, sortable: []string{"amount_cents"}},
		"customers":          {list: s.customers, sortable: []string{"email", "status"}},
		"customer_addresses": {list: s.customerAddresses},
		"addresses":          {list: s.addresses, sortable: []string{"city", "state_code", "country_code"}},
		"orders": {list: s.listOrders, create: s.createOrder, update: s.updateOrder, sortable: []string{
			"number", "status", "payment_status", "fulfillment_status", "guest", "language_code", "currency_code",
			"tax_included", "coupon_code", "subtotal_amount_cents", "total_amount_cents", "placed_at",
		}},
		"line_items": {list: s.listLineItems, create: s.createLineItem, update: s.updateLineItem, remove: s.removeLineItem, sortable: []string{
			"currency_code", "unit_amount_cents", "total_amount_cents", "name", "item_type",
		}},
	}
	s.placePastOrders()
	return s
}

// timestamp writes a time as the service does.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// common adds what every resource has.
func (s *shop) common(a attributes, created, updated time.Time) attributes {
	a["created_at"] = timestamp(created)
	a["updated_at"] = timestamp(updated)
	for _, name := range []string{"reference", "reference_origin"} {
		if _, ok := a[name]; !ok {
			a[name] = nil
		}
	}
	if _, ok := a["metadata"]; !ok {
		a["metadata"] = struct{}{}
	}
	return a
}

func (s *shop) organization(resourceType string) resource {
	o := s.opts.Organization
	return resource{ID: o.ID, Type: resourceType, Attributes: s.common(attributes{
		"name": o.Name, "slug": o.Slug, "domain": o.Slug + "." + s.opts.Domain, "region": o.Region,
	}, s.born, s.born)}
}

func (s *shop) markets(who access) []resource {
	var list []resource
	for i := range s.opts.Markets {
		m := &s.opts.Markets[i]
		if who.scope.narrow() && !slices.Contains(who.scope.markets, m) {
			continue
		}
		var disabled any
		if m.Disabled {
			disabled = s.born.Format(time.RFC3339)
		}
		list = append(list, resource{ID: m.ID, Type: "markets", Attributes: s.common(attributes{
			"number": i + 1, "name": m.Name, "code": m.Code, "currency_code": m.CurrencyCode, "disabled_at": disabled,
		}, s.born, s.born)})
	}
	return list
}

// sold tells whether somebody can buy in a currency: it is that of a market in
// scope, if there is one.
func (a access) sold(currency string) bool {
	return !a.scope.narrow() || slices.ContainsFunc(a.scope.markets, func(m *Market) bool { return m.CurrencyCode == currency })
}

func (s *shop) skus(who access) []resource {
	var list []resource
	for i := range s.opts.SKUs {
		sku := &s.opts.SKUs[i]
		prices := s.pricesOf(who, sku)
		if who.scope.narrow() && len(prices) == 0 {
			continue
		}
		list = append(list, resource{
			ID: sku.ID, Type: "skus",
			Attributes: s.common(attributes{
				"code": sku.Code, "name": sku.Name, "description": sku.Description, "image_url": nullable(sku.ImageURL),
				"pieces_per_pack": nil, "weight": nil, "unit_of_weight": nil, "hs_tariff_number": nil,
				"do_not_ship": false, "do_not_track": false,
			}, s.born, s.born),
			related: map[string]relation{"prices": {to: "prices", list: func() []resource { return prices }}},
		})
	}
	return list
}

func (s *shop) prices(who access) []resource {
	var list []resource
	for i := range s.opts.SKUs {
		list = append(list, s.pricesOf(who, &s.opts.SKUs[i])...)
	}
	return list
}

func (s *shop) pricesOf(who access, sku *SKU) []resource {
	var list []resource
	for _, currency := range slices.Sorted(maps.Keys(sku.Prices)) {
		if !who.sold(currency) {
			continue
		}
		a := attributes{"currency_code": currency, "sku_code": sku.Code}
		money(a, "", sku.Prices[currency], currency)
		list = append(list, resource{
			ID: publicID("prices", sku.Code+":"+currency), Type: "prices", Attributes: s.common(a, s.born, s.born),
			related: map[string]relation{"sku": s.toSKU(who, sku)},
		})
	}
	return list
}

// toSKU leads to one SKU, as far as somebody may see it.
func (s *shop) toSKU(who access, sku *SKU) relation {
	return relation{to: "skus", one: true, list: func() []resource { return only(s.skus(who), sku.ID) }}
}

// only returns the resource of that id.
func only(list []resource, id string) []resource {
	return slices.DeleteFunc(list, func(r resource) bool { return r.ID != id })
}

func (s *shop) customers(who access) []resource {
	var list []resource
	for i := range s.opts.Customers {
		c := &s.opts.Customers[i]
		if who.role == roleCustomer && who.owner.ID != c.ID {
			continue
		}
		list = append(list, resource{
			ID: c.ID, Type: "customers",
			Attributes: s.common(attributes{"email": c.Email, "status": "acquired", "has_password": true}, s.born, s.born),
			related: map[string]relation{
				"customer_addresses": s.addressBook(who, c),
				"orders": {to: "orders", list: func() []resource {
					return s.ordersThat(who, func(o *order) bool { return o.customerID == c.ID })
				}},
			},
		})
	}
	return list
}

// customer finds the customer of that id, or nil.
func (s *shop) customer(id string) *Customer {
	i := slices.IndexFunc(s.opts.Customers, func(c Customer) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &s.opts.Customers[i]
}

// money adds the three forms in which the service gives an amount, under names
// such as total_amount_cents.
func money(a attributes, prefix string, cents int64, currency string) {
	a[prefix+"amount_cents"] = cents
	a[prefix+"amount_float"] = float64(cents) / 100
	a["formatted_"+prefix+"amount"] = formatMoney(cents, currency)
}

func formatMoney(cents int64, currency string) string {
	whole, rest := cents/100, cents%100
	switch currency {
	case "EUR":
		return fmt.Sprintf("€%s,%02d", grouped(whole, "."), rest)
	case "USD":
		return fmt.Sprintf("$%s.%02d", grouped(whole, ","), rest)
	}
	return fmt.Sprintf("%s.%02d %s", grouped(whole, ","), rest, currency)
}

// grouped writes a number with its thousands apart.
func grouped(n int64, separator string) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(c)
	}
	return b.String()
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

package commercelayertest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxOrders and maxLineItems (of one order) keep a loop that creates without
// end from filling the memory.
const (
	maxOrders    = 10_000
	maxLineItems = 500
	maxQuantity  = 100_000
)

// order is a cart, or what became of it.
type order struct {
	id, number       string
	market           *Market
	customerID       string // empty for a guest's
	guestOf          string // client id of the sales channel that a guest's is from
	attributes       attributes
	items            []*lineItem
	created, updated time.Time
}

type lineItem struct {
	id       string
	order    *order
	sku      *SKU
	quantity int64
	metadata any
	created  time.Time
}

func (i *lineItem) unit() int64 { return i.sku.Prices[i.order.market.CurrencyCode] }

// sees tells whether an order is there for somebody: all for the staff, their
// own for a customer, and for a guest those that guests of the same sales
// channel made. Guests share a token, so the service too cannot tell them
// apart; that is why a shop keeps an order's id in the visitor's session.
func (a access) sees(o *order) bool {
	if a.scope.narrow() && !slices.Contains(a.scope.markets, o.market) {
		return false
	}
	switch a.role {
	case roleStaff:
		return true
	case roleCustomer:
		return o.customerID == a.owner.ID
	}
	return o.customerID == "" && o.guestOf == a.app.ClientID
}

func (s *shop) listOrders(who access) []resource {
	return s.ordersThat(who, func(*order) bool { return true })
}

// ordersThat returns those orders that somebody sees.
func (s *shop) ordersThat(who access, fit func(*order) bool) []resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []resource
	for _, o := range s.orders {
		if who.sees(o) && fit(o) {
			list = append(list, s.orderResource(who, o))
		}
	}
	return list
}

func (s *shop) listLineItems(who access) []resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []resource
	for _, o := range s.orders {
		if who.sees(o) {
			list = append(list, s.itemResources(who, o)...)
		}
	}
	return list
}

// orderResource writes an order out; s.mu is held.
func (s *shop) orderResource(who access, o *order) resource {
	var total, count int64
	for _, item := range o.items {
		total += item.unit() * item.quantity
		count += item.quantity
	}
	status := "draft"
	if len(o.items) > 0 {
		status = "pending"
	}
	currency := o.market.CurrencyCode
	a := attributes{
		"number": o.number, "status": status, "payment_status": "unpaid", "fulfillment_status": "unfulfilled",
		"guest": o.customerID == "", "editable": true, "customer_email": nil, "language_code": "en",
		"currency_code": currency, "tax_included": true, "skus_count": count, "placed_at": nil, "coupon_code": nil,
	}
	maps.Copy(a, o.attributes)
	money(a, "subtotal_", total, currency)
	money(a, "total_", total, currency)
	items := s.itemResources(who, o)
	return resource{
		ID: o.id, Type: "orders", Attributes: s.common(a, o.created, o.updated),
		related: map[string]relation{
			"line_items": {to: "line_items", list: func() []resource { return items }},
			"market": {to: "markets", one: true, list: func() []resource {
				return only(s.markets(who), o.market.ID)
			}},
			"customer": {to: "customers", one: true, list: func() []resource {
				if !who.may(http.MethodGet, "customers") {
					return nil
				}
				return only(s.customers(who), o.customerID)
			}},
		},
	}
}

// itemResources writes an order's line items out; s.mu is held.
func (s *shop) itemResources(who access, o *order) []resource {
	list := make([]resource, 0, len(o.items))
	for _, item := range o.items {
		a := attributes{
			"sku_code": item.sku.Code, "name": item.sku.Name, "image_url": nullable(item.sku.ImageURL),
			"quantity": item.quantity, "currency_code": o.market.CurrencyCode, "item_type": "skus",
		}
		if item.metadata != nil {
			a["metadata"] = item.metadata
		}
		money(a, "unit_", item.unit(), o.market.CurrencyCode)
		money(a, "total_", item.unit()*item.quantity, o.market.CurrencyCode)
		list = append(list, resource{
			ID: item.id, Type: "line_items", Attributes: s.common(a, item.created, item.created),
			related: map[string]relation{
				"item": s.toSKU(who, item.sku),
				"order": {to: "orders", one: true, list: func() []resource {
					return s.ordersThat(who, func(other *order) bool { return other == o })
				}},
			},
		})
	}
	return list
}

// document is a resource as a client sends it.
type document struct {
	Data *struct {
		Type          string                     `json:"type"`
		Attributes    map[string]json.RawMessage `json:"attributes"`
		Relationships map[string]struct {
			Data *identifier `json:"data"`
		} `json:"relationships"`
	} `json:"data"`
}

// related returns the id that a document relates to, by the relationship's
// name.
func (d document) related(name, resourceType string) string {
	if r := d.Data.Relationships[name].Data; r != nil && r.Type == resourceType {
		return r.ID
	}
	return ""
}

// invalid is a 422 about a field of a document.
func invalid(pointer, detail string) *problem {
	return &problem{
		status: http.StatusUnprocessableEntity, title: "Invalid resource", code: "VALIDATION_ERROR",
		detail: detail, pointer: pointer,
	}
}

func (s *shop) createOrder(who access, in document) (resource, *problem) {
	o := &order{attributes: attributes{}}
	for name, field := range map[string]bool{
		"customer_email": true, "language_code": true, "reference": true, "reference_origin": true, "metadata": false,
	} {
		value, wrong := in.attribute(name, field)
		if wrong != nil {
			return resource{}, wrong
		}
		if value != nil {
			o.attributes[name] = value
		}
	}
	if who.scope.narrow() {
		o.market = who.scope.markets[0]
	}
	if id := in.related("market", "markets"); id != "" {
		o.market = s.opts.findMarket(func(m *Market) bool { return m.ID == id })
		if o.market != nil && who.scope.narrow() && !slices.Contains(who.scope.markets, o.market) {
			o.market = nil
		}
	}
	if o.market == nil {
		return resource{}, invalid("/data/relationships/market", "Relate the order to a market that exists and is in scope.")
	}
	switch who.role {
	case roleCustomer:
		o.customerID = who.owner.ID
	case roleGuest:
		o.guestOf = who.app.ClientID
	default:
		o.customerID = in.related("customer", "customers")
	}
	if i := slices.IndexFunc(s.opts.Customers, func(c Customer) bool { return c.ID == o.customerID }); i >= 0 {
		o.attributes["customer_email"] = s.opts.Customers[i].Email
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders) >= maxOrders {
		return resource{}, invalid("/data", "This server holds 10000 orders at most: start it anew.")
	}
	s.number++
	o.number = strconv.Itoa(10_000_000 + s.number)
	o.id = publicID("orders", o.number)
	o.created = time.Now()
	o.updated = o.created
	s.orders = append(s.orders, o)
	return s.orderResource(who, o), nil
}

// attribute reads an attribute that this server keeps; nil if it is absent.
func (d document) attribute(name string, text bool) (any, *problem) {
	raw, ok := d.Data.Attributes[name]
	if !ok {
		return nil, nil
	}
	if text {
		var value *string
		if json.Unmarshal(raw, &value) != nil {
			return nil, invalid("/data/attributes/"+name, name+" is a text.")
		}
		if value == nil {
			return nil, nil
		}
		return *value, nil
	}
	var value map[string]any
	if json.Unmarshal(raw, &value) != nil {
		return nil, invalid("/data/attributes/"+name, name+" is an object.")
	}
	if value == nil {
		return nil, nil
	}
	return value, nil
}

func (s *shop) createLineItem(who access, in document) (resource, *problem) {
	code, wrong := in.attribute("sku_code", true)
	if wrong != nil {
		return resource{}, wrong
	}
	metadata, wrong := in.attribute("metadata", false)
	if wrong != nil {
		return resource{}, wrong
	}
	quantity := int64(1)
	if raw, ok := in.Data.Attributes["quantity"]; ok {
		if json.Unmarshal(raw, &quantity) != nil || quantity < 1 || quantity > maxQuantity {
			return resource{}, invalid("/data/attributes/quantity", "quantity is a whole number from 1 to 100000.")
		}
	}
	itemID := in.related("item", "skus")

	s.mu.Lock()
	defer s.mu.Unlock()
	orderID := in.related("order", "orders")
	i := slices.IndexFunc(s.orders, func(o *order) bool { return o.id == orderID && who.sees(o) })
	if i < 0 {
		return resource{}, invalid("/data/relationships/order", "Relate the line item to an order that exists and is yours.")
	}
	o := s.orders[i]
	if len(o.items) >= maxLineItems {
		return resource{}, invalid("/data/relationships/order", "An order holds 500 line items at most.")
	}
	k := slices.IndexFunc(s.opts.SKUs, func(sku SKU) bool { return sku.Code == code || sku.ID == itemID })
	if k < 0 {
		return resource{}, invalid("/data/attributes/sku_code", "sku_code is that of an SKU that exists.")
	}
	sku := &s.opts.SKUs[k]
	if _, sold := sku.Prices[o.market.CurrencyCode]; !sold {
		return resource{}, invalid("/data/attributes/sku_code", "The SKU has no price in the order's market.")
	}
	item := &lineItem{
		id: publicID("line_items", o.id+":"+strconv.Itoa(len(o.items))), order: o, sku: sku,
		quantity: quantity, metadata: metadata, created: time.Now(),
	}
	o.items = append(o.items, item)
	o.updated = item.created
	items := s.itemResources(who, o)
	return items[len(items)-1], nil
}

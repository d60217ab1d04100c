package commercelayertest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxOrders keeps a loop that creates without end from filling the memory.
const maxOrders = 10_000

// order is a cart, or what became of it.
type order struct {
	id, number       string
	market           *Market
	customerID       string // empty for a guest's
	guestOf          string // client id of the sales channel that a guest's is from
	attributes       attributes
	items            []*lineItem
	added            int // line items so far, the removed ones too
	created, updated time.Time
	placed           time.Time // zero for a cart
}

// editable tells whether the order is still a cart.
func (o *order) editable() bool { return o.placed.IsZero() }

func errPlaced(pointer string) *problem {
	return invalid(pointer, "The order is placed: it can no longer be changed.")
}

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

// order finds the order of that id, if somebody sees it, else nil; s.mu is held.
func (s *shop) order(who access, id string) *order {
	i := slices.IndexFunc(s.orders, func(o *order) bool { return o.id == id && who.sees(o) })
	if i < 0 {
		return nil
	}
	return s.orders[i]
}

func (s *shop) listOrders(who access) []resource {
	return s.ordersThat(who, func(*order) bool { return true })
}

// ordersThat returns those orders that somebody sees, oldest first.
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

// orderResource writes an order out; s.mu is held.
func (s *shop) orderResource(who access, o *order) resource {
	var total, count int64
	for _, item := range o.items {
		total += item.unit() * item.quantity
		count += item.quantity
	}
	status, payment := "draft", "unpaid"
	var placedAt any
	switch {
	case !o.editable():
		status, payment, placedAt = "placed", "authorized", timestamp(o.placed)
	case len(o.items) > 0:
		status = "pending"
	}
	currency := o.market.CurrencyCode
	a := attributes{
		"number": o.number, "status": status, "payment_status": payment, "fulfillment_status": "unfulfilled",
		"guest": o.customerID == "", "editable": o.editable(), "customer_email": nil, "language_code": "en",
		"currency_code": currency, "tax_included": true, "skus_count": count, "placed_at": placedAt, "coupon_code": nil,
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

// orderAttributes are those that a client may set, and whether each is a text.
var orderAttributes = map[string]bool{
	"customer_email": true, "language_code": true, "reference": true, "reference_origin": true, "metadata": false,
}

func (s *shop) createOrder(who access, in document) (resource, *problem) {
	o := &order{attributes: attributes{}}
	if wrong := in.setAttributes(o.attributes); wrong != nil {
		return resource{}, wrong
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
	if c := s.customer(o.customerID); c != nil {
		o.attributes["customer_email"] = c.Email
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders) >= maxOrders {
		return resource{}, invalid("/data", "This server holds 10000 orders at most: start it anew.")
	}
	s.add(o, time.Now())
	return s.orderResource(who, o), nil
}

// add numbers an order and takes it in; s.mu is held.
func (s *shop) add(o *order, at time.Time) {
	s.number++
	o.number = strconv.Itoa(10_000_000 + s.number)
	o.id = publicID("orders", o.number)
	o.created, o.updated = at, at
	s.orders = append(s.orders, o)
}

// setAttributes puts into an order's attributes what the document has of them;
// null takes one away.
func (d document) setAttributes(into attributes) *problem {
	for name, text := range orderAttributes {
		value, wrong := d.attribute(name, text)
		switch {
		case wrong != nil:
			return wrong
		case value != nil:
			into[name] = value
		case d.has(name):
			delete(into, name)
		}
	}
	return nil
}

func (s *shop) updateOrder(who access, id string, in document) (resource, *problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.order(who, id)
	switch {
	case o == nil:
		return resource{}, noSuchResource()
	case !o.editable():
		return resource{}, errPlaced("/data")
	}
	// A copy, since an error must leave the order as it was.
	changed := maps.Clone(o.attributes)
	if wrong := in.setAttributes(changed); wrong != nil {
		return resource{}, wrong
	}
	if c := s.customer(o.customerID); c != nil && in.has("customer_email") {
		if email, _ := changed["customer_email"].(string); !strings.EqualFold(email, c.Email) {
			return resource{}, invalid("/data/attributes/customer_email", "customer_email is that of the order's customer.")
		}
		changed["customer_email"] = c.Email
	}
	o.attributes = changed
	o.updated = time.Now()
	return s.orderResource(who, o), nil
}

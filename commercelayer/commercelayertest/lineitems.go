package commercelayertest

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// maxLineItems is of one order, and maxQuantity of one line item.
const (
	maxLineItems = 500
	maxQuantity  = 100_000
)

type lineItem struct {
	id               string
	order            *order
	sku              *SKU
	quantity         int64
	metadata         any
	created, updated time.Time
}

func (i *lineItem) unit() int64 { return i.sku.Prices[i.order.market.CurrencyCode] }

// add puts an SKU into the order. Items are counted on after one is removed, so
// that no id comes twice; the shop's lock is held.
func (o *order) add(sku *SKU, quantity int64, at time.Time) *lineItem {
	item := &lineItem{
		id: publicID("line_items", o.id+":"+strconv.Itoa(o.added)), order: o, sku: sku,
		quantity: quantity, created: at, updated: at,
	}
	o.added++
	o.items = append(o.items, item)
	o.updated = at
	return item
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
			ID: item.id, Type: "line_items", Attributes: s.common(a, item.created, item.updated),
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

// quantity reads the attribute of that name; zero if it is absent or null.
func (d document) quantity() (int64, *problem) {
	var quantity *int64
	raw, ok := d.Data.Attributes["quantity"]
	if !ok {
		return 0, nil
	}
	if json.Unmarshal(raw, &quantity) != nil || quantity != nil && (*quantity < 1 || *quantity > maxQuantity) {
		return 0, invalid("/data/attributes/quantity", "quantity is a whole number from 1 to 100000.")
	}
	if quantity == nil {
		return 0, nil
	}
	return *quantity, nil
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
	quantity, wrong := in.quantity()
	if wrong != nil {
		return resource{}, wrong
	}
	itemID := in.related("item", "skus")

	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.order(who, in.related("order", "orders"))
	switch {
	case o == nil:
		return resource{}, invalid("/data/relationships/order", "Relate the line item to an order that exists and is yours.")
	case !o.editable():
		return resource{}, errPlaced("/data/relationships/order")
	case len(o.items) >= maxLineItems:
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
	item := o.add(sku, max(1, quantity), time.Now())
	item.metadata = metadata
	items := s.itemResources(who, o)
	return items[len(items)-1], nil
}

func (s *shop) updateLineItem(who access, id string, in document) (resource, *problem) {
	metadata, wrong := in.attribute("metadata", false)
	if wrong != nil {
		return resource{}, wrong
	}
	quantity, wrong := in.quantity()
	if wrong != nil {
		return resource{}, wrong
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, i, wrong := s.editableItem(who, id)
	if wrong != nil {
		return resource{}, wrong
	}
	item := o.items[i]
	if quantity > 0 {
		item.quantity = quantity
	}
	if in.has("metadata") {
		item.metadata = metadata
	}
	item.updated = time.Now()
	o.updated = item.updated
	return s.itemResources(who, o)[i], nil
}

func (s *shop) removeLineItem(who access, id string) *problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, i, wrong := s.editableItem(who, id)
	if wrong != nil {
		return wrong
	}
	o.items = slices.Delete(o.items, i, i+1)
	o.updated = time.Now()
	return nil
}

// editableItem finds a line item that somebody may change: its order and its
// place there; s.mu is held.
func (s *shop) editableItem(who access, id string) (*order, int, *problem) {
	for _, o := range s.orders {
		i := slices.IndexFunc(o.items, func(item *lineItem) bool { return item.id == id })
		switch {
		case i < 0 || !who.sees(o):
			continue
		case !o.editable():
			return nil, 0, errPlaced("")
		}
		return o, i, nil
	}
	return nil, 0, noSuchResource()
}

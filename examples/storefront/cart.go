package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/bearerkit/bearer"
)

// cart is an order that is not placed yet.
type cart struct {
	id    string // empty: there is no order
	Lines []line
	Total string
	Count int
}

// line is an SKU in a cart, or in an order that was placed.
type line struct {
	ID, Code, Name string
	Quantity       int
	Unit, Total    string
	Art            art
}

// most is of one SKU in a cart.
const most = 999

// currentCart is the visitor's: a customer's last pending order, a guest's by the
// id in the cookie.
func (v *visit) currentCart() (*cart, error) {
	if v.cart != nil {
		return v.cart, nil
	}
	c := &cart{}
	var err error
	if v.customer() {
		c, err = v.market.customerCart(v.r.Context())
	} else if id := v.guestOrder(v.r, v.market); id != "" {
		c, err = v.market.order(v.r.Context(), v.market.client, id)
	}
	if err == nil {
		v.cart = c
	}
	return c, err
}

// customerCart is the last order of the customer in ctx that is not placed yet.
func (m *market) customerCart(ctx context.Context) (*cart, error) {
	doc, err := m.get(ctx, "/api/orders?filter[q][status_in]=draft,pending&sort=-created_at&page[size]=1&include=line_items")
	if err != nil {
		return nil, err
	}
	return cartOf(doc)
}

// order is the cart with that id. It is empty if there is no such order any more,
// or if it is placed.
func (m *market) order(ctx context.Context, client *http.Client, id string) (*cart, error) {
	doc, err := m.call(ctx, client, http.MethodGet, "/api/orders/"+url.PathEscape(id)+"?include=line_items", nil)
	if refusedWith(err, http.StatusNotFound) {
		return &cart{}, nil
	}
	if err != nil {
		return nil, err
	}
	return cartOf(doc)
}

func cartOf(doc document) (*cart, error) {
	c := &cart{}
	if len(doc.Data) == 0 {
		return c, nil
	}
	o, err := orderOf(doc, doc.Data[0])
	if err != nil || o.Status != "draft" && o.Status != "pending" {
		return c, err
	}
	c.id, c.Lines, c.Total = o.id, o.Lines, o.Total
	for _, l := range c.Lines {
		c.Count += l.Quantity
	}
	return c, nil
}

// showCart shows the cart.
func (v *visit) showCart() error {
	c, err := v.currentCart()
	if err != nil {
		return err
	}
	return v.render("cart", "Cart", c)
}

// addToCart takes the form of a product. The order is made with its first line
// item, so that visitors who only look leave no empty orders behind.
func (v *visit) addToCart() error {
	code := v.r.PostFormValue("sku")
	if code == "" || len(code) > 100 {
		return errBadForm
	}
	c, err := v.currentCart()
	if err != nil {
		return err
	}
	ctx := v.r.Context()
	if c.id == "" {
		if c.id, err = v.market.newOrder(ctx); err != nil {
			return err
		}
		if !v.customer() {
			v.cookies.set(v.w, v.orderCookie(v.market), c.id, orderLife)
		}
	}
	if err := v.market.add(ctx, c, code, 1); err != nil {
		return err
	}
	v.goTo(v.back(), "added")
	return nil
}

// newOrder makes an order for the visitor in ctx.
func (m *market) newOrder(ctx context.Context) (id string, err error) {
	doc, err := m.send(ctx, http.MethodPost, "/api/orders", &input{Type: "orders"})
	if err != nil {
		return "", err
	}
	if len(doc.Data) != 1 || !isID(doc.Data[0].ID) {
		return "", errUnreadable
	}
	return doc.Data[0].ID, nil
}

// add puts so many of an SKU into a cart, for the visitor in ctx.
func (m *market) add(ctx context.Context, c *cart, code string, quantity int) error {
	for _, l := range c.Lines {
		if l.Code == code {
			return m.setQuantity(ctx, l.ID, l.Quantity+quantity)
		}
	}
	_, err := m.send(ctx, http.MethodPost, "/api/line_items", &input{
		Type:          "line_items",
		Attributes:    map[string]any{"sku_code": code, "quantity": min(quantity, most)},
		Relationships: map[string]toOne{"order": {reference{ID: c.id, Type: "orders"}}},
	})
	return err
}

func (m *market) setQuantity(ctx context.Context, lineID string, quantity int) error {
	_, err := m.send(ctx, http.MethodPatch, "/api/line_items/"+url.PathEscape(lineID), &input{
		ID: lineID, Type: "line_items", Attributes: map[string]any{"quantity": min(quantity, most)},
	})
	return err
}

// changeCart takes the form of a line in the cart. The line must be in the
// visitor's own: with the guests' token any guest's could be changed.
func (v *visit) changeCart() error {
	quantity, err := strconv.Atoi(v.r.PostFormValue("quantity"))
	if v.r.PostFormValue("remove") != "" {
		quantity, err = 0, nil
	}
	if err != nil || quantity < 0 || quantity > most {
		return errBadForm
	}
	c, err := v.currentCart()
	if err != nil {
		return err
	}
	for _, l := range c.Lines {
		if l.ID != v.r.PathValue("item") {
			continue
		}
		if quantity > 0 {
			err = v.market.setQuantity(v.r.Context(), l.ID, quantity)
		} else {
			_, err = v.market.send(v.r.Context(), http.MethodDelete, "/api/line_items/"+url.PathEscape(l.ID), nil)
		}
		if err == nil {
			v.goTo(v.market.Path+"/cart", "changed")
		}
		return err
	}
	v.goTo(v.market.Path+"/cart", "gone")
	return nil
}

// luggage is what a guest takes along when signing in: an order of each market,
// and what has become of it.
type luggage struct {
	orders map[*market]string
	kept   map[*market]bool
}

type luggageKey struct{}

// withLuggage packs the guest's orders for keepCart.
func (v *visit) withLuggage() *luggage {
	l := &luggage{orders: map[*market]string{}, kept: map[*market]bool{}}
	for _, m := range v.markets {
		if id := v.guestOrder(v.r, m); id != "" {
			l.orders[m] = id
		}
	}
	v.r = v.r.WithContext(context.WithValue(v.r.Context(), luggageKey{}, l))
	return l
}

// keepCart is called when a guest has signed in to the market: it reads the
// guest's order as a guest, since the customer cannot see it, and puts what is in
// it into the customer's cart as the customer, whom ctx speaks for.
func (s *shop) keepCart(m *market) func(ctx context.Context, guest, customer *bearer.Authorization) {
	return func(ctx context.Context, _, _ *bearer.Authorization) {
		l, _ := ctx.Value(luggageKey{}).(*luggage)
		if l == nil || l.orders[m] == "" {
			return
		}
		if err := m.moveCart(ctx, l.orders[m]); err != nil {
			s.log.WarnContext(ctx, "a guest's cart was not kept", "market", m.Name, "error", err)
			return
		}
		l.kept[m] = true
	}
}

func (m *market) moveCart(ctx context.Context, guestOrder string) error {
	from, err := m.order(ctx, m.guests, guestOrder)
	if err != nil || len(from.Lines) == 0 {
		return err
	}
	to, err := m.customerCart(ctx)
	if err != nil {
		return err
	}
	if to.id == "" {
		if to.id, err = m.newOrder(ctx); err != nil {
			return err
		}
	}
	for _, l := range from.Lines {
		if err := m.add(ctx, to, l.Code, l.Quantity); err != nil {
			return err
		}
	}
	return nil
}

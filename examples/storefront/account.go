package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type signInPage struct {
	Email, Wrong, Next string
	Ready              []ready // customers who can sign in to the local service
}

type ready struct{ Email, Password string }

func (v *visit) signInPage() signInPage {
	var p signInPage
	for _, c := range v.customers {
		p.Ready = append(p.Ready, ready{c.Email, c.Password})
	}
	return p
}

// showSignIn shows the form. It needs no token, and none is asked for.
func (v *visit) showSignIn() error {
	next := v.ownPage(v.r.FormValue("next"), v.market.Path+"/")
	if v.customer() {
		v.goTo(next, "")
		return nil
	}
	p := v.signInPage()
	p.Next = next
	return v.render("sign-in", "Sign in", p)
}

// toSignIn sends a guest to the form, and from there back here.
func (v *visit) toSignIn() error {
	code := "sign-in-first"
	if v.notice != nil {
		code = v.notice.Code
	}
	if old := v.cookies.get(v.r, "notice"); notices[old] != nil {
		code = old
	}
	v.goTo(v.market.Path+"/sign-in?next="+url.QueryEscape(v.r.URL.RequestURI()), code)
	return nil
}

// takeSignIn takes the form.
func (v *visit) takeSignIn() error {
	email, password := strings.TrimSpace(v.r.PostFormValue("email")), v.r.PostFormValue("password")
	p := v.signInPage()
	p.Email = email
	p.Next = v.ownPage(v.r.PostFormValue("next"), v.market.Path+"/")
	if email == "" || password == "" {
		p.Wrong = "Enter your email address and your password."
		return v.renderStatus(http.StatusUnprocessableEntity, "sign-in", "Sign in", p)
	}
	luggage := v.withLuggage()
	everywhere, err := v.signIn(email, password)
	if wrongPassword(err) {
		p.Wrong = "The email address or the password is wrong."
		return v.renderStatus(http.StatusUnprocessableEntity, "sign-in", "Sign in", p)
	}
	if err != nil {
		return err
	}
	code := "signed-in"
	for m := range luggage.orders {
		if !luggage.kept[m] {
			code = "cart-left"
			continue
		}
		v.cookies.drop(v.w, v.orderCookie(m))
		if code == "signed-in" {
			code = "cart-kept"
		}
	}
	if !everywhere {
		code = "one-market"
	}
	v.goTo(p.Next, code)
	return nil
}

// takeSignOut makes the visitor a guest.
func (v *visit) takeSignOut() error {
	code := "signed-out"
	if err := v.signOut(); err != nil {
		v.log.WarnContext(v.r.Context(), "signed out with an error", "error", err)
		code = "signed-out-here"
	}
	v.goTo(v.market.Path+"/", code)
	return nil
}

// placedOrder is an order as the account page shows it.
type placedOrder struct {
	id             string
	Number, Status string
	Placed         string
	Lines          []line
	Total          string
}

func orderOf(doc document, r resource) (placedOrder, error) {
	a, err := attributes[struct {
		Number   json.RawMessage // a text; older orders have numbers
		Status   string
		PlacedAt time.Time `json:"placed_at"`
		Total    string    `json:"formatted_total_amount"`
	}](r)
	o := placedOrder{id: r.ID, Number: strings.Trim(string(a.Number), `"`), Status: a.Status, Total: a.Total}
	if err != nil {
		return o, err
	}
	if !a.PlacedAt.IsZero() {
		o.Placed = a.PlacedAt.Format("2 January 2006")
	}
	for _, item := range doc.included(r, "line_items") {
		a, err := attributes[struct {
			Code     string `json:"sku_code"`
			Name     string
			Kind     string `json:"item_type"`
			Quantity int
			Unit     string `json:"formatted_unit_amount"`
			Total    string `json:"formatted_total_amount"`
		}](item)
		if err != nil {
			return o, err
		}
		if a.Kind != "skus" { // shipping, payment and the like
			continue
		}
		o.Lines = append(o.Lines, line{
			ID: item.ID, Code: a.Code, Name: a.Name, Quantity: a.Quantity, Unit: a.Unit, Total: a.Total, Art: artOf(a.Code),
		})
	}
	return o, nil
}

type address struct {
	Name    string
	Company string `json:"company"`
	First   string `json:"first_name"`
	Last    string `json:"last_name"`
	Line1   string `json:"line_1"`
	Line2   string `json:"line_2"`
	Zip     string `json:"zip_code"`
	City    string
	State   string `json:"state_code"`
	Country string `json:"country_code"`
	Phone   string
}

type accountPage struct {
	Orders    []placedOrder
	Addresses []address
}

// account shows the customer's orders and addresses. Only customers get here, and
// the API shows them their own.
func (v *visit) account() error {
	ctx := v.r.Context()
	var page accountPage
	orders, err := v.market.get(ctx, "/api/orders?filter[q][status_in]=placed,approved,cancelled&sort=-placed_at&page[size]=10&include=line_items")
	if err != nil {
		return err
	}
	for _, r := range orders.Data {
		o, err := orderOf(orders, r)
		if err != nil {
			return err
		}
		page.Orders = append(page.Orders, o)
	}
	book, err := v.market.get(ctx, "/api/customer_addresses?page[size]=10&include=address")
	if err != nil {
		return err
	}
	for _, entry := range book.Data {
		for _, r := range book.included(entry, "address") {
			a, err := attributes[address](r)
			if err != nil {
				return err
			}
			page.Addresses = append(page.Addresses, a)
		}
	}
	if _, err := v.currentCart(); err != nil {
		return err
	}
	return v.render("account", "Your account", page)
}

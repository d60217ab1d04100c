package main

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// cookies are the shop's own: which order is the guest's cart, what to tell on the
// next page, which feed of the panel is this browser's. None of them says who the
// visitor is; that is the session's.
type cookies struct {
	insecure bool // for plain http on other hosts than localhost
}

func (c cookies) name(name string) string {
	if c.insecure {
		return name
	}
	return "__Host-" + name
}

// set sets a cookie for so long, or until the browser is closed.
func (c cookies) set(w http.ResponseWriter, name, value string, life time.Duration) {
	c.send(w, name, value, int(life/time.Second))
}

func (c cookies) drop(w http.ResponseWriter, name string) { c.send(w, name, "", -1) }

func (c cookies) send(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: c.name(name), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: !c.insecure, SameSite: http.SameSiteLaxMode,
	})
}

// get returns the value of a cookie; nothing if there is none, or more than one.
func (c cookies) get(r *http.Request, name string) string {
	found := r.CookiesNamed(c.name(name))
	if len(found) != 1 {
		return ""
	}
	return found[0].Value
}

// orderCookie is what the id of a guest's order is kept under: client and scope,
// since another one of either means another order.
func (s *shop) orderCookie(m *market) string {
	return "cl-order-" + url.QueryEscape(s.clientID+"-"+m.Scope)
}

// guestOrder is the id of the guest's order, if there is one. All guests share a
// token, with which any of them could read and change any guest's order: the id is
// the secret that keeps them apart. So it is taken from this cookie alone, never
// from a form or an address, and is shown nowhere.
func (s *shop) guestOrder(r *http.Request, m *market) string {
	id := s.cookies.get(r, s.orderCookie(m))
	if !isID(id) {
		return ""
	}
	return id
}

// isID reports whether a text can be a resource's id, and so cannot lead to
// another address of the API.
func isID(s string) bool {
	return s != "" && len(s) <= 64 &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// ownPage returns an address that came with a request if it is a page of this
// shop, else the other one: a link that sends people elsewhere after they have
// signed in here would be a gift to phishers.
func (s *shop) ownPage(address, otherwise string) string {
	for _, m := range s.markets {
		if rest, ok := strings.CutPrefix(address, m.Path+"/"); ok && len(address) < 1000 {
			// What would be read differently by a browser, or end the header.
			if !strings.ContainsFunc(rest, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }) {
				return address
			}
		}
	}
	return otherwise
}

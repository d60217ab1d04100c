package commercelayer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/sealed"
)

// A shop that keeps customers in their browsers, in each of the two ways.
func TestShopWithACarrier(t *testing.T) {
	keys, err := sealed.NewKeys(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, carrier := range map[string]bearer.Carrier{
		"sealed cookie": sealed.NewCookie(keys, nil),
		"js-auth's":     commercelayer.NewJSAuthCookie(nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				c := newSalesChannel(t, optionsFor(s))
				shop := open(t, c.Middleware(&bearer.MiddlewareOptions{Carrier: carrier}))
				ada, other := shop.shopper(), shop.shopper()
				ada.login(t, c)
				ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
				other.is(t, c, guest, bearer.StateGuest)
				if got := ada.held(); len(got) != 1 {
					t.Errorf("the browser holds %d cookies, want 1", len(got))
				}

				before := s.Counts().RefreshToken
				first := ada.held()[0].Value
				pass(4 * time.Hour) // the token has expired
				ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
				if got := s.Counts().RefreshToken - before; got != 1 || ada.held()[0].Value == first {
					t.Errorf("%d refreshes, and the cookie is the same: %v, want 1 and another one", got, ada.held()[0].Value == first)
				}

				// What the visitor changes makes a guest, not an error.
				kept := *ada.held()[0]
				ada.hold(kept.Name, kept.Value[:len(kept.Value)/2])
				ada.is(t, c, guest, bearer.StateGuest)
				ada.hold(kept.Name, kept.Value)
				ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)

				ada.do(t, func(ctx context.Context) {
					if err := c.LogoutCustomer(ctx); err != nil {
						t.Errorf("LogoutCustomer: %v", err)
					}
				})
				ada.is(t, c, guest, bearer.StateGuest)
				if got := ada.held(); len(got) != 0 {
					t.Errorf("after the logout the browser holds %d cookies", len(got))
				}
			})
		})
	}
}

// A customer whom js-auth has signed in within the browser is one here.
func TestShopSharesJSAuthsCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		shop := open(t, c.Middleware(&bearer.MiddlewareOptions{Carrier: commercelayer.NewJSAuthCookie(nil)}))
		o := *optionsFor(s)
		o.Scope = commercelayertest.MarketScope
		credentials, err := commercelayer.NewCredentials(commercelayertest.SalesChannelID, "", &o)
		if err != nil {
			t.Fatal(err)
		}
		token, err := credentials.Password(t.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword, nil)
		if err != nil {
			t.Fatal(err)
		}
		record, err := json.Marshal(map[string]string{"accessToken": token.AccessToken, "scope": commercelayertest.MarketScope, "refreshToken": token.RefreshToken})
		if err != nil {
			t.Fatal(err)
		}
		ada := shop.shopper()
		ada.header.Set("Cookie", url.PathEscape("cl_customer-"+commercelayertest.SalesChannelID+"-"+commercelayertest.MarketScope)+"="+asBrowser(string(record)))
		ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
	})
}

// Cookies that strangers make up cost few token requests: what is no customer's token
// none, and what says to be one no more than are refused.
func TestShopBoundsMadeUpCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		shop := open(t, c.Middleware(&bearer.MiddlewareOptions{Carrier: commercelayer.NewJSAuthCookie(nil)}))
		name := url.PathEscape("cl_customer-" + commercelayertest.SalesChannelID + "-" + commercelayertest.MarketScope)
		for _, tt := range []struct {
			token string
			most  int
		}{
			{"made-up", 0},
			{rawJWT(`{"exp":1}`), 0},
			{rawJWT(`{"exp":1,"owner":{"type":"User","id":"x"}}`), 0},
			{rawJWT(`{"exp":1,"owner":{"type":"Customer","id":"x"},"application":{"kind":"sales_channel"}}`), 15},
		} {
			before := s.Counts().RefreshToken
			for i := range 50 {
				stranger := shop.shopper()
				stranger.header.Set("Cookie", name+"="+asBrowser(fmt.Sprintf(`{"accessToken":"%s","refreshToken":"r%d"}`, tt.token, i)))
				stranger.do(t, func(context.Context) {})
			}
			got := s.Counts().RefreshToken - before
			if got > tt.most || tt.most > 0 && got == 0 {
				t.Errorf("50 cookies with the token %s made %d requests, want at most %d", tt.token, got, tt.most)
			}
		}
	})
}

// held is what the shop has put into the browser.
func (b *shopper) held() []*http.Cookie {
	return b.jar.Cookies(&url.URL{Scheme: "https", Host: "shop.example", Path: "/"})
}

// hold changes a cookie of the browser's.
func (b *shopper) hold(name, value string) {
	b.jar.SetCookies(&url.URL{Scheme: "https", Host: "shop.example", Path: "/"}, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

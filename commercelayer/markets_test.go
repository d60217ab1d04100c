package commercelayer_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/memstore"
)

// twoMarkets is a shop that sells in two markets; X-Market of a request says in
// which it is.
func twoMarkets(t *testing.T, s *commercelayertest.Server) (shop *shop, europe, usa *commercelayer.SalesChannel) {
	t.Helper()
	o := optionsFor(s)
	o.Customers = memstore.New(nil)
	europe = newSalesChannel(t, o)
	usa, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.OtherMarketScope, o)
	if err != nil {
		t.Fatal(err)
	}
	shop = open(t, europe.Middleware(&bearer.MiddlewareOptions{
		Storefronts: []*bearer.Storefront{usa.Storefront()},
		Pick: func(r *http.Request) *bearer.Storefront {
			if r.Header.Get("X-Market") == "usa" {
				return usa.Storefront()
			}
			return nil
		},
	}))
	return shop, europe, usa
}

// in is the browser in another market.
func (b *shopper) in(market string) *shopper {
	return &shopper{b.shop, b.jar, http.Header{"X-Market": {market}}}
}

func TestTwoMarkets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		shop, europe, usa := twoMarkets(t, s)
		b := shop.shopper()
		other := shop.shopper()
		b.is(t, europe, guest, bearer.StateGuest)
		b.in("usa").is(t, usa, guest, bearer.StateGuest)
		b.login(t, europe)
		first := b.sessionID()
		b.is(t, europe, commercelayertest.CustomerID, bearer.StateCustomer)
		b.in("usa").is(t, usa, guest, bearer.StateGuest)
		b.in("usa").login(t, usa)
		if got := b.sessionID(); got == first || got == "" {
			t.Error("the second login kept the session's id")
		}
		for range 3 { // one session, also after each has been refreshed
			b.is(t, europe, commercelayertest.CustomerID, bearer.StateCustomer)
			b.in("usa").is(t, usa, commercelayertest.CustomerID, bearer.StateCustomer)
			other.is(t, europe, guest, bearer.StateGuest)
			other.in("usa").is(t, usa, guest, bearer.StateGuest)
			pass(5 * time.Hour)
		}
		if got := s.Counts(); got.RefreshToken != 4 || got.RefreshReused != 0 || got.BadRequests != 0 {
			t.Errorf("%d refreshes and %d bad requests, want 4 with the scope of each", got.RefreshToken, got.BadRequests)
		}
		tokens := []bearer.Token{b.tokens(t, europe), b.in("usa").tokens(t, usa)}
		s.ResetCounts()
		b.logout(t, europe)
		b.is(t, europe, guest, bearer.StateGuest)
		b.in("usa").is(t, usa, guest, bearer.StateGuest)
		if got := s.Counts(); got.Revoked != 4 {
			t.Errorf("%d tokens revoked, want those of both markets, 4", got.Revoked)
		}
		for _, token := range tokens {
			if s.Revoke(token.AccessToken) || s.Revoke(token.RefreshToken) {
				t.Error("a token is still alive")
			}
		}
	})
}

// A token of one market shows nothing of the other.
func TestMarketsScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		shop, europe, usa := twoMarkets(t, s)
		b := shop.shopper()
		market := func(b *shopper, c *commercelayer.SalesChannel) (id string) {
			b.do(t, func(ctx context.Context) {
				if status, ids, err := ask(ctx, c.Client(), "markets"); status != 200 || len(ids) != 1 {
					t.Errorf("the API answers %d with %d markets, %v, want one", status, len(ids), err)
				} else {
					id = ids[0]
				}
			})
			return id
		}
		guestsEU, guestsUS := market(b, europe), market(b.in("usa"), usa)
		b.login(t, europe)
		b.in("usa").login(t, usa)
		if eu, us := market(b, europe), market(b.in("usa"), usa); eu == us || eu != guestsEU || us != guestsUS {
			t.Errorf("customers see the markets %s and %s, guests %s and %s", eu, us, guestsEU, guestsUS)
		}
	})
}

// What a handler does in a market that is not the request's it has to say.
func TestTheOtherMarket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		shop, europe, usa := twoMarkets(t, s)
		b := shop.shopper()
		b.do(t, func(ctx context.Context) {
			if status, _, err := ask(ctx, usa.Client(), "skus"); err == nil || !strings.Contains(err.Error(), "another Storefront") {
				t.Errorf("with the session of Europe: %d, %v, want an error", status, err)
			}
			if err := usa.Login(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
				t.Error(err)
			}
			if a, err := usa.GetAuthorization(ctx); err != nil || a.Owner.ID != commercelayertest.CustomerID || a.Scope != commercelayertest.OtherMarketScope {
				t.Errorf("GetAuthorization = %v, %v", a, err)
			}
			if a, err := europe.GetAuthorization(ctx); err != nil || a.Origin != bearer.OriginGuest {
				t.Errorf("GetAuthorization of Europe = %v, %v", a, err)
			}
			session, _ := bearer.FromContext(ctx)
			session, err := session.For(usa.Storefront())
			if err != nil {
				t.Error(err)
				return
			}
			if got := whoIs(bearer.NewContext(ctx, session), usa); got != commercelayertest.CustomerID {
				t.Errorf("with the session of the USA the visitor is %s", got)
			}
		})
		b.is(t, europe, guest, bearer.StateGuest)
		b.in("usa").is(t, usa, commercelayertest.CustomerID, bearer.StateCustomer)
		b.do(t, func(ctx context.Context) {
			if err := europe.RemoveAuthorization(ctx); err != nil {
				t.Error(err)
			}
		})
		b.in("usa").is(t, usa, guest, bearer.StateGuest)
	})
}

// A sales channel that the middleware does not serve is a mistake to be told.
func TestAStrangersSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		b := openChannel(t, newSalesChannel(t, optionsFor(s))).shopper()
		stranger := newSalesChannel(t, optionsFor(s))
		b.do(t, func(ctx context.Context) {
			for name, f := range map[string]func() error{
				"Login": func() error {
					return stranger.Login(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword)
				},
				"SetCustomer":         func() error { return stranger.SetCustomer(ctx, &bearer.Token{AccessToken: "token"}) },
				"LogoutCustomer":      func() error { return stranger.LogoutCustomer(ctx) },
				"GetAuthorization":    func() error { _, err := stranger.GetAuthorization(ctx); return err },
				"RemoveAuthorization": func() error { return stranger.RemoveAuthorization(ctx) },
				"TokenContext":        func() error { _, err := stranger.TokenContext(ctx); return err },
			} {
				if err := f(); err == nil || !strings.Contains(err.Error(), "Storefront") {
					t.Errorf("%s: error = %v, want one about the Storefront", name, err)
				}
			}
		})
		if got := s.Counts().TokenRequests; got != 0 {
			t.Errorf("%d token requests", got)
		}
	})
}

// Two sales channels with one client, scope and storage would share customers.
func TestTheSameMarketTwice(t *testing.T) {
	defer func() {
		if p := recover(); p == nil {
			t.Error("no panic")
		}
	}()
	o := &commercelayer.Options{Customers: memstore.New(nil)}
	one, two := newSalesChannel(t, o), newSalesChannel(t, o)
	one.Middleware(&bearer.MiddlewareOptions{Storefronts: []*bearer.Storefront{two.Storefront()}})
}

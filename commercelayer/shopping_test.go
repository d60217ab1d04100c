package commercelayer_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/sealed"
)

// Nobody waits for a token, and none is asked for in vain.
func TestADayOfShopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		shop := openChannel(t, c)
		ada := shop.shopper()
		shop.shopper().is(t, c, guest, bearer.StateGuest)
		ada.login(t, c)
		s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Delay: 200 * time.Millisecond})
		for minute := range 24 * 60 {
			start := time.Now()
			ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
			if minute%5 == 0 {
				shop.shopper().is(t, c, guest, bearer.StateGuest)
			}
			if took := time.Since(start); took > 0 {
				t.Fatalf("in minute %d the requests took %v", minute, took)
			}
			pass(time.Minute)
		}
		got := s.Counts()
		// A token of 4 hours lives for 3:46 to 3:50, plus the time to the next request.
		if got.RefreshToken != 6 || got.ClientCredentials != 7 || got.Password != 1 {
			t.Errorf("%d refreshes and %d tokens for guests, want 6 and 7", got.RefreshToken, got.ClientCredentials)
		}
		if got.SameAgain != 0 || got.APIInvalidToken != 0 || got.RefreshReused != 0 || got.TokenRequests != got.Issued {
			t.Errorf("%d tokens given again, %d refused by the API, %d refresh tokens used twice", got.SameAgain, got.APIInvalidToken, got.RefreshReused)
		}
	})
}

// A customer who comes back within two weeks of the last visit is known.
func TestReturningCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		b := openChannel(t, c).shopper()
		b.login(t, c)
		for range 5 {
			pass(13 * 24 * time.Hour)
			b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
		}
		if got := s.Counts(); got.RefreshToken != 5 || got.APIInvalidToken != 0 {
			t.Errorf("%d refreshes, want 5", got.RefreshToken)
		}
		pass(15 * 24 * time.Hour)
		b.is(t, c, guest, bearer.StateGuest)
	})
}

// While tokens are taken away under the shoppers' feet, none of 50 calls at a time
// fails, and each token is replaced once, wherever customers are kept.
func TestUnderTheShoppersFeet(t *testing.T) {
	keys, err := sealed.NewKeys(sealed.GenerateKey())
	if err != nil {
		t.Fatal(err)
	}
	homes := map[string]bearer.Carrier{"storage": nil, "sealed cookie": sealed.NewCookie(keys, nil), "js-auth's cookie": commercelayer.NewJSAuthCookie(nil)}
	tests := []struct {
		name             string
		does             func(*commercelayertest.Server, bearer.Token)
		refreshes, guest int
	}{
		{"customer's token revoked", func(s *commercelayertest.Server, t bearer.Token) { s.Revoke(t.AccessToken) }, 1, 0},
		{"all tokens expired", func(s *commercelayertest.Server, _ bearer.Token) { s.ExpireAll() }, 1, 1},
		{"signing key replaced", func(s *commercelayertest.Server, _ bearer.Token) {
			s.RollKeys(&commercelayertest.RollKeysOptions{DropOld: true})
		}, 1, 1},
		{"after four hours", func(*commercelayertest.Server, bearer.Token) { pass(3 * time.Hour) }, 1, 1},
	}
	for home, carrier := range homes {
		for _, tt := range tests {
			t.Run(tt.name+", "+home, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := local(t, nil)
					c := newSalesChannel(t, optionsFor(s))
					shop := open(t, c.Middleware(&bearer.MiddlewareOptions{Carrier: carrier}))
					ada, visitor := shop.shopper(), shop.shopper()
					ada.login(t, c)
					visitor.is(t, c, guest, bearer.StateGuest)
					pass(time.Hour)
					for round := range 2 { // the second shows that the rotation is intact
						s.ResetCounts()
						tt.does(s, ada.tokens(t, c))
						var all sync.WaitGroup
						for range 25 {
							all.Go(func() { ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer) })
							all.Go(func() { visitor.is(t, c, guest, bearer.StateGuest) })
						}
						all.Wait()
						synctest.Wait()
						if got := s.Counts(); got.RefreshToken != tt.refreshes || got.ClientCredentials != tt.guest || got.RefreshReused != 0 {
							t.Errorf("round %d: %d refreshes and %d tokens for guests, want %d and %d", round, got.RefreshToken, got.ClientCredentials, tt.refreshes, tt.guest)
						}
						pass(time.Hour)
					}
				})
			})
		}
	}
}

// Without a refresh token that works the customer's time is over, the guests' is
// not.
func TestAllRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		shop := openChannel(t, c)
		ada, visitor := shop.shopper(), shop.shopper()
		ada.login(t, c)
		visitor.is(t, c, guest, bearer.StateGuest)
		pass(time.Hour)
		s.ResetCounts()
		s.RevokeAll()
		visitor.is(t, c, guest, bearer.StateGuest)
		expiresOnce(t, c, ada)
		if got := s.Counts(); got.RefreshToken != 1 || got.ClientCredentials != 1 {
			t.Errorf("%d refreshes and %d tokens for guests, want 1 and 1", got.RefreshToken, got.ClientCredentials)
		}
		ada.login(t, c)
		ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
	})
}

// While the token endpoint fails, tokens serve to their end; then there are
// errors, and never does a customer become a guest. Once it works again, so does
// all else.
func TestTokenEndpointDown(t *testing.T) {
	faults := map[string]commercelayertest.Fault{
		"503":        {Status: 503},
		"429":        {Status: 429, RetryAfter: time.Minute},
		"unknown":    {Status: 401}, // as if the application had been deleted
		"no answer":  {Drop: commercelayertest.DropBefore},
		"slow":       {Delay: time.Hour},
		"gibberish":  {Body: `{"access_token":5}`},
		"empty body": {Body: `{}`},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				c := newSalesChannel(t, optionsFor(s))
				b := openChannel(t, c).shopper()
				b.login(t, c)
				fault.Endpoint = commercelayertest.TokenEndpoint
				s.Inject(fault)
				pass(3*time.Hour + 55*time.Minute)
				for range 4 { // in the background it fails
					start := time.Now()
					b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
					if took := time.Since(start); took > 0 {
						t.Errorf("the request took %v", took)
					}
					pass(time.Minute)
				}
				pass(time.Minute)
				s.ResetCounts()
				for range 60 {
					b.do(t, func(ctx context.Context) {
						status, _, err := ask(ctx, c.Client(), "skus")
						if _, ok := errors.AsType[*bearer.TokenError](err); !ok {
							t.Errorf("%d, %v, want a TokenError", status, err)
						}
						if got := stateOf(ctx); got != "customer" {
							t.Errorf("State = %s, want customer", got)
						}
					})
					pass(time.Second)
				}
				synctest.Wait()
				if got := s.Counts(); got.APIRequests != 0 || got.TokenRequests > 60 || got.ClientCredentials != 0 {
					t.Errorf("%d requests reached the API, %d the token endpoint, %d for guests", got.APIRequests, got.TokenRequests, got.ClientCredentials)
				}
				s.ClearFaults()
				pass(70 * time.Second)
				b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
			})
		})
	}
}

// A refresh whose answer is lost has spent the refresh token, and what it brought
// nobody knows: the customer is served while the old token lives, and then has to
// sign in again. Nothing fails twice for it.
func TestRefreshAnswerLost(t *testing.T) {
	t.Run("while the old token serves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			c := newSalesChannel(t, optionsFor(s))
			b := openChannel(t, c).shopper()
			b.login(t, c)
			s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Drop: commercelayertest.DropAfter, Times: 1})
			pass(3*time.Hour + 51*time.Minute)
			for range 8 {
				b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
				synctest.Wait()
				pass(time.Minute)
			}
			if got := s.Counts().RefreshToken; got != 1 {
				t.Errorf("%d refreshes, want 1", got)
			}
			pass(time.Minute)
			expires(t, b)
			b.is(t, c, guest, bearer.StateGuest)
			if got := s.Counts().RefreshToken; got != 2 {
				t.Errorf("%d refreshes, want 2", got)
			}
			b.login(t, c)
			b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
		})
	})
	t.Run("when it has expired", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			c := newSalesChannel(t, optionsFor(s))
			b := openChannel(t, c).shopper()
			b.login(t, c)
			s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Drop: commercelayertest.DropAfter, Times: 1})
			pass(5 * time.Hour)
			b.do(t, func(ctx context.Context) {
				status, _, err := ask(ctx, c.Client(), "customers")
				if _, ok := errors.AsType[*bearer.TokenError](err); !ok {
					t.Errorf("%d, %v, want a TokenError", status, err)
				}
			})
			pass(time.Minute)
			expires(t, b)
			b.is(t, c, guest, bearer.StateGuest)
		})
	})
}

// expires has the customer's end show in State alone.
func expires(t *testing.T, b *shopper) {
	t.Helper()
	b.do(t, func(ctx context.Context) {
		if got := stateOf(ctx); got != "customer expired" {
			t.Errorf("State = %s, want customer expired", got)
		}
	})
}

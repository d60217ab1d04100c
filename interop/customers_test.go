package interop_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

const customer = "customer " + ada

// wantGoCustomer checks whom our side speaks for, and with which token.
func wantGoCustomer(t *testing.T, c *commercelayer.SingleCustomer, token string) {
	t.Helper()
	a, err := c.GetAuthorization(t.Context())
	if err != nil || a.Owner.ID != ada || a.Token.AccessToken != token {
		t.Errorf("we speak for %v with the wanted token: %v (%v)", a, err == nil && a.Token.AccessToken == token, err)
	}
}

func noCustomer(t *testing.T, c *commercelayer.SingleCustomer) bool {
	t.Helper()
	_, err := c.Token()
	if err != nil && !errors.Is(err, bearer.ErrNoCustomer) {
		t.Fatal(err)
	}
	return err != nil
}

// Signed in by either, the customer is signed in for both.
func TestCustomerOfBoth(t *testing.T) {
	w := newWorld(t)
	for name, remember := range map[string]bool{"with a refresh token": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.redis.Do("FLUSHALL")
			a := w.login("shop", remember)
			w.service.ResetCounts()
			value := record(a.AccessToken, market, a.RefreshToken)
			w.wantValue(customerKey, value)
			w.wantLife(customerKey, 0)
			us := w.goCustomer()
			wantGoCustomer(t, us, a.AccessToken)
			if tok, err := us.Token(); err != nil || tok.RefreshToken != a.RefreshToken {
				t.Errorf("we do not have the refresh token (%v)", err)
			}
			w.wantValue(customerKey, value)
			w.wantLife(customerKey, 0)

			w.redis.Do("FLUSHALL")
			us = w.goCustomer()
			if err := us.SetCustomer(t.Context(), &bearer.Token{AccessToken: a.AccessToken, RefreshToken: a.RefreshToken}); err != nil {
				t.Fatal(err)
			}
			w.wantValue(customerKey, value) // byte for byte
			life := 14 * 24 * time.Hour
			if !remember {
				life = 28 * time.Hour // the token's, and a day to tell that it has expired
			}
			w.wantLife(customerKey, life)
			if got := w.has("shop", customer, a.AccessToken); got.RefreshToken != a.RefreshToken || got.Scope != market {
				t.Errorf("js-auth has another refresh token, or scope %q", got.Scope)
			}
			w.wantRequests(asked(0))
		})
	}
	t.Run("by a password", func(t *testing.T) {
		w.t = t
		w.redis.Do("FLUSHALL")
		us := w.goCustomer()
		if err := us.Login(t.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
			t.Fatal(err)
		}
		w.has("shop", customer, token(t, us))
		// The guests' tokens have a key of their own.
		w.wantValue(guestKey(market), "")
		token(t, w.goChannel(market))
		w.has("shop", customer, token(t, us))
	})
}

// What JSON may escape is written as js-auth writes it.
func TestBytesOfBoth(t *testing.T) {
	w := newWorld(t)
	i := w.issue(channelID, market, ada, time.Hour)
	for _, test := range []struct{ scope, refresh string }{
		{market + " store:code:milan", i.RefreshToken},
		{"market:code:<a>&b'", "<&>'=+"},
		{`market:code:"%`, `"quoted"`},
		{market, "ünï 日本 \U0001f600"},
	} {
		t.Run(test.scope, func(t *testing.T) {
			w.t = t
			key := "cl_customer-" + channelID + "-" + test.scope
			w.channel(test.scope, "redis", test.scope)
			w.call(test.scope, "setCustomer", fields{"accessToken": i.AccessToken, "scope": test.scope, "refreshToken": test.refresh})
			want := w.redis.Do("GET", key)
			w.redis.Do("DEL", key)
			us, err := commercelayer.NewSingleCustomer(channelID, test.scope, w.options())
			if err != nil {
				t.Fatal(err)
			}
			if err := us.SetCustomer(t.Context(), &bearer.Token{AccessToken: i.AccessToken, RefreshToken: test.refresh}); err != nil {
				t.Fatal(err)
			}
			w.wantValue(key, want)
			w.has(test.scope, customer, i.AccessToken)
		})
	}
}

// Signed out by either, the customer is signed out for both.
func TestSignedOutByEither(t *testing.T) {
	w := newWorld(t)
	w.storage("layers", fields{"layers": []string{"before"}}) // memory in front
	w.channel("layered", "layers", market)
	for name, signOut := range map[string]func(a authorization, us *commercelayer.SingleCustomer){
		"js-auth logs out": func(a authorization, _ *commercelayer.SingleCustomer) {
			w.call("shop", "logoutCustomer")
			w.wantValue(customerKey, "")
			w.wantRequests(commercelayertest.Counts{Revoked: 1}) // and the refresh token lives on
			if !w.service.Revoke(a.RefreshToken) {
				w.t.Error("the refresh token is dead: js-auth revokes it too by now")
			}
		},
		"js-auth removes the customer": func(authorization, *commercelayer.SingleCustomer) {
			w.call("shop", "removeAuthorization", "customer")
			w.wantValue(customerKey, "")
			w.wantRequests(asked(0))
		},
		"js-auth removes everything": func(authorization, *commercelayer.SingleCustomer) {
			w.call("shop", "removeAuthorization")
			w.wantValue(customerKey, "")
			w.wantRequests(asked(0))
		},
		"we log out": func(authorization, *commercelayer.SingleCustomer) {
			if err := w.goCustomer().LogoutCustomer(w.t.Context()); err != nil {
				w.t.Error(err)
			}
			w.wantValue(customerKey, "null")
			w.wantLife(customerKey, time.Hour)
			w.wantRequests(commercelayertest.Counts{Revoked: 2})
		},
		"we remove the customer": func(_ authorization, us *commercelayer.SingleCustomer) {
			if err := us.RemoveAuthorization(w.t.Context()); err != nil {
				w.t.Error(err)
			}
			w.wantValue(customerKey, "null")
			w.wantRequests(asked(0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			a := w.login("shop", true)
			us := w.goCustomer()
			wantGoCustomer(t, us, a.AccessToken)
			w.has("layered", customer, a.AccessToken)
			w.service.ResetCounts()
			signOut(a, us)
			w.has("shop", "guest", "")
			eventually(t, "we see that the customer is gone", func() bool { return noCustomer(t, us) })
			// js-auth with memory in front does not look.
			w.has("layered", customer, a.AccessToken)
			w.call("layered", "removeAuthorization", "customer")
			if !noCustomer(t, us) {
				t.Error("the customer has come back")
			}
		})
	}
}

// The token that either has refreshed is the other's too, and no refresh token is
// spent twice.
func TestRefreshedByEither(t *testing.T) {
	w := newWorld(t)
	once := commercelayertest.Counts{TokenRequests: 1, RefreshToken: 1}
	plant := func(left time.Duration) commercelayertest.Issued {
		i := w.issue(channelID, market, ada, left)
		w.redis.Do("SET", customerKey, record(i.AccessToken, market, i.RefreshToken))
		w.service.ResetCounts()
		return i
	}

	t.Run("by js-auth, before us", func(t *testing.T) {
		w.t = t
		plant(-time.Minute)
		a := w.has("shop", customer, "")
		w.wantValue(customerKey, record(a.AccessToken, market, a.RefreshToken))
		w.wantLife(customerKey, 0)
		wantGoCustomer(t, w.goCustomer(), a.AccessToken)
		w.wantRequests(once)
	})
	t.Run("by js-auth, while we have the old one", func(t *testing.T) {
		w.t = t
		old := plant(9 * time.Minute) // near its end to js-auth alone
		us := w.goCustomer()
		wantGoCustomer(t, us, old.AccessToken)
		a := w.has("shop", customer, "")
		if a.AccessToken == old.AccessToken {
			t.Fatal("js-auth has not refreshed")
		}
		eventually(t, "we have the new one", func() bool { return token(t, us) == a.AccessToken })
		w.wantRequests(once)
	})
	t.Run("by js-auth, and the old one is rejected", func(t *testing.T) {
		w.t = t
		old := plant(9 * time.Minute)
		us := w.goCustomer()
		wantGoCustomer(t, us, old.AccessToken)
		a := w.has("shop", customer, "")
		w.service.Revoke(old.AccessToken)
		if got := get(t, us.Client(), w.service.APIURL()+"/api/customers"); got != http.StatusOK {
			t.Errorf("the API answers %d", got)
		}
		wantGoCustomer(t, us, a.AccessToken)
		w.wantRequests(once)
	})
	t.Run("by us, before js-auth", func(t *testing.T) {
		w.t = t
		plant(-time.Minute)
		us := w.goCustomer()
		tok, err := us.Token()
		if err != nil {
			t.Fatal(err)
		}
		w.wantValue(customerKey, record(tok.AccessToken, market, tok.RefreshToken))
		w.wantLife(customerKey, 14*24*time.Hour)
		w.has("shop", customer, tok.AccessToken)
		wantGoCustomer(t, w.goCustomer(), tok.AccessToken)
		w.wantRequests(once)
	})
	t.Run("by us, since it is rejected", func(t *testing.T) {
		w.t = t
		old := plant(time.Hour)
		us := w.goCustomer()
		wantGoCustomer(t, us, old.AccessToken)
		w.has("shop", customer, old.AccessToken)
		w.service.Revoke(old.AccessToken)
		// One rejected so soon after its issue may be the API's mistake, but it is the
		// first.
		if got := get(t, us.Client(), w.service.APIURL()+"/api/customers"); got != http.StatusOK {
			t.Errorf("the API answers %d", got)
		}
		w.has("shop", customer, token(t, us))
		w.wantRequests(once)
	})
	t.Run("by nobody", func(t *testing.T) { // there is no refresh token
		w.t = t
		i := w.issue(channelID, market, ada, -time.Minute)
		for _, first := range []string{"js-auth", "we"} {
			w.redis.Do("SET", customerKey, record(i.AccessToken, market, ""))
			if first == "js-auth" {
				w.has("shop", "guest", "")
				w.wantValue(customerKey, "")
			} else {
				if !noCustomer(t, w.goCustomer()) {
					t.Error("there is a customer")
				}
				w.wantValue(customerKey, "undefined")
				w.has("shop", "guest", "")
				w.wantValue(customerKey, "undefined")
			}
		}
		if !noCustomer(t, w.goCustomer()) {
			t.Error("there is a customer")
		}
	})
}

// A refresh token that is dead ends the customer for us, and js-auth, which throws
// for ever if it meets with one first, goes on as a guest.
func TestDeadRefreshToken(t *testing.T) {
	w := newWorld(t)
	i := w.issue(channelID, market, ada, -time.Minute)
	w.service.Revoke(i.RefreshToken)
	w.redis.Do("SET", customerKey, record(i.AccessToken, market, i.RefreshToken))
	for range 2 {
		_, err := w.authorize("shop")
		if got := threw(t, err); got != "InvalidTokenError" {
			t.Errorf("js-auth threw %q, want InvalidTokenError", got)
		}
	}
	w.wantValue(customerKey, record(i.AccessToken, market, i.RefreshToken))
	w.service.ResetCounts()
	us := w.goCustomer()
	for range 2 {
		if !noCustomer(t, us) {
			t.Error("there is a customer")
		}
	}
	w.wantRequests(commercelayertest.Counts{TokenRequests: 1, RefreshToken: 1})
	w.wantValue(customerKey, "undefined")
	w.has("shop", "guest", "")
	a := w.login("shop", true)
	eventually(t, "we see the customer", func() bool { return !noCustomer(t, us) })
	wantGoCustomer(t, us, a.AccessToken)
}

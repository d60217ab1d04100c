package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

const singleKey = "customer-of-a-tool"

// single is a process that acts as the one customer in the shelf.
func single(p *idp, s bearer.CompareAndSwapper, e *events) *bearer.SingleCustomer {
	o := &bearer.StorefrontOptions{
		Name: "tool", Customers: s, Key: singleKey, Owner: p.owner, Refresh: p.renew, Revoke: p.revoke,
		Guests: s, OnLogin: func(context.Context, *bearer.Authorization, *bearer.Authorization) { panic("called") },
	}
	if e != nil {
		o.Observer = e.observe
	}
	return bearer.NewSingleCustomer(o)
}

func setCustomer(t *testing.T, c *bearer.SingleCustomer, tok *bearer.Token) *bearer.Token {
	t.Helper()
	if err := c.SetCustomer(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	return tok
}

// actsAs checks whose token the customer supplies.
func actsAs(t *testing.T, c *bearer.SingleCustomer, owner string) {
	t.Helper()
	tok, err := c.TokenContext(t.Context())
	if err != nil || !strings.HasPrefix(tok.AccessToken, "access-"+owner+"-") {
		t.Errorf("the token is not one of %s: %v", owner, err)
	}
}

// isOver checks that nobody is signed in, and whether it is told that somebody was.
func isOver(t *testing.T, c *bearer.SingleCustomer, expired bool) {
	t.Helper()
	tok, err := c.TokenContext(t.Context())
	if tok != nil || !errors.Is(err, bearer.ErrNoCustomer) || errors.Is(err, bearer.ErrCustomerExpired) != expired {
		t.Errorf("error = %v, want ErrNoCustomer, as ErrCustomerExpired: %v", err, expired)
	}
}

// The record is under the key itself, and all who share the storage act by it.
func TestSingleCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, e := &idp{}, newShelf(), &events{}
		one, two := single(p, s, e), single(p, s, e)
		isOver(t, one, false)
		isOver(t, two, false)
		tok := setCustomer(t, one, p.login("ada", true))
		if key, text, ttl := s.only(); key != singleKey || !strings.Contains(text, tok.AccessToken) || ttl != 14*24*time.Hour {
			t.Errorf("the storage has %s under %q for %v", text, key, ttl)
		}
		actsAs(t, one, "ada")
		isOver(t, two, false) // has looked just now
		pass(time.Second)
		actsAs(t, two, "ada")
		a, err := two.Customer(t.Context())
		if err != nil || a.Owner.ID != "ada" || a.Token.AccessToken != tok.AccessToken || a.Origin != bearer.OriginStorage {
			t.Errorf("Customer = %v, %v", a, err)
		}
		if again, err := two.Token(); err != nil || again == a.Token || again.AccessToken != tok.AccessToken {
			t.Errorf("Token is not a copy of the token: %v", err)
		}
		wantEvents[bearer.SignedIn](t, e, 1)
		wantEvents[bearer.TokenFailed](t, e, 0)
		if text := fmt.Sprintf("%v %+v %#v %s", one, one, one, one); !strings.Contains(text, "tool") || strings.Contains(text, tok.RefreshToken) {
			t.Errorf("printed: %s", text)
		}
	})
}

func TestSingleCustomerOfAFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := &idp{}, memstore.New(nil)
		var fleet []*bearer.SingleCustomer
		for range 20 {
			fleet = append(fleet, single(p, s, nil))
		}
		setCustomer(t, fleet[0], p.login("ada", true))
		for hour := range 30 {
			var all sync.WaitGroup
			for _, c := range fleet {
				all.Go(func() { actsAs(t, c, "ada") })
				all.Go(func() { actsAs(t, c, "ada") })
			}
			all.Wait()
			p.wantRefreshes(t, hour)
			pass(time.Hour)
		}
	})
}

// A sign-out is learned of within a second, told to who acted as the customer, and
// leaves nothing that could be used.
func TestSingleCustomerSignsOut(t *testing.T) {
	for _, revoke := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p, s, e := &idp{}, newShelf(), &events{}
			one, two, three := single(p, s, nil), single(p, s, nil), single(p, s, e)
			tok := setCustomer(t, one, p.login("ada", true))
			actsAs(t, two, "ada")
			var err error
			if revoke {
				err = three.Logout(t.Context()) // which has never used it
			} else {
				err = three.Forget(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
			if err := three.Logout(t.Context()); err != nil {
				t.Errorf("once more: %v", err)
			}
			if _, text, ttl := s.only(); text != "null" || ttl != time.Hour {
				t.Errorf("the storage has %s for %v, want null for an hour", text, ttl)
			}
			isOver(t, three, false)
			pass(time.Second)
			isOver(t, two, true)
			isOver(t, two, false)
			if revoke {
				p.wantRevoked(t, tok.RefreshToken, tok.AccessToken)
			} else {
				p.wantRevoked(t)
			}
			setCustomer(t, three, p.login("bob", true))
			pass(time.Second)
			actsAs(t, two, "bob")
			isOver(t, one, true) // acted as ada
			actsAs(t, one, "bob")
			wantEvents[bearer.SignedOut](t, e, 1)
			wantEvents[bearer.CustomerExpired](t, e, 0)
		})
	}
}

// What another library deletes, a refresh that is under way does not bring back.
func TestSingleCustomerIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := &idp{}, newShelf()
		c := single(p, s, nil)
		setCustomer(t, c, p.login("ada", true))
		pass(2 * time.Hour)
		p.onRefresh(func(context.Context, *bearer.Token) error {
			s.clear()
			return nil
		})
		isOver(t, c, true) // as whom the call began
		synctest.Wait()
		if got := s.texts(); got[singleKey] != "" {
			t.Errorf("the storage has %v", got)
		}
		p.wantRevoked(t, "refresh-ada-2", "access-ada-2")
		pass(time.Second)
		isOver(t, c, true)
		isOver(t, c, false)
	})
}

// Another library takes no lock: it may have spent the refresh token, and not yet
// written what it has got.
func TestSingleCustomerOfAnotherLibrary(t *testing.T) {
	for name, s := range map[string]bearer.CompareAndSwapper{"with locks": memstore.New(nil), "without": newShelf()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, e := &idp{}, &events{}
				c := single(p, s, e)
				setCustomer(t, c, p.login("ada", true))
				pass(2 * time.Hour)
				theirs := p.login("ada", true)
				p.onRefresh(func(context.Context, *bearer.Token) error {
					p.onRefresh(nil)
					text := fmt.Sprintf(`{"accessToken":%q,"scope":"","refreshToken":%q,"expiry":%q}`, theirs.AccessToken, theirs.RefreshToken, theirs.Expiry.Format(time.RFC3339))
					go func() {
						pass(300 * time.Millisecond)
						s.Set(context.WithoutCancel(t.Context()), singleKey, []byte(text), 0)
					}()
					return answered(400, "invalid_grant")
				})
				if tok, err := c.TokenContext(t.Context()); err != nil || tok.AccessToken != theirs.AccessToken {
					t.Errorf("the token is not what the other library has got: %v", err)
				}
				wantEvents[bearer.CustomerExpired](t, e, 0)
			})
		})
	}
}

// Signed in over somebody else, that customer's tokens are taken back; over oneself,
// nobody notices.
func TestSingleCustomerSignsInAgain(t *testing.T) {
	for _, who := range []string{"ada", "bob"} {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, s, e := &idp{}, newShelf(), &events{}
				one, two := single(p, s, e), single(p, s, nil)
				old := setCustomer(t, one, p.login("ada", true))
				actsAs(t, one, "ada")
				actsAs(t, two, "ada")
				tok := setCustomer(t, one, p.login(who, true))
				p.wantRevoked(t, old.RefreshToken, old.AccessToken)
				if got, err := one.TokenContext(t.Context()); err != nil || got.AccessToken != tok.AccessToken {
					t.Errorf("the token is not the new one (%v)", err)
				}
				err := one.Evict(t.Context(), old) // the answer to an earlier call
				if who == "bob" && err == nil {
					t.Error("a call of ada's may go on as bob's")
				}
				if got, err := one.TokenContext(t.Context()); err != nil || got.AccessToken != tok.AccessToken {
					t.Errorf("the new token is gone (%v)", err)
				}
				pass(time.Second)
				if who == "bob" {
					isOver(t, two, true)
				}
				actsAs(t, two, who)
				setCustomer(t, one, tok) // the same once more: nothing is revoked
				p.wantRevoked(t, old.RefreshToken, old.AccessToken)
				wantEvents[bearer.SignedIn](t, e, 3)
			})
		})
	}
}

func TestSingleCustomerExpires(t *testing.T) {
	for _, remember := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p, s, e := &idp{}, newShelf(), &events{}
			c := single(p, s, e)
			tok := setCustomer(t, c, p.login("ada", remember))
			if remember {
				p.revoke(t.Context(), tok.RefreshToken)
			}
			pass(2 * time.Hour)
			for range 5 {
				isOver(t, c, true) // until somebody signs in
				isOver(t, single(p, s, nil), true)
				pass(time.Minute)
			}
			if remember {
				p.wantRefreshes(t, 1)
			}
			wantEvents[bearer.CustomerExpired](t, e, 1)
			setCustomer(t, c, p.login("ada", true))
			actsAs(t, c, "ada")
		})
	}
}

func TestSingleCustomerIsRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := &idp{}, newShelf()
		c := single(p, s, nil)
		old := setCustomer(t, c, p.login("ada", true))
		actsAs(t, c, "ada")
		pass(20 * time.Minute)
		for range 2 { // the second is late
			if err := c.Evict(t.Context(), old); err != nil {
				t.Error(err)
			}
			if tok, err := c.TokenContext(t.Context()); err != nil || tok.AccessToken == old.AccessToken {
				t.Errorf("the rejected token is still there (%v)", err)
			}
		}
		p.wantRefreshes(t, 1)
		if err := single(p, s, nil).Evict(t.Context(), old); err == nil {
			t.Error("nobody's token is evicted without an error")
		}
		if err := c.Evict(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestSingleCustomerIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := &idp{}, newShelf()
		c := single(p, s, nil)
		for name, tok := range map[string]*bearer.Token{
			"none":      nil,
			"empty":     {},
			"a guest's": {AccessToken: "guest", Expiry: time.Now().Add(time.Hour)},
			"expired":   func() *bearer.Token { t := p.login("ada", true); t.Expiry = time.Now().Add(-time.Hour); return t }(),
			"no expiry": func() *bearer.Token { t := p.login("ada", true); t.Expiry = time.Time{}; return t }(),
		} {
			if err := c.SetCustomer(t.Context(), tok); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if got := s.texts(); len(got) != 0 {
			t.Errorf("the storage has %v", got)
		}
		s.replace(singleKey, `{"accessToken":`) // somebody else's
		isOver(t, c, false)
		if err := c.Logout(t.Context()); err != nil {
			t.Error(err)
		}
		setCustomer(t, c, p.login("ada", true))
		actsAs(t, c, "ada")
	})
}

func TestNewSingleCustomerPanics(t *testing.T) {
	for name, o := range map[string]*bearer.StorefrontOptions{
		"nil":        nil,
		"no storage": {Key: "key"},
		"no key":     {Name: "name", Customers: newShelf()},
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "bearer: ") {
					t.Errorf("%s: panics with %q, want a sentence of ours", name, text)
				}
			}()
			bearer.NewSingleCustomer(o)
		}()
	}
}

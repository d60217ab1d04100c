package bearer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// newMarkets serves a shop with a storefront for each market, which the query
// picks. /both answers with the tokens of the first two.
func newMarkets(t *testing.T, opts *bearer.MiddlewareOptions, names ...string) *shop {
	t.Helper()
	s := emptyShop()
	fronts := map[string]*bearer.Storefront{}
	var o bearer.MiddlewareOptions
	if opts != nil {
		o = *opts
	}
	for i, name := range names {
		fronts[name] = s.storefront(name, nil)
		if i > 0 {
			o.Storefronts = append(o.Storefronts, fronts[name])
		}
	}
	s.front, s.fronts = fronts[names[0]], fronts
	o.Pick = func(r *http.Request) *bearer.Storefront { return fronts[r.URL.Query().Get("market")] }
	s.open(t, &o)
	s.HandleFunc("/both", func(w http.ResponseWriter, r *http.Request) {
		sess, _ := bearer.FromContext(r.Context())
		for i, name := range names[:2] {
			there, err := sess.For(fronts[name])
			if err != nil {
				t.Errorf("For(%s): %v", name, err)
				return
			}
			if i > 0 {
				io.WriteString(w, " ")
			}
			s.token(w, r.WithContext(bearer.NewContext(r.Context(), there)))
		}
	})
	return s
}

func TestMarkets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, nil, "it", "us", "de")
		b := m.tab(t)
		b.want("/token?market=us", "guest-us")
		b.get("/login/ann?market=it")
		b.want("/both", "access-ann-1 guest-us").wantCache(t, private, "Cookie")
		b.want("/both?market=us", "access-ann-1 guest-us").wantCache(t, private, "Cookie")
		b.want("/token?market=de", "guest-de").wantCache(t, "")
		old := b.old()

		b.get("/login/ann?market=us").oneCookie(t)
		for range 2 {
			b.want("/both", "access-ann-1 access-ann-2")
			b.want("/both?market=us", "access-ann-1 access-ann-2")
			b.want("/state?market=de", "guest")
			pass(time.Minute)
		}
		old.want("/both", "guest-it guest-us") // the id has changed for all
		if got := b.cookies(); strings.Count(got, "=") != 1 {
			t.Errorf("the browser has %q, want one cookie for all markets", got)
		}

		pass(2 * time.Hour)
		b.want("/both?market=de", "access-ann-3 access-ann-4")
		old = b.old()
		b.want("/logout?market=de", "").oneCookie(t)
		b.want("/both", "guest-it guest-us")
		old.want("/both", "guest-it guest-us")
		m.idp.wantRevoked(t, "refresh-ann-3", "access-ann-3", "refresh-ann-4", "access-ann-4")
		m.idp.wantRefreshes(t, 2)
		if got := len(eventsOf[bearer.SignedOut](&m.events)); got != 2 {
			t.Errorf("%d SignedOut events, want one for each market", got)
		}
	})
}

// Each of three signs in after the others, and loses nobody.
func TestMarketsThree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, nil, "it", "us", "de")
		b := m.tab(t)
		for _, name := range []string{"it", "us", "de", "us"} {
			b.get("/login/ann?market=" + name)
		}
		b.want("/token?market=it", "access-ann-1")
		b.want("/token?market=us", "access-ann-4")
		b.want("/token?market=de", "access-ann-3")
		m.idp.wantRevoked(t, "refresh-ann-2", "access-ann-2")
	})
}

// The cookie lives as long as the one that is remembered longest.
func TestMarketsCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, nil, "it", "us")
		b := m.tab(t)
		if c := b.get("/login/ann?market=it").oneCookie(t); c.MaxAge != 14*24*3600 {
			t.Errorf("Set-Cookie = %q, want it for two weeks", c.Raw)
		}
		if c := b.get("/login/ann?market=us&for=session").oneCookie(t); c.MaxAge != 14*24*3600 {
			t.Errorf("Set-Cookie = %q, want it for two weeks, which the other customer is remembered for", c.Raw)
		}
		pass(25 * time.Hour)
		b.want("/both?market=us", "access-ann-3 guest-us").oneCookie(t)
	})
}

// What Pick returns must be one of ours.
func TestMarketsPick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stranger := newShop(t, nil, nil).front
		s := emptyShop()
		s.front = s.storefront("it", nil)
		us := s.storefront("us", nil)
		s.open(t, &bearer.MiddlewareOptions{Storefronts: []*bearer.Storefront{us}, Pick: func(r *http.Request) *bearer.Storefront {
			switch r.URL.Query().Get("market") {
			case "us":
				return us
			case "strange":
				return stranger
			}
			return nil
		}})
		b := s.tab(t)
		b.want("/token?market=us", "guest-us")
		b.want("/token?market=strange", "guest-it")
		b.want("/token", "guest-it")
	})
}

// A session is good for its own storefront alone.
func TestMarketsOtherSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, nil, "it", "us")
		stranger := newShop(t, nil, nil).front
		m.HandleFunc("/other", func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			sess, _ := bearer.FromContext(ctx)
			for _, f := range []bearer.ContextTokenSource{stranger, stranger.CustomerOnly()} {
				if tok, err := f.TokenContext(ctx); err == nil || !strings.Contains(err.Error(), "Session.For") {
					t.Errorf("TokenContext of another storefront = %v, %v, want an error that says what to do", tok, err)
				}
			}
			if err := stranger.Evict(ctx, &bearer.Token{AccessToken: "guest-shop"}); err == nil {
				t.Error("Evict of another storefront = nil, want an error")
			}
			if other, err := sess.For(stranger); err == nil || !strings.Contains(err.Error(), "MiddlewareOptions.Storefronts") {
				t.Errorf("For(stranger) = %v, %v, want an error that says what to do", other, err)
			}
			if _, err := sess.For(nil); err == nil {
				t.Error("For(nil) = nil, want an error")
			}
			if same, err := sess.For(sess.Storefront()); same != sess || err != nil {
				t.Errorf("For(its own) = %v, %v, want the session itself", same, err)
			}
			tok, err := stranger.GuestOnly().TokenContext(ctx)
			fmt.Fprint(w, tok.AccessToken, err)
		})
		b := m.tab(t)
		b.get("/login/ann?market=it")
		b.want("/other", "guest-shop<nil>")
		b.want("/token", "access-ann-1")
	})
}

// A refresh in another market that is under way while the customer signs in here is
// not lost.
func TestMarketsMoveDuringRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, nil, "it", "us")
		b := m.tab(t)
		b.get("/login/ann?market=it")
		pass(2 * time.Hour)
		m.idp.onRefresh(func(context.Context, *bearer.Token) error { pass(5 * time.Second); return nil })
		var wg sync.WaitGroup
		old := b.old()
		wg.Go(func() {
			// Whose id has changed meanwhile gets the customer's token, or is told.
			if r := old.get("/token?market=it"); r.body != "access-ann-3" && r.body != "expired" {
				t.Errorf("the request under way was answered %q, want the customer's token or its end", r.body)
			}
		})
		pass(time.Second)
		b.want("/login/ann?market=us", "access-ann-2")
		wg.Wait()
		b.want("/both", "access-ann-3 access-ann-2")
		m.idp.wantRefreshes(t, 1)
		old.want("/both", "guest-it guest-us")
		m.idp.wantRevoked(t)
	})
}

// A refresh in another market that hangs does not keep the customer from signing in
// here, and is not lost when it ends.
func TestMarketsMoveDuringHangingRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, nil, "it", "us", "de")
		b := m.tab(t)
		b.get("/login/ann?market=it")
		b.get("/login/ann?market=de")
		pass(2 * time.Hour)
		over := make(chan struct{})
		m.idp.onRefresh(func(context.Context, *bearer.Token) error { <-over; return nil })
		old := b.old()
		var under sync.WaitGroup
		for _, market := range []string{"it", "de"} {
			under.Go(func() { old.get("/token?market=" + market) })
		}
		synctest.Wait()
		start := time.Now()
		b.want("/login/ann?market=us", "access-ann-3")
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("signing in took %v, want at most 5s", took)
		}
		b.want("/token?market=it", "guest-it") // for the time being
		close(over)
		under.Wait()
		synctest.Wait()
		m.idp.wantRefreshes(t, 2)
		for market, customer := range map[string]string{"it": "access-ann", "de": "access-ann"} {
			if got := b.get("/token?market=" + market).body; !strings.HasPrefix(got, customer) {
				t.Errorf("market %s has %q, want the customer who was signed in there", market, got)
			}
		}
		m.idp.wantRefreshes(t, 2)
		m.idp.wantRevoked(t)
	})
}

// A write that seems to fail and has not leaves nobody signed in by halves.
func TestMarketsMoveSeemsToFail(t *testing.T) {
	for nth, want := range map[int]string{1: "access-ann-1", 2: "guest-it"} {
		t.Run(fmt.Sprint("write ", nth), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMarkets(t, nil, "it", "us")
				b := m.tab(t)
				b.get("/login/ann?market=it")
				old, n := b.old(), 0
				m.shelf.faults(nil, func(_ context.Context, did, key string) error {
					if did == "swap" && strings.HasPrefix(key, "customer-it") {
						if n++; n == nth {
							return errDown
						}
					}
					return nil
				})
				b.want("/login/ann?market=us", "access-ann-2")
				m.shelf.faults(nil, nil)
				b.want("/both", want+" access-ann-2")
				old.want("/both", "guest-it guest-us")
				if nth == 2 { // perhaps somebody has signed out
					m.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1")
				} else {
					m.idp.wantRevoked(t)
				}
			})
		})
	}
}

// Who signs out under the old id while the record is being moved is signed out under
// the new one.
func TestMarketsSignOutInMidMove(t *testing.T) {
	for _, leave := range []string{"logout", "forget"} {
		for nth := 1; nth <= 2; nth++ {
			t.Run(fmt.Sprint(leave, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMarkets(t, nil, "it", "us")
					m.HandleFunc("/forget", func(w http.ResponseWriter, r *http.Request) {
						s, _ := bearer.FromContext(r.Context())
						if err := s.Forget(r.Context()); err != nil {
							t.Error(err)
						}
					})
					b := m.tab(t)
					b.get("/login/ann?market=it")
					old, n := b.old(), 0
					m.shelf.faults(func(_ context.Context, did, key string) error {
						if did == "swap" && strings.HasPrefix(key, "customer-it") && !strings.Contains(key, "spending") {
							if n++; n == nth {
								old.want("/"+leave, "")
							}
						}
						return nil
					}, nil)
					b.want("/login/ann?market=us", "access-ann-2")
					m.shelf.faults(nil, nil)
					if n < nth {
						t.Fatalf("only %d writes", n)
					}
					b.want("/both", "guest-it access-ann-2")
					old.want("/both", "guest-it guest-us")
					if leave == "logout" {
						m.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1")
					} else {
						m.idp.wantRevoked(t)
					}
				})
			})
		}
	}
}

// A browser is one person: who signs in signs others out, of all markets.
func TestMarketsAnotherPerson(t *testing.T) {
	for name, opts := range map[string]*bearer.MiddlewareOptions{"default": nil, "carrier": carrying()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMarkets(t, opts, "it", "us", "de")
				b := m.tab(t)
				b.get("/login/ann?market=it")
				b.get("/login/ann?market=de")
				old := b.old()
				b.want("/login/bob?market=us", "access-bob-3")
				synctest.Wait()
				b.want("/both", "guest-it access-bob-3")
				b.want("/token?market=de", "guest-de")
				old.want("/both", "guest-it guest-us")
				m.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1", "refresh-ann-2", "access-ann-2")
				if got := len(eventsOf[bearer.SignedOut](&m.events)); got != 2 {
					t.Errorf("%d SignedOut events, want 2", got)
				}
			})
		})
	}
}

// While another process refreshes a market's customer, a login in this one leaves
// that to it, and takes the result along.
func TestMarketsMoveDuringAnothersRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, here := &idp{}, memstore.New(nil)
		p.onRefresh(func(context.Context, *bearer.Token) error { pass(3 * time.Second); return nil })
		process := func() *tab {
			s := emptyShop()
			s.idp = p
			us := s.storefront("us", &bearer.StorefrontOptions{Customers: here})
			s.front = s.storefront("it", &bearer.StorefrontOptions{Customers: here})
			s.open(t, &bearer.MiddlewareOptions{Storefronts: []*bearer.Storefront{us}, Pick: func(r *http.Request) *bearer.Storefront {
				if r.URL.Query().Get("market") == "us" {
					return us
				}
				return nil
			}})
			return s.tab(t)
		}
		b, elsewhere := process(), process()
		b.get("/login/ann?market=it")
		pass(57 * time.Minute)                                                    // it is aging
		elsewhere.want("/token?market=it", "access-ann-1", "Cookie", b.cookies()) // and refreshed from now on
		pass(time.Second)
		b.want("/login/ann?market=us", "access-ann-2")
		for range 3 {
			b.want("/token?market=it", "access-ann-3")
			b.want("/token?market=us", "access-ann-2")
			pass(10 * time.Minute)
		}
		p.wantRefreshes(t, 1)
		p.wantRevoked(t)
	})
}

// One market's revocation endpoint that hangs does not keep another's waiting.
func TestMarketsLogoutRevokesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, nil, "it", "us", "de")
		b := m.tab(t)
		for _, market := range []string{"it", "us", "de"} {
			b.get("/login/ann?market=" + market)
		}
		var all sync.WaitGroup
		all.Add(3)
		m.HandleFunc("/leave", func(w http.ResponseWriter, r *http.Request) {
			s, _ := bearer.FromContext(r.Context())
			if err := s.Logout(r.Context()); err != nil {
				t.Error(err)
			}
		})
		m.idp.revoking = func(token string) error {
			if strings.HasPrefix(token, "refresh-") {
				all.Done()
				all.Wait()
			}
			return nil
		}
		start := time.Now()
		b.get("/leave")
		if took := time.Since(start); took != 0 {
			t.Errorf("signing out took %v, want no wait", took)
		}
		b.want("/both", "guest-it guest-us")
	})
}

// A storage that fails in the middle loses no customer, and leaves nobody signed in
// under the old id.
func TestMarketsStorageFailsInMidMove(t *testing.T) {
	for _, op := range []string{"get", "swap"} {
		for nth := 1; nth <= 3; nth++ {
			t.Run(fmt.Sprint(op, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMarkets(t, nil, "it", "us")
					b := m.tab(t)
					b.get("/login/ann?market=it")
					n := 0
					m.shelf.faults(func(_ context.Context, did, key string) error {
						if did == op && strings.HasPrefix(key, "customer-it") {
							if n++; n == nth {
								return errDown
							}
						}
						return nil
					}, nil)
					old := b.old()
					b.want("/login/ann?market=us", "access-ann-2")
					m.shelf.faults(nil, nil)
					old.want("/both", "guest-it guest-us")
					b.want("/token?market=us", "access-ann-2")
					b.want("/token?market=it", "access-ann-1") // it was tried again
					if told := len(eventsOf[bearer.StorageFailed](&m.events)) > 0; n < nth && told {
						t.Error("StorageFailed of a storage that has not failed")
					}
					b.want("/logout", "")
					b.want("/both", "guest-it guest-us")
				})
			})
		}
	}
}

// A market's long request does not go on as a guest when another one's login has
// changed the id.
func TestMarketsLongRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, nil, "it", "us")
		m.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
			m.token(&recorded{header: http.Header{}}, r)
			pass(5 * time.Second)
			m.token(w, r)
		})
		b := m.tab(t)
		b.get("/login/ann?market=it")
		var wg sync.WaitGroup
		old := b.old()
		wg.Go(func() { old.want("/long?market=it", "expired") })
		pass(time.Second)
		b.get("/login/ann?market=us")
		wg.Wait()
		b.want("/both", "access-ann-1 access-ann-2")
	})
}

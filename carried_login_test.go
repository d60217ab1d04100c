package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// One logout is not another one's, where nothing but access tokens tells them apart.
func TestCarriedWithoutRefreshTokenApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		ann, bob := s.tab(t), s.tab(t)
		ann.get("/login/ann?for=session")
		bob.get("/login/bob?for=session")
		ann.get("/logout")
		ann.want("/token", "guest-shop")
		bob.want("/token", "access-bob-2")
	})
}

// A response that is slower than a logout, or than somebody else's login, changes
// nothing about it.
func TestCarriedSlowResponse(t *testing.T) {
	for _, tt := range []struct {
		name, path, want string
		refreshed        bool
	}{
		{"looks again", "/slow", "<nil> true guest <nil>", false},
		{"refreshed, looks again", "/slow", "<nil> true guest <nil>", true},
		{"does not look again", "/asleep", "<nil>", false},
		{"refreshed, does not look again", "/asleep", "<nil>", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, nil, carrying())
				there := s.beside(t, carrying())
				s.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
					sess, _ := bearer.FromContext(r.Context())
					_, err := s.front.TokenContext(r.Context())
					pass(10 * time.Second)
					_, later := s.front.TokenContext(r.Context())
					state, stateErr := sess.State(r.Context())
					fmt.Fprint(w, err, errors.Is(later, bearer.ErrCustomerExpired), state, stateErr)
				})
				b := s.tab(t)
				b.get("/login/ann")
				if tt.refreshed {
					pass(2 * time.Hour)
				}
				s.HandleFunc("/asleep", func(w http.ResponseWriter, r *http.Request) {
					_, err := s.front.TokenContext(r.Context())
					pass(10 * time.Second)
					fmt.Fprint(w, err)
				})
				var wg sync.WaitGroup
				wg.Go(func() { b.want(tt.path, tt.want).wantNoCookie(t) })
				pass(time.Second)
				at := tabTo(t, there.server) // in another process
				at.client.Jar = b.client.Jar
				at.get("/logout")
				at.want("/login/bob", fmt.Sprintf("access-bob-%d", s.idp.n+1))
				wg.Wait()
				b.want("/token", fmt.Sprintf("access-bob-%d", s.idp.n))
				b.get("/logout")
				b.want("/token", "guest-shop")
			})
		})
	}
}

// A refresh that ends after the logout brings nobody back.
func TestCarriedRefreshAfterLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		old := b.old()
		pass(2 * time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { pass(5 * time.Second); return nil })
		s.idp.revoking = func(token string) error {
			if token == "refresh-ann-1" {
				return errDown // and the refresh under way brings new ones
			}
			return nil
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if r := b.get("/token"); r.body == "access-ann-2" || len(r.cookie) > 0 {
				t.Errorf("the slow request was answered %q with %d cookies, want neither token nor cookie", r.body, len(r.cookie))
			}
		})
		pass(time.Second)
		// A logout here would wait for the refresh first: it is in another process.
		two := &shop{ServeMux: http.NewServeMux(), idp: s.idp, shelf: s.shelf}
		two.front = two.storefront("shop", &bearer.StorefrontOptions{Refresh: func(context.Context, *bearer.Token) (*bearer.Token, error) { return nil, errDown }})
		two.open(t, carrying())
		there := tabTo(t, two.server)
		there.client.Jar = b.client.Jar
		there.get("/logout")
		wg.Wait()
		old.want("/token", "guest-shop")
		b.want("/token", "guest-shop")
		synctest.Wait()
		s.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1", "refresh-ann-2", "access-ann-2")
	})
}

// Setting the same tokens once more does not sign out who has them, and tokens that
// were put away without being revoked can be used again.
func TestCarriedSetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		tok := s.idp.login("ann", true)
		s.HandleFunc("/again", func(w http.ResponseWriter, r *http.Request) {
			s.login(&recorded{header: http.Header{}}, r, tok)
			pass(2 * time.Second)
			s.token(w, r)
		})
		s.HandleFunc("/forget", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			fmt.Fprint(w, sess.Forget(r.Context()))
		})
		b := s.tab(t)
		for range 2 {
			b.want("/again", "access-ann-1")
			b.want("/token", "access-ann-1")
		}
		old := b.old()
		b.want("/forget", "<nil>").oneCookie(t)
		b.want("/token", "guest-shop")
		old.want("/token", "guest-shop")
		b.want("/again", "access-ann-1").oneCookie(t)
		b.want("/token", "access-ann-1")
		s.idp.wantRevoked(t)
	})
}

// Tokens that have been spent elsewhere lead to what they were spent for.
func TestCarriedSetSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		tok := s.idp.login("ann", true)
		s.HandleFunc("/again", func(w http.ResponseWriter, r *http.Request) { s.login(w, r, tok) })
		one, two := s.tab(t), s.tab(t)
		one.get("/again")
		pass(57 * time.Minute)
		one.want("/token", "access-ann-2")
		two.get("/again")
		two.want("/token", "access-ann-2")
		one.want("/token", "access-ann-2")
		s.idp.wantRefreshes(t, 1)
	})
}

// A login in place of another one ends that, and lasts longer than the request.
func TestCarriedOtherCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		s.HandleFunc("/change", func(w http.ResponseWriter, r *http.Request) {
			for _, who := range []string{"bob", "cid"} {
				s.login(&recorded{header: http.Header{}}, r, s.idp.login(who, true))
				pass(time.Second)
			}
			for range 3 {
				pass(2 * time.Second)
				s.token(w, r)
			}
		})
		b := s.tab(t)
		b.get("/login/ann")
		old := b.old()
		b.want("/change", "access-cid-3access-cid-3access-cid-3").oneCookie(t)
		b.want("/token", "access-cid-3")
		old.want("/token", "guest-shop")
		s.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1", "refresh-bob-2", "access-bob-2")
	})
}

// A visitor who is not to be known by the cookie of another storefront.
func TestCarriedMarkets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, carrying(), "it", "us")
		b := m.tab(t)
		b.get("/login/ann?market=it")
		b.get("/login/ann?market=us")
		if got := strings.Count(b.cookies(), "="); got != 2 {
			t.Errorf("the browser has %d cookies, want one for each market", got)
		}
		b.want("/token?market=it", "access-ann-1")
		b.want("/token?market=us", "access-ann-2")
		pass(2 * time.Hour)
		b.want("/token?market=it", "access-ann-3").oneCookie(t)
		b.want("/both?market=us", "access-ann-3 access-ann-4").oneCookie(t)
		pass(2 * time.Hour)
		if r := b.want("/both?market=us", "access-ann-6 access-ann-5"); len(r.cookie) != 2 {
			t.Errorf("%d cookies, want those of both markets", len(r.cookie))
		}
		m.idp.wantRefreshes(t, 4)
		if r := b.get("/logout?market=it"); len(r.cookie) != 2 {
			t.Errorf("logout: %d cookies, want both removed", len(r.cookie))
		}
		b.want("/both?market=it", "guest-it guest-us")
		if got := b.cookies(); got != "" {
			t.Errorf("after the logout the browser has %q", got)
		}
	})
}

// The customers of two processes, whose records are in their cookies: whoever the
// API sees a request for, it is the visitor or a guest.
func TestCarriedIsolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, results := newProvider(), newShelf()
		p.took = 50 * time.Millisecond
		shops := []*site{p.site(t, results, nil, carrying()), p.site(t, results, nil, carrying())}
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				live(shops[0].visitor(fmt.Sprint("visitor ", i)), shops, i%2 == 0, rand.New(rand.NewPCG(2, uint64(i))))
			})
		}
		wg.Wait()
		pass(time.Minute) // for what is still going on beside
		synctest.Wait()
		asCustomer := 0
		for visitor, owners := range p.seen {
			for owner, n := range owners {
				switch owner {
				case visitor:
					asCustomer += n
				case "guest":
				default:
					t.Errorf("%d requests of %s were made as %s", n, visitor, owner)
				}
			}
		}
		_, refreshes, refused := p.counts()
		t.Logf("%d requests as customers; %d refreshes, %d refused", asCustomer, refreshes, refused)
		if asCustomer < 200 || refreshes < 15 || refused < 30 {
			t.Error("too little has happened for this to say anything")
		}
	})
}

package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/sealed"
)

var cookieKeys, _ = sealed.NewKeys(sealed.GenerateKey())

// carrying keeps customers in a sealed cookie.
func carrying() *bearer.MiddlewareOptions {
	return &bearer.MiddlewareOptions{Carrier: sealed.NewCookie(cookieKeys, nil)}
}

func TestCarried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.want("/token", "guest-shop").wantNoCookie(t)
		r := b.want("/login/ann", "access-ann-1")
		if c := r.oneCookie(t); c.MaxAge != 14*24*3600 || !c.HttpOnly || !c.Secure || strings.Contains(c.Value, "ann") {
			t.Errorf("Set-Cookie = %q, want a sealed one for two weeks", c.Raw)
		}
		r.wantCache(t, private, "Cookie")
		if got := b.client.Jar; strings.Contains(b.cookies(), "session") {
			t.Errorf("the browser has %v, want no session id", got)
		}
		r = b.want("/token", "access-ann-1")
		r.wantNoCookie(t)
		r.wantCache(t, private, "Cookie")
		b.want("/state", "customer")
		s.HandleFunc("/origin", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			a, err := sess.Authorization(r.Context())
			fmt.Fprint(w, a, err)
		})
		b.want("/origin", `bearer.Authorization(Customer "ann", from cookie) <nil>`)

		thief := b.old()
		r = b.want("/logout", "")
		if c := r.oneCookie(t); c.MaxAge >= 0 {
			t.Errorf("logout: Set-Cookie = %q, want it removed", c.Raw)
		}
		r.wantCache(t, private, "Cookie")
		b.want("/token", "guest-shop").wantNoCookie(t)
		s.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1")
		for range 13 { // longer than any tombstone in a storage
			thief.want("/token", "guest-shop")
			thief.want("/state", "guest")
			pass(24 * time.Hour)
		}
		s.idp.wantRefreshes(t, 0)
	})
}

func TestCarriedWithoutRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		if c := b.get("/login/ann?for=session").oneCookie(t); c.MaxAge != 0 {
			t.Errorf("Set-Cookie = %q, want it to end with the browser", c.Raw)
		}
		pass(59 * time.Minute)
		b.want("/plain", "plain")
		b.want("/token", "access-ann-1").wantNoCookie(t)
		old := b.old()
		pass(59 * time.Second)
		b.want("/token", "expired")
		b.want("/state", "customer expired")
		b.want("/state", "guest")
		b.want("/token", "guest-shop")
		old.want("/token", "guest-shop")
		s.idp.wantRefreshes(t, 0)
	})
}

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

// Only when the customer's token is about to end is there anything to do before
// the handler.
func TestCarriedIsLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		guest, b := s.tab(t), s.tab(t)
		b.get("/login/ann")
		before := s.uses()
		for range 3 {
			pass(10 * time.Minute)
			b.want("/plain", "plain").wantCache(t, "")
			guest.want("/plain", "plain")
			guest.want("/token", "guest-shop")
			guest.want("/state", "guest")
		}
		if got := s.uses(); got != before {
			t.Errorf("the storage was used %d times, want none", got-before)
		}
	})
}

// An aging or expired customer is refreshed before the handler, while there is a
// header for the new record.
func TestCarriedIsRefreshedFirst(t *testing.T) {
	for _, tt := range []struct {
		name string
		age  time.Duration
	}{{"aging", 57 * time.Minute}, {"nearly expired", 59*time.Minute + 55*time.Second}, {"expired", 5 * time.Hour}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, nil, carrying())
				b := s.tab(t)
				b.get("/login/ann")
				for i := range 5 {
					pass(tt.age)
					r := b.want("/plain", "plain")
					r.wantCache(t, private, "Cookie")
					if c := r.oneCookie(t); c.MaxAge != 14*24*3600 {
						t.Errorf("Set-Cookie = %q, want it for two weeks", c.Raw)
					}
					b.want("/token", fmt.Sprintf("access-ann-%d", i+2)).wantNoCookie(t)
					s.idp.wantRefreshes(t, i+1)
				}
				pass(tt.age)
				b.want("/token", "access-ann-7").oneCookie(t)
			})
		})
	}
}

// Whatever RefreshAhead is, a fresh token is left alone.
func TestCarriedRefreshAhead(t *testing.T) {
	for _, tt := range []struct {
		ahead, age time.Duration
		want       string
	}{
		{0, 54 * time.Minute, "access-ann-1"},
		{20 * time.Minute, 44 * time.Minute, "access-ann-1"}, // a quarter of the life at most
		{20 * time.Minute, 50 * time.Minute, "access-ann-2"},
		{-1, 59 * time.Minute, "access-ann-1"},
		{-1, 59*time.Minute + 51*time.Second, "access-ann-2"},
	} {
		t.Run(fmt.Sprint(tt.ahead, tt.age), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, &bearer.StorefrontOptions{RefreshAhead: tt.ahead}, carrying())
				b := s.tab(t)
				b.get("/login/ann")
				pass(tt.age)
				b.want("/token", tt.want)
			})
		})
	}
}

// Many requests with the old record get what one of them has got.
func TestCarriedParallel(t *testing.T) {
	for _, age := range []time.Duration{58 * time.Minute, 2 * time.Hour} {
		t.Run(age.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, nil, carrying())
				b := s.tab(t)
				b.get("/login/ann")
				pass(age)
				s.idp.onRefresh(func(context.Context, *bearer.Token) error { pass(time.Second); return nil })
				var wg sync.WaitGroup
				for range 50 {
					wg.Go(func() {
						r := b.old().want("/token", "access-ann-2")
						if len(r.cookie) != 1 {
							t.Errorf("%d cookies, want one", len(r.cookie))
						}
					})
				}
				wg.Wait()
				b.old().want("/token", "access-ann-2").oneCookie(t)
				s.idp.wantRefreshes(t, 1)

				b.get("/plain") // and with the new one it goes on
				pass(age)
				b.want("/token", "access-ann-3")
				s.idp.wantRefreshes(t, 2)
			})
		})
	}
}

// A client that has lost the answers, any number of them, is not lost.
func TestCarriedAnswersDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		old := b.old()
		const times = 100
		for i := range times {
			pass(2 * time.Hour)
			old.want("/token", fmt.Sprintf("access-ann-%d", i+2)).oneCookie(t)
			before := s.uses()
			old.want("/token", fmt.Sprintf("access-ann-%d", i+2)).oneCookie(t)
			if got := s.uses() - before; got > 8 {
				t.Fatalf("after %d refreshes a request used the storage %d times, want a few", i+1, got)
			}
		}
		s.idp.wantRefreshes(t, times)
		b.want("/token", fmt.Sprintf("access-ann-%d", times+1)).oneCookie(t)
		old.want("/logout", "")
		old.want("/token", "guest-shop")
		b.want("/token", "guest-shop")
	})
}

// What is refreshed when the header is out reaches the browser with its next
// request.
func TestCarriedMidStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		s.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				s.token(w, r)
				io.WriteString(w, " ")
				w.(http.Flusher).Flush()
				pass(90 * time.Minute)
			}
		})
		b := s.tab(t)
		b.get("/login/ann")
		b.want("/stream", "access-ann-1 access-ann-2 access-ann-3").wantNoCookie(t)
		s.idp.wantRefreshes(t, 2)
		b.want("/token", "access-ann-4").oneCookie(t)
		s.idp.wantRefreshes(t, 3)
		b.want("/token", "access-ann-4").wantNoCookie(t)
	})
}

// The same for work that outlives the request.
func TestCarriedBeyondTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		s.HandleFunc("/work", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			go func() {
				ctx := bearer.NewContext(context.Background(), sess)
				pass(90 * time.Minute)
				tok, err := s.front.TokenContext(ctx)
				if err != nil || tok.AccessToken != "access-ann-2" {
					t.Errorf("TokenContext = %v, %v, want the customer's", tok, err)
				}
				if err := sess.SetCustomer(ctx, s.idp.login("bob", true)); err == nil {
					t.Error("SetCustomer after the answer = nil, want an error")
				}
			}()
		})
		b := s.tab(t)
		b.get("/login/ann")
		b.get("/work")
		pass(91 * time.Minute)
		b.want("/token", "access-ann-2").oneCookie(t)
		s.idp.wantRefreshes(t, 1)
	})
}

// Several processes need nothing in common but the storage and the cookie's keys.
func TestCarriedProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newShop(t, nil, carrying())
		two := one.beside(t, carrying())
		b := one.tab(t)
		b.get("/login/ann")
		there := tabTo(t, two.server)
		there.client.Jar = b.client.Jar
		there.want("/token", "access-ann-1")

		pass(2 * time.Hour)
		old := there.old()
		b.want("/token", "access-ann-2")
		old.want("/token", "access-ann-2").oneCookie(t)
		there.want("/token", "access-ann-2").wantNoCookie(t)
		s := there.old()
		b.get("/logout")
		s.want("/token", "guest-shop")
		old.want("/token", "guest-shop")
		one.idp.wantRefreshes(t, 1)
	})
}

// Nothing in the storage helps anybody who has not got the cookie.
func TestCarriedResultsAreSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		for range 3 {
			pass(2 * time.Hour)
			b.get("/token")
		}
		b.get("/logout")
		dump := s.stored()
		if n := strings.Count(dump, "customer-shop-spent-"); n != 4 {
			t.Errorf("the storage has %d results, want one for each of 3 refreshes and a logout", n)
		}
		for _, secret := range []string{"access-", "refresh-", "ann", "null"} {
			if strings.Contains(dump, secret) {
				t.Errorf("the storage has %q in it", secret)
			}
		}
		s.shelf.mu.Lock()
		defer s.shelf.mu.Unlock()
		for key, v := range s.shelf.values {
			if until := time.Until(v.end); until < 13*24*time.Hour || until > 14*24*time.Hour {
				t.Errorf("%s… is kept for %v, want as long as the refresh token", key[:20], until)
			}
		}
	})
}

func TestCarriedTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		before := s.stored()
		s.idp.long = strings.Repeat("x", 5000)
		if r := b.get("/login/bob"); r.status != http.StatusConflict || len(r.cookie) > 0 {
			t.Errorf("a login with 5,000 bytes was answered %d, %q", r.status, r.body)
		}
		if got := s.stored(); got != before {
			t.Errorf("the storage has %q, want %q", got, before)
		}
		b.want("/token", "access-ann-1")
		s.idp.wantRevoked(t)

		// A refreshed one that does not fit is served, and told of.
		pass(2 * time.Hour)
		for range 2 {
			if r := b.get("/token"); r.status != http.StatusOK || !strings.HasPrefix(r.body, "access-ann-3xxx") || len(r.cookie) > 0 {
				t.Errorf("GET /token = %d %.20q, want the new token", r.status, r.body)
			}
		}
		if got := len(eventsOf[bearer.SaveFailed](&s.events)); got != 2 {
			t.Errorf("%d SaveFailed events, want one for each answer", got)
		}
		s.idp.wantRefreshes(t, 1)
	})
}

func TestCarriedForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		good := b.cookies()
		name, value, _ := strings.Cut(good, "=")
		carrier := carrying().Carrier
		carry := func(record string) string {
			w := &recorded{header: http.Header{}}
			if err := carrier.Save(w, "customer-shop", []byte(record), 0); err != nil {
				t.Fatal(err)
			}
			line, _, _ := strings.Cut(w.header.Get("Set-Cookie"), ";")
			return line
		}
		tests := []struct {
			name, cookie string
			want         string
			events       int
		}{
			{"its own", good, "access-ann-1", 0},
			{"empty", name + "=", "guest-shop", 1},
			{"cut off", good[:len(good)-5], "guest-shop", 1},
			{"changed", name + "=AAAA" + value[4:], "guest-shop", 1},
			{"twice", good + "; " + good, "guest-shop", 1},
			{"long", name + "=" + strings.Repeat("A", 100_000), "guest-shop", 1},
			{"nobody's token", carry(`{"accessToken":"access-nobody","scope":""}`), "guest-shop", 1},
			{"no record", carry(`[1]`), "guest-shop", 1},
			{"no token", carry(`{"scope":""}`), "guest-shop", 1},
			{"tombstone", carry(`null`), "guest-shop", 0},
		}
		for _, tt := range tests {
			before := len(eventsOf[bearer.SessionRefused](&s.events))
			r := tabTo(t, s.server).get("/token", "Cookie", tt.cookie)
			if r.status != http.StatusOK || r.body != tt.want || len(r.cookie) > 0 {
				t.Errorf("%s: answered %d %q with the cookies %v, want %q and none", tt.name, r.status, r.body, r.cookie, tt.want)
			}
			if got := len(eventsOf[bearer.SessionRefused](&s.events)) - before; got != tt.events {
				t.Errorf("%s: %d SessionRefused events, want %d", tt.name, got, tt.events)
			}
			// A logout removes what is of no use.
			if r := tabTo(t, s.server).get("/logout", "Cookie", tt.cookie); len(r.cookie) != 1 || r.cookie[0].MaxAge >= 0 {
				t.Errorf("%s: logout sets the cookies %v, want it removed", tt.name, r.cookie)
			}
		}
		s.tab(t).get("/logout").wantNoCookie(t)
	})
}

// The end of a session is told once, to somebody who asks.
func TestCarriedRefreshTokenDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		pass(2 * time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(400, "invalid_grant") })
		b.want("/plain", "plain").wantNoCookie(t) // which does not ask
		b.want("/plain", "plain").wantNoCookie(t)
		r := b.want("/state", "customer expired")
		if c := r.oneCookie(t); c.MaxAge >= 0 {
			t.Errorf("Set-Cookie = %q, want it removed", c.Raw)
		}
		r.wantCache(t, private, "Cookie")
		b.want("/state", "guest").wantNoCookie(t)
		b.want("/token", "guest-shop")
		if got := len(eventsOf[bearer.CustomerExpired](&s.events)); got != 1 {
			t.Errorf("%d CustomerExpired events, want 1", got)
		}
		s.idp.wantRefreshes(t, 1)

		b.want("/login/ann", "access-ann-2").oneCookie(t)
		b.want("/token", "access-ann-2")
	})
}

func TestCarriedEndpointDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return errDown })
		pass(57 * time.Minute)
		b.want("/token", "access-ann-1").wantNoCookie(t)
		pass(3 * time.Minute)
		for range 10 {
			if r := b.get("/token"); r.status != http.StatusBadGateway {
				t.Errorf("GET /token = %d %q, want an error", r.status, r.body)
			}
			b.want("/state", "customer").wantNoCookie(t)
		}
		s.idp.onRefresh(nil)
		pass(time.Minute)
		b.want("/token", "access-ann-2").oneCookie(t)
	})
}

// While the old token serves, an endpoint that does not answer costs one request
// two seconds and the others nothing.
func TestCarriedEndpointHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		pass(57 * time.Minute)
		hang := make(chan struct{})
		s.idp.onRefresh(func(ctx context.Context, _ *bearer.Token) error {
			select {
			case <-hang:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		for _, want := range []time.Duration{2 * time.Second, 0, 0} {
			start := time.Now()
			b.want("/plain", "plain").wantNoCookie(t)
			if took := time.Since(start); took != want {
				t.Errorf("the request took %v, want %v", took, want)
			}
		}
		b.want("/token", "access-ann-1").wantNoCookie(t)
		close(hang)
		synctest.Wait()
		b.want("/token", "access-ann-2").oneCookie(t)
		s.idp.wantRefreshes(t, 1)

		// A visitor who leaves has not waited in vain for others.
		pass(57 * time.Minute)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { pass(time.Second); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://shop.test/plain", nil)
		req.Header.Set("Cookie", b.cookies())
		if _, err := s.server.RoundTrip(req); err == nil {
			t.Error("the visitor who leaves got an answer")
		}
		b.want("/token", "access-ann-3").oneCookie(t)
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

// Some providers give the same refresh token for ever.
func TestCarriedFixedRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		s.idp.fixed = true
		b := s.tab(t)
		b.get("/login/ann")
		old := b.old()
		for i := range 5 {
			pass(2 * time.Hour)
			want := fmt.Sprintf("access-ann-%d", i+2)
			old.want("/token", want).oneCookie(t)
			b.want("/token", want).oneCookie(t)
			s.idp.wantRefreshes(t, i+1)
		}
		b.get("/logout")
		old.want("/token", "guest-shop")
	})
}

// Some give the same tokens again, to be good for longer.
func TestCarriedSameTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refreshes := 0
		s := newShop(t, &bearer.StorefrontOptions{Refresh: func(_ context.Context, old *bearer.Token) (*bearer.Token, error) {
			refreshes++
			return &bearer.Token{AccessToken: old.AccessToken, RefreshToken: old.RefreshToken, Expiry: time.Now().Add(time.Hour)}, nil
		}}, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		for i := range 3 {
			pass(2 * time.Hour)
			b.want("/token", "access-ann-1").oneCookie(t)
			b.want("/token", "access-ann-1").wantNoCookie(t)
			if refreshes != i+1 {
				t.Errorf("%d refreshes, want %d", refreshes, i+1)
			}
		}
		old := b.old()
		b.get("/logout")
		old.want("/token", "guest-shop")
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

// The storage is for parallel requests: without it the cookie says who it is.
func TestCarriedStorageDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		s.shelf.failing(errDown, "get", "set", "delete", "swap")
		b := s.tab(t)
		b.want("/token", "guest-shop")
		b.want("/login/ann", "access-ann-1").oneCookie(t)
		b.want("/token", "access-ann-1")
		for i := range 3 {
			pass(2 * time.Hour)
			b.want("/token", fmt.Sprintf("access-ann-%d", i+2)).oneCookie(t)
		}
		s.idp.wantRefreshes(t, 3)
		if len(eventsOf[bearer.StorageFailed](&s.events)) == 0 {
			t.Error("nobody was told that the storage fails")
		}
		if r := b.get("/logout"); r.status != http.StatusBadGateway || len(r.cookie) != 1 || r.cookie[0].MaxAge >= 0 {
			t.Errorf("logout = %d %q with the cookies %v, want an error, and the cookie removed", r.status, r.body, r.cookie)
		}
		b.want("/token", "guest-shop")
		s.shelf.faults(nil, nil)
		b.want("/login/ann", "access-ann-5")
		b.want("/token", "access-ann-5")
	})
}

// A visitor who is not to be known by the cookie of another storefront.
func TestCarriedMarkets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, carrying(), "it", "us")
		b := m.tab(t)
		b.get("/login/ann?market=it")
		b.get("/login/bob?market=us")
		if got := strings.Count(b.cookies(), "="); got != 2 {
			t.Errorf("the browser has %d cookies, want one for each market", got)
		}
		b.want("/token?market=it", "access-ann-1")
		b.want("/token?market=us", "access-bob-2")
		pass(2 * time.Hour)
		b.want("/token?market=it", "access-ann-3").oneCookie(t)
		b.want("/both?market=us", "access-ann-3 access-bob-4").oneCookie(t)
		pass(2 * time.Hour)
		if r := b.want("/both?market=us", "access-ann-6 access-bob-5"); len(r.cookie) != 2 {
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

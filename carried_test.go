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

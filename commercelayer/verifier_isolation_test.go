package commercelayer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// 50 visitors come with tokens of their own, with cookies, or with both, as guests and
// as customers, all at once and several windows each. Nobody is ever taken for anybody
// else: not by the API, whose journal is asked too, nor by the session.
func TestVerifierIsolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const visitors, rounds = 50, 3
		people := make([]commercelayertest.Customer, visitors)
		for i := range people {
			people[i] = commercelayertest.Customer{Email: fmt.Sprintf("c%d@example.com", i), Password: "password", ID: fmt.Sprintf("customer%d", i)}
		}
		s := local(t, &commercelayertest.Options{Customers: people, RateLimit: commercelayertest.NoRateLimit, RequestLog: 100_000})
		c := newSalesChannel(t, optionsFor(s))
		v := newVerifier(t, s, nil)
		shop := open(t, c.Middleware(&bearer.MiddlewareOptions{Verifier: v}))
		guests := guestToken(t, s) // which they share
		var all sync.WaitGroup
		for i, person := range people {
			all.Go(func() {
				b, rnd := shop.shopper(), rand.New(rand.NewPCG(1, uint64(i)))
				// The cookie is the next one's, so that the two cannot be mistaken.
				next := people[(i+1)%visitors]
				b.do(t, func(ctx context.Context) {
					if err := c.Login(ctx, next.Email, next.Password); err != nil {
						t.Errorf("Login: %v", err)
					}
				})
				for range rounds {
					token := customerToken(t, s, person.ID)
					var windows sync.WaitGroup
					for range 3 {
						who, window := next.ID, &shopper{shop, b.jar, http.Header{}} // by the cookie
						switch rnd.IntN(5) {
						case 0, 1:
							who = person.ID
							window.header.Set("Authorization", "Bearer "+token)
						case 2:
							who = "guest"
							window.header.Set("Authorization", "Bearer "+guests)
						case 3:
							who, window = "guest", shop.shopper()
						}
						windows.Go(func() { seenAs(t, window, c, v, who) })
					}
					windows.Wait()
					if rnd.IntN(3) == 0 {
						pass(time.Duration(rnd.IntN(60)) * time.Minute)
					}
				}
			})
		}
		all.Wait()
		seen := map[string]int{}
		for _, r := range s.Requests() {
			if r.Endpoint == commercelayertest.APIEndpoint {
				if got := r.Shown.Owner.ID; got != r.ID && (got != "" || r.ID != "guest") {
					t.Errorf("a request of %s came as that of %s", r.ID, got)
				}
				seen[r.ID]++
			}
		}
		if len(seen) != visitors+1 || seen["guest"] < visitors {
			t.Errorf("%d kinds of visitors, %d requests of guests: too little has happened", len(seen), seen["guest"])
		}
	})
}

// seenAs has a browser make a request, and checks for whom all take it.
func seenAs(t *testing.T, b *shopper, c *commercelayer.SalesChannel, v *commercelayer.Verifier, who string) {
	inbound := b.header.Get("Authorization") != ""
	answer := b.visit(t, v.Require(func(claims *commercelayer.Claims) error {
		got := "guest"
		if claims.Owner != nil {
			got = claims.Owner.ID
		}
		if got != who {
			t.Errorf("the claims of %s are those of %s", who, got)
		}
		return nil
	}, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := bearer.FromContext(r.Context())
		a, err := session.Authorization(r.Context())
		if err != nil {
			t.Error(err)
			return
		}
		if got := a.Owner.ID; got != who && (got != "" || who != "guest") || (a.Origin == bearer.OriginHeader) != inbound {
			t.Errorf("the session of %s is that of %v", who, a)
		}
		w.Header().Set("X-Owner", a.Owner.ID)
		status, ids, err := ask(r.Context(), &http.Client{Transport: meant{c.Client().Transport, who}}, "customers")
		switch got := strings.Join(ids, " "); {
		case who == "guest" && status == 401:
		case who != "guest" && status == 200 && got == who:
		default:
			t.Errorf("%s gets %d %s, %v", who, status, got, err)
		}
	})).ServeHTTP)
	if got := answer.Header.Get("X-Owner"); answer.StatusCode != 200 || got != who && (got != "" || who != "guest") {
		t.Errorf("%s is answered %d as %s", who, answer.StatusCode, got)
	}
	if got := answer.Header.Get("Cache-Control"); who != "guest" && got != "private, no-store" {
		t.Errorf("Cache-Control of an answer for %s is %q", who, got)
	}
}

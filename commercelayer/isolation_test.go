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

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// 200 visitors, some of whom are one customer on several devices, browse, sign in
// and out, have their tokens refreshed and revoked, all at once. Each request to
// the API says in X-Request-Id who it is meant to be, and the API's own journal
// tells whom it took it for.
func TestIsolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const visitors, customers, steps = 200, 70, 14
		people := make([]commercelayertest.Customer, customers)
		for i := range people {
			people[i] = commercelayertest.Customer{Email: fmt.Sprintf("c%d@example.com", i), Password: "password", ID: fmt.Sprintf("customer%d", i)}
		}
		s := local(t, &commercelayertest.Options{Customers: people, RateLimit: commercelayertest.NoRateLimit, RequestLog: 100_000})
		c := newSalesChannel(t, optionsFor(s))
		shop := openChannel(t, c)
		var all sync.WaitGroup
		for i := range visitors {
			all.Go(func() {
				v := &visit{shopper: shop.shopper(), server: s, channel: c, rnd: rand.New(rand.NewPCG(1, uint64(i)))}
				if i%2 == 0 {
					v.person = &people[i/2%customers]
				}
				for range steps {
					v.step(t)
				}
			})
		}
		all.Wait()

		seen := map[string]int{}
		for _, r := range s.Requests() {
			if r.Endpoint != commercelayertest.APIEndpoint {
				continue
			}
			want := r.ID
			got := r.Shown.Owner.ID
			if got == "" {
				got = "guest"
			}
			if got != want {
				t.Errorf("a request of %s came as that of %s", want, got)
			}
			seen[want]++
		}
		n := s.Counts()
		t.Logf("%d requests to the API of %d kinds of visitors, %d logins, %d refreshes, %d tokens revoked by %d requests, %d refused", n.APIRequests, len(seen), n.Password, n.RefreshToken, n.Revoked, n.RevokeRequests, n.APIInvalidToken)
		if n.APIRequests < 3000 || len(seen) != customers+1 || n.Password < 150 || n.RefreshToken < 100 || n.RevokeRequests < 150 {
			t.Error("too little has happened")
		}
		if n.RefreshReused != 0 || n.RevokeRefused != 0 {
			t.Errorf("%d refresh tokens used twice, %d revocations refused", n.RefreshReused, n.RevokeRefused)
		}
	})
}

// visit is one visitor on the way through the shop.
type visit struct {
	*shopper
	server  *commercelayertest.Server
	channel *commercelayer.SalesChannel
	rnd     *rand.Rand
	person  *commercelayertest.Customer // nil for who never signs in
	in      bool                        // signed in
}

// who is whom the API has to take the visitor for.
func (v *visit) who() string {
	if v.in {
		return v.person.ID
	}
	return "guest"
}

// meant adds the header to requests.
type meant struct {
	base http.RoundTripper
	who  string
}

func (m meant) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Request-Id", m.who)
	return m.base.RoundTrip(r)
}

func (v *visit) step(t *testing.T) {
	if v.person != nil {
		switch choice := v.rnd.IntN(10); {
		case !v.in && choice < 5:
			v.do(t, func(ctx context.Context) {
				v.browse(t, ctx)
				if err := v.channel.Login(ctx, v.person.Email, v.person.Password); err != nil {
					t.Errorf("Login: %v", err)
				}
				v.in = true
				v.browse(t, ctx)
			})
		case v.in && choice < 2:
			v.do(t, func(ctx context.Context) {
				v.browse(t, ctx)
				if err := v.channel.LogoutCustomer(ctx); err != nil {
					t.Errorf("LogoutCustomer: %v", err)
				}
				v.in = false
				v.browse(t, ctx)
			})
		case v.in && choice < 5:
			pass(11 * time.Minute) // more often, and a brake would be on
			token := v.tokens(t, v.channel)
			v.server.Revoke(token.AccessToken)
		case choice == 9:
			pass(time.Duration(v.rnd.IntN(5*60)) * time.Minute)
		}
	}
	// Several windows at once.
	var all sync.WaitGroup
	for range 1 + v.rnd.IntN(2) {
		all.Go(func() { v.do(t, func(ctx context.Context) { v.browse(t, ctx) }) })
	}
	all.Wait()
}

// browse asks the API, and checks that what it answers is for this visitor.
func (v *visit) browse(t *testing.T, ctx context.Context) {
	who := v.who()
	status, ids, err := ask(ctx, &http.Client{Transport: meant{v.channel.Client().Transport, who}}, "customers")
	switch got := strings.Join(ids, " "); {
	case who == "guest" && status == 401:
	case who != "guest" && status == 200 && got == who:
	default:
		t.Errorf("%s gets %d %s, %v", who, status, got, err)
	}
}

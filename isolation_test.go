package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// Two hundred visitors, half of them customers, at a shop of two processes: they
// sign in and out, tokens expire and are revoked, the storage and the provider fail
// now and then. Whoever the API sees a request for, it is the visitor or a guest.
func TestIsolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, customers, one, two := twoProcesses(t)
		p.took = 50 * time.Millisecond
		shops := []*site{one, two}
		var faults sync.Mutex // guards the next; rand.Rand is for one at a time
		fault := rand.New(rand.NewPCG(7, 7))
		customers.faults(func(context.Context, string, string) error {
			faults.Lock()
			r := fault.IntN(1000)
			faults.Unlock()
			switch {
			case r < 5:
				return errDown
			case r < 200:
				pass(time.Duration(r) * time.Millisecond)
			}
			return nil
		}, nil)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				live(one.visitor(fmt.Sprint("visitor ", i)), shops, i%2 == 0, rand.New(rand.NewPCG(1, uint64(i))))
			})
		}
		wg.Wait()
		synctest.Wait()
		requests, asCustomer := 0, 0
		for visitor, owners := range p.seen {
			for owner, n := range owners {
				requests += n
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
		t.Logf("%d requests, %d as customers; %d refreshes, %d refused, %d expired", requests, asCustomer, refreshes, refused, len(eventsOf[bearer.CustomerExpired](one.events)))
		if requests < 3000 || asCustomer < 800 || refreshes < 50 || refused < 100 {
			t.Error("too little has happened for this to say anything")
		}
	})
}

// live is what one visitor does, who is a customer or only looks on.
func live(v *visitor, shops []*site, customer bool, r *rand.Rand) {
	var tabs sync.WaitGroup
	defer tabs.Wait()
	for range 10 {
		pass(time.Duration(r.IntN(600)) * time.Second)
		v = v.at(shops[r.IntN(len(shops))])
		do := r.IntN(10)
		if !customer && do < 6 {
			do = 9
		}
		switch do {
		case 0, 1, 2: // signs in, with other tabs at work
			v.others(&tabs, r.IntN(3))
			v.setCustomer(v.p.signIn(v.name))
		case 3:
			v.others(&tabs, r.IntN(3))
			v.signOut()
		case 4: // its token is revoked
			v.in(func(ctx context.Context, session *bearer.Session) {
				if a, err := session.Customer(ctx); err == nil {
					v.p.kill(a.Token.AccessToken)
				}
			})
		case 5: // its refresh token too
			v.in(func(ctx context.Context, session *bearer.Session) {
				if a, err := session.Customer(ctx); err == nil {
					v.p.endFamilyOf(a.Token)
					v.p.kill(a.Token.AccessToken)
				}
			})
		case 6: // the guests' is
			if r.IntN(4) > 0 {
				break
			}
			v.in(func(ctx context.Context, session *bearer.Session) {
				if a, err := session.Guest(ctx); err == nil {
					v.p.kill(a.Token.AccessToken)
				}
			})
		default:
			v.others(&tabs, r.IntN(4))
		}
		owner, err := v.whoami()
		switch {
		case err == nil && !customer && owner != "guest":
			v.t.Errorf("%s has never signed in and acts as %s", v.name, owner)
		case errors.Is(err, bearer.ErrCustomerExpired):
			v.state()
		}
	}
}

// others are pages that the visitor has open beside.
func (v *visitor) others(tabs *sync.WaitGroup, n int) {
	for range n {
		tabs.Go(func() {
			v.in(func(ctx context.Context, _ *bearer.Session) {
				for range 3 {
					v.call(ctx, v.name)
					pass(time.Second)
				}
			})
		})
	}
}

package bearer_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// useless are answers of a Refresh that bring no token.
var useless = map[string]func() (*bearer.Token, error){
	"error": func() (*bearer.Token, error) { return nil, errDown },
	"nil":   func() (*bearer.Token, error) { return nil, nil },
	"empty": func() (*bearer.Token, error) { return &bearer.Token{}, nil },
	"panic": func() (*bearer.Token, error) { panic("s3cr3t") },
}

// A useless answer is shared by all processes, whatever makes it useless.
func TestUselessAnswerForAFleet(t *testing.T) {
	for name, answer := range useless {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 20)
				var asked atomic.Int64
				for i := range f.spends {
					f.spends[i] = func(context.Context, *bearer.Token) (*bearer.Token, error) {
						asked.Add(1)
						return answer()
					}
				}
				if _, failed, _ := askAll(t.Context(), f.sources); failed != 20 || asked.Load() != 1 {
					t.Errorf("%d requests, %d of 20 processes failed; want one for all", asked.Load(), failed)
				}
				pass(time.Minute)
			})
		})
	}
}

func TestUselessAnswerForACustomer(t *testing.T) {
	for name, answer := range useless {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int64
				p, storage := &idp{}, memstore.New(nil)
				all := make([]*bearer.SingleCustomer, 20)
				for i := range all {
					all[i] = bearer.NewSingleCustomer(&bearer.StorefrontOptions{
						Name: "tool", Customers: storage, Key: singleKey, Owner: p.owner,
						Refresh: func(context.Context, *bearer.Token) (*bearer.Token, error) {
							asked.Add(1)
							return answer()
						},
					})
				}
				setCustomer(t, all[0], p.login("ada", true))
				pass(2 * time.Hour)
				var wg sync.WaitGroup
				for _, c := range all {
					wg.Go(func() {
						if tok, err := c.TokenContext(t.Context()); err == nil {
							t.Errorf("got %v, want an error", tok)
						}
					})
				}
				wg.Wait()
				if n := asked.Load(); n != 1 {
					t.Errorf("%d requests, want one for all", n)
				}
				pass(time.Minute)
			})
		})
	}
}

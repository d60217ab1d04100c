package bearer_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
)

// Another market's storage that panics while the visitor signs in takes no process with
// it, and keeps nobody out of this market.
func TestMarketsMovePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarkets(t, nil, "it", "us")
		b := m.tab(t)
		b.get("/login/ann?market=us")
		m.shelf.faults(func(_ context.Context, op, key string) error {
			if op == "get" && strings.HasPrefix(key, "customer-us-") {
				panic("s3cr3t")
			}
			return nil
		}, nil)
		b.want("/login/ann?market=it", "access-ann-2")
		synctest.Wait()
		m.shelf.failing(nil)
		b.want("/token?market=it", "access-ann-2")
		told := eventsOf[bearer.StorageFailed](&m.events)
		if len(told) != 1 || !contains(told[0].Err.Error(), "panic") {
			t.Errorf("told of %v, want the panic", told)
		}
	})
}

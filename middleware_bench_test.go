package bearer_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/contest"
)

// quiet is a handler that needs no token.
var quiet = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// floorMiddleware is the least that putting something into a request's context
// takes.
func floorMiddleware(next http.Handler) http.Handler {
	type key struct{}
	type visit struct{ *http.Request }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, &visit{r})))
	})
}

// serverWriter has what the server's writer has.
type serverWriter struct {
	recorded
	http.Flusher
	http.Hijacker
}

func requestOnServer() *http.Request {
	r := requestWith6Headers("https://shop.test/")
	r.Header.Set("Cookie", "__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.20000")
	type serverKey struct{}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), serverKey{}, 1))
	_ = cancel
	return r.WithContext(ctx)
}

func quietMiddleware() http.Handler {
	f := bearer.NewStorefront(guestToken("shop"), &bearer.StorefrontOptions{Customers: newShelf()})
	return bearer.Middleware(f, nil)(quiet)
}

// Middleware round a handler that needs no token. The bar: 1.3 of the floor.
func BenchmarkMiddleware(b *testing.B) {
	r, w := requestOnServer(), &serverWriter{recorded: recorded{header: http.Header{}}}
	loop := func(h http.Handler) func(int) {
		return func(n int) {
			for range n {
				h.ServeHTTP(w, r)
			}
		}
	}
	own, floor := quietMiddleware(), floorMiddleware(quiet)
	contest.Compare(b, contest.By("bearer", loop(own)), contest.By("floor", loop(floor)))
	allocs, bytes := contest.Memory(loop(own))
	floorAllocs, floorBytes := contest.Memory(loop(floor))
	b.ReportMetric(allocs, "allocs/op")
	b.ReportMetric(floorAllocs, "floor-allocs/op")
	b.ReportMetric(bytes, "B/op")
	b.ReportMetric(floorBytes, "floor-B/op")
}

func TestMiddlewareAllocations(t *testing.T) {
	r, w := requestOnServer(), &serverWriter{recorded: recorded{header: http.Header{}}}
	allocs := func(h http.Handler) float64 { return testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }) }
	if own, floor := allocs(quietMiddleware()), allocs(floorMiddleware(quiet)); own > floor {
		t.Errorf("Middleware: %v allocations, want at most the %v of context.WithValue and WithContext", own, floor)
	}
}

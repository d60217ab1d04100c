package fleet_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// Processes stand still for a moment, the network to Redis is slow or lets nothing
// through, the auth server takes its time, and tokens live for seconds only: on such a
// day no request fails, nobody is signed out, and each token is still asked for once.
func TestSmallTroubles(t *testing.T) {
	t.Parallel()
	const (
		processes = 10
		customers = 4
		day       = 10 * time.Second
		life      = 3 * time.Second
		moment    = 400 * time.Millisecond
	)
	again(t, func(t *testing.T) bool {
		f := newFleet(t, memory, authConfig{TokenLife: life, RenewWithin: life / 2, RateLimit: commercelayertest.NoRateLimit})
		n := newNetwork(t, f.redis.Addr())
		f.config.Redis = n.url()
		f.start(processes)
		troubles := []struct {
			name  string
			begin func() (undo func())
		}{
			{"a process stands still", func() func() {
				s := f.shops[rand.N(processes)]
				s.stop()
				return s.resume
			}},
			{"the network is slow", func() func() { n.slow(rand.N(moment / 4)); return func() { n.slow(0) } }},
			{"nothing gets through", func() func() { n.die(); return n.revive }},
			{"the auth server takes its time", func() func() { f.do("delay", rand.N(moment)); return func() { f.do("delay", 0) } }},
		}
		begin := time.Now()
		f.load(load{Path: "/", Every: 200 * time.Millisecond, Want: []string{guest}})
		cookies := make([]string, customers)
		for i := range cookies {
			cookies[i], _ = f.loginFor(life)
			f.load(load{Path: "/", Cookie: cookies[i], Every: 200 * time.Millisecond, Want: []string{ada}})
		}
		small := true
		for end := time.Now().Add(day); time.Now().Before(end); {
			trouble, begun := troubles[rand.N(len(troubles))], time.Now()
			undo := trouble.begin()
			<-time.After(rand.N(moment))
			undo()
			t.Logf("after %v: %s for %v", begun.Sub(begin), trouble.name, time.Since(begun))
			small = small && time.Since(begun) < 2*time.Second // less than a lease
			<-time.After(rand.N(moment))
		}
		got, counts := f.unload(), f.counts()
		if !small {
			return false
		}
		results.add(t, row{"small troubles", processes, got, counts.TokenRequests, "of a call"})
		f.wantReused(0)
		rounds := int(time.Since(begin)/(life*3/4)) + 1 // tokens age when a quarter of their life is left
		if most := (customers + 1) * rounds * 3 / 2; counts.TokenRequests > most {
			t.Errorf("%d token requests for %d tokens, want %d at most: %+v", counts.TokenRequests, (customers+1)*rounds, most, counts)
		}
		for _, cookie := range cookies {
			if v := get(f.shops[0].url, cookie); v.Who != ada {
				t.Errorf("afterwards the visitor is %q, %s, want %q", v.Who, v.Error, ada)
			}
		}
		return true
	})
}

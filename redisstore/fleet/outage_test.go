package fleet_test

import (
	"testing"
	"time"
)

// Redis goes away, or what leads to it, while guests and customers come to all
// processes, and while a new process starts. None of them notices: memory serves, and
// the auth server. Customers stay in the memory of package layered; without that, they
// need Redis.
func TestOutage(t *testing.T) {
	t.Parallel()
	const processes = 10
	// The guests' token is renewed every 6 seconds or so, in the outages too.
	const life = 8 * time.Second
	tests := []struct {
		name      string
		front     front
		begin     func(*fleet, *network)
		length    time.Duration
		end       func(*fleet, *network)
		customers []string // who they may be; nil if none come
		tokens    int      // token requests at most
	}{
		{"outage: Redis restarted", memory, func(f *fleet, _ *network) { f.redis.Kill() }, 4 * time.Second,
			func(f *fleet, _ *network) { f.redis.Restart() }, []string{ada}, 2*processes + 4},
		{"outage: Redis restarted, " + string(copies), copies, func(f *fleet, _ *network) { f.redis.Kill() }, 4 * time.Second,
			func(f *fleet, _ *network) { f.redis.Restart() }, nil, 2*processes + 4},
		// What is gone is gone: a customer whose record is not there has signed out.
		{"outage: Redis emptied", memory, func(f *fleet, _ *network) { f.redis.Do("FLUSHALL") }, 2 * time.Second,
			func(*fleet, *network) {}, []string{ada, guest}, 4},
		{"outage: network slow by 0.2 s", memory, func(_ *fleet, n *network) { n.slow(100 * time.Millisecond) }, 6 * time.Second,
			func(_ *fleet, n *network) { n.slow(0) }, []string{ada}, 4},
		{"outage: network dead", memory, func(_ *fleet, n *network) { n.die() }, 6 * time.Second,
			func(_ *fleet, n *network) { n.revive() }, []string{ada}, 2*processes + 4},
		{"outage: network cut", memory, func(_ *fleet, n *network) { n.cut() }, 4 * time.Second,
			func(_ *fleet, n *network) { n.mend() }, []string{ada}, 2*processes + 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, tt.front, authConfig{TokenLife: life, RenewWithin: life / 2}, "--appendonly", "yes", "--appendfsync", "always")
			n := newNetwork(t, f.redis.Addr())
			f.config.Redis = n.url()
			f.start(processes)
			f.load(load{Path: "/", Every: 100 * time.Millisecond, Want: []string{guest}})
			if tt.customers != nil {
				f.load(load{Path: "/", Cookie: f.loginFor(time.Hour), Every: 100 * time.Millisecond, Want: tt.customers})
			}
			<-time.After(4 * time.Second)
			tt.begin(f, n)
			begun := time.Now()
			cold := get(f.start(1)[0].url, "")
			if cold.Who != guest {
				t.Errorf("the process that has started meanwhile: %q, %s, want %q", cold.Who, cold.Error, guest)
			}
			t.Logf("the process that has started meanwhile has served after %v", cold.At.Sub(begun))
			<-time.After(tt.length - time.Since(begun))
			tt.end(f, n)
			<-time.After(2 * time.Second)
			got := f.unload()
			got.add(cold, cold.At.Sub(begun), nil)
			tokens := len(f.requests())
			results.add(t, row{tt.name, processes + 1, got, tokens, "of a call"})
			if tokens > tt.tokens {
				t.Errorf("%d token requests, want %d at most", tokens, tt.tokens)
			}
			f.wantReused(0)
		})
	}
}

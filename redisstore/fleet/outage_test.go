package fleet_test

import (
	"testing"
	"time"
)

// durable has a Redis keep what it has acknowledged when it is restarted.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// Redis goes away, or what leads to it, while guests and customers come to all
// processes, and while a new process starts. None of them notices: memory serves, and
// the auth server. Customers stay in the memory of package layered; without that, they
// need Redis.
func TestOutage(t *testing.T) {
	t.Parallel()
	const (
		processes = 10
		life      = 8 * time.Second // of the guests' tokens: one is renewed in each outage
	)
	kill := func(f *fleet, _ *network) { f.redis.Kill() }
	restart := func(f *fleet, _ *network) { f.redis.Restart() }
	tests := []struct {
		name       string
		front      front
		begin, end func(*fleet, *network)
		length     time.Duration
		customers  []string // who they may be; nil if none come
		alone      bool     // each process makes token requests of its own
	}{
		{"Redis restarted, " + string(memory), memory, kill, restart, 4 * time.Second, []string{ada}, true},
		{"Redis restarted, " + string(copies), copies, kill, restart, 4 * time.Second, nil, true},
		// What is gone is gone: a customer whose record is not there has signed out.
		{"Redis emptied", memory, func(f *fleet, _ *network) { f.redis.Do("FLUSHALL") }, func(*fleet, *network) {},
			2 * time.Second, []string{ada, guest}, false},
		{"network slow by 0.2 s", memory, func(_ *fleet, n *network) { n.slow(100 * time.Millisecond) }, func(_ *fleet, n *network) { n.slow(0) },
			6 * time.Second, []string{ada}, false},
		{"network dead", memory, func(_ *fleet, n *network) { n.die() }, func(_ *fleet, n *network) { n.revive() },
			6 * time.Second, []string{ada}, true},
		{"network cut", memory, func(_ *fleet, n *network) { n.cut() }, func(_ *fleet, n *network) { n.mend() },
			4 * time.Second, []string{ada}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, tt.front, authConfig{TokenLife: life, RenewWithin: life / 2}, durable...)
			n := newNetwork(t, f.redis.Addr())
			f.config.Redis = n.url()
			f.start(processes)
			first := time.Now()
			f.load(load{Path: "/", Every: 200 * time.Millisecond, Want: []string{guest}})
			if tt.customers != nil {
				cookie, _ := f.loginFor(time.Hour)
				f.load(load{Path: "/", Cookie: cookie, Every: 200 * time.Millisecond, Want: tt.customers})
			}
			<-time.After(4 * time.Second)
			tt.begin(f, n)
			begun := time.Now()
			cold := get(f.start(1)[0].url, "")
			if cold.Who != guest {
				t.Errorf("the process that has started meanwhile: %q, %s, want %q", cold.Who, cold.Error, guest)
			}
			<-time.After(tt.length - time.Since(begun))
			tt.end(f, n)
			lasted := time.Since(begun)
			<-time.After(2 * time.Second)
			got := f.unload()
			got.add(cold, cold.At.Sub(begun), nil)
			tokens := len(f.requests())
			results.add(t, row{"outage: " + tt.name, processes + 1, got, tokens, "of a call"})
			const renewed = life * 3 / 4 // tokens age when a quarter of their life is left
			most := int(time.Since(first)/renewed) + 2
			if tt.alone {
				most += 2 * processes * (int(lasted/renewed) + 1)
			}
			if tokens > most {
				t.Errorf("%d token requests, want %d at most", tokens, most)
			}
			f.wantReused(0)
		})
	}
}

// A customer's token expires while Redis is away. The process that she visits spends
// her refresh token without it, and the others find the new one when Redis is back.
func TestExpiredDuringAnOutage(t *testing.T) {
	t.Parallel()
	again(t, expiredDuringAnOutage)
}

func expiredDuringAnOutage(t *testing.T) (happened bool) {
	f := newFleet(t, memory, authConfig{}, durable...)
	f.start(2)
	const life = 8 * time.Second // ages when 2 s are left
	cookie, over := f.loginFor(life)
	f.visit("/", cookie).all.Wait()
	before := f.record()
	f.redis.Kill()
	if time.Until(over) < life/4 {
		return false
	}
	<-time.After(time.Until(over) + time.Second)
	var got tally
	visit := func(s *instance) {
		begin := time.Now()
		got.add(get(s.url, cookie), time.Since(begin), []string{ada})
	}
	for range 3 {
		visit(f.shops[0])
	}
	f.redis.Restart()
	for begin := time.Now(); time.Since(begin) < patience; {
		<-time.After(time.Second) // what is unsaved is written with a use, at most once a second
		visit(f.shops[0])
		if now := f.record(); now != "" && now != before {
			break
		}
	}
	visit(f.shops[1])
	results.add(t, row{"outage: a customer expires", 2, got, len(f.requests()), "of a call"})
	wantTokens(t, len(f.requests()), 1)
	f.wantReused(0)
	f.wantAll(cookie, ada)
	return true
}

// record returns what Redis has of the one customer; nothing if it cannot be reached.
func (f *fleet) record() string {
	f.t.Helper()
	const customers = "return table.concat(redis.call('MGET', unpack(redis.call('KEYS', 'shop:cl_customer-*'))))"
	text, err := f.redis.Try("EVAL", customers, "0").ToString()
	if err != nil {
		return ""
	}
	return text
}

// A customer's token ages while Redis is away, and serves. No process spends her
// refresh token then, since others might too; one does when Redis is back.
func TestAgingDuringAnOutage(t *testing.T) {
	t.Parallel()
	again(t, func(t *testing.T) bool {
		f := newFleet(t, memory, authConfig{})
		n := newNetwork(t, f.redis.Addr())
		f.config.Redis = n.url()
		f.start(10)
		const life = 32 * time.Second // ages when 6 to 8 s are left, serves until 3.2 s are
		cookie, over := f.loginFor(life)
		f.load(load{Path: "/", Cookie: cookie, Every: 200 * time.Millisecond, Want: []string{ada}})
		<-time.After(time.Until(over.Add(-10 * time.Second)))
		n.cut()
		inTime := time.Until(over) > life/4
		<-time.After(time.Until(over.Add(-5500 * time.Millisecond)))
		during := len(f.requests())
		n.mend()
		inTime = inTime && time.Until(over) > life/10+2*time.Second // in which they find Redis again
		<-time.After(time.Until(over))
		got := f.unload()
		if !inTime {
			return false
		}
		results.add(t, row{"outage: a customer ages", 10, got, len(f.requests()), "of a call"})
		wantTokens(t, during, 0)
		wantTokens(t, len(f.requests()), 1)
		f.wantReused(0)
		f.wantAll(cookie, ada)
		return true
	})
}

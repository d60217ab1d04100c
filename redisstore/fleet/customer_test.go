package fleet_test

import (
	"testing"
	"time"
)

// fronts are what a shop may have before its Redis.
var fronts = []front{copies, memory, nothing}

// A customer whose token has expired, or was revoked, comes to all processes at once:
// one of them spends her refresh token, and nobody signs her out.
func TestOneCustomer(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		t.Run(string(front), func(t *testing.T) {
			t.Parallel()
			const processes = 20
			f := newFleet(t, front, authConfig{})
			f.start(processes)
			cookie := f.loginExpired()
			f.visitOnce("one customer: expired, "+string(front), cookie)
			f.do("expire all", none{})
			f.visitOnce("one customer: revoked, "+string(front), cookie)
			f.wantReused(0)
			f.wantAll(cookie, ada)
		})
	}
}

// visitOnce has ada come to all shops at once, and checks that it takes one refresh.
func (f *fleet) visitOnce(scenario, cookie string) {
	f.t.Helper()
	before := f.requests()
	begin := time.Now()
	got := f.visit("/", cookie).wait(begin, []string{ada}, nil)
	tokens := len(f.requests()) - len(before)
	results.add(f.t, row{scenario, len(f.shops), got, tokens, "of a call"})
	wantTokens(f.t, tokens, 1)
	wantWithin(f.t, got.Slowest, time.Second)
}

// A customer signs out at one process. A second later she is a guest at all others,
// whatever they have in memory; also if her token is still good.
func TestLogout(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		for _, path := range []string{"/logout", "/forget"} {
			t.Run(path[1:]+", "+string(front), func(t *testing.T) {
				t.Parallel()
				const processes = 5
				f := newFleet(t, front, authConfig{})
				f.start(processes)
				cookie := f.login()
				for range 3 { // all know her well
					f.visit("/", cookie).wait(time.Now(), []string{ada}, nil)
				}
				before := len(f.requests())
				out := time.Now()
				f.post(f.shops[0], path, cookie, nil)
				var got tally
				for _, s := range f.shops {
					v := get(s.url, cookie)
					for v.Who == ada && time.Since(out) < patience {
						<-time.After(5 * time.Millisecond)
						v = get(s.url, cookie)
					}
					got.add(v, v.At.Sub(out), []string{guest})
				}
				results.add(t, row{"signed out: " + path[1:] + ", " + string(front), processes, got, len(f.requests()) - before, "after that"})
				wantWithin(t, got.Slowest, time.Second)
				wantTokens(t, len(f.requests())-before, 1) // the guests'
			})
		}
	}
}

// A customer's token expires while Redis is away. The process that she visits spends
// her refresh token without it, and the others find the new one when Redis is back.
func TestRefreshDuringAnOutage(t *testing.T) {
	t.Parallel()
	f := newFleet(t, memory, authConfig{}, "--appendonly", "yes", "--appendfsync", "always")
	f.start(2)
	const life = 4 * time.Second
	end := time.After(life)
	cookie := f.loginFor(life)
	f.visit("/", cookie).all.Wait()
	f.redis.Kill()
	<-end
	var got tally
	visit := func(s *instance) {
		begin := time.Now()
		got.add(get(s.url, cookie), time.Since(begin), []string{ada})
	}
	for range 3 {
		visit(f.shops[0])
	}
	f.redis.Restart()
	<-time.After(2 * time.Second) // what is unsaved is written with a use, at most once a second
	for range 2 {
		visit(f.shops[0])
		<-time.After(time.Second)
	}
	visit(f.shops[1])
	results.add(t, row{"outage: a customer expires", 2, got, len(f.requests()), "of a call"})
	wantTokens(t, len(f.requests()), 1)
	f.wantReused(0)
	f.wantAll(cookie, ada)
}

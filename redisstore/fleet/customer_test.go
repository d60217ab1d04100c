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

package fleet_test

import (
	"net/http"
	"testing"
	"time"
)

// The guests' token is revoked while all processes use it. No visitor notices, and
// one token request is made.
func TestRevocation(t *testing.T) {
	const processes = 50
	f := newFleet(t, memory, authConfig{})
	f.guestsSince(processes)
	f.load(load{Path: "/", Every: 50 * time.Millisecond, Want: []string{guest}})
	<-time.After(time.Second)
	before := f.counts()
	f.do("revoke guests", none{})
	<-time.After(2 * time.Second)
	got, after := f.unload(), f.counts()
	results.add(t, row{"under load: the guests' token revoked", processes, got, after.TokenRequests - before.TokenRequests, "of a call"})
	wantTokens(t, after.TokenRequests-before.TokenRequests, 1)
	if after.APIInvalidToken == 0 {
		t.Error("the API has refused nobody: nothing was tested")
	}
}

// The auth server fails while the guests' token comes to its end. No visitor notices,
// and the processes do not ask one after the other.
func TestRolloverWhileTheServerFails(t *testing.T) {
	t.Parallel()
	const (
		processes = 20
		life      = 32 * time.Second // ages when 5.8 to 8 s are left, serves until 3.2 s are
	)
	again(t, func(t *testing.T) bool {
		f := newFleet(t, memory, authConfig{TokenLife: life, RenewWithin: life / 2})
		issued := f.guestsSince(processes)
		aging := issued.Add(life * 3 / 4)
		<-time.After(time.Until(issued.Add(life * 7 / 10)))
		f.do("fail", http.StatusServiceUnavailable)
		f.load(load{Path: "/", Every: 200 * time.Millisecond, Want: []string{guest}})
		inTime := time.Now().Before(aging)
		<-time.After(time.Until(aging.Add(1200 * time.Millisecond)))
		f.do("fail", 0)
		failed := 0
		for _, r := range f.requests() {
			if r.Status == http.StatusServiceUnavailable {
				failed++
				// A pause of two seconds may follow, and the token must serve that long.
				inTime = inTime && r.Answered.Sub(aging) < 2*time.Second
			}
		}
		inTime = inTime && time.Since(aging) < 2*time.Second
		<-time.After(time.Until(issued.Add(life)))
		got, tokens := f.unload(), len(f.requests())-1
		if !inTime {
			return false
		}
		results.add(t, row{"under load: rollover while the auth server fails", processes, got, tokens, "of a call"})
		if failed == 0 || tokens > 12 {
			t.Errorf("%d token requests, %d of them while the server failed, want some of them then, and 12 at most", tokens, failed)
		}
		return true
	})
}

// The auth server fails when a fleet starts. One process asks, all others take its
// word for it; when the server is back, one asks again.
func TestColdStartWhileTheServerFails(t *testing.T) {
	t.Parallel()
	const processes = 50
	f := newFleet(t, memory, authConfig{})
	f.start(processes)
	f.do("fail", http.StatusServiceUnavailable)
	begin := time.Now()
	down := f.visit("/", "").wait(begin, nil, nil)
	took, tokens := time.Since(begin), len(f.requests())
	if down.Served != 0 {
		t.Errorf("%d requests served without a token", down.Served)
	}
	most := 6 // twice, with two retries each
	for pause := 200 * time.Millisecond; pause < took; pause *= 2 {
		most += 3 // and once more after each pause, which doubles
	}
	if tokens > most {
		t.Errorf("%d token requests while the server failed, want %d at most in %v", tokens, most, took)
	}
	f.do("fail", 0)
	<-time.After(2*time.Second + took) // the pause after a failure
	begin = time.Now()
	got := f.visit("/", "").wait(begin, []string{guest}, nil)
	results.add(t, row{"cold start: the auth server is back", processes, got, len(f.requests()) - tokens, "of a call"})
	wantTokens(t, len(f.requests())-tokens, 1)
}

// The guests' token comes to its end while all processes use it, and the service
// takes its time for the next one. No call waits for it, and one token request is made.
func TestRollover(t *testing.T) {
	const (
		processes = 50
		life      = 12 * time.Second       // ages when 2.1 to 3 s are left, serves until 1.2 s are
		slow      = 600 * time.Millisecond // many times what a call takes
	)
	f := newFleet(t, memory, authConfig{TokenLife: life, RenewWithin: life / 2})
	f.guestsSince(processes)
	f.do("delay", slow)
	for try := 1; ; try++ {
		issued := f.requests()[try-1].Answered
		<-time.After(time.Until(issued.Add(life * 2 / 3)))
		before := f.counts()
		f.load(load{Path: "/", Every: 50 * time.Millisecond, Want: []string{guest}})
		<-time.After(time.Until(issued.Add(life)))
		got, after := f.unload(), f.counts()
		results.add(t, row{"under load: rollover", processes, got, after.TokenRequests - before.TokenRequests, "of a call"})
		wantTokens(t, after.TokenRequests-before.TokenRequests, 1)
		if before.TokenRequests != try || after.Issued != try+1 {
			t.Errorf("%d token requests before, and %d tokens issued in all, want %d and %d", before.TokenRequests, after.Issued, try, try+1)
		}
		switch {
		case got.Slowest < slow || t.Failed():
			return
		case try == 5: // a machine can be busy, but not each time
			t.Errorf("each time a call has taken %v or so, want less than the %v that the token request takes", got.Slowest, slow)
			return
		}
	}
}

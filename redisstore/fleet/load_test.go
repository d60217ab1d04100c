package fleet_test

import (
	"testing"
	"time"
)

// The guests' token is revoked while all processes use it. No visitor notices, and
// one token request is made.
func TestRevocation(t *testing.T) {
	const processes = 50
	f := newFleet(t, memory, authConfig{})
	f.start(processes)
	f.visit("/", "").all.Wait()
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

// The guests' token comes to its end while all processes use it, and the service
// takes its time for the next one. No call waits for it, and one token request is made.
func TestRollover(t *testing.T) {
	const (
		processes = 50
		life      = 12 * time.Second       // ages when 2.1 to 3 s are left, serves until 1.2 s are
		slow      = 600 * time.Millisecond // many times what a call takes
	)
	f := newFleet(t, memory, authConfig{TokenLife: life, RenewWithin: life / 2})
	f.start(processes)
	f.visit("/", "").all.Wait()
	f.do("delay", slow)
	end := time.After(life)
	<-time.After(life * 2 / 3)
	before := f.counts()
	f.load(load{Path: "/", Every: 50 * time.Millisecond, Want: []string{guest}})
	<-end
	got, after := f.unload(), f.counts()
	results.add(t, row{"under load: rollover", processes, got, after.TokenRequests - before.TokenRequests, "of a call"})
	wantTokens(t, after.TokenRequests-before.TokenRequests, 1)
	if before.TokenRequests != 1 || after.Issued != 2 {
		t.Errorf("%d token requests before, and %d tokens issued in all, want 1 and 2", before.TokenRequests, after.Issued)
	}
	if got.Slowest >= slow {
		t.Errorf("a call has taken %v, want less than the %v that the token request takes", got.Slowest, slow)
	}
}

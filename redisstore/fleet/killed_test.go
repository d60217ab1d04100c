package fleet_test

import (
	"testing"
	"time"
)

// takeover is how soon the others go on when the process that makes the token request
// has been lost.
const takeover = 5 * time.Second

// The process that makes the token request for all is killed in the middle of it.
func TestKilled(t *testing.T) {
	const processes = 20
	t.Parallel()
	tests := []struct {
		name     string
		customer bool
		when     holdUp
		want     []string // who the visitors are to the processes that are left
		then     string   // and who they are afterwards
		tokens   int
		reused   int // spent refresh tokens that come back
	}{
		{"killed: with the guests' request", false, beforeItActs, []string{guest}, guest, 2, 0},
		{"killed: before the refresh token was spent", true, beforeItActs, []string{ada}, ada, 2, 0},
		// What it has got has died with it: the session is over, as docs/fleet.md says.
		{"killed: after the refresh token was spent", true, afterItActed, []string{expired, guest}, guest, 3, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, copies, authConfig{})
			f.start(processes)
			cookie := ""
			if tt.customer {
				cookie = f.loginExpired()
			}
			f.do("hold", tt.when)
			all := f.visit("/", cookie)
			lost := f.heldUp()
			lost.kill() // the service notices, and goes on
			killed := time.Now()
			got := all.wait(killed, tt.want, lost)
			requests := f.requests()
			results.add(t, row{tt.name, processes, got, len(requests), "after the kill"})
			wantTokens(t, len(requests), tt.tokens)
			wantWithin(t, got.Slowest, takeover)
			if all.to(lost).Error == "" {
				t.Error("the process that was killed has answered")
			}
			if tt.reused > 0 && got.Who[expired] == 0 {
				t.Error("nobody has been told that the session has expired")
			}
			if n := f.counts().RefreshReused; n != tt.reused {
				t.Errorf("%d spent refresh tokens came back, want %d", n, tt.reused)
			}
			for _, s := range f.shops {
				if v := get(s.url, cookie); s != lost && v.Who != tt.then {
					t.Errorf("%s: afterwards the visitor is %q, %s, want %q", s.name, v.Who, v.Error, tt.then)
				}
			}
			wantTokens(t, len(f.requests()), tt.tokens)
		})
	}
}

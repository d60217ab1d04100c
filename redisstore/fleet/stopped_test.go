package fleet_test

import (
	"testing"
	"time"
)

// stoppedFleet is twenty processes that need a customer's next token, and cookie
// the visitor's.
func stoppedFleet(t *testing.T, config authConfig) (f *fleet, cookie string) {
	t.Helper()
	f = newFleet(t, copies, config)
	f.start(20)
	return f, f.loginExpired()
}

// wantAll checks who the visitor is afterwards, at all shops, and that it takes no
// more token requests.
func (f *fleet) wantAll(cookie, who string) {
	f.t.Helper()
	before := len(f.requests())
	for _, s := range f.shops {
		if v := get(s.url, cookie); v.Who != who {
			f.t.Errorf("%s: afterwards the visitor is %q, %s, want %q", s.name, v.Who, v.Error, who)
		}
	}
	if n := len(f.requests()) - before; n != 0 {
		f.t.Errorf("afterwards there are %d more token requests, want none", n)
	}
}

// wantReused checks how many spent refresh tokens came back.
func (f *fleet) wantReused(want int) {
	f.t.Helper()
	if got := f.counts().RefreshReused; got != want {
		f.t.Errorf("%d spent refresh tokens came back, want %d", got, want)
	}
}

// Whoever asks for the guests' token is stopped past his lease: another one asks, and
// gets the same token. Nothing is lost when the first goes on.
func TestStoppedWithTheGuestsToken(t *testing.T) {
	t.Parallel()
	f := newFleet(t, copies, authConfig{})
	f.start(20)
	f.do("hold", beforeItActs)
	all := f.visit("/", "")
	lost := f.heldUp()
	lost.stop()
	stopped := time.Now()
	all.others(lost)
	f.do("release", none{})
	lost.resume()
	got := all.wait(stopped, []string{guest}, lost)
	results.add(t, row{"stopped: with the guests' request", 20, got, len(f.requests()), "after the stop"})
	wantTokens(t, len(f.requests()), 2)
	wantWithin(t, got.Slowest, takeover)
	if v := all.to(lost); v.Who != guest {
		t.Errorf("the process that was stopped has answered %q, %s, want %q", v.Who, v.Error, guest)
	}
	f.wantAll("", guest)
}

// Who refreshes is stopped for longer than his lease, and another one takes the lock
// over. That one waits, and finds the result.
func TestStoppedForLessThanTheWait(t *testing.T) {
	t.Parallel()
	t.Run("before sending", func(t *testing.T) {
		t.Parallel()
		again(t, func(t *testing.T) bool {
			f, cookie := stoppedFleet(t, authConfig{})
			f.closeGates()
			all := f.visit("/", cookie)
			lost := f.atTheGate()
			owner := f.owner()
			lost.stop()
			stopped := time.Now()
			free := f.takenOver(owner)
			lost.resume()
			ask[any](lost.process, "open", none{})
			if f.waitedInVain(all.to(lost), free) {
				return false
			}
			f.wantOneRefresh("stopped: before sending, for less than the wait", all, stopped, cookie)
			return true
		})
	})
	t.Run("after sending", func(t *testing.T) {
		t.Parallel()
		again(t, func(t *testing.T) bool {
			f, cookie := stoppedFleet(t, authConfig{})
			f.do("hold", afterItActed)
			all := f.visit("/", cookie)
			lost := f.heldUp()
			owner := f.owner()
			lost.stop()
			stopped := time.Now()
			f.do("release", none{})
			free := f.takenOver(owner)
			lost.resume()
			if f.waitedInVain(all.to(lost), free) {
				return false
			}
			f.wantOneRefresh("stopped: after sending, for less than the wait", all, stopped, cookie)
			return true
		})
	})
}

// waitedInVain reports whether the one who has taken the lock over, some time after it
// was free, may have waited for less than it took the lost one to go on, and has
// refreshed then.
func (f *fleet) waitedInVain(lost visit, free time.Time) bool {
	f.t.Helper()
	return lost.At.Sub(free) > time.Second && len(f.requests()) > 1
}

// wantOneRefresh checks that all are served after one refresh.
func (f *fleet) wantOneRefresh(scenario string, all *visits, since time.Time, cookie string) {
	f.t.Helper()
	got := all.wait(since, []string{ada}, nil)
	results.add(f.t, row{scenario, len(f.shops), got, len(f.requests()), "after the stop"})
	wantTokens(f.t, len(f.requests()), 1)
	wantWithin(f.t, got.Slowest, takeover)
	f.wantReused(0)
	f.wantAll(cookie, ada)
}

// Who refreshes is stopped before he sends, for so long that another one refreshes. He
// sends the spent token too, is refused, and finds the other's.
func TestStoppedBeforeSendingForLonger(t *testing.T) {
	t.Parallel()
	f, cookie := stoppedFleet(t, authConfig{ForgiveReuse: true})
	f.closeGates()
	all := f.visit("/", cookie)
	lost := f.atTheGate()
	lost.stop()
	stopped := time.Now()
	ask[any](f.atTheGate().process, "open", none{})
	all.others(lost)
	lost.resume()
	ask[any](lost.process, "open", none{})
	got := all.wait(stopped, []string{ada}, lost)
	results.add(t, row{"stopped: before sending, for longer", 20, got, len(f.requests()), "after the stop"})
	wantTokens(t, len(f.requests()), 2)
	wantWithin(t, got.Slowest, takeover)
	if v := all.to(lost); v.Who != ada {
		t.Errorf("the process that was stopped has answered %q, %s, want %q", v.Who, v.Error, ada)
	}
	f.wantReused(1)
	f.wantAll(cookie, ada)
}

// Who refreshes is stopped with the answer on its way, for so long that the others
// take the session for expired, and tell the visitor. That is final: what he got is
// revoked when he goes on.
func TestStoppedAfterSendingForLonger(t *testing.T) {
	t.Parallel()
	f, cookie := stoppedFleet(t, authConfig{ForgiveReuse: true})
	f.do("hold", afterItActed)
	all := f.visit("/", cookie)
	lost := f.heldUp()
	lost.stop()
	stopped := time.Now()
	f.do("release", none{})
	all.others(lost)
	lost.resume()
	got := all.wait(stopped, []string{expired, guest}, lost)
	results.add(t, row{"stopped: after sending, for longer", 20, got, len(f.requests()), "after the stop"})
	wantTokens(t, len(f.requests()), 3) // the third is the guests'
	wantWithin(t, got.Slowest, takeover)
	if got.Who[expired] == 0 {
		t.Error("nobody has been told that the session has expired")
	}
	if v := all.to(lost); v.Who != expired && v.Who != guest {
		t.Errorf("the process that was stopped has answered %q, %s, want %q", v.Who, v.Error, guest)
	}
	f.wantReused(1)
	f.wantAll(cookie, guest)
	f.eventually("the access and the refresh token that came too late are revoked", func() bool { return f.counts().Revoked >= 2 })
}

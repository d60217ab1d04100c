package layered_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
)

// watching returns a storage whose feed is alive, and whose truth has a value.
func watching(t *testing.T, opts *layered.Options) (*watched, bearer.CompareAndSwapper) {
	t.Helper()
	truth := newWatched()
	s := layered.New(truth, opts)
	want(t, s, "")
	synctest.Wait()
	truth.elsewhere(t, "old")
	synctest.Wait()
	truth.gets.Store(0)
	return truth, s
}

func TestFeedKeepsCopiesForAMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth, s := watching(t, nil)
		for range 60 {
			want(t, s, "old")
			pass(second)
		}
		want(t, s, "old")
		truth.wantGets(t, 1)
		pass(1)
		want(t, s, "old")
		truth.wantGets(t, 2)
	})
}

func TestFeedEndsCopies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth, s := watching(t, nil)
		want(t, s, "old")
		for _, value := range []string{"new", "", "again"} {
			pass(10 * second)
			want(t, s, string(current(t, truth)))
			truth.elsewhere(t, value)
			synctest.Wait()
			want(t, s, value)
		}
		truth.elsewhere(t, "")
		synctest.Wait()
		truth.fail(errDown)
		wantErr(t, s, errDown) // what is known to be gone does not serve either
	})
}

func current(t *testing.T, f *watched) []byte {
	t.Helper()
	value, err := f.CompareAndSwapper.Get(t.Context(), key)
	if err != nil && !errors.Is(err, bearer.ErrNotFound) {
		t.Fatal(err)
	}
	return value
}

// A feed that says nothing is no feed: whoever trusts it would be late.
func TestSilentFeedKeepsNoCopies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth, s := watching(t, nil)
		want(t, s, "old")
		pass(10*second + 100*time.Millisecond) // the last heartbeat is 100 ms old
		truth.muted.Store(true)
		truth.elsewhere(t, "new")
		want(t, s, "old") // as it cannot know
		pass(second)
		want(t, s, "new")
	})
}

// What changed while nobody told of it must not be taken from a copy once somebody
// tells again.
func TestFeedThatBrokeOff(t *testing.T) {
	for name, breakOff := range map[string]func(*watched){
		"it ends":   (*watched).breakOff,
		"it hangs":  func(w *watched) { w.muted.Store(true) },
		"no longer": func(w *watched) { w.broken.Store(true); w.breakOff() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				truth, s := watching(t, nil)
				want(t, s, "old")
				pass(10 * second)
				breakOff(truth)
				synctest.Wait()
				truth.elsewhere(t, "new")
				pass(8 * second)
				truth.muted.Store(false)
				truth.broken.Store(false)
				pass(20 * second)
				if n := truth.running.Load(); n != 1 {
					t.Fatalf("%d calls of Watch are running, want 1", n)
				}
				want(t, s, "new")
				truth.wantGets(t, 2)
				pass(10 * second)
				want(t, s, "new")
				truth.wantGets(t, 2)
				truth.elsewhere(t, "newer")
				synctest.Wait()
				want(t, s, "newer")
			})
		})
	}
}

// One that cannot be had is asked for less and less often, and told of now and then.
func TestFeedThatCannotBeHad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		opts, log := logged()
		truth := newWatched()
		truth.broken.Store(true)
		truth.elsewhere(t, "a")
		s := layered.New(truth, opts)
		for range 600 {
			want(t, s, "a")
			pass(second / 10)
		}
		if n := truth.watches.Load(); n < 8 || n > 16 {
			t.Errorf("%d calls of Watch in a minute, want about 10", n)
		}
		if n := strings.Count(log.String(), "feed is down"); n < 3 || n > 6 {
			t.Errorf("%d warnings in a minute, want one each ten seconds", n)
		}
		truth.wantGets(t, 55) // each 1.1 s
	})
}

// One that breaks off now and then is soon back, however often that was.
func TestFeedThatBreaksOffAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth, s := watching(t, nil)
		for range 10 {
			want(t, s, "old")
			pass(10 * second)
			truth.breakOff()
			pass(second / 2)
			if n := truth.running.Load(); n != 1 {
				t.Fatalf("%d calls of Watch are running half a second later, want 1", n)
			}
		}
	})
}

// After a while without one it may take a while to begin.
func TestFeedThatIsSlowToBegin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth, s := watching(t, nil)
		truth.broken.Store(true)
		truth.breakOff()
		pass(20 * second)
		truth.broken.Store(false)
		truth.muted.Store(true)
		for truth.running.Load() == 0 {
			pass(second / 10)
		}
		pass(4 * second)
		truth.muted.Store(false)
		watches := truth.watches.Load()
		pass(10 * second)
		if n := truth.watches.Load(); n != watches {
			t.Errorf("there were %d calls of Watch, want the first one to do", n-watches+1)
		}
		want(t, s, "old")
		pass(10 * second)
		want(t, s, "old")
		truth.wantGets(t, 1)
	})
}

func TestFeedRunsWhileSomebodyReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newWatched()
		s := layered.New(truth, nil)
		set(t, s, "a", 0)
		pass(time.Hour)
		wantRunning := func(want int32) {
			t.Helper()
			if got := truth.running.Load(); got != want {
				t.Fatalf("%d calls of Watch are running, want %d", got, want)
			}
		}
		wantRunning(0)
		for range 3 {
			want(t, s, "a")
			synctest.Wait()
			wantRunning(1)
			for range 5 {
				pass(59 * second)
				want(t, s, "a")
				wantRunning(1)
			}
			pass(58 * second)
			wantRunning(1)
			pass(5 * second)
			wantRunning(0)
			pass(time.Hour)
		}
		if got := truth.watches.Load(); got != 3 {
			t.Errorf("%d calls of Watch, want 3", got)
		}
	})
}

// Who is told by this storage reads what has changed, though its own feed may not
// have been told yet.
func TestToldByTheStorageCanBeRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth, s := watching(t, nil)
		want(t, s, "old")
		ctx, cancel := context.WithCancel(t.Context())
		told := 0
		ended := make(chan error)
		go func() {
			ended <- s.(bearer.Watcher).Watch(ctx, func(c bearer.Change) {
				if c.Key == key {
					told++
					want(t, s, "new")
				}
			})
		}()
		pass(second / 10)
		truth.deaf.Store(1) // its own
		truth.elsewhere(t, "new")
		pass(second / 10)
		cancel()
		if err := <-ended; err == nil {
			t.Error("Watch = nil, want an error")
		}
		if told != 1 {
			t.Errorf("told %d times, want once", told)
		}
	})
}

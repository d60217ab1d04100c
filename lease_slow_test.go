package bearer_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// slow makes each operation take d, half of it before it is done.
func (s *tap) slow(d time.Duration) {
	half := func(ctx context.Context) error {
		select {
		case <-time.After(d / 2):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.on("before", "", "", half)
	s.on("after", "", "", half)
}

// A storage that answers, but slowly, costs time, and never the token.
func TestStorageIsSlow(t *testing.T) {
	for _, d := range []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 4500 * time.Millisecond} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 1)
				f.taps[0].slow(d)
				if took := wantAll(t, f.sources, "s3cr3t-access-2"); took > 20*time.Second {
					t.Errorf("a refresh took %v, want at most 20s", took)
				}
				f.wantRefreshes(t, 1)

				e := &endpoint{life: time.Hour}
				ways := taps(3, memstore.New(nil))
				var sources []*bearer.Source
				for _, way := range ways {
					way.slow(d)
					sources = append(sources, fleet(1, e.fetch, way, nil)...)
				}
				if tokens, failed, took := askAll(t.Context(), sources); failed != 0 || took > 20*time.Second {
					t.Errorf("a fleet got %v, %d failed, after %v; want a token for each within 20s", tokens, failed, took)
				}
				pass(time.Minute)
			})
		})
	}
}

// A lock that nobody gives back, and that does not end, is done without in the end.
func TestLockNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := memstore.New(nil)
		if _, err := storage.TryLock(t.Context(), "token", 1000*time.Hour); err != nil {
			t.Fatal(err)
		}
		e := &endpoint{life: time.Hour}
		if took := wantAll(t, fleet(3, e.fetch, storage, nil), "token-1"); took > 26*time.Second {
			t.Errorf("they waited %v, want less than the time limit of a token request", took)
		}
	})
}

// A process whose clock is wrong waits no longer for another one's pause than that
// was meant to last.
func TestPauseOfAnotherClock(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(fmt.Sprint(off), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				storage, e := memstore.New(nil), &endpoint{life: time.Hour, fail: failAll(errDown)}
				if _, failed, _ := askAll(t.Context(), fleet(1, e.fetch, storage, nil)); failed != 1 {
					t.Fatal("no failure")
				}
				raw, err := storage.Get(t.Context(), "token-pause")
				if err != nil {
					t.Fatal(err)
				}
				var end, length string
				if n, _ := fmt.Sscan(string(raw), &end, &length); n != 2 {
					t.Fatalf("the pause is %q, want its end and its length", raw)
				}
				until, err := time.Parse(time.RFC3339Nano, end)
				if err != nil {
					t.Fatal(err)
				}
				storage.Set(t.Context(), "token-pause", []byte(until.Add(off).Format(time.RFC3339Nano)+" "+length), 2*time.Hour)
				e.fail = nil
				src := fleet(1, e.fetch, storage, nil)[0]
				src.TokenContext(t.Context())
				pass(5 * time.Second)
				storage.Delete(t.Context(), "token-pause") // as its ttl would have
				wantAccess(t, src, "token-2")
			})
		})
	}
}

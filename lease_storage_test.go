package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// A result that could not be written keeps the turn, and is written as soon as that
// is possible.
func TestResultCannotBeWritten(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for _, d := range []time.Duration{10 * time.Millisecond, time.Second, 5 * time.Second} {
			t.Run(fmt.Sprint(when, ", for ", d), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newSpenders(t, 3)
					var down time.Time
					f.taps[0].on(when, "swap", "token", func(context.Context) error {
						if down.IsZero() {
							down = time.Now().Add(d)
						}
						if time.Now().Before(down) {
							return errDown
						}
						return nil
					})
					wantAccess(t, f.sources[0], "s3cr3t-access-2")
					took := wantAll(t, f.sources, "s3cr3t-access-2")
					if most := d + 1200*time.Millisecond; took > most {
						t.Errorf("the others waited %v, want at most %v", took, most)
					}
					f.wantRefreshes(t, 1)
					for n := range 3 {
						pass(2 * time.Hour)
						wantAll(t, f.sources, fmt.Sprint("s3cr3t-access-", n+3))
					}
					f.wantRefreshes(t, 4)
				})
			})
		}
	}
}

// Who has no refresh token to lose does not wait for one who cannot write.
func TestTokenCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		ways := taps(2, memstore.New(nil))
		ways[0].on("before", "swap", "token", failWith(errDown))
		sources := []*bearer.Source{fleet(1, e.fetch, ways[0], nil)[0], fleet(1, e.fetch, ways[1], nil)[0]}
		wantAccess(t, sources[0], "token-1")
		if took := wantAll(t, sources[1:], "token-2"); took > time.Second {
			t.Errorf("the other process waited %v, want no time", took)
		}
	})
}

// A refresh token is refused while the storage does not tell whether another process
// was quicker: nobody is to sign in again for that.
func TestRefusedWhileTheStorageIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 2)
		f.spends[0] = func(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
			wantAccess(t, f.sources[1], "s3cr3t-access-2")
			return nil, answered(400, "invalid_grant") // but its successors live
		}
		f.taps[0].on("before", "get", "", failWith(errDown))
		_, err := access(t, f.sources[0])
		if err == nil || errors.Is(err, errSignIn) || !errors.Is(err, errDown) {
			t.Errorf("got %v, want an error that passes", err)
		}
		f.taps[0].clear()
		f.spends[0] = nil
		pass(6 * time.Second)
		wantAll(t, f.sources, "s3cr3t-access-2")
		f.wantRefreshes(t, 1)
	})
}

// The refresh token of a result that could not be written is refused: what the
// storage holds instead is no other process's.
func TestUnwrittenTokenIsRefused(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 2)
				f.taps[0].on(when, "swap", "token", failWith(errDown))
				for n := range 3 {
					for range 200 { // each of them another try
						wantAccess(t, f.sources[0], fmt.Sprint("s3cr3t-access-", n+2))
						pass(time.Second)
					}
					pass(2 * time.Hour)
				}
				f.taps[0].on("before", "swap", "token", failWith(errDown))
				f.p.endFamilyOf(&bearer.Token{RefreshToken: f.p.last("ada")})
				if _, err := access(t, f.sources[0]); !errors.Is(err, errSignIn) {
					t.Errorf("got %v, want %v", err, errSignIn)
				}
				f.wantRefreshes(t, 4)
			})
		})
	}
}

// What was written last takes the place of what had seemed to fail before.
func TestTwoResultsUnwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 3)
		f.taps[0].on("after", "swap", "token", failWith(errDown)) // the first of them is in the storage
		for n := range 2 {
			wantAccess(t, f.sources[0], fmt.Sprint("s3cr3t-access-", n+2))
			pass(2 * time.Hour)
		}
		wantAccess(t, f.sources[0], "s3cr3t-access-4")
		f.taps[0].clear()
		pass(time.Minute)
		wantAccess(t, f.sources[0], "s3cr3t-access-4")
		synctest.Wait()
		wantAll(t, f.sources, "s3cr3t-access-4")
		pass(2 * time.Hour)
		wantAll(t, f.sources[1:], "s3cr3t-access-5")
		f.wantRefreshes(t, 4)
	})
}

// A storage that fails now and then, while another process has the turn, is not gone.
func TestLongWaitWithShortFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 2)
		f.p.took = 10 * time.Second
		go f.sources[0].TokenContext(t.Context())
		synctest.Wait()
		f.taps[1].use(func(ctx context.Context, _ op, do action) (any, error) {
			if f.taps[1].count("get")%40 == 1 {
				return nil, errDown
			}
			return do(ctx)
		})
		wantAccess(t, f.sources[1], "s3cr3t-access-2")
		f.wantRefreshes(t, 1)
	})
}

// A storage that hangs gets its time once, and then a second.
func TestStorageHangsForOneWhoSpends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 1)
		f.taps[0].on("before", "", "", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		took := wantAll(t, f.sources, "s3cr3t-access-2")
		if took > 5*time.Second+time.Second+100*time.Millisecond+5*time.Second {
			t.Errorf("it took %v, want 5s, a second, and 5s for writing it", took)
		}
		pass(time.Minute)
	})
}

// Without the storage a refresh token is not spent while the access token serves; what
// nobody spends is asked for as ever.
func TestAgingWithoutStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 2)
		wantAll(t, f.sources, "s3cr3t-access-2")
		e := &endpoint{life: time.Hour, took: time.Second}
		plain := fleet(1, e.fetch, f.taps[0], func(o *bearer.SourceOptions) { o.Key = "other" })
		wantAll(t, plain, "token-1")
		f.taps[0].on("before", "", "", failWith(errDown))
		for range 59 {
			pass(time.Minute)
			wantAll(t, f.sources[:1], "s3cr3t-access-2")
			if _, failed, took := askAll(t.Context(), plain); failed != 0 || took != 0 {
				t.Errorf("%d failed, and it took %v, want no wait", failed, took)
			}
		}
		f.wantRefreshes(t, 1)
		pass(2 * time.Minute)
		if _, failed, took := askAll(t.Context(), plain); failed != 0 || took != 0 {
			t.Errorf("%d failed, and it took %v, want no wait", failed, took)
		}
		wantAll(t, f.sources[:1], "s3cr3t-access-3")
		f.wantRefreshes(t, 2)
		pass(time.Minute)
	})
}

// One who learns that the lock is lost before it has sent, or cannot renew what is left
// of it, begins anew.
func TestLockIsLost(t *testing.T) {
	tests := []struct {
		name string
		err  error
		wait time.Duration // after the note
	}{
		{"lost, with half of it left", bearer.ErrLockLost, 1400 * time.Millisecond},
		{"not renewed, with less left", errDown, 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 2)
				var asked atomic.Bool
				f.taps[0].on("before", "renew", "", func(context.Context) error { asked.Store(true); return tt.err })
				f.taps[0].on("after", "swap", "-spending", func(context.Context) error {
					if !asked.Load() {
						pass(tt.wait)
					}
					return nil
				})
				wantAccess(t, f.sources[0], "s3cr3t-access-2")
				if got := f.taps[0].count("lock"); got != 2 {
					t.Errorf("the lock was taken %d times, want twice", got)
				}
				f.wantRefreshes(t, 1)
			})
		})
	}
}

// A storage whose locks fail is one without locks.
func TestLocksFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 1)
		f.taps[0].on("before", "lock", "", func(context.Context) error { return errDown })
		if took := wantAll(t, f.sources, "s3cr3t-access-2"); took < time.Second || took > 1500*time.Millisecond {
			t.Errorf("it waited %v, want a second for the storage to come back", took)
		}
		f.wantRefreshes(t, 1)
		if raw, _ := f.store.Get(t.Context(), "token"); !strings.Contains(string(raw), "s3cr3t-access-2") {
			t.Errorf("the storage has %s, want the new token", raw)
		}
		e := &endpoint{life: time.Hour}
		if took := wantAll(t, fleet(1, e.fetch, f.taps[0], func(o *bearer.SourceOptions) { o.Key = "other" }), "token-1"); took != 0 {
			t.Errorf("a token that is no refresh token's took %v, want no wait", took)
		}
	})
}

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
					pass(d + 2*time.Second)
					f.wantFree(t)
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

// wantFree checks that nobody has the turn, and gives it back.
func (f *spenders) wantFree(t *testing.T) {
	t.Helper()
	l, err := f.store.TryLock(t.Context(), "token", time.Second)
	if err != nil {
		t.Errorf("the lock cannot be taken: %v", err)
		return
	}
	l.Unlock(t.Context())
}

// A result that cannot be written at all keeps the turn for ten seconds and a lease,
// and its note after that.
func TestResultCanNeverBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 1)
		f.taps[0].on("before", "swap", "token", failWith(errDown))
		wantAccess(t, f.sources[0], "s3cr3t-access-2")
		pass(10 * time.Second)
		if _, err := f.store.TryLock(t.Context(), "token", time.Second); err != bearer.ErrLocked {
			t.Errorf("after ten seconds: %v, want %v", err, bearer.ErrLocked)
		}
		pass(4 * time.Second)
		f.wantFree(t)
		if _, err := f.store.Get(t.Context(), "token-spending"); err != nil {
			t.Errorf("the note: %v, want it to stay", err)
		}
	})
}

// A request whose time limit has passed gives its turn back all the same.
func TestTimeLimitPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 2)
		f.spends[0] = func(ctx context.Context, _ *bearer.Token) (*bearer.Token, error) { <-ctx.Done(); return nil, ctx.Err() }
		access(t, f.sources[0])
		pass(1100 * time.Millisecond) // the pause
		if took := wantAll(t, f.sources[1:], "s3cr3t-access-2"); took != 0 {
			t.Errorf("the other process waited %v, want no time", took)
		}
	})
}

// What was refused is not put in the place of "expired", though it could not be
// written, as it seemed.
func TestRefusedIsNotWritten(t *testing.T) {
	for _, world := range worlds[:2] {
		t.Run(world.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := world.make(t)
				pass(2 * time.Hour)
				w.taps[0].use(func(ctx context.Context, o op, do action) (any, error) {
					v, err := do(ctx)
					if o.kind == "swap" && !strings.HasSuffix(o.key, "-spending") {
						return nil, errDown
					}
					return v, err
				})
				w.want(0, "first")
				pass(20 * time.Second)
				w.want(1, "it was written")
				pass(2 * time.Hour)
				w.p.endFamilyOf(&bearer.Token{RefreshToken: w.p.last("ada")})
				if token, err := w.ask[1](); err == nil {
					t.Errorf("got %s, want an error", token)
				}
				w.taps[0].clear()
				for range 3 {
					if token, err := w.ask[0](); err == nil {
						t.Errorf("got %s, want an error", token)
					}
					pass(10 * time.Second)
				}
				w.p.wantRefreshes(t, 2)
			})
		})
	}
}

// While the storage is gone a customer whose token serves is not refreshed, and one
// whose token has expired is.
func TestCustomerWithoutStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worldOfCustomers(t, nil)
		w.taps[0].on("before", "", "", failWith(errDown))
		for range 59 {
			w.want(0, "in use")
			pass(time.Minute)
		}
		w.p.wantRefreshes(t, 0)
		pass(2 * time.Minute)
		w.want(0, "expired")
		w.p.wantRefreshes(t, 1)
	})
}

// After the storage has lost all, a refusal says nothing about what others have.
func TestRefusedAfterAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 1)
		f.store.Delete(t.Context(), "token")
		f.p.endFamilyOf(&bearer.Token{RefreshToken: f.p.last("ada")})
		if _, err := access(t, f.sources[0]); !errors.Is(err, errSignIn) {
			t.Errorf("got %v, want %v", err, errSignIn)
		}
		if raw, err := f.store.Get(t.Context(), "token"); !errors.Is(err, bearer.ErrNotFound) {
			t.Errorf("the storage has %s, %v, want nothing", raw, err)
		}
	})
}

// What a refresh has brought meets with what another writer has put there meanwhile.
func TestResultMeetsAnother(t *testing.T) {
	const other = `{"accessToken":"other","refreshToken":"r","expiry":"2000-01-01T09:00:00Z"}`
	for name, tt := range map[string]struct{ there, want string }{
		"another token": {other, other},
		"signed out":    {"null", "null"},
		"garbage":       {"{", "ours"},
		"nothing":       {"", "ours"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 1)
				f.spends[0] = func(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
					if tt.there == "" {
						f.store.Delete(ctx, "token")
					} else {
						f.store.Set(ctx, "token", []byte(tt.there), 0)
					}
					return f.p.spend(ctx, old)
				}
				wantAccess(t, f.sources[0], "s3cr3t-access-2")
				raw, err := f.store.Get(t.Context(), "token")
				if tt.want == "ours" && !contains(string(raw), "s3cr3t-access-2") || tt.want != "ours" && string(raw) != tt.want {
					t.Errorf("the storage has %s, %v, want %s", raw, err, tt.want)
				}
			})
		})
	}
}

// A token that was rejected before it could be written never is.
func TestEvictedBeforeItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		way := taps(1, memstore.New(nil))[0]
		way.on("before", "swap", "token", failWith(errDown))
		src := fleet(1, e.fetch, way, nil)[0]
		wantAccess(t, src, "token-1")
		way.clear()
		way.on("after", "swap", "token", func(ctx context.Context) error {
			if raw, _ := way.store.Get(ctx, "token"); contains(string(raw), "token-1") {
				t.Errorf("the storage has %s", raw)
			}
			return nil
		})
		pass(20 * time.Minute)
		src.Evict(t.Context(), &bearer.Token{AccessToken: "token-1"})
		wantAccess(t, src, "token-2")
	})
}

// A refresh token that was refused is given up, though the storage cannot be told.
func TestRefusalCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 1)
		f.taps[0].on("before", "swap", "token", failWith(errDown))
		f.p.endFamilyOf(&bearer.Token{RefreshToken: f.p.last("ada")})
		if _, err := access(t, f.sources[0]); !errors.Is(err, errSignIn) {
			t.Errorf("got %v, want %v", err, errSignIn)
		}
		f.wantRefreshes(t, 1)
	})
}

// Of a customer too, what was written last takes the place of what had seemed to fail.
func TestTwoResultsOfACustomerUnwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worldOfCustomers(t, nil)
		w.taps[0].use(func(ctx context.Context, o op, do action) (any, error) {
			v, err := do(ctx)
			if o.kind == "swap" && !strings.HasSuffix(o.key, "-spending") {
				return nil, errDown
			}
			return v, err
		})
		for range 3 {
			pass(2 * time.Hour)
			w.want(0, "unwritten")
		}
		w.taps[0].clear()
		pass(20 * time.Second)
		w.want(0, "it can be written")
		synctest.Wait()
		for i := range 3 {
			w.want(i, "it is written")
		}
		pass(2 * time.Hour)
		w.want(1, "refreshed elsewhere")
		w.want(2, "refreshed elsewhere")
		w.p.wantRefreshes(t, 4)
	})
}

// The processes of a shop do not ask for one customer's token in turn while the
// service fails.
func TestCustomerWhileTheServiceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worldOfCustomers(t, nil)
		pass(2 * time.Hour)
		w.p.set(func() { w.p.failing = func(string) error { return answered(503, "", "Retry-After", "20") } })
		for range 15 {
			w.mayFail = func() bool { return true }
			w.wantAtOnce("while it fails")
			pass(time.Second)
		}
		w.p.wantRefreshes(t, 1)
		w.p.set(func() { w.p.failing = nil })
		w.mayFail = nil
		pass(10 * time.Second)
		w.wantAtOnce("after that")
		w.p.wantRefreshes(t, 2)
	})
}

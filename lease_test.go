package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// spenders are processes that live by one refresh token, each with its own way to
// the storage, which has the token.
type spenders struct {
	p       *provider
	store   *memstore.Store
	taps    []*tap
	sources []*bearer.Source
	spends  []func(context.Context, *bearer.Token) (*bearer.Token, error) // of each process; nil: the provider's
}

// newSpenders returns them at a time when the access token has expired.
func newSpenders(t *testing.T, n int) *spenders {
	t.Helper()
	f := &spenders{p: newProvider(), store: memstore.New(nil)}
	f.taps, f.spends = taps(n, f.store), make([]func(context.Context, *bearer.Token) (*bearer.Token, error), n)
	first := f.p.signIn("ada")
	for i := range n {
		f.sources = append(f.sources, bearer.NewSource(func(context.Context) (*bearer.Token, error) { return nil, errSignIn }, &bearer.SourceOptions{
			Name: fmt.Sprint("process ", i), Storage: f.taps[i], Key: "token",
			Refresh: func(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
				if spend := f.spends[i]; spend != nil {
					return spend(ctx, old)
				}
				return f.p.spend(ctx, old)
			},
		}))
	}
	seed := bearer.NewSource(func(context.Context) (*bearer.Token, error) { return first, nil }, &bearer.SourceOptions{Storage: f.store, Key: "token"})
	wantAccess(t, seed, first.AccessToken)
	wantAll(t, f.sources, first.AccessToken)
	pass(2 * time.Hour)
	return f
}

func (f *spenders) wantRefreshes(t *testing.T, want int) { t.Helper(); f.p.wantRefreshes(t, want) }

// stop stops process i for d, at the moment in which this is called: it does not
// renew its lock.
func (f *spenders) stop(i int, d time.Duration) {
	f.taps[i].on("before", "renew", "", func(context.Context) error { return errDown })
	pass(d)
	f.taps[i].clear()
}

// Others may get the token between a process's look and its turn.
func TestTurnComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 2)
		f.taps[0].on("before", "lock", "", func(context.Context) error {
			f.taps[0].clear()
			wantAccess(t, f.sources[1], "s3cr3t-access-2")
			return nil
		})
		wantAccess(t, f.sources[0], "s3cr3t-access-2")
		f.wantRefreshes(t, 1)
	})
}

// A holder that is stopped before it has noted the token, or before it looks at its
// lease, does not send.
func TestHolderStopsBeforeItSends(t *testing.T) {
	for _, at := range []string{"before the lock's answer", "before the note", "after the note"} {
		for _, d := range []time.Duration{2 * time.Second, 4 * time.Second, 10 * time.Second, time.Minute} {
			t.Run(fmt.Sprint(at, ", for ", d), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newSpenders(t, 3)
					stop := func(context.Context) error { f.stop(0, d); return nil }
					switch at {
					case "before the lock's answer":
						f.taps[0].on("after", "lock", "", stop)
					case "before the note":
						f.taps[0].on("before", "swap", "-spending", stop)
					default:
						f.taps[0].on("after", "swap", "-spending", stop)
					}
					go f.sources[0].TokenContext(t.Context())
					synctest.Wait()
					took := wantAll(t, f.sources[1:], "s3cr3t-access-2")
					if took > 5*time.Second {
						t.Errorf("the others waited %v, want at most 5s", took)
					}
					pass(2 * time.Minute) // after which a caller's time is over, too
					wantAccess(t, f.sources[0], "s3cr3t-access-2")
					f.wantRefreshes(t, 1)
				})
			})
		}
	}
}

// What a holder has got that was stopped past its lease is waited for.
func TestHolderStopsAfterItHasSent(t *testing.T) {
	for _, d := range []time.Duration{time.Second, 3500 * time.Millisecond, 4 * time.Second} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 3)
				f.taps[0].on("before", "swap", "token", func(context.Context) error { f.stop(0, d); return nil })
				go f.sources[0].TokenContext(t.Context())
				synctest.Wait()
				if took := wantAll(t, f.sources, "s3cr3t-access-2"); took > d+200*time.Millisecond {
					t.Errorf("they waited %v, want at most %v", took, d+200*time.Millisecond)
				}
				f.wantRefreshes(t, 1)
				pass(2 * time.Hour)
				wantAll(t, f.sources, "s3cr3t-access-3")
			})
		})
	}
}

// A result that comes between the two looks of the next one, at the note and at the
// record, is found.
func TestResultComesBetweenLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 2)
		goOn := make(chan struct{})
		f.taps[0].on("before", "renew", "", failWith(errDown))
		f.taps[0].on("before", "swap", "token", func(context.Context) error { <-goOn; return nil })
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.sources[0].TokenContext(t.Context())
		}()
		synctest.Wait()
		var locked atomic.Bool
		f.taps[1].use(func(ctx context.Context, o op, do action) (any, error) {
			v, err := do(ctx)
			switch {
			case o.kind == "lock" && err == nil:
				locked.Store(true)
			case locked.CompareAndSwap(true, false): // the first look
				close(goOn)
				<-done
			}
			return v, err
		})
		pass(2900 * time.Millisecond)
		wantAccess(t, f.sources[1], "s3cr3t-access-2")
		f.wantRefreshes(t, 1)
	})
}

// No two notes are alike: who has read one knows whether it is still the same.
func TestNotesDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 1)
		f.spends[0] = func(context.Context, *bearer.Token) (*bearer.Token, error) { return nil, errDown }
		notes := map[string]bool{}
		f.taps[0].on("after", "swap", "-spending", func(ctx context.Context) error {
			if note, err := f.store.Get(ctx, "token-spending"); err == nil {
				if contains(string(note), "s3cr3t") {
					t.Errorf("the note is %s", note)
				}
				notes[string(note)] = true
			}
			return nil
		})
		for range 3 {
			access(t, f.sources[0])
			pass(time.Minute)
		}
		if len(notes) != 3 {
			t.Errorf("%d different notes for 3 requests", len(notes))
		}
	})
}

// A holder that dies is waited for for a lease, and if it has noted the token for
// a second and a half more; then the token is spent once more, by one process.
func TestHolderDies(t *testing.T) {
	tests := []struct {
		name, when, op, key string
		least, most         time.Duration
	}{
		{"with the lock", "after", "lock", "", 2 * time.Second, 3200 * time.Millisecond},
		{"before the note", "before", "swap", "-spending", 2 * time.Second, 3200 * time.Millisecond},
		{"after the note", "after", "swap", "-spending", 3500 * time.Millisecond, 4900 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 20)
				over := make(chan struct{})
				dead := func(context.Context) error { <-over; return errDown }
				f.taps[0].on(tt.when, tt.op, tt.key, func(ctx context.Context) error {
					f.taps[0].on("before", "", "", dead)
					return dead(ctx)
				})
				f.spends[0] = func(context.Context, *bearer.Token) (*bearer.Token, error) { <-over; return nil, errDown }
				go f.sources[0].TokenContext(t.Context())
				synctest.Wait()
				if took := wantAll(t, f.sources[1:], "s3cr3t-access-2"); took < tt.least || took > tt.most {
					t.Errorf("the others waited %v, want %v to %v", took, tt.least, tt.most)
				}
				f.wantRefreshes(t, 1)
				if _, err := f.store.Get(t.Context(), "token-spending"); !errors.Is(err, bearer.ErrNotFound) {
					t.Errorf("there is still a note: %v", err)
				}
				close(over)
				pass(time.Hour / 2)
			})
		})
	}
}

// The result dies with its holder: the token is spent once more in all, is refused,
// and the processes learn of it by that one request.
func TestResultIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 20)
		over := make(chan struct{})
		dead := func(context.Context) error { <-over; return errDown }
		f.taps[0].on("before", "swap", "token", func(ctx context.Context) error {
			f.taps[0].on("before", "", "", dead)
			return dead(ctx)
		})
		go f.sources[0].TokenContext(t.Context())
		synctest.Wait()
		if tokens, failed, took := askAll(t.Context(), f.sources[1:]); failed != 19 || took > 5*time.Second {
			t.Errorf("got %v, %d failed after %v, want 19", tokens, failed, took)
		}
		f.wantRefreshes(t, 2)
		if raw, _ := f.store.Get(t.Context(), "token"); string(raw) != "undefined" {
			t.Errorf("the storage has %s, want that there is no token any more", raw)
		}
		close(over)
		pass(time.Minute)
	})
}

// A request that fails, even one that may have been carried out, keeps nobody
// waiting for its result; and for as long as the endpoint has asked for nobody
// sends another one.
func TestHolderFails(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		pause time.Duration
	}{
		{"network", errDown, time.Second},
		{"perhaps spent", spentError{}, time.Second},
		{"busy", answered(503, "", "Retry-After", "20"), 20 * time.Second},
		{"too many", answered(429, "", "Retry-After", "40"), 40 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newSpenders(t, 20)
				f.p.took = 100 * time.Millisecond
				var mu sync.Mutex // guards sent
				sent := 0
				for i := range f.spends {
					f.spends[i] = func(context.Context, *bearer.Token) (*bearer.Token, error) {
						mu.Lock()
						defer mu.Unlock()
						sent++
						return nil, tt.err
					}
				}
				if _, failed, took := askAll(t.Context(), f.sources); failed != 20 || took > 500*time.Millisecond {
					t.Errorf("%d failed after %v, want 20 at once", failed, took)
				}
				for end := time.Now().Add(tt.pause - time.Second/2); time.Now().Before(end); pass(time.Second / 5) {
					askAll(t.Context(), f.sources)
				}
				mu.Lock()
				if sent != 1 {
					t.Errorf("%d requests in the pause, want 1", sent)
				}
				mu.Unlock()
				clear(f.spends)
				pass(tt.pause/5 + 6*time.Second)
				if took := wantAll(t, f.sources, "s3cr3t-access-2"); took > time.Second {
					t.Errorf("after the pause they waited %v, want at most a second", took)
				}
			})
		})
	}
}

type spentError struct{}

func (spentError) Error() string { return "lost, s3cr3t" }
func (spentError) Spent() bool   { return true }

// A holder whose request never ends does not keep its turn for ever.
func TestHolderHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 3)
		over := make(chan struct{})
		f.spends[0] = func(context.Context, *bearer.Token) (*bearer.Token, error) { <-over; return nil, errDown }
		go f.sources[0].TokenContext(t.Context())
		synctest.Wait()
		start := time.Now()
		for {
			if _, failed, _ := askAll(t.Context(), f.sources[1:]); failed == 0 {
				break
			}
			if time.Since(start) > 2*time.Minute {
				t.Error("the others wait for ever")
				break
			}
			pass(time.Second)
		}
		close(over)
		pass(time.Minute)
	})
}

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
					wantAccess(t, f.sources[0], fmt.Sprint("s3cr3t-access-", n+2))
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

// One who learns that the lock is lost before it has sent begins anew.
func TestLockIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 2)
		var lost atomic.Bool
		f.taps[0].on("before", "renew", "", func(context.Context) error { lost.Store(true); return bearer.ErrLockLost })
		f.taps[0].on("after", "swap", "-spending", func(context.Context) error {
			if !lost.Load() {
				pass(1400 * time.Millisecond) // in which it is told, with half the lease left
			}
			return nil
		})
		wantAccess(t, f.sources[0], "s3cr3t-access-2")
		if got := f.taps[0].count("lock"); got != 2 {
			t.Errorf("the lock was taken %d times, want twice", got)
		}
		f.wantRefreshes(t, 1)
	})
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

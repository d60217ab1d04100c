package bearer_test

import (
	"context"
	"errors"
	"fmt"
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

// Nor does one that has renewed its lease before.
func TestHolderStopsAfterARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 3)
		over := make(chan struct{})
		f.taps[2].on("after", "swap", "-spending", func(context.Context) error {
			f.taps[2].on("before", "", "", func(context.Context) error { <-over; return errDown })
			return nil
		})
		f.spends[2] = func(context.Context, *bearer.Token) (*bearer.Token, error) { <-over; return nil, errDown }
		go f.sources[2].TokenContext(t.Context())
		synctest.Wait()
		f.taps[0].on("after", "swap", "-spending", func(context.Context) error { // after the wait for what the dead one may have got
			f.stop(0, 12*time.Second)
			return nil
		})
		go f.sources[0].TokenContext(t.Context())
		pass(4 * time.Second)
		wantAccess(t, f.sources[1], "s3cr3t-access-2")
		pass(20 * time.Second)
		wantAccess(t, f.sources[0], "s3cr3t-access-2")
		f.wantRefreshes(t, 1)
		close(over)
		pass(time.Minute)
	})
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
// 1.2 seconds more; then the token is spent once more, by one process.
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

// die has process i die after it has noted what it is going to spend.
func (f *spenders) die(i int) (over func()) {
	end := make(chan struct{})
	dead := func(context.Context) error { <-end; return errDown }
	f.taps[i].on("after", "swap", "-spending", func(ctx context.Context) error {
		f.taps[i].on("before", "", "", dead)
		return dead(ctx)
	})
	go f.sources[i].TokenContext(context.Background())
	synctest.Wait()
	return func() {
		close(end)
		pass(time.Minute)
	}
}

// spendable puts a record into the storage whose access token has expired, and returns
// its refresh token.
func (f *spenders) spendable(ctx context.Context) string {
	other := f.p.signIn("ada")
	f.store.Set(ctx, "token", fmt.Appendf(nil, `{"accessToken":%q,"refreshToken":%q,"expiry":"2000-01-01T01:00:00Z"}`, "over", other.RefreshToken), 0)
	return other.RefreshToken
}

// What is noted is what will be spent, though it has changed since the turn was asked
// for.
func TestNoteOfWhatHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 2)
		f.taps[0].on("before", "lock", "", func(ctx context.Context) error { f.spendable(ctx); return nil })
		over := f.die(0)
		if took := wantAll(t, f.sources[1:], "s3cr3t-access-3"); took < 4*time.Second {
			t.Errorf("the other process waited %v, want a lease and the time for a result", took)
		}
		over()
	})
}

// Nobody waits for the result of a token that is not to be spent any more.
func TestOtherTokenWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 2)
		over := f.die(0)
		go func() {
			pass(3500 * time.Millisecond)
			f.spendable(t.Context())
		}()
		if took := wantAll(t, f.sources[1:], "s3cr3t-access-3"); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("the other process waited %v, want 3.5s and a bit", took)
		}
		over()
	})
}

// Nobody waits for the result of a request of his own that has failed.
func TestOwnNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSpenders(t, 1)
		f.taps[0].on("before", "swap", "-spending", func(context.Context) error {
			if f.taps[0].count("swap") == 2 {
				return errDown // it is not deleted
			}
			return nil
		})
		f.spends[0] = func(context.Context, *bearer.Token) (*bearer.Token, error) { return nil, errDown }
		access(t, f.sources[0])
		f.spends[0] = nil
		pass(10 * time.Second)
		if took := wantAll(t, f.sources, "s3cr3t-access-2"); took != 0 {
			t.Errorf("it waited %v, want no time", took)
		}
	})
}

package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
)

// fleet makes sources that share a storage, as processes would.
func fleet(n int, fetch bearer.TokenFunc, storage bearer.Storage, change func(*bearer.SourceOptions)) []*bearer.Source {
	sources := make([]*bearer.Source, n)
	for i := range sources {
		o := &bearer.SourceOptions{Name: fmt.Sprint("process ", i), Storage: storage, Key: "token"}
		if change != nil {
			change(o)
		}
		sources[i] = bearer.NewSource(fetch, o)
	}
	return sources
}

// askAll asks each source at once, and returns what they got.
func askAll(ctx context.Context, sources []*bearer.Source) (tokens map[string]int, failed int, took time.Duration) {
	start := time.Now()
	var mu sync.Mutex // guards tokens and failed
	tokens = map[string]int{}
	var wg sync.WaitGroup
	for _, src := range sources {
		wg.Go(func() {
			t, err := src.TokenContext(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				return
			}
			tokens[t.AccessToken]++
		})
	}
	wg.Wait()
	return tokens, failed, time.Since(start)
}

func wantAll(t *testing.T, sources []*bearer.Source, want string) time.Duration {
	t.Helper()
	tokens, failed, took := askAll(t.Context(), sources)
	if tokens[want] != len(sources) || failed != 0 {
		t.Errorf("the fleet got %v, %d failed; want %s for all", tokens, failed, want)
	}
	return took
}

func TestFleetColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		storage := memstore.New(nil)
		if took := wantAll(t, fleet(200, e.fetch, storage, nil), "token-1"); took > 700*time.Millisecond {
			t.Errorf("it took %v, want at most 500ms after the answer at 200ms", took)
		}
		e.wantCount(t, 1)
		wantAll(t, fleet(5, e.fetch, storage, nil), "token-1") // a later run
		e.wantCount(t, 1)
	})
}

func TestFleetRollover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		sources := fleet(20, e.fetch, memstore.New(nil), nil)
		wantAll(t, sources, "token-1")
		for range 3 * 60 {
			pass(time.Minute)
			if _, failed, took := askAll(t.Context(), sources); failed != 0 || took != 0 {
				t.Errorf("%d failed, and the slowest took %v; want nobody to notice", failed, took)
			}
		}
		synctest.Wait()
		if n := e.count(); n > 5 {
			t.Errorf("%d token requests in three hours of a token that lives for one, want at most 5", n)
		}
	})
}

// A copy in a process's memory does not keep a rejected token alive.
func TestFleetEvictionWithCopies(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, store := &endpoint{life: time.Hour, took: 200 * time.Millisecond}, memstore.New(nil)
				var sources []*bearer.Source
				for range 5 {
					sources = append(sources, fleet(1, e.fetch, stack.make(store), nil)...)
				}
				for round := range 4 {
					want := fmt.Sprint("token-", round+1)
					for _, src := range sources {
						src.Evict(t.Context(), &bearer.Token{AccessToken: fmt.Sprint("token-", round)})
					}
					wantAll(t, sources, want)
					e.wantCount(t, round+1)
					pass(20 * time.Minute)
				}
				pass(3 * time.Minute)
			})
		})
	}
}

func TestFleetEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		storage := memstore.New(nil)
		sources := fleet(50, e.fetch, storage, nil)
		wantAll(t, sources, "token-1")
		pass(20 * time.Minute)
		for _, src := range sources {
			src.Evict(t.Context(), &bearer.Token{AccessToken: "token-1"})
		}
		wantAll(t, sources, "token-2")
		e.wantCount(t, 2)
		// A late rejection of the old token, in a process that has the new one.
		sources[3].Evict(t.Context(), &bearer.Token{AccessToken: "token-1"})
		wantAll(t, fleet(5, e.fetch, storage, nil), "token-2")
		e.wantCount(t, 2)
	})
}

// The rejected token does not stay for those who have not met with it, even if
// there is no other one for now.
func TestFleetEvictionWhileTheEndpointIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		storage := memstore.New(nil)
		src := fleet(1, e.fetch, storage, nil)[0]
		wantAccess(t, src, "token-1")
		pass(20 * time.Minute)
		e.fail = failAll(errDown)
		src.Evict(t.Context(), &bearer.Token{AccessToken: "token-1"})
		if got, err := access(t, src); err == nil {
			t.Errorf("got %s, want an error", got)
		}
		if _, err := storage.Get(t.Context(), "token"); !errors.Is(err, bearer.ErrNotFound) {
			t.Errorf("the storage still has the token (%v), want none", err)
		}
	})
}

// Of a fleet that meets with a dead endpoint, one process asks at a time, and the
// others do not do the same after it.
func TestFleetFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond, fail: failAll(errDown)}
		sources := fleet(100, e.fetch, memstore.New(nil), nil)
		_, failed, took := askAll(t.Context(), sources)
		if failed != 100 || took > time.Second {
			t.Errorf("%d failed after %v, want 100 within a second", failed, took)
		}
		e.wantCount(t, 1)
		for range 50 {
			pass(200 * time.Millisecond)
			askAll(t.Context(), sources)
		}
		if n := e.count(); n > 15 {
			t.Errorf("%d requests to a dead endpoint within ten seconds, want at most 15", n)
		}
		e.fail = nil
		pass(10 * time.Second)
		tokens, failed, _ := askAll(t.Context(), sources)
		if failed != 0 || len(tokens) != 1 {
			t.Errorf("afterwards the fleet got %v, %d failed; want one token for all", tokens, failed)
		}
	})
}

// The holder of the lock dies in mid-request: the others go on within 5 seconds.
func TestFleetHolderDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		storage := memstore.New(nil)
		if _, err := storage.TryLock(t.Context(), "token", 3*time.Second); err != nil {
			t.Fatal(err)
		}
		if took := wantAll(t, fleet(20, e.fetch, storage, nil), "token-1"); took < 2*time.Second || took > 5*time.Second {
			t.Errorf("it took %v, want the rest of the lease, at most 5s", took)
		}
		e.wantCount(t, 1)
	})
}

// A holder that lives keeps its lease, however long the request takes.
func TestFleetHolderIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 20 * time.Second}
		wantAll(t, fleet(20, e.fetch, memstore.New(nil), nil), "token-1")
		e.wantCount(t, 1)
	})
}

// A caller waits no longer than its context lets it, whoever has the lock.
func TestFleetCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 20 * time.Second}
		sources := fleet(2, e.fetch, memstore.New(nil), nil)
		go sources[0].TokenContext(t.Context())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := sources[1].TokenContext(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %v, want the end of the context after 100ms", err, time.Since(start))
		}
		pass(time.Minute)
	})
}

func TestSharedStorageDown(t *testing.T) {
	for _, tt := range []struct{ name, ops string }{
		{"reading", "get"}, {"writing", "set swap"}, {"all", "get set swap delete"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{life: time.Hour}
				var told events
				storage := newShelf()
				storage.failing(errDown, strings.Fields(tt.ops)...)
				src := fleet(1, e.fetch, storage, func(o *bearer.SourceOptions) { o.Observer = told.observe })[0]
				for range 10 * 60 {
					if _, err := access(t, src); err != nil {
						t.Fatalf("a storage that is down failed a caller: %v", err)
					}
					pass(time.Minute)
				}
				synctest.Wait()
				if n := e.count(); n < 10 || n > 15 {
					t.Errorf("%d token requests in ten hours, want one an hour", n)
				}
				if len(eventsOf[bearer.StorageFailed](&told))+len(eventsOf[bearer.SaveFailed](&told)) == 0 {
					t.Error("nobody was told")
				}
				// It comes back: what could not be written is, at the next use.
				storage.faults(nil, nil)
				wantStored := func() bool { _, err := storage.Get(t.Context(), "token"); return err == nil }
				for range 90 {
					access(t, src)
					pass(time.Minute)
				}
				synctest.Wait()
				if !wantStored() {
					t.Error("the storage has no token, though it is up again")
				}
			})
		})
	}
}

// A storage that hangs costs its time limit, and no more than once per request.
func TestSharedStorageHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		storage := newShelf()
		storage.faults(func(ctx context.Context, _, _ string) error { <-ctx.Done(); return ctx.Err() }, nil)
		src := fleet(1, e.fetch, storage, nil)[0]
		start := time.Now()
		wantAccess(t, src, "token-1")
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("the first token took %v, want at most 11s", took)
		}
		start = time.Now()
		wantAccess(t, src, "token-1")
		if took := time.Since(start); took != 0 {
			t.Errorf("the token in memory took %v, want no time", took)
		}
		pass(time.Minute)
	})
}

// Nobody could tell whether it is still good.
func TestSharedTokenWithoutExpiry(t *testing.T) {
	storage := memstore.New(nil)
	src := fleet(1, func(context.Context) (*bearer.Token, error) { return &bearer.Token{AccessToken: "for ever"}, nil }, storage, nil)
	wantAll(t, src, "for ever")
	if raw, err := storage.Get(t.Context(), "token"); !errors.Is(err, bearer.ErrNotFound) {
		t.Errorf("the storage has %s, %v, want nothing", raw, err)
	}
}

// rotating is a fleet that lives by one refresh token.
func rotating(p *provider, n int, storage bearer.Storage, first *bearer.Token) []*bearer.Source {
	return fleet(n, func(context.Context) (*bearer.Token, error) { return nil, errSignIn }, storage, func(o *bearer.SourceOptions) {
		o.Initial, o.Refresh = first, p.spend
	})
}

var errSignIn = errors.New("sign in again")

func TestFleetRotation(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, store := newProvider(), memstore.New(nil)
				p.took = 200 * time.Millisecond
				first := p.signIn("ada")
				var sources []*bearer.Source
				for range 20 {
					sources = append(sources, rotating(p, 1, stack.make(store), first)...)
				}
				for hour := range 10 {
					pass(2 * time.Hour)
					wantAll(t, sources, fmt.Sprint("s3cr3t-access-", hour+2))
					p.wantRefreshes(t, hour+1)
				}
				pass(3 * time.Minute)
			})
		})
	}
}

// The storage fails to take a rotated token: the memory goes on with it, and the
// spent one that the storage has is not used again.
func TestSharedRotationUnsaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		storage := newShelf()
		src := rotating(p, 1, storage, p.signIn("ada"))[0]
		pass(2 * time.Hour)
		if _, err := access(t, src); err != nil {
			t.Fatal(err)
		}
		storage.failing(errDown, "swap", "set")
		for range 3 {
			pass(2 * time.Hour)
			if _, err := access(t, src); err != nil {
				t.Fatalf("while the storage takes nothing: %v", err)
			}
		}
		storage.faults(nil, nil)
		pass(2 * time.Second)
		access(t, src)
		synctest.Wait()
		other := rotating(p, 1, storage, nil)[0]
		pass(2 * time.Hour)
		if _, err := access(t, other); err != nil {
			t.Errorf("another process, after the storage has come back: %v", err)
		}
	})
}

// A token at hand costs no more for being shared.
func TestSharedReadAllocatesNothing(t *testing.T) {
	e := &endpoint{life: time.Hour}
	for name, o := range map[string]*bearer.SourceOptions{
		"plain":              nil,
		"memory before more": {Storage: layered.New(memstore.New(nil), nil), Key: "token"},
	} {
		src := bearer.NewSource(e.fetch, o)
		current(t, src)
		if got := testing.AllocsPerRun(1000, func() { src.TokenContext(t.Context()) }); got != 0 {
			t.Errorf("%s: a read of a fresh token costs %v allocations, want none", name, got)
		}
	}
}

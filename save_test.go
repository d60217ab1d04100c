package bearer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

func TestSourceOnChangeOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		var saved atomic.Value
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{OnChange: func(_ context.Context, tok *bearer.Token) error {
			pass(time.Second) // a slow storage
			saved.Store(tok.AccessToken)
			return nil
		}})
		for i := range 3 {
			want := fmt.Sprintf("token-%d", i+1)
			wantAccess(t, src, want)
			if got := saved.Load(); got != want {
				t.Errorf("%s was handed out while %v was saved", want, got)
			}
			pass(time.Hour)
		}
	})
}

func TestSourceOnChangeFails(t *testing.T) {
	tests := []struct {
		name string
		fail func(ctx context.Context) error
	}{
		{"an error", func(context.Context) error { return errDown }},
		{"a panic", func(context.Context) error { panic("s3cr3t") }},
		{"it hangs until its time is up", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var down atomic.Bool
				down.Store(true)
				var calls, saves atomic.Int32
				var seen events
				e := &endpoint{life: time.Hour}
				src := bearer.NewSource(e.fetch, &bearer.SourceOptions{Observer: seen.observe, OnChange: func(ctx context.Context, tok *bearer.Token) error {
					calls.Add(1)
					if down.Load() {
						return tt.fail(ctx)
					}
					saves.Add(1)
					return nil
				}})
				start := time.Now()
				wantAccess(t, src, "token-1")
				if d := time.Since(start); d > 5*time.Second {
					t.Errorf("the token came after %v, want at most 5s", d)
				}
				for range 100 {
					wantAccess(t, src, "token-1")
					pass(100 * time.Millisecond)
				}
				if n := calls.Load(); n < 2 || n > 12 {
					t.Errorf("OnChange was called %d times in 10 s, want once per second of use at most, and again at all", n)
				}
				if n := len(eventsOf[bearer.SaveFailed](&seen)); n < 1 {
					t.Error("no SaveFailed event")
				}
				down.Store(false)
				for range 100 {
					wantAccess(t, src, "token-1")
					pass(100 * time.Millisecond)
				}
				if n := saves.Load(); n != 1 {
					t.Errorf("saved %d times after the storage came back, want once", n)
				}
				e.wantCount(t, 1)
			})
		})
	}
}

func TestSourceSavingHasATimeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The request takes nearly all of its time, saving most of its own.
		spent := map[string]int{}
		n := 0
		src := bearer.NewSource(failFetch(errDown), &bearer.SourceOptions{
			FetchTimeout: 10 * time.Second,
			Initial:      &bearer.Token{RefreshToken: "r0"},
			Refresh: func(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
				spent[old.RefreshToken]++
				n++
				pass(9 * time.Second)
				return &bearer.Token{AccessToken: fmt.Sprintf("a%d", n), RefreshToken: fmt.Sprintf("r%d", n), Expiry: time.Now().Add(time.Hour)}, nil
			},
			OnChange: func(context.Context, *bearer.Token) error { pass(4 * time.Second); return nil },
		})
		for range 3 {
			if _, err := access(t, src); err != nil {
				t.Errorf("TokenContext: %v", err)
			}
			pass(time.Hour)
		}
		if got := fmt.Sprint(spent); got != "map[r0:1 r1:1 r2:1]" {
			t.Errorf("spent %v, want each refresh token once", got)
		}
	})
}

func TestSourceLifeGoesByWhileSaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: 2 * time.Second}
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{OnChange: func(context.Context, *bearer.Token) error {
			if e.count() == 1 {
				pass(3 * time.Second)
			}
			return nil
		}})
		tok := current(t, src)
		if !tok.Expiry.After(time.Now()) {
			t.Error("an expired token was handed out")
		}
	})
}

func TestSourceSavesARotatedRefreshTokenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saved []string
		down := true
		src := bearer.NewSource(failFetch(errDown), &bearer.SourceOptions{
			Initial: &bearer.Token{AccessToken: "a", RefreshToken: "r0", Expiry: time.Now().Add(time.Hour)},
			Refresh: func(context.Context, *bearer.Token) (*bearer.Token, error) {
				return &bearer.Token{AccessToken: "a", RefreshToken: "r1", Expiry: time.Now().Add(time.Hour)}, nil
			},
			OnChange: func(_ context.Context, tok *bearer.Token) error {
				if down {
					return errDown
				}
				saved = append(saved, tok.RefreshToken)
				return nil
			},
		})
		pass(57 * time.Minute)
		current(t, src)
		synctest.Wait()
		down = false
		current(t, src)
		synctest.Wait()
		if got := fmt.Sprint(saved); got != "[r1]" {
			t.Errorf("saved %v, want r1, at the next use", saved)
		}
	})
}

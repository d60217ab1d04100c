package bearer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

var _ bearer.TokenFunc = (*clientcredentials.Config)(nil).Token

func TestSourceFreshAllocatesNothing(t *testing.T) {
	e := &endpoint{life: time.Hour}
	src := bearer.NewSource(e.fetch, nil)
	wantAccess(t, src, "token-1")
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { src.TokenContext(ctx) }); n != 0 {
		t.Errorf("reading a fresh token: %v allocations, want 0", n)
	}
	e.wantCount(t, 1)
}

func TestSourceTokenIsACopy(t *testing.T) {
	src := bearer.NewSource((&endpoint{life: time.Hour}).fetch, nil)
	got, err := src.Token()
	if err != nil {
		t.Fatal(err)
	}
	got.AccessToken = "changed"
	wantAccess(t, src, "token-1")
	a, _ := src.TokenContext(t.Context())
	b, _ := src.TokenContext(t.Context())
	if a != b {
		t.Error("TokenContext returned two pointers for one token, want it shared")
	}
}

func TestSourceColdManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		src := bearer.NewSource(e.fetch, nil)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { wantAccess(t, src, "token-1") })
		}
		wg.Wait()
		e.wantCount(t, 1)
	})
}

func TestSourceLife(t *testing.T) {
	const hour = time.Hour
	tests := []struct {
		name  string
		life  time.Duration
		ahead time.Duration
		at    time.Duration // since the token was issued
		want  string        // fresh, aging, expired
	}{
		{"fresh", hour, 0, 30 * time.Minute, "fresh"},
		{"just before the window", hour, 0, hour - 5*time.Minute - time.Second, "fresh"},
		{"within any jitter", hour, 0, hour - 5*time.Minute*5/7 + time.Second, "aging"},
		{"just before its margin", hour, 0, hour - 11*time.Second, "aging"},
		{"in its margin", hour, 0, hour - 10*time.Second, "expired"},
		{"a wider window", 4 * hour, 14 * time.Minute, 4*hour - 14*time.Minute - time.Second, "fresh"},
		{"a wider window, within any jitter", 4 * hour, 14 * time.Minute, 4*hour - 10*time.Minute, "aging"},
		{"a window wider than the life is a quarter of it", 20 * time.Second, hour, 14 * time.Second, "fresh"},
		{"that quarter", 20 * time.Second, hour, 17 * time.Second, "aging"},
		{"a short life's margin is a tenth", 20 * time.Second, hour, 18 * time.Second, "expired"},
		{"no window", hour, -1, hour - 11*time.Second, "fresh"},
		{"no window, margin", hour, -1, hour - 10*time.Second, "expired"},
		{"a life without end", 0, 0, 1000 * hour, "fresh"},
		{"an absurd life", math.MaxInt64, 0, 1000 * hour, "fresh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{life: tt.life}
				src := bearer.NewSource(e.fetch, &bearer.SourceOptions{RefreshAhead: tt.ahead})
				wantAccess(t, src, "token-1")
				pass(tt.at)
				e.took = time.Second
				start := time.Now()
				got, err := access(t, src)
				if err != nil {
					t.Fatal(err)
				}
				waited := time.Since(start)
				synctest.Wait()
				state := "fresh"
				switch {
				case got == "token-2" && waited == time.Second:
					state = "expired"
				case got == "token-1" && waited == 0 && e.count() == 2:
					state = "aging"
				}
				if state != tt.want {
					t.Errorf("%v after its issue: %s (%s after %v, %d requests), want %s", tt.at, state, got, waited, e.count(), tt.want)
				}
				pass(2 * time.Second)
			})
		})
	}
}

func TestSourceJitterSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A fleet of 200, each with its own token of 4 hours, asked every second.
		var endpoints []*endpoint
		var fleet []*bearer.Source
		for range 200 {
			e := &endpoint{life: 4 * time.Hour}
			src := bearer.NewSource(e.fetch, &bearer.SourceOptions{RefreshAhead: 14 * time.Minute})
			wantAccess(t, src, "token-1")
			endpoints, fleet = append(endpoints, e), append(fleet, src)
		}
		start := time.Now()
		pass(4*time.Hour - 14*time.Minute - time.Second)
		for time.Since(start) < 4*time.Hour-9*time.Minute {
			for _, src := range fleet {
				access(t, src)
			}
			pass(time.Second)
		}
		synctest.Wait()
		first, last := 4*time.Hour, time.Duration(0)
		for _, e := range endpoints {
			e.wantCount(t, 2)
			at := e.began[1].Sub(start)
			first, last = min(first, at), max(last, at)
		}
		if before := 4*time.Hour - first; before > 14*time.Minute {
			t.Errorf("the first refreshed %v before its expiry, want at most 14m", before)
		}
		if before := 4*time.Hour - last; before < 10*time.Minute-2*time.Second {
			t.Errorf("the last refreshed %v before its expiry, want at least 10m", before)
		}
		if last-first < 2*time.Minute {
			t.Errorf("all refreshed within %v, want them spread over about 4m", last-first)
		}
	})
}

func TestSourceNoWorkWhileNobodyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The bubble ends only when no goroutine is left in it.
		e := &endpoint{life: time.Hour}
		wantAccess(t, bearer.NewSource(e.fetch, nil), "token-1")
		pass(1000 * time.Hour)
		e.wantCount(t, 1)
	})
}

func TestSourceRolloverDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		src := bearer.NewSource(e.fetch, nil)
		wantAccess(t, src, "token-1")
		pass(50 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for ctx.Err() == nil {
					start := time.Now()
					tok, err := src.TokenContext(ctx)
					if err != nil || time.Since(start) != 0 || !tok.Expiry.After(time.Now()) {
						t.Errorf("TokenContext: %v after %v", err, time.Since(start))
						return
					}
					pass(100 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		e.wantCount(t, 2)
	})
}

func TestSourceRolloverWhileEndpointFails(t *testing.T) {
	for range 20 { // the pauses are random
		synctest.Test(t, func(t *testing.T) {
			e := &endpoint{life: time.Hour}
			src := bearer.NewSource(e.fetch, nil)
			wantAccess(t, src, "token-1")
			pass(time.Hour - 5*time.Minute*5/7)
			downUntil := time.Now().Add(time.Second)
			e.fail = func(int) error {
				if time.Now().Before(downUntil) {
					return errDown
				}
				return nil
			}
			for range 100 {
				if _, err := access(t, src); err != nil {
					t.Fatalf("TokenContext: %v, want the old token", err)
				}
				pass(100 * time.Millisecond)
			}
			if n := e.count() - 1; n < 2 || n > 3 {
				t.Errorf("%d token requests, want 2 or 3", n)
			}
			wantAccess(t, src, fmt.Sprintf("token-%d", e.count()))
		})
	}
}

func TestSourceEarlyRefreshPausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: 100 * time.Hour}
		var seen events
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{RefreshAhead: 20 * time.Hour, Observer: seen.observe})
		wantAccess(t, src, "token-1")
		pass(90 * time.Hour)
		e.fail = failAll(errDown)
		for range 1000 {
			wantAccess(t, src, "token-1")
			pass(time.Second)
		}
		synctest.Wait()
		nominal := time.Second
		for i := 2; i < len(e.began); i++ {
			pause := e.began[i].Sub(e.began[i-1])
			if pause < nominal*8/10 || pause > nominal+2*time.Second {
				t.Errorf("pause %d lasted %v, want about %v", i-1, pause, nominal)
			}
			nominal = min(2*nominal, time.Minute)
		}
		if n := e.count(); n < 17 || n > 27 {
			t.Errorf("%d token requests in 1000 s of failure, want about 22", n)
		}
		for _, f := range eventsOf[bearer.TokenFailed](&seen) {
			if !f.Serving || f.Reason != bearer.ReasonAging {
				t.Errorf("event %+v, want an early refresh with the old token serving", f)
			}
		}
		// It is never switched off.
		e.mu.Lock()
		e.fail = nil
		e.mu.Unlock()
		pass(time.Minute)
		access(t, src)
		synctest.Wait()
		wantAccess(t, src, fmt.Sprintf("token-%d", e.count()))
	})
}

func TestSourceSameTokenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// As Commerce Layer would with a window that begins too early.
		e := &endpoint{life: 4 * time.Hour}
		e.same = func(int) bool { return time.Until(e.last.Expiry) > 15*time.Minute }
		var seen events
		saved := 0
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{RefreshAhead: time.Hour, Observer: seen.observe,
			OnChange: func(context.Context, *bearer.Token) error { saved++; return nil }})
		wantAccess(t, src, "token-1")
		pass(3 * time.Hour)
		for range 2 * 3600 {
			access(t, src)
			pass(time.Second)
		}
		synctest.Wait()
		if n := e.count(); n < 3 || n > 6 {
			t.Errorf("%d token requests, want between 3 and 6: the first, a few answered with the same token, the second", n)
		}
		issued := eventsOf[bearer.TokenIssued](&seen)
		for i, ev := range issued {
			if want := i > 0 && i < len(issued)-1; ev.Same != want {
				t.Errorf("event %d of %d: Same is %v", i, len(issued), ev.Same)
			}
		}
		if saved != 2 {
			t.Errorf("OnChange was called %d times, want 2: once per token", saved)
		}
	})
}

func TestSourceSameTokenUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A server that gives the running token back to its last second must not
		// be asked on each call of the last ten seconds.
		e := &endpoint{life: time.Hour}
		e.same = func(int) bool { return time.Until(e.last.Expiry) > 0 }
		src := bearer.NewSource(e.fetch, nil)
		wantAccess(t, src, "token-1")
		pass(50 * time.Minute)
		for range 700 * 10 {
			tok, err := src.TokenContext(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !tok.Expiry.After(time.Now()) {
				t.Fatal("an expired token was handed out")
			}
			pass(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := e.count(); n > 30 {
			t.Errorf("%d token requests, want at most 30", n)
		}
		wantAccess(t, src, e.last.AccessToken)
	})
}

func TestSourceSameTokenIsNotProlonged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		src := bearer.NewSource(func(context.Context) (*bearer.Token, error) {
			n++
			return &bearer.Token{AccessToken: "always the same", Expiry: time.Now().Add(time.Hour)}, nil
		}, nil)
		start := time.Now()
		for time.Since(start) < time.Hour-time.Minute {
			tok, err := src.TokenContext(t.Context())
			if err != nil || tok.Expiry.After(start.Add(time.Hour)) {
				t.Fatalf("%v; after %v the token's expiry is %v later than it was first said", err, time.Since(start), tok.Expiry.Sub(start)-time.Hour)
			}
			pass(time.Second)
		}
		synctest.Wait()
		if n < 2 || n > 6 {
			t.Errorf("%d token requests, want 2 to 6", n)
		}
	})
}

func TestSourceUsedOnce(t *testing.T) {
	extra := func(v any) *bearer.Token {
		return (&bearer.Token{AccessToken: "once"}).WithExtra(map[string]any{"expires_in": v})
	}
	tests := []struct {
		name  string
		token *bearer.Token
		once  bool
	}{
		{"expires_in 0", extra(0.0), true},
		{"expires_in negative", extra(-5.0), true},
		{"expires_in 0 in a string", extra("0"), true},
		{"expires_in 0 as an integer", extra(0), true},
		{"expires_in 0 as a json.Number", extra(json.Number("0")), true},
		{"ExpiresIn negative", &bearer.Token{AccessToken: "once", ExpiresIn: -1}, true},
		{"expires_in absent", &bearer.Token{AccessToken: "kept"}, false},
		{"expires_in not a number", extra("soon"), false},
		{"an expiry that has passed", &bearer.Token{AccessToken: "once", Expiry: time.Now().Add(-time.Hour)}, true},
		{"an expiry in year 1", &bearer.Token{AccessToken: "once", Expiry: time.Time{}.Add(1)}, true},
		{"an expiry in year 9999", &bearer.Token{AccessToken: "kept", Expiry: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			src := bearer.NewSource(func(context.Context) (*bearer.Token, error) { n++; return tt.token, nil }, nil)
			for range 3 {
				wantAccess(t, src, tt.token.AccessToken)
			}
			want := 1
			if tt.once {
				want = 3
			}
			if n != want {
				t.Errorf("%d token requests for 3 calls, want %d", n, want)
			}
		})
	}
}

func TestSourceNeverHandsOutAnExpiredToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Minute}
		src := bearer.NewSource(e.fetch, nil)
		var stop atomic.Bool
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for !stop.Load() {
					tok, err := src.TokenContext(t.Context())
					if err == nil && time.Until(tok.Expiry) < 6*time.Second {
						t.Errorf("a token with %v left was handed out", time.Until(tok.Expiry))
						return
					}
					pass(time.Duration(i+1) * 700 * time.Millisecond)
				}
			})
		}
		for i := range 30 {
			e.mu.Lock()
			e.fail = nil
			if i%3 == 1 {
				e.fail = failAll(errDown)
			}
			e.mu.Unlock()
			pass(time.Minute)
		}
		stop.Store(true)
		wg.Wait()
	})
}

func TestSourceInitial(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name    string
		initial *bearer.Token
		want    string
	}{
		{"none", nil, "token-1"},
		{"valid", &bearer.Token{AccessToken: "saved", Expiry: now.Add(time.Hour)}, "saved"},
		{"no expiry", &bearer.Token{AccessToken: "saved"}, "saved"},
		{"expired", &bearer.Token{AccessToken: "saved", Expiry: now.Add(-time.Hour)}, "token-1"},
		{"no access token", &bearer.Token{RefreshToken: "r"}, "token-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &endpoint{life: time.Hour}
			src := bearer.NewSource(e.fetch, &bearer.SourceOptions{Initial: tt.initial})
			if tt.initial != nil {
				tt.initial.AccessToken = "changed afterwards"
			}
			wantAccess(t, src, tt.want)
		})
	}
}

func TestSourceRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var spent []string
		refresh := func(_ context.Context, old *bearer.Token) (*bearer.Token, error) {
			spent = append(spent, old.RefreshToken)
			tok := &bearer.Token{AccessToken: fmt.Sprintf("refreshed-%d", len(spent)), Expiry: time.Now().Add(time.Hour)}
			if len(spent) > 1 { // the first answer leaves it out (RFC 6749 §6)
				tok.RefreshToken = fmt.Sprintf("r%d", len(spent))
			}
			return tok, nil
		}
		e := &endpoint{life: time.Hour}
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{Refresh: refresh, Initial: &bearer.Token{RefreshToken: "r0"}})
		for i := range 4 {
			wantAccess(t, src, fmt.Sprintf("refreshed-%d", i+1))
			pass(time.Hour)
		}
		synctest.Wait()
		if got, want := fmt.Sprint(spent), "[r0 r0 r2 r3]"; got != want {
			t.Errorf("spent the refresh tokens %v, want %v", got, want)
		}
		e.wantCount(t, 0)
	})
}

func TestSourceRefreshTokenDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refreshes := 0
		e := &endpoint{life: time.Hour}
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{
			Initial: &bearer.Token{RefreshToken: "dead"},
			Refresh: func(context.Context, *bearer.Token) (*bearer.Token, error) {
				refreshes++
				return nil, answered(400, "invalid_grant")
			},
		})
		e.fail = func(n int) error {
			if n < 3 {
				return errDown
			}
			return nil
		}
		for range 2 {
			if _, err := access(t, src); !errors.Is(err, errDown) {
				t.Errorf("got %v, want the TokenFunc's error", err)
			}
			pass(time.Second)
		}
		wantAccess(t, src, "token-3") // from the TokenFunc
		if refreshes != 1 {
			t.Errorf("a dead refresh token was spent %d times, want once", refreshes)
		}
	})
}

func TestSourceRefreshTokenSurvivesOtherFailures(t *testing.T) {
	for _, err := range []error{errDown, answered(503, ""), answered(401, "invalid_client"), answered(429, "")} {
		t.Run(bearer.Describe(err), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fail := err
				e := &endpoint{life: time.Hour}
				src := bearer.NewSource(e.fetch, &bearer.SourceOptions{
					Initial: &bearer.Token{RefreshToken: "r"},
					Refresh: func(_ context.Context, old *bearer.Token) (*bearer.Token, error) {
						if old.RefreshToken != "r" {
							t.Errorf("refresh token %q, want r", old.RefreshToken)
						}
						if fail != nil {
							return nil, fail
						}
						return &bearer.Token{AccessToken: "refreshed"}, nil
					},
				})
				if _, got := access(t, src); !errors.Is(got, fail) {
					t.Errorf("got error %v, want one that wraps %v", got, fail)
				}
				fail = nil
				pass(time.Minute)
				wantAccess(t, src, "refreshed")
				e.wantCount(t, 0)
			})
		})
	}
}

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

func TestSourceReuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		cached := oauth2.ReuseTokenSource(nil, bearer.NewSource(e.fetch, nil))
		src, ok := bearer.ReuseTokenSource(nil, cached).(bearer.ContextTokenSource)
		if !ok {
			t.Fatal("ReuseTokenSource returned no ContextTokenSource")
		}
		if again := bearer.ReuseTokenSource(nil, src); again != bearer.TokenSource(src) {
			t.Error("ReuseTokenSource wrapped a source that looks after itself")
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { wantAccess(t, src, "token-1") })
		}
		wg.Wait()
		e.wantCount(t, 1)
		pass(time.Hour)
		wantAccess(t, src, "token-2")
	})
}

func TestNewSourceWithoutFunc(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("NewSource(nil, nil) did not panic")
		}
	}()
	bearer.NewSource(nil, nil)
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

func TestSourceWithoutRefreshTokenAsksTheTokenFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour} // whose tokens have no refresh token
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{Refresh: func(context.Context, *bearer.Token) (*bearer.Token, error) {
			t.Error("Refresh was called without a refresh token")
			return nil, errDown
		}})
		for i := range 3 {
			wantAccess(t, src, fmt.Sprintf("token-%d", i+1))
			pass(time.Hour)
		}
	})
}

func TestSourceSameTokenEndsSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The server says of the running token that it ends in a minute.
		start := time.Now()
		n := 0
		src := bearer.NewSource(func(context.Context) (*bearer.Token, error) {
			n++
			switch n {
			case 1:
				return &bearer.Token{AccessToken: "a", Expiry: start.Add(time.Hour)}, nil
			case 2:
				return &bearer.Token{AccessToken: "a", Expiry: start.Add(57 * time.Minute)}, nil
			}
			return &bearer.Token{AccessToken: "b", Expiry: start.Add(2 * time.Hour)}, nil
		}, nil)
		wantAccess(t, src, "a")
		pass(56*time.Minute + 30*time.Second)
		wantAccess(t, src, "a") // and asks
		synctest.Wait()
		pass(31 * time.Second)
		wantAccess(t, src, "b")
	})
}

func TestSourceSameTokenKeepsARotatedRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var spent, saved []string
		n := 0
		src := bearer.NewSource(failFetch(errDown), &bearer.SourceOptions{
			Initial: &bearer.Token{AccessToken: "a", RefreshToken: "r0", Expiry: time.Now().Add(time.Hour)},
			Refresh: func(_ context.Context, old *bearer.Token) (*bearer.Token, error) {
				n++
				spent = append(spent, old.RefreshToken)
				return &bearer.Token{AccessToken: "a", RefreshToken: fmt.Sprintf("r%d", n), Expiry: time.Now().Add(time.Hour)}, nil
			},
			OnChange: func(_ context.Context, tok *bearer.Token) error {
				saved = append(saved, tok.RefreshToken)
				return nil
			},
		})
		end := time.Now().Add(time.Hour)
		pass(57 * time.Minute)
		wantAccess(t, src, "a") // and refreshes, for the same access token
		synctest.Wait()
		tok := current(t, src)
		if tok.RefreshToken != "r1" || !tok.Expiry.Equal(end) {
			t.Errorf("holds %s until %v, want r1 until the end known before", tok.RefreshToken, tok.Expiry)
		}
		pass(2 * time.Minute)
		wantAccess(t, src, "a")
		synctest.Wait()
		if fmt.Sprint(spent) != "[r0 r1]" || fmt.Sprint(saved) != "[r1 r2]" {
			t.Errorf("spent %v and saved %v, want r0, r1 and r1, r2", spent, saved)
		}
	})
}

func TestSourceExpiresInWithoutExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		src := bearer.NewSource(func(ctx context.Context) (*bearer.Token, error) {
			tok, err := e.fetch(ctx)
			tok.ExpiresIn = 3600 // as JSON has it, and as it stays if only that was decoded
			return tok, err
		}, nil)
		tok := current(t, src)
		if want := time.Now().Add(time.Hour); !tok.Expiry.Equal(want) {
			t.Errorf("the token expires at %v, want %v", tok.Expiry, want)
		}
		pass(time.Hour)
		wantAccess(t, src, "token-2")
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

func TestSourceUselessRefreshLeavesTheOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The answer to an early refresh has expired when it comes.
		e := &endpoint{life: time.Hour}
		src := bearer.NewSource(e.fetch, nil)
		wantAccess(t, src, "token-1")
		e.life = -time.Second
		pass(58 * time.Minute)
		wantAccess(t, src, "token-1")
		synctest.Wait()
		e.wantCount(t, 2)
		wantAccess(t, src, "token-1")
	})
}

func TestSourceCopiesWhatItGets(t *testing.T) {
	tok := &bearer.Token{AccessToken: "abc"}
	src := bearer.NewSource(func(context.Context) (*bearer.Token, error) { return tok, nil }, nil)
	wantAccess(t, src, "abc")
	tok.AccessToken = "changed"
	wantAccess(t, src, "abc")
}

func TestReuseTokenSourceStartsWithTheToken(t *testing.T) {
	own := bearer.NewSource((&endpoint{}).fetch, nil)
	for name, src := range map[string]bearer.TokenSource{"ours": own, "theirs": static("other")} {
		got, err := bearer.ReuseTokenSource(&bearer.Token{AccessToken: "saved"}, src).Token()
		if err != nil || got.AccessToken != "saved" {
			t.Errorf("%s: got %v, %v; want the saved token", name, got, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("ReuseTokenSource(nil, nil) did not panic")
		}
	}()
	bearer.ReuseTokenSource(nil, nil)
}

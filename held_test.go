package bearer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

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

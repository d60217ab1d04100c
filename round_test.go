package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

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

// lostAnswer is the error of a refresh whose answer did not arrive.
type lostAnswer struct{ error }

func (lostAnswer) Spent() bool { return true }

func TestSourceRefreshTokenThatMayBeSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		start := time.Now()
		end := start.Add(time.Hour)
		src := bearer.NewSource(failFetch(errDown), &bearer.SourceOptions{
			Initial: &bearer.Token{AccessToken: "a0", RefreshToken: "r0", Expiry: end},
			Refresh: func(context.Context, *bearer.Token) (*bearer.Token, error) {
				tries = append(tries, time.Since(start))
				if len(tries) == 1 {
					return nil, lostAnswer{errDown}
				}
				return &bearer.Token{AccessToken: "a1", RefreshToken: "r1", Expiry: time.Now().Add(time.Hour)}, nil
			},
		})
		for time.Since(start) < time.Hour {
			want := "a0"
			if time.Until(end) <= 10*time.Second { // it is spent once more when nothing is left to lose
				want = "a1"
			}
			wantAccess(t, src, want)
			synctest.Wait()
			pass(time.Second)
		}
		if len(tries) != 2 || tries[1] != time.Hour-10*time.Second {
			t.Errorf("the refresh token was sent at %v, want once early and once when the old token ended", tries)
		}
	})
}

func TestSourceRequestHasNoTrace(t *testing.T) {
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{})
	var trace *httptrace.ClientTrace
	src := bearer.NewSource(func(ctx context.Context) (*bearer.Token, error) {
		trace = httptrace.ContextClientTrace(ctx)
		return &bearer.Token{AccessToken: "abc"}, nil
	}, nil)
	if _, err := src.TokenContext(ctx); err != nil || trace != nil {
		t.Errorf("the token request has the caller's trace, %v", err)
	}
}

package bearer_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

func TestEvictLeavesARefreshAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A refresh under way has spent the refresh token: another one would look
		// like theft (RFC 9700 §4.14.2).
		spent := map[string]int{}
		n := 0
		src := bearer.NewSource((&endpoint{}).fetch, &bearer.SourceOptions{
			Initial: &bearer.Token{AccessToken: "a0", RefreshToken: "r0", Expiry: time.Now().Add(time.Hour)},
			Refresh: func(_ context.Context, old *bearer.Token) (*bearer.Token, error) {
				n++
				spent[old.RefreshToken]++
				pass(10 * time.Second)
				return &bearer.Token{AccessToken: fmt.Sprintf("a%d", n), RefreshToken: fmt.Sprintf("r%d", n), Expiry: time.Now().Add(time.Hour)}, nil
			},
		})
		pass(58 * time.Minute)
		old := current(t, src)
		pass(time.Second)
		evict(t, src, old)
		wantAccess(t, src, "a1")
		evict(t, src, &bearer.Token{AccessToken: "a1"}) // the record with its refresh token stays
		wantAccess(t, src, "a2")
		synctest.Wait()
		for rt, times := range spent {
			if times != 1 {
				t.Errorf("%s was spent %d times", rt, times)
			}
		}
	})
}

// An invalid_grant that comes when another request has already brought a token
// must not put a guest in a customer's place.
func TestRefreshRefusedTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		e := &endpoint{life: time.Hour}
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{
			FetchTimeout: time.Second,
			Initial:      &bearer.Token{RefreshToken: "r0"},
			Refresh: func(_ context.Context, old *bearer.Token) (*bearer.Token, error) {
				if n.Add(1) == 1 {
					pass(1500 * time.Millisecond) // past its time limit, which it ignores
					return &bearer.Token{AccessToken: "a1", RefreshToken: "r1", Expiry: time.Now().Add(time.Hour)}, nil
				}
				pass(900 * time.Millisecond)
				return nil, answered(400, "invalid_grant") // r0 is spent
			},
		})
		if _, err := access(t, src); err == nil {
			t.Fatal("no error after the time limit")
		}
		pass(100 * time.Millisecond)
		wantAccess(t, src, "a1")
		e.wantCount(t, 0)
	})
}

// While a late token is being saved, what it was got with is spent already.
func TestRefreshWhileALateOneIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards spent
		var spent []string
		src := bearer.NewSource(failFetch(errDown), &bearer.SourceOptions{
			FetchTimeout: time.Second,
			Initial:      &bearer.Token{RefreshToken: "r0"},
			Refresh: func(_ context.Context, old *bearer.Token) (*bearer.Token, error) {
				mu.Lock()
				spent = append(spent, old.RefreshToken)
				n := len(spent)
				mu.Unlock()
				if n == 1 {
					pass(1500 * time.Millisecond) // past its time limit, which it ignores
				}
				return &bearer.Token{AccessToken: fmt.Sprintf("a%d", n), RefreshToken: fmt.Sprintf("r%d", n), Expiry: time.Now().Add(time.Hour)}, nil
			},
			OnChange: func(_ context.Context, tok *bearer.Token) error {
				if tok.RefreshToken == "r1" {
					pass(3 * time.Second)
				}
				return nil
			},
		})
		if _, err := access(t, src); err == nil {
			t.Fatal("no error after the time limit")
		}
		pass(time.Second)
		wantAccess(t, src, "a2")
		pass(10 * time.Second)
		wantAccess(t, src, "a2")
		if got := fmt.Sprint(spent); got != "[r0 r1]" {
			t.Errorf("spent %v, want r0 and r1", got)
		}
	})
}

func TestEvictLeavesALateRefreshAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Nobody waits for it any more, but it has spent the refresh token.
		var n atomic.Int32
		src := bearer.NewSource(failFetch(errDown), &bearer.SourceOptions{
			FetchTimeout: time.Second,
			Initial:      &bearer.Token{AccessToken: "a0", RefreshToken: "r0", Expiry: time.Now().Add(time.Hour)},
			Refresh: func(_ context.Context, old *bearer.Token) (*bearer.Token, error) {
				if n.Add(1) > 1 {
					t.Errorf("%s was spent again", old.RefreshToken)
				}
				pass(10 * time.Second) // past its time limit, which it ignores
				return &bearer.Token{AccessToken: "a1", RefreshToken: "r1", Expiry: time.Now().Add(time.Hour)}, nil
			},
		})
		pass(58 * time.Minute)
		old := current(t, src) // refreshes, in vain at first
		pass(9999 * time.Millisecond)
		evict(t, src, old)
		pass(time.Millisecond)
		synctest.Wait()
		wantAccess(t, src, "a1")
	})
}

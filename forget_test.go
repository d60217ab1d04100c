package bearer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		src := bearer.NewSource(e.fetch, nil)
		if tok := src.Forget(); tok != nil {
			t.Errorf("Forget returned %v, want nil: nothing was held", tok.AccessToken)
		}
		for i := range 5 { // no brake
			wantAccess(t, src, fmt.Sprintf("token-%d", i+1))
			if tok := src.Forget(); tok == nil || tok.AccessToken != fmt.Sprintf("token-%d", i+1) {
				t.Errorf("Forget returned %v, want token-%d", tok, i+1)
			}
		}
		// A request under way does not bring back what was forgotten.
		e.took = time.Second
		var wg sync.WaitGroup
		wg.Go(func() { wantAccess(t, src, "token-7") })
		synctest.Wait()
		src.Forget()
		wg.Wait()
		wantAccess(t, src, "token-7")
	})
}

func TestForgetReturnsWhatServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The refresh token is dead, the access token still good.
		src := bearer.NewSource(failFetch(errDown), &bearer.SourceOptions{
			Initial: &bearer.Token{AccessToken: "a0", RefreshToken: "dead", Expiry: time.Now().Add(time.Hour)},
			Refresh: func(context.Context, *bearer.Token) (*bearer.Token, error) {
				return nil, answered(400, "invalid_grant")
			},
		})
		pass(58 * time.Minute)
		wantAccess(t, src, "a0")
		synctest.Wait()
		wantAccess(t, src, "a0")
		if tok := src.Forget(); tok == nil || tok.AccessToken != "a0" {
			t.Errorf("Forget returned %v, want a0, to be revoked", tok)
		}
	})
}

func TestForgetEndsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{fail: func(n int) error {
			if n == 1 {
				return answered(401, "invalid_client")
			}
			return nil
		}}
		src := bearer.NewSource(e.fetch, nil)
		access(t, src)
		src.Forget()
		wantAccess(t, src, "token-2")
	})
}

func TestForgetWhileSaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Three requests follow each other while the first one's token is being
		// saved. The second one's is forgotten by the time it could be.
		e := &endpoint{life: time.Hour}
		var saved []string
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{OnChange: func(_ context.Context, tok *bearer.Token) error {
			pass(2 * time.Second)
			saved = append(saved, tok.AccessToken)
			return nil
		}})
		var wg sync.WaitGroup
		for range 3 {
			src.Forget()
			wg.Go(func() { wantAccess(t, src, "token-3") })
			synctest.Wait()
		}
		wg.Wait()
		if got := fmt.Sprint(saved); got != "[token-1 token-3]" {
			t.Errorf("saved %v, want token-1, which was under way, and token-3", got)
		}
	})
}

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

func current(t *testing.T, src *bearer.Source) *bearer.Token {
	t.Helper()
	tok, err := src.TokenContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func evict(t *testing.T, src *bearer.Source, tok *bearer.Token) {
	t.Helper()
	if err := src.Evict(t.Context(), tok); err != nil {
		t.Errorf("Evict: %v", err)
	}
}

func TestEvictComparesAccessTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		src := bearer.NewSource(e.fetch, nil)
		old := current(t, src)
		evict(t, src, &bearer.Token{AccessToken: old.AccessToken}) // by value, not by pointer
		wantAccess(t, src, "token-2")
		pass(time.Hour / 2)
		for _, late := range []*bearer.Token{old, nil, {}, {AccessToken: "of somebody else"}} {
			evict(t, src, late)
			wantAccess(t, src, "token-2")
		}
		e.wantCount(t, 2)
	})
}

func TestEvictManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		src := bearer.NewSource(e.fetch, nil)
		old := current(t, src)
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				pass(time.Duration(i) * 10 * time.Millisecond) // some while the request runs, some after it
				evict(t, src, old)
				wantAccess(t, src, "token-2")
			})
		}
		wg.Wait()
		e.wantCount(t, 2)
	})
}

func TestEvictDetachesTheRequestUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		var saved []string
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{OnChange: func(_ context.Context, tok *bearer.Token) error {
			saved = append(saved, tok.AccessToken)
			return nil
		}})
		old := current(t, src)
		pass(58 * time.Minute)
		e.took = time.Minute
		e.within = func(context.Context) { // the second request is slow, the third is quick
			if e.requests == 3 {
				e.took = 0
			}
		}
		wantAccess(t, src, "token-1")
		synctest.Wait()
		e.wantCount(t, 2)
		evict(t, src, old)
		start := time.Now()
		wantAccess(t, src, "token-3")
		if d := time.Since(start); d != 0 {
			t.Errorf("waited %v for the request that the eviction overtook", d)
		}
		pass(2 * time.Minute) // the second one's answer comes, too late
		wantAccess(t, src, "token-3")
		synctest.Wait()
		if got := fmt.Sprint(saved); got != "[token-1 token-3]" {
			t.Errorf("saved %v, want token-1 and token-3", got)
		}
	})
}

func TestEvictTakesWaitersAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Those who wait for a request that an eviction overtakes get the next one's
		// result, not the rejected token.
		e := &endpoint{life: time.Hour, took: time.Second}
		e.same = func(n int) bool { return n == 2 }
		src := bearer.NewSource(e.fetch, nil)
		old := current(t, src)
		pass(59*time.Minute + 50*time.Second - time.Millisecond)
		wantAccess(t, src, "token-1")
		pass(2 * time.Millisecond) // now it counts as expired, while the second request runs
		var wg sync.WaitGroup
		wg.Go(func() { wantAccess(t, src, "token-3") })
		synctest.Wait()
		evict(t, src, old)
		wg.Wait()
		e.wantCount(t, 3)
	})
}

func TestEvictBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// An API that rejects everything.
		e := &endpoint{life: 4 * time.Hour}
		var seen events
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{Observer: seen.observe})
		for range 10 * 60 * 10 { // ten calls a second for ten minutes
			evict(t, src, current(t, src))
			pass(100 * time.Millisecond)
		}
		synctest.Wait()
		// 1+2+4+8+16+32+60… seconds: the first, then one per pause.
		if n := e.count(); n < 15 || n > 18 {
			t.Errorf("%d token requests in 10 minutes of rejections, want about 16", n)
		}
		nominal := time.Second
		for i := 2; i < len(e.began); i++ {
			if d := e.began[i].Sub(e.began[i-1]); d < nominal || d > nominal+200*time.Millisecond {
				t.Errorf("pause %d lasted %v, want %v", i-1, d, nominal)
			}
			nominal = min(2*nominal, time.Minute)
		}
		if len(eventsOf[bearer.EvictionPaused](&seen)) == 0 {
			t.Error("no EvictionPaused event")
		}

		// Ten minutes without a rejection reset it.
		n := e.count()
		pass(10 * time.Minute)
		evict(t, src, current(t, src))
		evict(t, src, current(t, src)) // no pause after a token that had lived
		e.wantCount(t, n+1)
		wantAccess(t, src, fmt.Sprintf("token-%d", n+2))
		// …and the one that follows is as short as the first.
		pass(time.Second)
		evict(t, src, current(t, src))
		wantAccess(t, src, fmt.Sprintf("token-%d", n+3))
	})
}

func TestEvictBrakeResetsByALifeUnrejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: 4 * time.Hour}
		src := bearer.NewSource(e.fetch, nil)
		for range 600 { // a bad ten minutes
			evict(t, src, current(t, src))
			pass(time.Second)
		}
		pass(4 * time.Hour) // then a token that lived its life
		current(t, src)
		n := e.count()
		evict(t, src, current(t, src))
		current(t, src)
		pass(time.Second)
		evict(t, src, current(t, src))
		current(t, src)
		if got := e.count() - n; got != 2 {
			t.Errorf("%d evictions a second apart were heeded, want 2: the brake is back at its beginning", got)
		}
	})
}

func TestEvictInitialIsNotBraked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		var seen events
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{Initial: &bearer.Token{AccessToken: "saved"}, Observer: seen.observe})
		evict(t, src, current(t, src)) // nobody knows how long it has lived
		tok := current(t, src)
		pass(time.Second)
		evict(t, src, tok)
		wantAccess(t, src, "token-2")
		for i, ev := range eventsOf[bearer.TokenEvicted](&seen) {
			if want := time.Duration(i) * time.Second; ev.Age != want {
				t.Errorf("token %d was evicted at the age of %v, want %v", i, ev.Age, want)
			}
		}
	})
}

func TestEvictOfATokenThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Its late rejection must not detach the request that replaces it.
		e := &endpoint{life: time.Hour}
		src := bearer.NewSource(e.fetch, nil)
		old := current(t, src)
		pass(time.Hour)
		e.took = 2 * time.Second
		var wg sync.WaitGroup
		wg.Go(func() { wantAccess(t, src, "token-2") })
		synctest.Wait()
		evict(t, src, old)
		wantAccess(t, src, "token-2")
		wg.Wait()
		e.wantCount(t, 2)
	})
}

func TestEvictReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		var seen events
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{Observer: seen.observe})
		evict(t, src, current(t, src))
		current(t, src)
		pass(58 * time.Minute)
		current(t, src)
		synctest.Wait()
		pass(time.Hour)
		current(t, src)
		var reasons []bearer.Reason
		for _, ev := range eventsOf[bearer.TokenIssued](&seen) {
			reasons = append(reasons, ev.Reason)
		}
		if got := fmt.Sprint(reasons); got != "[missing evicted aging expired]" {
			t.Errorf("the reasons were %v", got)
		}
	})
}

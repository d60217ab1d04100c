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

func TestNewSourceWithoutFunc(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("NewSource(nil, nil) did not panic")
		}
	}()
	bearer.NewSource(nil, nil)
}

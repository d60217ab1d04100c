package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"golang.org/x/oauth2"
)

func TestFlightLeaderCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		e := &endpoint{life: time.Hour, took: time.Second}
		var value any
		e.within = func(ctx context.Context) { value = ctx.Value(key{}) }
		src := bearer.NewSource(e.fetch, nil)
		leader, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "of the leader"))
		why := errors.New("the reason")
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := src.TokenContext(leader)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
				t.Errorf("the leader got %v, want context.Canceled and its cause", err)
			}
		})
		synctest.Wait()
		for range 20 {
			wg.Go(func() { wantAccess(t, src, "token-1") })
		}
		pass(100 * time.Millisecond)
		cancel(why)
		wg.Wait()
		e.wantCount(t, 1)
		if value != "of the leader" {
			t.Errorf("the request's context has the value %v, want the leader's", value)
		}
	})
}

func TestFlightWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour, took: 10 * time.Second}
		src := bearer.NewSource(e.fetch, nil)
		go src.TokenContext(context.Background())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := src.TokenContext(ctx)
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("a waiter with 100ms waited %v", d)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
		if timeout, ok := err.(interface{ Timeout() bool }); !ok || !timeout.Timeout() {
			t.Errorf("%T does not say that it is a time-out", err)
		}
		pass(10 * time.Second)
		wantAccess(t, src, "token-1")
		e.wantCount(t, 1)
	})
}

func TestFlightDeadCallerBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		src := bearer.NewSource(e.fetch, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := src.TokenContext(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		synctest.Wait()
		e.wantCount(t, 0)
		wantAccess(t, src, "token-1")
		if _, err := src.TokenContext(ctx); err != nil {
			t.Errorf("a token that is there: got %v for a caller whose context has ended, want the token", err)
		}
	})
}

// Callers that come just as a request ends must not begin another one, whether it
// ended well or badly. Time stands still in the bubble while they all run.
func TestFlightEndsUnderCallers(t *testing.T) {
	for _, fail := range []error{nil, errDown} {
		for range 30 {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{life: time.Hour, fail: failAll(fail)}
				src := bearer.NewSource(e.fetch, nil)
				start := make(chan struct{})
				var wg sync.WaitGroup
				for range 200 {
					wg.Go(func() {
						<-start
						for range 3 {
							if _, err := src.TokenContext(t.Context()); !errors.Is(err, fail) {
								t.Errorf("got %v, want %v", err, fail)
							}
						}
					})
				}
				close(start)
				wg.Wait()
				e.wantCount(t, 1)
			})
		}
	}
}

// hookedContext calls hook when it is first asked for its error, which is after
// a caller has seen that there is no token and before it joins a request.
type hookedContext struct {
	context.Context
	once *sync.Once
	hook func()
}

func (c hookedContext) Err() error {
	c.once.Do(c.hook)
	return c.Context.Err()
}

func TestFlightEndsBeforeOneJoins(t *testing.T) {
	e := &endpoint{life: time.Hour}
	src := bearer.NewSource(e.fetch, nil)
	ctx := hookedContext{t.Context(), new(sync.Once), func() { wantAccess(t, src, "token-1") }}
	tok, err := src.TokenContext(ctx)
	if err != nil || tok.AccessToken != "token-1" {
		t.Errorf("got %v, want the token that came meanwhile", err)
	}
	e.wantCount(t, 1)
}

func TestFlightFailureIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{took: 20 * time.Millisecond, fail: failAll(answered(503, ""))}
		src := bearer.NewSource(e.fetch, nil)
		start := time.Now()
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				_, err := src.TokenContext(t.Context())
				if _, ok := errors.AsType[*bearer.TokenError](err); !ok {
					t.Errorf("got %v, want a *TokenError", err)
				}
			})
		}
		wg.Wait()
		e.wantCount(t, 1)
		if d := time.Since(start); d != 20*time.Millisecond {
			t.Errorf("200 callers were answered after %v, want all together after 20ms", d)
		}
	})
}

func TestFlightTimeLimit(t *testing.T) {
	tests := []struct {
		name   string
		limit  time.Duration
		within func(ctx context.Context) error
		want   time.Duration
	}{
		{"default", 0, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 30 * time.Second},
		{"set", time.Second, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, time.Second},
		{"ignored by the function", time.Second, func(context.Context) error { pass(time.Minute); return errDown }, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := bearer.NewSource(func(ctx context.Context) (*bearer.Token, error) { return nil, tt.within(ctx) },
					&bearer.SourceOptions{FetchTimeout: tt.limit})
				start := time.Now()
				_, err := src.TokenContext(t.Context())
				if d := time.Since(start); d != tt.want {
					t.Errorf("waited %v, want %v", d, tt.want)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want context.DeadlineExceeded", err)
				}
				pass(time.Hour) // until the function is done
			})
		})
	}
}

func TestFlightLateSuccessIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		src := bearer.NewSource(func(context.Context) (*bearer.Token, error) {
			n++
			pass(40 * time.Second) // and ignores its context
			return &bearer.Token{AccessToken: fmt.Sprintf("token-%d", n)}, nil
		}, nil)
		if tok, err := src.TokenContext(t.Context()); err == nil {
			t.Fatalf("got %v after 40 s, want an error after 30", tok.AccessToken)
		}
		pass(11 * time.Second)
		wantAccess(t, src, "token-1")
		if n != 1 {
			t.Errorf("%d token requests, want 1", n)
		}
	})
}

func TestFlightPanicAndGoexit(t *testing.T) {
	var nilMap map[string]int
	tests := []struct {
		name     string
		end      func()
		wantText string
		wantErr  error
	}{
		{"panic with a secret", func() { panic("s3cr3t") }, "type string", nil},
		{"panic with an error", func() { panic(errDown) }, "type *errors.errorString", errDown},
		{"panic of the runtime", func() { nilMap["a"] = 1 }, "assignment to entry in nil map", nil},
		{"panic with nil", func() { panic(nil) }, "panic called with nil argument", nil},
		{"Goexit", runtime.Goexit, "runtime.Goexit", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := true
				e := &endpoint{life: time.Hour}
				src := bearer.NewSource(func(ctx context.Context) (*bearer.Token, error) {
					if first {
						first = false
						pass(time.Second)
						tt.end()
					}
					return e.fetch(ctx)
				}, nil)
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() {
						_, err := src.TokenContext(t.Context())
						if err == nil {
							t.Error("no error")
							return
						}
						if !strings.Contains(err.Error(), tt.wantText) || strings.Contains(err.Error(), "s3cr3t") {
							t.Errorf("got %q, want %q in it, and no secret", err, tt.wantText)
						}
						if tt.wantErr != nil && !errors.Is(err, tt.wantErr) {
							t.Errorf("%v does not wrap the panic's error", err)
						}
					})
				}
				wg.Wait()
				pass(100 * time.Millisecond)
				wantAccess(t, src, "token-1") // the next call tries anew
			})
		})
	}
}

func TestSourceEmptyToken(t *testing.T) {
	for _, tok := range []*bearer.Token{nil, {}, {RefreshToken: "r"}} {
		src := bearer.NewSource(func(context.Context) (*bearer.Token, error) { return tok, nil }, nil)
		if _, err := src.TokenContext(t.Context()); err == nil || !strings.Contains(err.Error(), "no access token") {
			t.Errorf("token %v: got error %v, want one that says so", tok, err)
		}
	}
}

// nilPointer is an error value as a careless TokenFunc returns it.
type nilPointer struct{ err error }

func (e *nilPointer) Error() string { return e.err.Error() }
func (e *nilPointer) Unwrap() error { return e.err }

type panicsInAs struct{ error }

func (panicsInAs) As(any) bool { panic("s3cr3t") }

func TestFlightErrorsThatPanic(t *testing.T) {
	var answer *oauth2.RetrieveError
	var pointer *nilPointer
	for name, err := range map[string]error{"nil RetrieveError": answer, "nil pointer that unwraps": pointer, "As": panicsInAs{errDown}} {
		t.Run(name, func(t *testing.T) {
			for _, opts := range []*bearer.SourceOptions{nil, {
				Initial: &bearer.Token{RefreshToken: "r"},
				Refresh: func(context.Context, *bearer.Token) (*bearer.Token, error) { return nil, err },
			}} {
				src := bearer.NewSource(failFetch(err), opts)
				_, got := src.TokenContext(t.Context())
				if got == nil || !strings.Contains(got.Error(), "no token") || strings.Contains(got.Error(), "s3cr3t") {
					t.Errorf("got %v, want a *TokenError without the panic's value", got)
				}
			}
		})
	}
}

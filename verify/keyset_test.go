package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
	"github.com/bearerkit/bearer/verify"
)

// keyServer has an issuer's key set.
type keyServer struct {
	mu       sync.Mutex // guards what follows
	set      []byte
	cache    string           // its Cache-Control
	took     time.Duration    // how long an answer takes; it is what is the set when the request comes
	instead  http.HandlerFunc // answers in its place; nil: it answers itself
	requests []time.Duration  // when they came, since began
	began    time.Time
}

func newKeyServer(keys ...*authority) *keyServer {
	return &keyServer{set: keySet(keys...), began: time.Now()}
}

func (s *keyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	set, cache, took, instead := s.set, s.cache, s.took, s.instead
	s.requests = append(s.requests, time.Since(s.began))
	s.mu.Unlock()
	select {
	case <-time.After(took):
	case <-r.Context().Done():
		return
	}
	if instead != nil {
		instead(w, r)
		return
	}
	if cache != "" {
		w.Header().Set("Cache-Control", cache)
	}
	w.Write(set)
}

func (s *keyServer) do(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// rotate makes these its keys.
func (s *keyServer) rotate(keys ...*authority) { s.do(func() { s.set = keySet(keys...) }) }

// wantRequests checks when they came.
func (s *keyServer) wantRequests(t *testing.T, want ...time.Duration) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if fmt.Sprint(s.requests) != fmt.Sprint(want) {
		t.Errorf("the key set was asked for at %v, want %v", s.requests, want)
	}
}

func (s *keyServer) count() int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// fetched is authName with its key set at keysURL.
var fetched = verify.Issuer{Name: authName, KeySetURL: keysURL, Algorithms: []string{"ES256", "RS256", "EdDSA"}}

// verifier has s for Base, whatever the host.
func (s *keyServer) verifier(t *testing.T, opts *verify.Options) *verify.Verifier {
	t.Helper()
	var o verify.Options
	if opts != nil {
		o = *opts
	}
	o.Base = s.transport(t)
	return newVerifier(t, &o, fetched)
}

// transport reaches s, whatever the host.
func (s *keyServer) transport(t *testing.T) http.RoundTripper { return pipe.Serve(t, s) }

// lasting is a token that is right, for a month.
func (a *authority) lasting(more ...string) string {
	return a.token(strings.Join(append([]string{fmt.Sprintf(`{"iss":%q,"exp":%d`, authName, time.Now().Add(30*24*time.Hour).Unix())}, more...), ",") + "}")
}

// forged names a key that nobody knows, another one for each n.
func forged(n int) string {
	return b64(fmt.Sprintf(`{"alg":"ES256","kid":"forged-%d"}`, n)) + forgedRest
}

var forgedRest = "." + b64(fmt.Sprintf(`{"iss":%q,"exp":99999999999}`, authName)) + "." + b64(make([]byte, 64))

// wantOK checks that a token is good at once.
func wantOK(t *testing.T, v *verify.Verifier, token string) {
	t.Helper()
	began := time.Now()
	if err := check(v, token); err != nil {
		t.Fatalf("the token of a known key: %v", err)
	}
	if took := time.Since(began); took > 0 {
		t.Fatalf("the token of a known key took %v", took)
	}
}

// wantError checks that a token is refused for a reason.
func wantError(t *testing.T, v *verify.Verifier, token string, want error) {
	t.Helper()
	if err := check(v, token); !errors.Is(err, want) {
		t.Fatalf("Verify: %v, want %v", err, want)
	}
}

// wantUnavailable checks that nobody can tell, and when somebody may.
func wantUnavailable(t *testing.T, v *verify.Verifier, token string, next time.Duration) *bearer.UnavailableError {
	t.Helper()
	err := check(v, token)
	e, ok := errors.AsType[*bearer.UnavailableError](err)
	if !ok {
		t.Fatalf("Verify: %v, want an UnavailableError", err)
	}
	if got := time.Until(e.NextTry); got != next {
		t.Fatalf("Verify: %v, next try in %v, want %v", err, got, next)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Errorf("Verify: %v, which looks as if the caller's context had ended", err)
	}
	return e
}

func TestOneRequestForManyTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		s := newKeyServer(a)
		s.took = 200 * time.Millisecond
		v := s.verifier(t, nil)
		began := time.Now()
		var wg sync.WaitGroup
		var tokens []string
		for i := range 50 {
			tokens = append(tokens, a.good(fmt.Sprintf(`"sub":"%d"`, i)))
		}
		for i := range 1000 {
			wg.Go(func() {
				if err := check(v, tokens[i%50]); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != s.took {
					t.Errorf("a token took %v, the key set %v", took, s.took)
				}
			})
		}
		wg.Wait()
		s.wantRequests(t, 0)
	})
}

func TestOneFailureForManyTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		s := newKeyServer(a)
		s.took, s.instead = 200*time.Millisecond, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
		v := s.verifier(t, nil)
		token := a.good()
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				e, ok := errors.AsType[*bearer.UnavailableError](check(v, token))
				if !ok || time.Until(e.NextTry) != time.Second || time.Since(s.began) != s.took {
					t.Errorf("a token after %v: %v, want an UnavailableError after %v, and the next try in 1 s", time.Since(s.began), e, s.took)
				}
			})
		}
		wg.Wait()
		s.wantRequests(t, 0)
	})
}

func TestWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		s := newKeyServer(a)
		s.took = 5 * time.Second
		type private struct{}
		base := pipe.Serve(t, s)
		v := newVerifier(t, &verify.Options{Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Context().Value(private{}) != nil {
				t.Error("a value of the caller's context is in the request's")
			}
			return base.RoundTrip(r)
		})}, fetched)
		token, began := a.good(), time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { // who comes first, and is gone first
			ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), private{}, 1), 100*time.Millisecond)
			defer cancel()
			_, err := v.Verify(ctx, token)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 100*time.Millisecond {
				t.Errorf("a caller with 100 ms: %v after %v", err, time.Since(began))
			}
			if want := "verify: the request ended before the issuer's keys came: context deadline exceeded"; err.Error() != want {
				t.Errorf("its error is %q, want %q", err, want)
			}
			if _, ok := errors.AsType[*bearer.UnavailableError](err); ok {
				t.Errorf("its error is %q, which blames the key set", err)
			}
		})
		wg.Go(func() {
			pass(time.Millisecond)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := v.Verify(ctx, token); !errors.Is(err, context.Canceled) || time.Since(began) != 1001*time.Millisecond {
				t.Errorf("a caller that leaves after a second: %v after %v", err, time.Since(began))
			}
		})
		wg.Go(func() {
			pass(time.Millisecond)
			if err := check(v, token); err != nil || time.Since(began) != s.took {
				t.Errorf("a caller that waits: %v after %v", err, time.Since(began))
			}
		})
		wg.Wait()
		s.wantRequests(t, 0)
	})
}

// roundTrip is a Base.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestColdStartWithADeadServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		s := newKeyServer(a)
		dead := true
		base := pipe.Serve(t, s)
		var requests []time.Duration
		v := newVerifier(t, &verify.Options{Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			requests = append(requests, time.Since(s.began))
			if dead {
				return nil, syscall.ECONNREFUSED
			}
			return base.RoundTrip(r)
		})}, fetched)
		token := a.lasting()
		var want []time.Duration
		at := time.Duration(0)
		for _, pause := range []time.Duration{time.Second, 10 * time.Second, 10 * time.Second, 10 * time.Second} {
			want = append(want, at)
			e := wantUnavailable(t, v, token, pause)
			if !errors.Is(e, syscall.ECONNREFUSED) || !strings.Contains(e.Error(), "connection refused") {
				t.Errorf("the error is %q, which does not tell the cause", e)
			}
			pass(pause - 1)
			wantUnavailable(t, v, token, 1) // nothing is asked
			pass(1)
			at += pause
		}
		dead = false
		want = append(want, at)
		if err := check(v, token); err != nil {
			t.Errorf("when the server is there: %v", err)
		}
		if fmt.Sprint(requests) != fmt.Sprint(want) {
			t.Errorf("requests at %v, want %v", requests, want)
		}
		// One success, and the pauses would begin anew.
		wantError(t, v, forged(1), verify.ErrUnknownKey)
	})
}

// bubbled counts the goroutines in synctest bubbles. Those of the runtime, which come
// and go as it collects garbage, are in none.
func bubbled(t *testing.T) int {
	t.Helper()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := len(regexp.MustCompile(`(?m)^goroutine \d+ .*\bsynctest bubble\b`).FindAll(stacks, -1))
	if n == 0 {
		t.Fatalf("not even the goroutine of this test is found in\n%s", stacks)
	}
	return n
}

func TestNothingRunsWhileNobodyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		token := a.lasting()
		requests, dead := 0, true
		v := newVerifier(t, &verify.Options{Base: roundTrip(func(*http.Request) (*http.Response, error) {
			requests++
			if dead {
				return nil, syscall.ECONNREFUSED
			}
			return answer(200, keySet(a)), nil
		})}, fetched)
		before := bubbled(t)
		idle := func(want int) {
			t.Helper()
			pass(48 * time.Hour)
			synctest.Wait()
			if now := bubbled(t); requests != want || now > before {
				t.Errorf("after two idle days there are %d requests and %d goroutines, want %d and at most %d", requests, now, want, before)
			}
		}
		idle(0) // New asks for nothing
		wantUnavailable(t, v, token, time.Second)
		idle(1)
		dead = false
		if err := check(v, token); err != nil {
			t.Fatal(err)
		}
		idle(2)
		wantOK(t, v, token) // by the old keys, which are renewed
		idle(3)
	})
}

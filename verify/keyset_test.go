package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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
			if strings.Contains(err.Error(), token) || !strings.HasPrefix(err.Error(), "verify: ") {
				t.Errorf("its error is %q", err)
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
		for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second, 10 * time.Second} {
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
		before := runtime.NumGoroutine()
		idle := func(want int) {
			t.Helper()
			pass(48 * time.Hour)
			synctest.Wait()
			if now := runtime.NumGoroutine(); requests != want || now != before {
				t.Errorf("after two idle days there are %d requests and %d goroutines, want %d and %d", requests, now, want, before)
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

func TestFloodOfForgedKeys(t *testing.T) {
	for _, test := range []struct {
		name     string
		burst    int           // forged tokens at once, ten times a second
		took     time.Duration // of each answer
		oldStays bool          // the old key is in the set after the rotation
		accepted time.Duration // when the new key's token is good
	}{
		{"quick", 17, 0, true, 30 * time.Second},
		{"quick, the old key is gone", 1, 0, false, 30 * time.Second},
		{"slow", 1, 9 * time.Second, true, 39 * time.Second},
		{"slow, the old key is gone", 1, 9 * time.Second, false, 39 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, next := fresh("old"), fresh("next")
				s := newKeyServer(old)
				s.took = test.took
				v := s.verifier(t, nil)
				oldToken, newToken := old.lasting(), next.lasting()
				var accepted atomic.Int64
				var wg sync.WaitGroup
				for i := range 600 {
					wg.Go(func() {
						for n := range test.burst {
							err := check(v, forged(test.burst*i+n))
							if _, ok := errors.AsType[*bearer.UnavailableError](err); !ok && !errors.Is(err, verify.ErrUnknownKey) {
								t.Errorf("a forged kid: %v", err)
							}
						}
					})
					if i == 210 {
						s.rotate(next)
						if test.oldStays {
							s.rotate(old, next)
						}
					}
					if i > 210 && accepted.Load() == 0 {
						wg.Go(func() {
							if check(v, newToken) == nil {
								accepted.CompareAndSwap(0, int64(time.Since(s.began)))
							}
						})
					}
					pass(100 * time.Millisecond)
					synctest.Wait()
					done := accepted.Load() > 0
					if time.Since(s.began) > test.took && (test.oldStays || !done) {
						wantOK(t, v, oldToken)
					}
					if done {
						wantOK(t, v, newToken)
					}
				}
				wg.Wait()
				near := func(got, want time.Duration) bool { return want <= got && got <= want+100*time.Millisecond }
				if n := s.count(); n != 6 {
					t.Errorf("%d requests, want 6", n)
				}
				for i, at := range s.requests { // as soon as somebody comes then
					if !near(at, time.Duration(i)*10*time.Second) {
						t.Errorf("the key set was asked for at %v, want each 10 s", s.requests)
					}
				}
				if at := time.Duration(accepted.Load()); !near(at, test.accepted) {
					t.Errorf("the new key's token was good at %v, want at %v", at, test.accepted)
				}
				if !test.oldStays {
					wantError(t, v, oldToken, verify.ErrUnknownKey)
				}
			})
		})
	}
}

func TestFloodOnOneIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fresh("a"), fresh("b")
		servers := map[string]*keyServer{"auth.test": newKeyServer(a), "other.test": newKeyServer(b)}
		other := verify.Issuer{Name: "other", KeySetURL: "https://other.test/keys", Algorithms: []string{"ES256"}}
		v := newVerifier(t, &verify.Options{Base: pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			servers[r.Host].ServeHTTP(w, r)
		}))}, fetched, other)
		for i := range 100 {
			wantError(t, v, forged(i), verify.ErrUnknownKey)
		}
		claims := fmt.Sprintf(`{"iss":"other","exp":%d}`, time.Now().Add(time.Hour).Unix())
		if err := check(v, b.token(claims)); err != nil {
			t.Error(err)
		}
		wantError(t, v, a.token(claims), verify.ErrUnknownKey)
		pass(fetchInterval)
		wantError(t, v, a.token(claims), verify.ErrUnknownKey)
		wantOK(t, v, a.good())
		servers["auth.test"].wantRequests(t, 0)
		servers["other.test"].wantRequests(t, 0, fetchInterval)
	})
}

func TestWaitersOfUnknownKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, next := fresh("a"), fresh("next")
		s := newKeyServer(a)
		s.took = 9 * time.Second
		v := s.verifier(t, nil)
		token, newToken := a.lasting(), next.lasting()
		var wg sync.WaitGroup
		for i := range 1100 { // nobody has a key yet, and all wait
			wg.Go(func() {
				if err := check(v, forged(i)); !errors.Is(err, verify.ErrUnknownKey) {
					t.Errorf("a token among the first: %v", err)
				}
			})
		}
		wg.Wait()
		s.rotate(a, next)
		pass(fetchInterval)
		ctx, leave := context.WithCancel(t.Context())
		var left sync.WaitGroup
		for i := range 1000 {
			left.Go(func() { v.Verify(ctx, forged(i)) })
		}
		synctest.Wait()
		wantUnavailable(t, v, newToken, time.Second)
		wantOK(t, v, token)
		leave()
		left.Wait()
		if err := check(v, newToken); err != nil {
			t.Errorf("when others have left: %v", err)
		}
		s.wantRequests(t, 0, 19*time.Second)
	})
}

// fetchInterval is the least time between two requests.
const fetchInterval = 10 * time.Second

func TestNoRequestForABadSignature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		s := newKeyServer(a)
		v := s.verifier(t, nil)
		wantError(t, v, fresh("a").good(), verify.ErrSignature)
		bad := fresh("a").lasting()
		for range 60 {
			wantError(t, v, bad, verify.ErrSignature)
			pass(time.Second)
		}
		s.wantRequests(t, 0)
	})
}

// A key that cannot do the token's algorithm is none for it: another one of that name
// may have come. Whoever forges that causes no more than with a name that is unknown.
func TestKnownKeyOfAnotherAlgorithm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		s := newKeyServer(a)
		v := s.verifier(t, nil)
		wantOKAfterAll(t, v, a.good())
		forged := b64(`{"alg":"RS256","kid":"a"}`) + "." + b64(goodClaims()) + "." + b64(make([]byte, 256))
		none := b64(`{"alg":"PS256","kid":"a"}`) + "." + b64(goodClaims()) + "." + b64(make([]byte, 256))
		for range 25 {
			pass(time.Second)
			wantError(t, v, none, verify.ErrAlgorithm)
			wantError(t, v, forged, verify.ErrUnknownKey)
		}
		s.wantRequests(t, 0, 10*time.Second, 20*time.Second)
		second := &authority{"a", "EdDSA", edKey()}
		s.rotate(a, second)
		wantError(t, v, second.good(), verify.ErrUnknownKey)
		pass(5 * time.Second)
		wantOKAfterAll(t, v, second.good())
		wantOK(t, v, a.good())
	})
}

// wantOKAfterAll checks that a token is good, which may take a request.
func wantOKAfterAll(t *testing.T, v *verify.Verifier, token string) {
	t.Helper()
	if err := check(v, token); err != nil {
		t.Fatal(err)
	}
}

// A token without kid is for an issuer with one key. With several, nobody knows.
func TestNoKid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fresh("a"), fresh("b")
		s := newKeyServer(a)
		v := s.verifier(t, nil)
		bare := func(a *authority) string { return a.sign(`{"alg":"ES256"}`, goodClaims()) }
		wantOKAfterAll(t, v, bare(a))
		wantError(t, v, bare(b), verify.ErrSignature)
		s.rotate(a, &authority{"rsa", "RS256", rsaKey()})
		pass(fetchInterval)
		wantError(t, v, forged(1), verify.ErrUnknownKey)
		wantOK(t, v, bare(a)) // the only one of its type
		s.rotate(a, b)
		pass(fetchInterval)
		wantError(t, v, forged(1), verify.ErrUnknownKey)
		wantError(t, v, bare(a), verify.ErrUnknownKey)
		wantOK(t, v, a.good())
		for range 10 {
			wantError(t, v, bare(b), verify.ErrUnknownKey)
		}
		s.wantRequests(t, 0, 10*time.Second, 20*time.Second)
	})
}

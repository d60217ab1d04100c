package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
	"github.com/bearerkit/bearer/verify"
)

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
		unknown := forged(0)
		for range 10_000 { // nobody has a key yet, and all wait
			wg.Go(func() {
				if err := check(v, unknown); !errors.Is(err, verify.ErrUnknownKey) {
					t.Errorf("a token among the first: %v", err)
				}
			})
		}
		synctest.Wait()
		wantUnavailable(t, v, token, time.Second)
		wg.Wait()
		s.rotate(a, next)
		pass(fetchInterval)
		ctx, leave := context.WithCancel(t.Context())
		var left sync.WaitGroup
		for i := range 1000 {
			left.Go(func() {
				if _, err := v.Verify(ctx, forged(i)); !errors.Is(err, context.Canceled) {
					t.Errorf("one of those who may wait: %v", err)
				}
			})
		}
		synctest.Wait()
		e := wantUnavailable(t, v, newToken, time.Second)
		want := "too many tokens wait for the issuer's key set"
		if !strings.Contains(e.Error(), ": "+want) || e.Err.Error() != "verify: "+want {
			t.Errorf("one too many: %v, because of %q, want %q", e, e.Err, want)
		}
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

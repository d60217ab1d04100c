package verify_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

// A set that cannot be renewed is asked for after 10 s, 20 s, 40 s and a minute, less up
// to a tenth, and not before the ten; one success, and it begins anew.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		s := newKeyServer(a)
		var log events
		v := s.verifier(t, &verify.Options{Observer: log.observe})
		token := a.lasting()
		wantOKAfterAll(t, v, token)
		renewed, sooner := 1, false
		// next is when a further request came, since the last one.
		next := func(most time.Duration) time.Duration {
			t.Helper()
			for last := time.Now(); time.Since(last) <= most; pass(time.Second) {
				wantOK(t, v, token)
				if s.count() > renewed {
					renewed++
					return time.Since(last)
				}
			}
			t.Fatalf("no request within %v", most)
			return 0
		}
		for range 2 {
			s.do(func() { s.instead = text(503, "") })
			next(time.Hour)
			pass(fetchInterval - 1)
			if verify.WouldRenew(v, authName) {
				t.Error("all who come before a further request is made want to renew the set")
			}
			wantOK(t, v, token)
			if n := s.count(); n != renewed {
				t.Fatalf("%d requests within the interval", n-renewed+1)
			}
			pass(1)
			wantOK(t, v, token)
			if renewed++; s.count() != renewed {
				t.Fatalf("no request at the end of the interval")
			}
			for _, most := range []time.Duration{20 * time.Second, 40 * time.Second, time.Minute, time.Minute, time.Minute} {
				pass(most*9/10 - time.Second)
				wantOK(t, v, token)
				if n := s.count(); n != renewed {
					t.Fatalf("a request before %v, want it after %v, less a tenth", most*9/10-time.Second, most)
				}
				if next(most-most*9/10+time.Second) < most-most*9/10+time.Second {
					sooner = true
				}
				failed := eventsOf[verify.KeysFailed](&log)
				if e := failed[len(failed)-1]; time.Until(e.NextTry) != fetchInterval {
					t.Errorf("observed: %v, want the next try, for unknown keys, in %v", e, fetchInterval)
				}
			}
			s.do(func() { s.instead = nil })
			next(time.Minute)
		}
		if !sooner {
			t.Error("no request came before its time, as if a fleet was to ask in step")
		}
	})
}

// Whoever looks for a key just before the set comes, and then is too late to wait for it,
// has the key all the same.
func TestKeyThatHasComeMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		s := newKeyServer(a)
		v := s.verifier(t, nil)
		await := func(kid string) error { return verify.Await(t.Context(), v, authName, kid, "ES256") }
		unavailable := func(err error) bool {
			_, ok := errors.AsType[*bearer.UnavailableError](err)
			return ok
		}
		wantOKAfterAll(t, v, a.lasting())
		if err := await("a"); err != nil {
			t.Errorf("too early for the next request: %v", err)
		}
		if err := await("b"); !errors.Is(err, verify.ErrUnknownKey) {
			t.Errorf("an unknown key, too early for the next request: %v", err)
		}
		pass(fetchInterval)
		s.do(func() { s.instead = text(503, "") })
		if err := await("a"); err != nil {
			t.Errorf("after a request that fails: %v", err)
		}
		if err := await("a"); err != nil {
			t.Errorf("too early after a request that has failed: %v", err)
		}
		if err := await("b"); !unavailable(err) {
			t.Errorf("an unknown key, too early after a request that has failed: %v", err)
		}
		s.wantRequests(t, 0, fetchInterval)
	})
}

// Keys of other algorithms than the issuer's are not had: they are neither told of, nor
// do they make a set of use.
func TestFetchedKeysOfOtherAlgorithms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, other := fresh("a"), &authority{"other", "ES384", p384Key()}
		s := newKeyServer(other)
		var log events
		v := s.verifier(t, &verify.Options{Observer: log.observe})
		e := wantUnavailable(t, v, a.lasting(), time.Second)
		if want := "no key that can verify with the issuer's Algorithms"; !strings.Contains(e.Error(), want) {
			t.Errorf("Verify: %v, want %q in it", e, want)
		}
		s.rotate(other, a)
		pass(time.Second)
		wantOKAfterAll(t, v, a.lasting())
		synctest.Wait()
		if told := eventsOf[verify.KeysFetched](&log); len(told) != 1 || !slices.Equal(told[0].KeyIDs, []string{"a"}) {
			t.Errorf("observed: %v, want key a alone", log.all)
		}
	})
}

// Nobody waits for an observer, and it may use the Verifier.
func TestObserverOfKeySetsTakesLong(t *testing.T) {
	for _, status := range []int{200, 503} {
		synctest.Test(t, func(t *testing.T) {
			a := fresh("a")
			token := a.lasting()
			var v *verify.Verifier
			told := 0
			v = newVerifier(t, &verify.Options{
				Base: roundTrip(func(*http.Request) (*http.Response, error) { return answer(status, keySet(a)), nil }),
				Observer: func(context.Context, bearer.Event) {
					if told++; told > 1 {
						return
					}
					pass(time.Minute)
					if err := check(v, token); (err == nil) != (status == 200) {
						t.Errorf("an observer's use of the Verifier: %v", err)
					}
				},
			}, fetched)
			began := time.Now()
			if err := check(v, token); (err == nil) != (status == 200) || time.Since(began) != 0 {
				t.Errorf("status %d: %v after %v", status, err, time.Since(began))
			}
			pass(time.Hour)
			synctest.Wait()
			if told == 0 {
				t.Errorf("status %d: nothing is observed", status)
			}
		})
	}
}

// What a request holds is let go when it has been answered, and not at its time limit.
func TestRequestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		var ctx context.Context
		v := newVerifier(t, &verify.Options{Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			ctx = r.Context()
			return answer(200, keySet(a)), nil
		})}, fetched)
		wantOKAfterAll(t, v, a.good())
		synctest.Wait()
		if ctx.Err() == nil {
			t.Error("the request's context goes on")
		}
	})
}

// The clock that people set has no say in when to renew.
func TestTimesAreByTheMonotonicClock(t *testing.T) {
	v := newVerifier(t, nil, fetched)
	if born := verify.Born(v, authName); !strings.Contains(born.String(), "m=") {
		t.Errorf("times count from %v, which is by the wall clock", born)
	}
}

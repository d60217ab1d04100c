package verify_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

func TestAge(t *testing.T) {
	const least, most = 5 * time.Minute, 24 * time.Hour
	for _, test := range []struct {
		name  string
		cache []string
		age   string
		want  time.Duration
	}{
		{"none", nil, "", time.Hour},
		{"nothing about it", []string{"public, must-revalidate"}, "", time.Hour},
		{"ten minutes", []string{"max-age=600"}, "", 10 * time.Minute},
		{"among others", []string{"public, max-age=600, must-revalidate"}, "", 10 * time.Minute},
		{"in the second header", []string{"public", "max-age=600"}, "", 10 * time.Minute},
		{"in other letters", []string{"Max-Age=600"}, "", 10 * time.Minute},
		{"quoted", []string{`max-age="600"`}, "", 10 * time.Minute},
		{"twice", []string{"max-age=600, max-age=1200"}, "", 10 * time.Minute},
		{"twice in two", []string{"max-age=600", "max-age=1200"}, "", 10 * time.Minute},
		{"of another cache", []string{"s-maxage=600"}, "", time.Hour},
		{"spent in part", []string{"max-age=1200"}, "600", 10 * time.Minute},
		{"spent", []string{"max-age=1200"}, "1200", least},
		{"spent for long", []string{"max-age=1200"}, "99999999999999999999", least},
		{"spent by nobody knows what", []string{"max-age=600"}, "-5", 10 * time.Minute},
		{"spent of nothing", nil, "3000", time.Hour},
		{"the least", []string{"max-age=300"}, "", least},
		{"less", []string{"max-age=299"}, "", least},
		{"zero", []string{"max-age=0"}, "", least},
		{"the most", []string{"max-age=86400"}, "", most},
		{"more", []string{"max-age=31536000"}, "", most},
		{"over 31 bits", []string{"max-age=2147483648"}, "", most},
		{"over 64 bits", []string{"max-age=99999999999999999999999"}, "", most},
		{"negative", []string{"max-age=-600"}, "", least},
		{"a fraction", []string{"max-age=600.5"}, "", least},
		{"no number", []string{"max-age=soon"}, "", least},
		{"no decimal number", []string{"max-age=0x258"}, "", least},
		{"zeros before it", []string{"max-age=0600"}, "", 10 * time.Minute},
		{"empty", []string{"max-age="}, "", least},
		{"bare", []string{"max-age"}, "", least},
		{"not to be stored", []string{"no-store"}, "", least},
		{"not to be cached", []string{"no-cache"}, "", least},
		{"not to be cached, after all", []string{"max-age=3600", "No-Cache"}, "", least},
		{"not to be stored, first", []string{"no-store, max-age=3600"}, "", least},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{"Cache-Control": test.cache}
			if test.age != "" {
				h.Set("Age", test.age)
			}
			if got := verify.AgeOf(h); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

// A set is renewed in the last tenth of its time: in the background, by one request
// however many come, whether the token has been seen before or not.
func TestRenewal(t *testing.T) {
	for _, test := range []struct {
		name  string
		cache string
		bytes int64 // CacheBytes
		want  time.Duration
	}{
		{"an hour", "", 0, time.Hour},
		{"ten minutes", "max-age=600", 0, 10 * time.Minute},
		{"ten minutes, without a cache", "max-age=600", -1, 10 * time.Minute},
		{"the least", "no-store", 0, 5 * time.Minute},
		{"the most", "max-age=31536000", 0, 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := fresh("a")
				s := newKeyServer(a)
				s.cache = test.cache
				v := s.verifier(t, &verify.Options{CacheBytes: test.bytes})
				token := a.lasting()
				wantOKAfterAll(t, v, token)
				pass(test.want*9/10 - time.Second)
				wantOK(t, v, token)
				if n := s.count(); n != 1 {
					t.Errorf("%d requests while the set is new, want 1", n)
				}
				s.do(func() { s.took = 9 * time.Second })
				for range 40 { // three hundredths are over the time, should nothing be done
					wantOK(t, v, token)
					if s.count() > 1 {
						break
					}
					pass(test.want / 300)
				}
				if n := s.count(); n != 2 {
					t.Fatalf("%d requests when the set is old, want 2", n)
				}
				if verify.WouldRenew(v, authName) {
					t.Error("all who come while the set is renewed want to renew it")
				}
				if at := s.requests[1]; at > test.want+test.want/300 {
					t.Errorf("the set was renewed after %v, want %v at most", at, test.want)
				}
				var wg sync.WaitGroup
				began := time.Now()
				for range 50 {
					wg.Go(func() {
						if err := check(v, token); err != nil || !time.Now().Equal(began) {
							t.Errorf("while the set is renewed: %v, after %v", err, time.Since(began))
						}
					})
				}
				wg.Wait()
				pass(test.want / 2)
				wantOK(t, v, token)
				if n := s.count(); n != 2 {
					t.Errorf("%d requests, want 2", n)
				}
			})
		})
	}
}

func TestRenewalIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		token := a.lasting()
		var requests atomic.Int64
		fleet := make([]*verify.Verifier, 40)
		for i := range fleet {
			fleet[i] = newVerifier(t, &verify.Options{Base: roundTrip(func(*http.Request) (*http.Response, error) {
				requests.Add(1)
				return answer(200, keySet(a)), nil
			})}, fetched)
			wantOKAfterAll(t, fleet[i], token)
		}
		pass(54*time.Minute - time.Second)
		most := int64(0)
		for i := range 6*60 + 1 {
			before := requests.Load()
			if i == 3*60 && before == 40 {
				t.Error("no renewal has come when half of the time for them is over")
			}
			pass(time.Second)
			for _, v := range fleet {
				wantOK(t, v, token)
			}
			synctest.Wait()
			most = max(most, requests.Load()-before)
		}
		if n := requests.Load(); n != 80 {
			t.Errorf("%d requests after an hour, want 80", n)
		}
		if most > 8 {
			t.Errorf("%d of 40 renewals came in one second of 360", most)
		}
	})
}

// A key that leaves the set verifies nothing from then on, seen before or not. For one
// that stays nothing changes, however the set is written.
func TestKeysComeAndGo(t *testing.T) {
	a, b, impostor := fresh("a"), fresh("b"), fresh("a")
	both := keySet(a, b)
	for _, test := range []struct {
		name string
		then []byte
		a, b error // of their tokens then
		kept bool  // nothing is done anew for b's token
	}{
		{"nothing", both, nil, nil, true},
		{"another order", keySet(b, a), nil, nil, true},
		{"other spaces", []byte(strings.ReplaceAll(string(both), ",", " ,\n\t ")), nil, nil, true},
		{"a key twice", keySet(b, a, a, b), nil, nil, true},
		{"a certificate", jwks(a.jwk(`"use":"sig"`, `"alg":"ES256"`, `"x5c":["AAAA"]`), b.jwk(`"use":"sig"`, `"x5t":"AA"`, `"alg":"ES256"`)), nil, nil, true},
		{"one more", keySet(a, b, fresh("c")), nil, nil, true},
		{"one of that name more", keySet(fresh("b"), a, b), nil, nil, true},
		{"one is gone", keySet(b), verify.ErrUnknownKey, nil, true},
		{"one is another", keySet(impostor, b), verify.ErrSignature, nil, true},
		{"one is for encryption", jwks(a.jwk(`"use":"enc"`), keyText(b)), verify.ErrUnknownKey, nil, true},
		{"both are gone", keySet(fresh("c")), verify.ErrUnknownKey, verify.ErrUnknownKey, false},
		{"they change names", keySet(&authority{"b", "ES256", a.key}, &authority{"a", "ES256", b.key}), verify.ErrSignature, verify.ErrSignature, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newKeyServer(a, b)
				calls := map[string]int{}
				v := s.verifier(t, &verify.Options{Authorize: func(c *verify.Claims) (*bearer.Authorization, error) {
					calls[c.Subject]++
					return &bearer.Authorization{}, nil
				}})
				at, bt := a.lasting(`"sub":"a"`), b.lasting(`"sub":"b"`)
				wantOKAfterAll(t, v, at)
				wantOK(t, v, bt)
				s.do(func() { s.set = test.then })
				pass(time.Hour)
				wantOK(t, v, at) // and have the set renewed
				synctest.Wait()
				for range 2 {
					for token, want := range map[string]error{at: test.a, bt: test.b} {
						if want == nil {
							wantOK(t, v, token)
						} else {
							wantError(t, v, token, want)
						}
					}
				}
				s.wantRequests(t, 0, time.Hour)
				if test.kept && calls["b"] != 1 {
					t.Errorf("the token of a key that stays was verified %d times, want once", calls["b"])
				}
				if test.a != nil && calls["a"] != 1 {
					t.Errorf("the token of a key that is gone was admitted %d times, want once, before", calls["a"])
				}
				want := 2
				for _, err := range []error{test.a, test.b} {
					if err != nil {
						want--
					}
				}
				if n := verify.Seen(v); n != want {
					t.Errorf("%d tokens are remembered, want %d", n, want)
				}
			})
		})
	}
}

// So does a key that has stayed before it leaves, for tokens that came in between too.
func TestKeyStaysAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fresh("a"), fresh("b")
		s := newKeyServer(a)
		v := s.verifier(t, nil)
		tokens := []string{a.lasting(`"sub":"1"`), a.lasting(`"sub":"2"`), a.lasting(`"sub":"3"`)}
		wantOKAfterAll(t, v, tokens[0])
		for _, token := range tokens[1:] {
			pass(time.Hour)
			wantOK(t, v, tokens[0])
			synctest.Wait()
			wantOK(t, v, token)
		}
		s.rotate(b)
		pass(time.Hour)
		wantOK(t, v, tokens[0])
		synctest.Wait()
		for _, token := range tokens {
			wantError(t, v, token, verify.ErrUnknownKey)
		}
	})
}

func keyText(a *authority) string { return a.jwk(`"use":"sig"`, fmt.Sprintf(`"alg":%q`, a.alg)) }

// A key of each type serves, and so does a set of a thousand.
func TestManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := fresh("last")
		var keys []string
		for i := range 1000 {
			keys = append(keys, strings.Replace(last.jwk(), `"last"`, fmt.Sprintf(`"%d"`, i), 1))
		}
		set := jwks(append(keys, last.jwk())...)
		i := fetched
		i.Algorithms = allAlgorithms
		var log events
		s := newKeyServer()
		s.set = set
		v := newVerifier(t, &verify.Options{Observer: log.observe, Base: roundTrip(func(*http.Request) (*http.Response, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return answer(200, s.set), nil
		})}, i)
		wantOKAfterAll(t, v, last.lasting())
		first := &authority{"0", "ES256", last.key}
		wantOK(t, v, first.lasting())
		var each []*authority
		for _, alg := range allAlgorithms {
			each = append(each, of(alg))
		}
		s.rotate(each...)
		pass(time.Hour)
		wantOK(t, v, first.lasting())
		synctest.Wait()
		for _, a := range each {
			wantOK(t, v, a.lasting())
		}
		wantError(t, v, first.lasting(), verify.ErrUnknownKey)
		told := eventsOf[verify.KeysFetched](&log)
		if len(told) != 2 || len(told[0].KeyIDs) != 1001 || len(told[1].KeyIDs) != len(each) {
			t.Errorf("observed: %v", told)
		}
	})
}

// A pinned set is never asked for.
func TestPinnedKeySet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		var log events
		v := newVerifier(t, &verify.Options{Observer: log.observe, Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			t.Errorf("a request to %s", r.URL)
			return nil, context.Canceled
		})}, issuerOf(a))
		token := a.lasting()
		for range 3 {
			wantOK(t, v, token)
			wantError(t, v, forged(1), verify.ErrUnknownKey)
			pass(25 * time.Hour)
		}
		for _, e := range log.all {
			if _, refused := e.(verify.TokenRefused); !refused {
				t.Errorf("observed: %v", e)
			}
		}
	})
}

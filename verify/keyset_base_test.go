package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/endpoint"
	"github.com/bearerkit/bearer/internal/pipe"
	"github.com/bearerkit/bearer/verify"
)

// answer is one without a server.
func answer(status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
}

// body is one that does as its functions do.
type body struct{ read, close func() }

func (b body) Read([]byte) (int, error) { b.read(); return 0, io.EOF }
func (b body) Close() error             { b.close(); return nil }

// A Base is the application's, and whatever it does, nobody is lost: those who wait get
// an error, and the next call tries anew.
func TestBase(t *testing.T) {
	nothing := func() {}
	var end chan int // of the bubble, which nothing may outlast
	never := func() { <-end }
	with := func(b body) roundTrip {
		return func(*http.Request) (*http.Response, error) {
			a := answer(200, nil)
			a.Body = b
			return a, nil
		}
	}
	secret := func() { panic("the word is open sesame") }
	hung := "the key set has not come in time"
	for _, test := range []struct {
		name string
		base roundTrip
		took time.Duration
		says string
	}{
		{"panics", func(*http.Request) (*http.Response, error) { secret(); return nil, nil }, 0, "the Base of the key set has panicked with a value of type string"},
		{"panics with nil", func(*http.Request) (*http.Response, error) { panic(nil) }, 0, "panicked with a value of type *runtime.PanicNilError"},
		{"panics while it is read", with(body{secret, nothing}), 0, "the Base of the key set has panicked"},
		{"panics when it is closed", with(body{nothing, secret}), 0, "the Base of the key set has panicked"},
		{"ends its goroutine", func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil }, 0, "the Base of the key set has ended its goroutine"},
		{"returns nothing", func(*http.Request) (*http.Response, error) { return nil, nil }, 0, "whose text may hold secrets"},
		{"returns no body", func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }, 0, "not a JWK Set"},
		{"fails with a secret", func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%s: open sesame", r.URL)
		}, 0, "whose text may hold secrets"},
		{"does not return", func(*http.Request) (*http.Response, error) { never(); return nil, nil }, 10 * time.Second, hung},
		{"is read for ever", with(body{never, nothing}), 10 * time.Second, hung},
		{"is closed for ever", with(body{nothing, never}), 10 * time.Second, hung},
		{"says that it has timed out", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, 10 * time.Second, hung},
		{"fails when the time is up", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, errors.New("open sesame")
		}, 10 * time.Second, hung},
		{"says so at once", func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("no: %w", context.DeadlineExceeded)
		}, 0, hung},
		{"says that the caller has left", func(r *http.Request) (*http.Response, error) {
			return nil, context.Canceled
		}, 0, hung},
		{"has not left this machine", func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("dial: %w", endpoint.ErrNotLoopback)
		}, 0, "the key set's host is not on this machine: use https"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := fresh("a")
				end = make(chan int)
				var requests atomic.Int64
				var log events
				v := newVerifier(t, &verify.Options{Observer: log.observe, Base: roundTrip(func(r *http.Request) (*http.Response, error) {
					if requests.Add(1) == 1 {
						return test.base(r)
					}
					return answer(200, keySet(a)), nil
				})}, fetched)
				token, began := a.lasting(), time.Now()
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() {
						err := check(v, token)
						if err == nil || time.Since(began) != test.took || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "sesame") {
							t.Errorf("Verify: %v after %v, want %q in it after %v", err, time.Since(began), test.says, test.took)
						}
					})
				}
				wg.Wait()
				wantUnavailable(t, v, token, time.Second)
				synctest.Wait()
				if got := fmt.Sprintf("%v %+v %#v", log.all, log.all, log.all); strings.Contains(got, "sesame") {
					t.Errorf("observed: %s", got)
				}
				pass(time.Second)
				wantOKAfterAll(t, v, token)
				close(end)
				synctest.Wait()
				wantOK(t, v, token)
				if n := requests.Load(); n != 2 || len(log.all) != 2 {
					t.Errorf("%d requests, observed: %v", n, log.all)
				}
			})
		})
	}
}

// What comes after the time limit is not taken: it may be older than what is had since.
func TestAnswerAfterTheTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := fresh("old"), fresh("next")
		release := make(chan int)
		var requests atomic.Int64
		v := newVerifier(t, &verify.Options{Base: roundTrip(func(*http.Request) (*http.Response, error) {
			if requests.Add(1) == 1 {
				<-release
				return answer(200, keySet(old)), nil
			}
			return answer(200, keySet(next)), nil
		})}, fetched)
		oldToken, newToken := old.lasting(), next.lasting()
		wantUnavailable(t, v, newToken, time.Second)
		pass(time.Second)
		wantOKAfterAll(t, v, newToken)
		close(release)
		synctest.Wait()
		wantOK(t, v, newToken)
		wantError(t, v, oldToken, verify.ErrUnknownKey)
	})
}

// The answer may have 1 MiB, and is closed.
func TestSizeOfTheAnswer(t *testing.T) {
	a := fresh("a")
	set := keySet(a)
	for _, test := range []struct {
		name   string
		status int
		size   int
		ok     bool
	}{{"1 MiB", 200, 1 << 20, true}, {"a byte more", 200, 1<<20 + 1, false}, {"of a failure", 503, 1 << 10, false}} {
		t.Run(test.name, func(t *testing.T) {
			closed := 0
			v := newVerifier(t, &verify.Options{Base: roundTrip(func(*http.Request) (*http.Response, error) {
				r := answer(test.status, append(bytes.Repeat([]byte(" "), test.size-len(set)), set...))
				r.Body = struct {
					io.Reader
					io.Closer
				}{r.Body, body{close: func() { closed++ }}}
				return r, nil
			})}, fetched)
			if err := check(v, a.good()); (err == nil) != test.ok {
				t.Errorf("Verify: %v", err)
			}
			if closed != 1 {
				t.Errorf("the answer was closed %d times, want once", closed)
			}
		})
	}
}

// The request is bare: it is nobody's, and says what is wanted.
func TestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := fresh("a")
		v := newVerifier(t, &verify.Options{Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method != "GET" || r.URL.String() != keysURL || r.Body != nil {
				t.Errorf("%s %s", r.Method, r.URL)
			}
			if want := http.Header(map[string][]string{"Accept": {"application/jwk-set+json, application/json"}}); fmt.Sprint(r.Header) != fmt.Sprint(want) {
				t.Errorf("the headers are %v, want %v", r.Header, want)
			}
			if until, ok := r.Context().Deadline(); !ok || time.Until(until) != 10*time.Second {
				t.Errorf("the time limit is %v", until)
			}
			return answer(200, keySet(a)), nil
		})}, fetched)
		wantOKAfterAll(t, v, a.good())
	})
}

func TestRedirects(t *testing.T) {
	for _, test := range []struct {
		name string
		by   func(n int) string // where the n-th request is redirected to, from 1; "": it is answered
		want int                // requests
		ok   bool
	}{
		{"within the origin", func(n int) string { return []string{"", "/keys", ""}[n] }, 2, true},
		{"in other letters", func(n int) string { return []string{"", "https://AUTH.test/keys", ""}[n] }, 2, true},
		{"three times", func(n int) string { return []string{"", "/1", "/2", "/3", ""}[n] }, 4, true},
		{"four times", func(n int) string { return []string{"", "/1", "/2", "/3", "/4", ""}[n] }, 4, false},
		{"away at last", func(n int) string { return []string{"", "/1", "https://evil.test/keys", ""}[n] }, 2, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := fresh("a")
				n := 0
				v := newVerifier(t, &verify.Options{Base: pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if n++; test.by(n) != "" {
						redirect(test.by(n))(w, r)
						return
					}
					w.Write(keySet(a))
				}))}, fetched)
				if err := check(v, a.good()); (err == nil) != test.ok {
					t.Errorf("Verify: %v", err)
				}
				if n != test.want {
					t.Errorf("%d requests, want %d", n, test.want)
				}
			})
		})
	}
}

// The time of the next try is for other machines' clocks, and may be compared with any.
func TestNextTryIsByTheWallClock(t *testing.T) {
	v := newVerifier(t, &verify.Options{Base: roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.EOF })}, fetched)
	for range 2 {
		e, ok := errors.AsType[*bearer.UnavailableError](check(v, forged(1)))
		if !ok || strings.Contains(e.NextTry.String(), "m=") {
			t.Errorf("Verify: %v", e)
		}
	}
}

// Plain http stays on this machine, whatever the name leads to, and past all proxies.
func TestPlainHTTP(t *testing.T) {
	a := fresh("a")
	srv := httptest.NewServer(newKeyServer(a))
	t.Cleanup(srv.Close)
	i := fetched
	i.KeySetURL = srv.URL
	usual := http.DefaultTransport
	http.DefaultTransport = roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("a request to %s goes through http.DefaultTransport", r.URL)
		return nil, io.EOF
	})
	v := newVerifier(t, nil, i)
	http.DefaultTransport = usual
	wantOKAfterAll(t, v, a.good())
}

package verify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
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

// text answers with a text.
func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// redirect leads to another place.
func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

// hijack takes the connection over, and ends it.
func hijack(w http.ResponseWriter, before string) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		io.WriteString(c, before)
		c.Close()
	}
}

// bomb is little that becomes much.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(bytes.Repeat([]byte(" "), 2<<20))
	z.Close()
	return b.Bytes()
})

// outages are all ways in which a key set cannot be had, and what is logged of each.
var outages = []struct {
	name string
	with http.HandlerFunc
	base func() error // fails in place of a request
	says string
}{
	{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil, "the key set has not come in time"},
	{"is refused", nil, func() error { return syscall.ECONNREFUSED }, "connection refused"},
	{"is not trusted", nil, func() error {
		return &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	}, "the server's certificate is not trusted"},
	{"fails", text(500, `{"keys":[]}`), nil, "answered with status 500"},
	{"is elsewhere", text(404, "not found"), nil, "answered with status 404"},
	{"is nothing", text(204, ""), nil, "answered with status 204"},
	{"is not modified", text(304, ""), nil, "answered with status 304"},
	{"is a page", text(200, "<!doctype html><title>Sign in</title>"), nil, "not a JWK Set"},
	{"is empty", text(200, ""), nil, "not a JWK Set"},
	{"is an empty object", text(200, "{}"), nil, "not a JWK Set"},
	{"is null", text(200, "null"), nil, "not a JWK Set"},
	{"is a list", text(200, "[]"), nil, "not a JWK Set"},
	{"has null for keys", text(200, `{"keys":null}`), nil, "not a JWK Set"},
	{"has an object for keys", text(200, `{"keys":{}}`), nil, "not a JWK Set"},
	{"has a text after it", text(200, `{"keys":[{}]} x`), nil, "not a JWK Set"},
	{"has no keys", text(200, `{"keys":[]}`), nil, "no key that can verify"},
	{"has no good keys", text(200, `{"keys":[null,1,{},{"kty":"oct","kid":"a","k":"AAAA"}]}`), nil, "no key that can verify"},
	{"is endless", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"keys":[`)
		for spaces := strings.Repeat(" ", 64<<10); r.Context().Err() == nil; {
			if _, err := io.WriteString(w, spaces); err != nil {
				return
			}
		}
	}, nil, "over 1 MiB"},
	{"is a bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(bomb())
	}, nil, "over 1 MiB"},
	{"drips", func(w http.ResponseWriter, r *http.Request) {
		for c := http.NewResponseController(w); r.Context().Err() == nil; pass(time.Second) {
			io.WriteString(w, " ")
			c.Flush()
		}
	}, nil, "the key set has not come in time"},
	{"redirects in a circle", redirect("/.well-known/jwks.json"), nil, "redirects again and again"},
	{"redirects to another host", redirect("https://evil.test/keys"), nil, "redirects to another origin"},
	{"redirects to another port", redirect("https://auth.test:8443/keys"), nil, "redirects to another origin"},
	{"redirects to plain http", redirect("http://auth.test/keys"), nil, "redirects to another origin"},
	{"redirects with a user", redirect("https://secret:word@auth.test/keys"), nil, "redirects to another origin"},
	{"redirects to nowhere", text(302, ""), nil, "answered with status 302"},
	{"is cut before its body", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "") }, nil, "the connection was closed"},
	{"is cut in its body", func(w http.ResponseWriter, _ *http.Request) {
		hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":[")
	}, nil, "the connection was closed"},
	{"is no HTTP", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "SSH-2.0-OpenSSH\r\n\r\n") }, nil, "whose text may hold secrets"},
}

// Known keys go on working for an hour of each of these, nobody waits, and the key set
// is asked for about once a minute. When it is back it is used within a minute.
func TestOutages(t *testing.T) {
	for _, test := range outages {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := fresh("a"), fresh("b")
				s := newKeyServer(a)
				s.cache = "max-age=300"
				base := pipe.Serve(t, s)
				var out atomic.Bool
				var log events
				opts := &verify.Options{Observer: log.observe, Base: roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host != "auth.test" || r.URL.Scheme != "https" || r.URL.User != nil {
						t.Errorf("a request to %s", r.URL)
					}
					if out.Load() && test.base != nil {
						return nil, test.base()
					}
					return base.RoundTrip(r)
				})}
				v := newVerifier(t, opts, fetched)
				seen, unseen, after := a.lasting(), a.lasting(`"sub":"x"`), b.lasting()
				wantOKAfterAll(t, v, seen)
				out.Store(true)
				s.do(func() { s.instead = test.with })
				step, want := 10*time.Second, 60
				if strings.Contains(test.says, "1 MiB") { // which takes a while
					step, want = 15*time.Minute, 3
				}
				for began := time.Now(); time.Since(began) < time.Hour; pass(step) {
					wantOK(t, v, seen)
				}
				wantOK(t, v, unseen)
				synctest.Wait()
				failed := eventsOf[verify.KeysFailed](&log)
				if n := len(failed); n < want*9/10 || n > want*11/10+1 { // 55 minutes, and some more at first
					t.Errorf("the key set was asked for %d times in an hour, want about %d times", n, want)
				}
				for _, e := range []verify.KeysFailed{failed[0], failed[len(failed)-1]} {
					if got := fmt.Sprint(e); !e.Serving || e.Issuer != authName || !strings.Contains(got, test.says) || strings.Contains(got, "word") {
						t.Fatalf("it is logged %q, want %q in it", got, test.says)
					}
					if e.Took > 10*time.Second {
						t.Errorf("a request took %v", e.Took)
					}
				}
				// An unknown key tells that nobody can tell, unless it is too early.
				e, ok := errors.AsType[*bearer.UnavailableError](check(v, forged(1)))
				if !ok || !strings.Contains(e.Error(), test.says) || !e.NextTry.After(time.Now()) {
					t.Errorf("the token of an unknown key: %v, want %q in it", e, test.says)
				}

				out.Store(false)
				s.do(func() { s.instead = nil })
				s.rotate(a, b)
				back := time.Now()
				for {
					wantOK(t, v, seen)
					synctest.Wait()
					if len(eventsOf[verify.KeysFetched](&log)) == 2 {
						break
					}
					if time.Since(back) >= time.Minute {
						t.Fatal("a minute after the key set is back it is not used")
					}
					pass(time.Second)
				}
				before := s.count()
				wantOK(t, v, after)
				wantOK(t, v, seen)
				if n := s.count(); n != before {
					t.Errorf("%d more requests for a key that is known", n-before)
				}
			})
		})
	}
}

// The same, when there is no key yet: nobody can tell, and nobody waits for longer than
// ten seconds.
func TestOutagesAtFirst(t *testing.T) {
	for _, test := range outages {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := fresh("a")
				s := newKeyServer(a)
				s.instead = test.with
				base := pipe.Serve(t, s)
				var log events
				v := newVerifier(t, &verify.Options{Observer: log.observe, Base: roundTrip(func(r *http.Request) (*http.Response, error) {
					if test.base != nil && len(eventsOf[verify.KeysFailed](&log)) == 0 {
						return nil, test.base()
					}
					return base.RoundTrip(r)
				})}, fetched)
				token, began := a.lasting(), time.Now()
				e := wantUnavailable(t, v, token, time.Second)
				if !strings.Contains(e.Error(), test.says) || !strings.HasPrefix(e.Error(), "bearer: cannot tell for the time being: ") {
					t.Errorf("Verify: %v, want %q in it", e, test.says)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
				synctest.Wait()
				if failed := eventsOf[verify.KeysFailed](&log); len(failed) != 1 || failed[0].Serving || !failed[0].NextTry.Equal(e.NextTry) {
					t.Errorf("observed: %v", failed)
				}
				s.do(func() { s.instead = nil })
				pass(time.Second)
				wantOKAfterAll(t, v, token)
			})
		})
	}
}

// events records what an observer is told.
type events struct {
	mu  sync.Mutex // guards all
	all []bearer.Event
}

func (e *events) observe(_ context.Context, ev bearer.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

// eventsOf returns those of type E.
func eventsOf[E bearer.Event](e *events) (found []E) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if v, ok := ev.(E); ok {
			found = append(found, v)
		}
	}
	return found
}

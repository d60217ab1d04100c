package bearer_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"golang.org/x/oauth2"
)

// pauses calls src every tick until it has made n requests, and returns the time
// between them.
func pauses(t *testing.T, src *bearer.Source, e *endpoint, n int, tick time.Duration) []time.Duration {
	t.Helper()
	for e.count() < n {
		before := e.count()
		start := time.Now()
		_, err := src.TokenContext(t.Context())
		te, ok := errors.AsType[*bearer.TokenError](err)
		if !ok {
			t.Fatalf("got %v, want a *TokenError", err)
		}
		if time.Since(start) != 0 {
			t.Fatalf("the error came after %v, want it at once", time.Since(start))
		}
		if e.count() == before && te.NextTry.Before(time.Now()) {
			t.Fatalf("no request was made, though NextTry was %v ago", time.Since(te.NextTry))
		}
		pass(tick)
	}
	var between []time.Duration
	for i := 1; i < n; i++ {
		between = append(between, e.began[i].Sub(e.began[i-1]))
	}
	return between
}

func TestPausesAfterFailures(t *testing.T) {
	const ms = time.Millisecond
	transient := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5 * time.Second, 5 * time.Second}
	permanent := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for i := range permanent {
		permanent[i] *= time.Second
	}
	tests := []struct {
		name string
		err  error
		want []time.Duration
	}{
		{"unknown", errDown, transient},
		{"503", answered(503, ""), transient},
		{"408", answered(408, ""), transient},
		{"invalid_client", answered(401, "invalid_client"), permanent},
		{"invalid_grant", answered(400, "invalid_grant"), permanent},
		{"403", answered(403, ""), permanent},
		{"refused redirect", answered(307, ""), permanent},
		{"429", answered(429, ""), permanent},
		{"a Retry-After that is none", answered(503, "", "Retry-After", "soon"), transient},
		{"a negative Retry-After", answered(503, "", "Retry-After", "-5"), transient},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{fail: failAll(tt.err)}
				src := bearer.NewSource(e.fetch, nil)
				tick := tt.want[0] / 100
				for i, got := range pauses(t, src, e, len(tt.want)+1, tick) {
					if want := tt.want[i]; got < want*8/10 || got > want+tick {
						t.Errorf("pause %d lasted %v, want %v less up to a fifth", i+1, got, want)
					}
				}
			})
		})
	}
}

func TestPauseRetryAfter(t *testing.T) {
	tests := []struct {
		name     string
		status   int
		value    string
		min, max time.Duration
	}{
		{"seconds", 429, "30", 30 * time.Second, 33 * time.Second},
		{"a date", 503, time.Date(2000, 1, 1, 0, 2, 0, 0, time.UTC).Format("Mon, 02 Jan 2006 15:04:05 GMT"), 2 * time.Minute, 132 * time.Second},
		{"an hour", 429, "3600", time.Hour, 66 * time.Minute},
		{"a year", 429, "31536000", time.Hour, 66 * time.Minute},
		{"shorter than the pause", 429, "0", 800 * time.Millisecond, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{fail: failAll(answered(tt.status, "", "Retry-After", tt.value))}
				src := bearer.NewSource(e.fetch, nil)
				start := time.Now()
				_, err := src.TokenContext(t.Context())
				if time.Since(start) != 0 {
					t.Errorf("the caller waited %v, want none: Retry-After is told", time.Since(start))
				}
				te, ok := errors.AsType[*bearer.TokenError](err)
				if !ok {
					t.Fatalf("got %v, want a *TokenError", err)
				}
				if d := time.Until(te.NextTry); d < tt.min || d > tt.max {
					t.Errorf("NextTry is in %v, want between %v and %v", d, tt.min, tt.max)
				}
				pass(time.Until(te.NextTry) - time.Millisecond)
				access(t, src)
				e.wantCount(t, 1)
				pass(time.Millisecond)
				access(t, src)
				e.wantCount(t, 2)
			})
		})
	}
}

func TestPauseEndsWithSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Minute}
		e.fail = func(n int) error {
			if n <= 5 || n == 7 {
				return errDown
			}
			return nil
		}
		src := bearer.NewSource(e.fetch, &bearer.SourceOptions{RefreshAhead: -1})
		pauses(t, src, e, 5, 10*time.Millisecond)
		pass(5 * time.Second)
		wantAccess(t, src, "token-6")
		pass(time.Minute)
		_, err := access(t, src)
		te, ok := errors.AsType[*bearer.TokenError](err)
		if !ok {
			t.Fatalf("got %v, want a *TokenError", err)
		}
		if d := time.Until(te.NextTry); d > 100*time.Millisecond {
			t.Errorf("the pause after a success and one failure is %v, want at most 100ms", d)
		}
	})
}

func TestPauseOf429OutlivesTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{life: time.Hour}
		e.fail = func(n int) error {
			if n == 2 {
				return answered(429, "", "Retry-After", "600")
			}
			return nil
		}
		src := bearer.NewSource(e.fetch, nil)
		wantAccess(t, src, "token-1")
		pass(59 * time.Minute)
		wantAccess(t, src, "token-1") // and asks in the background
		synctest.Wait()
		e.wantCount(t, 2)
		pass(5 * time.Minute)
		if _, err := access(t, src); err == nil {
			t.Error("no error, want that of the 429: the endpoint asked for 10 minutes")
		}
		e.wantCount(t, 2)
		pass(7 * time.Minute)
		wantAccess(t, src, "token-3")
	})
}

// ownWords is an error that says what may be logged of it.
type ownWords struct{ error }

func (ownWords) LogValue() slog.Value { return slog.StringValue("in its own words") }

func TestTokenErrorText(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want []string
	}{
		{"invalid_client", answered(401, "invalid_client"), []string{"401 invalid_client", "check the client id"}},
		{"invalid_grant", answered(400, "invalid_grant"), []string{"sign in again"}},
		{"an echoed code", answered(400, "s3cr3t code"), []string{"answered 400; check"}},
		{"a status alone", answered(404, ""), []string{"answered 404; check its address"}},
		{"where from", &oauth2.RetrieveError{Response: &http.Response{StatusCode: 401, Request: httptest.NewRequest("POST", "https://auth.test/s3cr3t", nil)}},
			[]string{"the token endpoint at auth.test answered 401; check the client id, its secret"}},
		{"not TLS", &url.Error{Op: "Post", URL: "s3cr3t", Err: http.ErrSchemeMismatch}, []string{"does not speak TLS"}},
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, []string{"connection refused"}},
		{"no such host", &url.Error{Op: "Post", URL: "s3cr3t", Err: &net.DNSError{Err: "s3cr3t"}}, []string{"host's name was not found"}},
		{"described by itself", ownWords{errDown}, []string{"no token: in its own words;"}},
		{"unknown", errDown, []string{"*errors.errorString, whose text may hold secrets"}},
		{"time-out", context.DeadlineExceeded, []string{"timed out"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := bearer.NewSource(func(context.Context) (*bearer.Token, error) { return nil, tt.err }, nil)
			_, err := src.TokenContext(t.Context())
			for _, want := range append(tt.want, "bearer: no token: ", "; the next try is at ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "s3cr3t") || strings.Count(err.Error(), "bearer:") != 1 {
				t.Errorf("%q has a secret, or its prefix twice", err)
			}
			if !errors.Is(err, tt.err) {
				t.Errorf("%v does not wrap its cause", err)
			}
		})
	}
}

func TestPauseOfAnotherKindBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{fail: func(n int) error {
			if n <= 7 {
				return answered(503, "")
			}
			return answered(429, "")
		}}
		src := bearer.NewSource(e.fetch, nil)
		got := pauses(t, src, e, 9, 10*time.Millisecond)
		if last := got[len(got)-1]; last > time.Second+10*time.Millisecond {
			t.Errorf("the pause after the first 429 is %v, want 1s less up to a fifth", last)
		}
	})
}

func TestPauseIsKeptUnderCallers(t *testing.T) {
	// A failed early refresh and callers who look at the clock at the same time.
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			e := &endpoint{life: 4 * time.Hour}
			e.fail = func(n int) error {
				if n == 2 {
					return answered(429, "", "Retry-After", "300")
				}
				return nil
			}
			src := bearer.NewSource(e.fetch, &bearer.SourceOptions{RefreshAhead: 14 * time.Minute})
			wantAccess(t, src, "token-1")
			pass(4*time.Hour - 10*time.Minute)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 3 {
						wantAccess(t, src, "token-1")
					}
				})
			}
			wg.Wait()
			for range 4 {
				pass(time.Minute)
				wantAccess(t, src, "token-1")
			}
			e.wantCount(t, 2)
		})
	}
}

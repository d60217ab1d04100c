package tokenendpoint_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/tokenendpoint"
	"golang.org/x/oauth2"
)

// next is the time until the next try that err tells, and the number of
// requests that it took.
func next(t *testing.T, err error) (time.Duration, int) {
	t.Helper()
	var e *tokenendpoint.Error
	if !errors.As(err, &e) || e.Status != 429 {
		t.Fatalf("error = %v, want a 429", err)
	}
	return time.Until(e.RetryAt), e.Attempts
}

func noRetries(o *tokenendpoint.Options) { o.MaxRetries = -1 }

func TestPauseAfter429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, answer(429, ""), answer(429, ""), answer(429, "", "Retry-After", "20"), ok)
		c := newClient(t, s, noRetries)
		steps := []struct {
			name        string
			least, most time.Duration
		}{
			{"first", 800 * time.Millisecond, time.Second},
			{"second", 1600 * time.Millisecond, 2 * time.Second},
			{"as the server says", 20 * time.Second, 22 * time.Second},
		}
		for i, step := range steps {
			_, err := c.Token(t.Context(), clientCredentials)
			wait, attempts := next(t, err)
			if wait < step.least || wait > step.most || attempts != 1 {
				t.Errorf("%s: next try in %v after %d attempts, want %v to %v after 1", step.name, wait, attempts, step.least, step.most)
			}
			// Another grant, at once: the error and the same time, and no request.
			_, err = c.Token(t.Context(), password)
			if again, attempts := next(t, err); again != wait || attempts != 0 || s.count() != i+1 {
				t.Errorf("%s: meanwhile next try in %v after %d attempts, want %v after 0", step.name, again, attempts, wait)
			}
			var re *oauth2.RetrieveError
			if !errors.As(err, &re) || re.Response.StatusCode != 429 || re.Response.Header.Get("Retry-After") != fmt.Sprint(int((wait+time.Second-1)/time.Second)) {
				t.Errorf("%s: RetrieveError = %+v, want 429 with the rest as Retry-After", step.name, re)
			}
			pass(wait)
		}
		if _, err := c.Token(t.Context(), clientCredentials); err != nil {
			t.Errorf("after the pause: %v", err)
		}
	})
}

func TestPauseDoublesUpToAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, answer(429, ""))
		c := newClient(t, s, noRetries)
		want := time.Second
		for i := range 9 {
			_, err := c.Token(t.Context(), clientCredentials)
			wait, _ := next(t, err)
			if wait < want*4/5 || wait > want {
				t.Errorf("pause %d = %v, want %v to %v", i, wait, want*4/5, want)
			}
			want = min(2*want, time.Minute)
			pass(wait)
		}
	})
}

// Requests that were under way together have met one limit, not many.
func TestPauseCountsOneBurstOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { <-gate; answer(429, "")(w, r) })
		c := newClient(t, s, noRetries)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { c.Token(t.Context(), clientCredentials) })
		}
		synctest.Wait()
		pass(time.Millisecond)
		close(gate)
		all.Wait()
		_, err := c.Token(t.Context(), clientCredentials)
		if wait, _ := next(t, err); wait > time.Second || s.count() != 50 {
			t.Errorf("next try in %v after %d requests, want within 1 s after 50", wait, s.count())
		}
	})
}

// A late answer of the same burst must not shorten the pause.
func TestLongestPauseHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan struct{})
		s := serve(t,
			func(w http.ResponseWriter, r *http.Request) { <-late; answer(429, "", "Retry-After", "5")(w, r) },
			answer(429, "", "Retry-After", "60"))
		c := newClient(t, s, noRetries)
		var all sync.WaitGroup
		all.Go(func() { c.Token(t.Context(), clientCredentials) })
		synctest.Wait()
		c.Token(t.Context(), clientCredentials)
		close(late)
		all.Wait()
		_, err := c.Token(t.Context(), clientCredentials)
		if wait, _ := next(t, err); wait < time.Minute || s.count() != 2 {
			t.Errorf("next try in %v after %d requests, want a minute after 2", wait, s.count())
		}
	})
}

func TestPauseEndsTheDoublingOnceAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, answer(429, ""), answer(429, ""), ok, answer(429, ""))
		c := newClient(t, s, noRetries)
		for range 4 {
			if _, err := c.Token(t.Context(), clientCredentials); err != nil {
				wait, _ := next(t, err)
				if s.count() == 4 && wait > time.Second {
					t.Errorf("first pause after a success = %v, want 1 s at most", wait)
				}
				pass(wait)
			}
			pass(time.Millisecond)
		}
	})
}

// A call that waits for its retry must not go out into a pause that another
// call has met meanwhile.
func TestRetryHeedsAnothersPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, answer(503, "", "Retry-After", "2"), answer(429, "", "Retry-After", "60"), ok)
		c := newClient(t, s, nil)
		var err error
		var all sync.WaitGroup
		all.Go(func() { _, err = c.Token(t.Context(), clientCredentials) })
		synctest.Wait()
		c.Token(t.Context(), clientCredentials)
		all.Wait()
		var e *tokenendpoint.Error
		if !errors.As(err, &e) || s.count() != 2 || time.Until(e.RetryAt) < 50*time.Second {
			t.Errorf("error = %v after %d requests, want a next try in a minute after 2", err, s.count())
		}
	})
}

func TestPauseIsPerLimitKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, answer(429, "", "Retry-After", "60"), ok)
		c := newClient(t, s, nil)
		of := func(key string) tokenendpoint.Grant { g := password; g.LimitKey = key; return g }
		if _, err := c.Token(t.Context(), of("192.0.2.1")); err == nil {
			t.Fatal("no error from the 429")
		}
		if _, err := c.Token(t.Context(), of("192.0.2.1")); err == nil || s.count() != 1 {
			t.Errorf("same key: error = %v after %d requests, want one after 1", err, s.count())
		}
		if _, err := c.Token(t.Context(), of("192.0.2.2")); err != nil {
			t.Errorf("other key: %v", err)
		}
		if err := c.Revoke(t.Context(), "t", &tokenendpoint.RevokeOptions{LimitKey: "192.0.2.1"}); err != nil {
			t.Errorf("other endpoint: %v", err)
		}
	})
}

func TestSharedRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, answer(429, "", "Retry-After", "60"), ok)
		var shared tokenendpoint.RateLimit
		share := func(o *tokenendpoint.Options) { o.RateLimit = &shared }
		if _, err := newClient(t, s, share).Token(t.Context(), clientCredentials); err == nil {
			t.Fatal("no error from the 429")
		}
		_, err := newClient(t, s, share).Token(t.Context(), clientCredentials)
		if _, attempts := next(t, err); attempts != 0 {
			t.Errorf("a client that shares the limit made %d attempts, want 0", attempts)
		}
		if _, err := newClient(t, s, nil).Token(t.Context(), clientCredentials); err != nil {
			t.Errorf("a client of its own: %v", err)
		}
	})
}

// Keys come from visitors' addresses: many must neither fill the memory nor end
// the pause of the endpoint itself sooner than those that end first.
func TestPausesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, nil, func(o *tokenendpoint.Options) {
			o.MaxRetries = -1
			o.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
				h := http.Header{"Retry-After": {"30"}}
				if r.Header.Get("X-Long") != "" {
					h.Set("Retry-After", "600")
				}
				return &http.Response{StatusCode: 429, Header: h, Body: http.NoBody, Request: r}, nil
			})
		})
		long := password
		long.Header = http.Header{"X-Long": {"1"}}
		c.Token(t.Context(), long)
		paused := 0
		for round := range 2 {
			for i := range 4500 {
				g := password
				g.LimitKey = fmt.Sprintf("2001:db8::%x", i)
				_, err := c.Token(t.Context(), g)
				if _, attempts := next(t, err); round == 1 && attempts == 0 {
					paused++
				}
			}
		}
		if paused == 0 || paused > 4096 {
			t.Errorf("%d keys are remembered, want some, and 4096 at most", paused)
		}
		_, err := c.Token(t.Context(), long)
		if _, attempts := next(t, err); attempts != 0 {
			t.Error("the longest pause was forgotten first")
		}
	})
}

func TestPauseIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, out := logs()
		c := newClient(t, serve(t, answer(429, ""), ok), func(o *tokenendpoint.Options) { o.Logger = logger })
		if _, err := c.Token(t.Context(), clientCredentials); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"level=WARN", "too many requests", "retry_at=", "level=DEBUG", "trying again", "host=auth.example.com"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, out)
			}
		}
	})
}

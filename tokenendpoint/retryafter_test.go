package tokenendpoint_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/tokenendpoint"
)

func TestRetryAfter(t *testing.T) {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	tests := []struct {
		name   string
		status int
		header func() []string
		waits  time.Duration // until the retry; 0: the usual backoff
		told   time.Duration // RetryAt from now on, at least; 0: none
	}{
		{"one second", 503, func() []string { return []string{"Retry-After", "1"} }, time.Second, 0},
		{"zero", 503, func() []string { return []string{"Retry-After", "0"} }, 0, 0},
		{"a date", 503, func() []string { return []string{"Retry-After", date(2 * time.Second)} }, 2 * time.Second, 0},
		{"a date by the server's clock", 503, func() []string {
			return []string{"Retry-After", date(5*time.Hour + time.Second), "Date", date(5 * time.Hour)}
		}, time.Second, 0},
		{"a date in the past", 503, func() []string { return []string{"Retry-After", date(-time.Hour)} }, 0, 0},
		{"negative", 503, func() []string { return []string{"Retry-After", "-5"} }, 0, 0},
		{"garbage", 503, func() []string { return []string{"Retry-After", "soon"} }, 0, 0},
		{"long", 503, func() []string { return []string{"Retry-After", "120"} }, 0, 2 * time.Minute},
		{"beyond the bound", 503, func() []string { return []string{"Retry-After", "7200"} }, 0, time.Hour},
		{"absurd", 503, func() []string { return []string{"Retry-After", "99999999999999999999999"} }, 0, time.Hour},
		{"absurd date", 503, func() []string { return []string{"Retry-After", date(200 * 365 * 24 * time.Hour)} }, 0, time.Hour},
		{"429, one second", 429, func() []string { return []string{"Retry-After", "1"} }, time.Second, 0},
		{"429, long", 429, func() []string { return []string{"Retry-After", "30"} }, 0, 30 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(tt.status, "", tt.header()...)(w, r) }, ok)
				start := time.Now()
				_, err := newClient(t, s, nil).Token(t.Context(), clientCredentials)
				took := time.Since(start)
				if tt.told > 0 {
					var e *tokenendpoint.Error
					if !errors.As(err, &e) || s.count() != 1 || took != 0 {
						t.Fatalf("error = %v after %v and %d requests, want one at once", err, took, s.count())
					}
					if got := e.RetryAt.Sub(start); got < tt.told || got > tt.told*11/10 {
						t.Errorf("RetryAt in %v, want %v and up to a tenth more", got, tt.told)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				least, most := tt.waits, tt.waits*11/10
				if tt.waits == 0 {
					least, most = 50*time.Millisecond, 100*time.Millisecond
				}
				if took < least || took > most {
					t.Errorf("took %v, want %v to %v", took, least, most)
				}
			})
		})
	}
}

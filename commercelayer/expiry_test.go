package commercelayer_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
)

func TestExpiry(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name string
		// by the server's clock, which is ahead of the local one by this much
		ahead            time.Duration
		noDate           bool
		stale            time.Duration // the age of the Date header
		minted, life     time.Duration // the token's iat before the answer, and exp - iat; life 0: no times in it
		noIssued, noJWT  bool
		expiresIn        string // "": absent
		want             time.Duration
		wantNoExpiry     bool
		wantUsedOnceOnly bool
	}{
		{name: "fresh", life: 4 * time.Hour, expiresIn: "14400", want: 4 * time.Hour},
		{name: "fresh, server ahead", ahead: 5 * time.Hour, life: 4 * time.Hour, expiresIn: "14400", want: 4 * time.Hour},
		{name: "fresh, server behind", ahead: -40 * day, life: 4 * time.Hour, expiresIn: "14400", want: 4 * time.Hour},
		{name: "given again", minted: 3 * time.Hour, life: 4 * time.Hour, expiresIn: "3600", want: time.Hour},
		{name: "given again, server ahead", ahead: day, minted: 3 * time.Hour, life: 4 * time.Hour, expiresIn: "3600", want: time.Hour},
		{name: "given again, server behind", ahead: -day, minted: 3 * time.Hour, life: 4 * time.Hour, expiresIn: "3600", want: time.Hour},
		{name: "given again, no date", noDate: true, minted: 3 * time.Hour, life: 4 * time.Hour, expiresIn: "3600", want: time.Hour},
		{name: "given again, no date, server a little ahead", noDate: true, ahead: 4 * time.Minute, minted: 3 * time.Hour, life: 4 * time.Hour, expiresIn: "3600", want: time.Hour},
		{name: "given again, no date, server a little behind", noDate: true, ahead: -4 * time.Minute, minted: 3 * time.Hour, life: 4 * time.Hour, expiresIn: "3600", want: time.Hour},
		{name: "given again, stale date", stale: 4 * time.Minute, minted: 3 * time.Hour, life: 4 * time.Hour, expiresIn: "3600", want: time.Hour},
		{name: "given again, expires_in is not the rest", minted: 3 * time.Hour, life: 4 * time.Hour, expiresIn: "3960", want: 4 * time.Hour},
		{name: "fresh, no date, server ahead", noDate: true, ahead: day, life: 4 * time.Hour, expiresIn: "14400", want: 4 * time.Hour},
		{name: "expires_in is not the rest", life: 4 * time.Hour, expiresIn: "60", want: 4 * time.Hour},
		{name: "expires_in is absurd", life: 4 * time.Hour, expiresIn: "1e300", want: 4 * time.Hour},
		{name: "expires_in is zero", life: 4 * time.Hour, expiresIn: "0", want: 4 * time.Hour},
		{name: "expires_in is negative", life: 4 * time.Hour, expiresIn: "-1", want: 4 * time.Hour},
		{name: "expires_in is absent", life: 4 * time.Hour, want: 4 * time.Hour},
		{name: "a year", life: 365 * day, expiresIn: "31536000", want: 365 * day},
		{name: "a century", life: 100 * 365 * day, want: 10 * 365 * day},
		{name: "exp alone, expires_in", noIssued: true, life: 4 * time.Hour, expiresIn: "60", want: time.Minute},
		{name: "exp alone", noIssued: true, ahead: day, life: 4 * time.Hour, want: 4 * time.Hour},
		{name: "exp before iat", life: -time.Hour, want: 0, wantUsedOnceOnly: true},
		{name: "exp before iat, expires_in", life: -time.Hour, expiresIn: "60", want: time.Minute},
		{name: "no exp", expiresIn: "60", want: time.Minute},
		{name: "no JWT", noJWT: true, expiresIn: "60", want: time.Minute},
		{name: "no JWT, nothing", noJWT: true, wantNoExpiry: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pass(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))) // where any offset is a time after 1970
				s := &stub{answer: func(stubRequest) (int, string, http.Header) {
					pass(2 * time.Second)
					server := time.Now().Add(tt.ahead)
					issued := server.Add(-tt.minted)
					claims := map[string]any{}
					if tt.life != 0 {
						claims["iat"], claims["exp"] = issued.Unix(), issued.Add(tt.life).Unix()
					}
					if tt.noIssued {
						delete(claims, "iat")
					}
					token := jwtOf(claims)
					if tt.noJWT {
						token = "opaque"
					}
					body := fmt.Sprintf(`{"access_token":%q`, token)
					if tt.expiresIn != "" {
						body += `,"expires_in":` + tt.expiresIn
					}
					h := http.Header{"Date": {server.Add(-tt.stale).UTC().Format(http.TimeFormat)}}
					if tt.noDate {
						h = nil
					}
					return 200, body + "}", h
				}}
				start := time.Now()
				got, err := newCredentials(t, "", &commercelayer.Options{Base: s}).ClientCredentials(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if tt.wantNoExpiry {
					if !got.Expiry.IsZero() {
						t.Errorf("Expiry = %v, want none", got.Expiry)
					}
					return
				}
				// It counts from before the request: never too long.
				if life := got.Expiry.Sub(start); life != tt.want {
					t.Errorf("Expiry in %v, want %v", life, tt.want)
				}
				if got.Expiry.Location() != start.Location() || got.Valid() == tt.wantUsedOnceOnly {
					t.Errorf("Valid = %v, want %v", got.Valid(), !tt.wantUsedOnceOnly)
				}
			})
		})
	}
}

func TestClockOff(t *testing.T) {
	tests := []struct {
		name  string
		ahead time.Duration // of the server
		told  bool
	}{
		{"agrees", 0, false},
		{"nearly agrees", 59 * time.Second, false},
		{"ahead", time.Hour, true},
		{"behind", -2 * time.Minute, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stub{answer: func(stubRequest) (int, string, http.Header) {
					return 200, `{"access_token":"a"}`, http.Header{"Date": {time.Now().Add(tt.ahead).UTC().Format(http.TimeFormat)}}
				}}
				logger, out := logs()
				var events []commercelayer.ClockOff
				c := newCredentials(t, "", &commercelayer.Options{Base: s, Logger: logger, Observer: func(_ context.Context, e bearer.Event) {
					if e, ok := e.(commercelayer.ClockOff); ok {
						events = append(events, e)
					}
				}})
				ask := func() {
					if _, err := c.ClientCredentials(t.Context(), nil); err != nil {
						t.Fatal(err)
					}
				}
				want := 0
				if tt.told {
					want = 1
				}
				for range 3 {
					ask()
					pass(time.Minute)
				}
				if len(events) != want || strings.Count(out.String(), "clock") != want {
					t.Errorf("told %d times, and logged:\n%s\nwant %d", len(events), out, want)
				}
				if tt.told && (events[0].By != -tt.ahead || events[0].Host != "https://auth.commercelayer.io") {
					t.Errorf("event = %+v, want the local clock ahead by %v", events[0], -tt.ahead)
				}
				pass(10 * time.Minute)
				ask()
				if len(events) != 2*want {
					t.Errorf("told %d times after ten minutes, want %d", len(events), 2*want)
				}
			})
		})
	}
}

// Package retryafter reads the header field Retry-After (RFC 9110 §10.2.3).
package retryafter

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Max bounds what a server can ask for: a mistaken Retry-After of a year must not
// switch a program off until it is restarted.
const Max = time.Hour

// Parse returns the wait that h asks for, from now on: never negative, at most
// [Max]. It is false if h asks for none that makes sense. A date counts from the
// server's own clock, if h tells that.
func Parse(h http.Header, now time.Time) (time.Duration, bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if strings.Trim(v, "0123456789") == "" {
		seconds, err := strconv.ParseUint(v, 10, 32)
		if err != nil || seconds > uint64(Max/time.Second) {
			return Max, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	if date := ServerDate(h); !date.IsZero() {
		now = date
	}
	return min(max(at.Sub(now), 0), Max), true
}

// ServerDate is the field Date, zero if there is none that makes sense.
func ServerDate(h http.Header) time.Time {
	t, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}

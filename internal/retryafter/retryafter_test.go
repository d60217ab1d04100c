package retryafter_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/bearerkit/bearer/internal/retryafter"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func date(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }

func TestParse(t *testing.T) {
	tests := []struct {
		name        string
		value, date string
		want        time.Duration
		wantOK      bool
	}{
		{"absent", "", "", 0, false},
		{"seconds", "30", "", 30 * time.Second, true},
		{"with spaces", " 30 ", "", 30 * time.Second, true},
		{"zero", "0", "", 0, true},
		{"a year", "31536000", "", time.Hour, true},
		{"more than a number holds", "99999999999999999999", "", time.Hour, true},
		{"negative", "-5", "", 0, false},
		{"a fraction", "1.5", "", 0, false},
		{"words", "soon", "", 0, false},
		{"a date", date(time.Minute), "", time.Minute, true},
		{"a date by the server's clock", date(5*time.Hour + time.Minute), date(5 * time.Hour), time.Minute, true},
		{"a date gone by", date(-time.Minute), "", 0, true},
		{"a date in a century", date(876000 * time.Hour), "", time.Hour, true},
		{"a date, and a Date that is none", date(time.Minute), "today", time.Minute, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			h.Set("Retry-After", tt.value)
			h.Set("Date", tt.date)
			got, ok := retryafter.Parse(h, now)
			if got != tt.want || ok != tt.wantOK {
				t.Errorf("got %v, %v; want %v, %v", got, ok, tt.want, tt.wantOK)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "0", "30", "-1", "1e9", date(time.Minute), "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(s, "")
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, value, date string) {
		d, ok := retryafter.Parse(http.Header{"Retry-After": {value}, "Date": {date}}, now)
		if d < 0 || d > retryafter.Max || !ok && d != 0 {
			t.Errorf("Retry-After %q, Date %q: %v, %v", value, date, d, ok)
		}
	})
}

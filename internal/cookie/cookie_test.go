package cookie_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/internal/cookie"
)

func named(name string) func(string) bool { return func(n string) bool { return n == name } }

func TestFind(t *testing.T) {
	tests := []struct {
		name   string
		header []string
		want   string
		found  bool
		err    string
	}{
		{"no header", nil, "", false, ""},
		{"empty", []string{""}, "", false, ""},
		{"alone", []string{"a=1"}, "1", true, ""},
		{"among others", []string{"b=2; a=1; c=3"}, "1", true, ""},
		{"no space", []string{"b=2;a=1;c=3"}, "1", true, ""},
		{"more spaces", []string{" b=2 ;\t a = 1 \t; c=3"}, "1", true, ""},
		{"second line", []string{"b=2", "a=1"}, "1", true, ""},
		{"empty value", []string{"a="}, "", true, ""},
		{"equals signs", []string{"a=x=y="}, "x=y=", true, ""},
		{"net/http would drop it", []string{`a={"x": "y,\z"}; b=2`}, `{"x": "y,\z"}`, true, ""},
		{"name alone", []string{"a; b=a"}, "", false, ""},
		{"other case", []string{"A=1"}, "", false, ""},
		{"part of a name", []string{"aa=1; ba=2"}, "", false, ""},
		{"in a value", []string{"b=a=1"}, "", false, ""},
		{"no name", []string{"=a=1"}, "", false, ""},
		{"twice", []string{"a=1; b=2; a=1"}, "", false, "twice"},
		{"twice in two lines", []string{"a=1", "a=2"}, "", false, "twice"},
		{"longest", []string{"a=1; b=" + strings.Repeat("b", cookie.MaxHeader-7)}, "1", true, ""},
		{"too long", []string{"a=1; b=" + strings.Repeat("b", cookie.MaxHeader-6)}, "", false, "32 KiB"},
		{"too long in two lines", []string{"a=1", strings.Repeat("b", cookie.MaxHeader)}, "", false, "32 KiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, found, err := cookie.Find(http.Header{"Cookie": tt.header}, named("a"))
			if got != tt.want || found != tt.found || (err == nil) != (tt.err == "") {
				t.Fatalf("Find = %q, %v, %v, want %q, %v, error %q", got, found, err, tt.want, tt.found, tt.err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error = %v, want %q in it", err, tt.err)
			}
		})
	}
}

func TestSet(t *testing.T) {
	tests := []struct {
		name, value string
		maxAge      time.Duration
		want        string // "": an error
	}{
		{"session", "v", 0, "n=v; Path=/; X"},
		{"hour", "v", time.Hour, "n=v; Path=/; Max-Age=3600; X"},
		{"rounded up", "v", time.Second + 1, "n=v; Path=/; Max-Age=2; X"},
		{"a moment", "v", 1, "n=v; Path=/; Max-Age=1; X"},
		{"negative", "v", -1, ""},
		{"longest", strings.Repeat("v", 4083), 0, "n=" + strings.Repeat("v", 4083) + "; Path=/; X"},
		{"too long", strings.Repeat("v", 4084), 0, ""},
		{"too long for its age", strings.Repeat("v", 4083), time.Hour, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			err := cookie.Set(h, "n", tt.value, tt.maxAge, "; X")
			if tt.want == "" {
				if err == nil || len(h) != 0 {
					t.Errorf("Set = %v, header %v, want an error and no header", err, h)
				}
				return
			}
			if got := h["Set-Cookie"]; err != nil || !slices.Equal(got, []string{tt.want}) {
				t.Errorf("Set = %v, header %q, want %q", err, got, tt.want)
			}
		})
	}
}

// A browser takes the last one, but what is in between goes over the network too.
func TestSetReplaces(t *testing.T) {
	shared := []string{"n=old; Path=/", "nn=1", "n=older"}
	h := http.Header{"Set-Cookie": shared}
	if err := cookie.Set(h, "n", "new", 0, ""); err != nil {
		t.Fatal(err)
	}
	if got, want := h["Set-Cookie"], []string{"nn=1", "n=new; Path=/"}; !slices.Equal(got, want) {
		t.Errorf("header = %q, want %q", got, want)
	}
	cookie.Remove(h, "n", "null", "; X")
	if got, want := h["Set-Cookie"], []string{"nn=1", "n=null; Path=/; Max-Age=0; X"}; !slices.Equal(got, want) {
		t.Errorf("header = %q, want %q", got, want)
	}
	if want := []string{"n=old; Path=/", "nn=1", "n=older"}; !slices.Equal(shared, want) {
		t.Errorf("a slice that others may hold = %q, want %q", shared, want)
	}
}

func FuzzFind(f *testing.F) {
	f.Add("b=2; a=1", "c=3")
	f.Add("a=1;a=2", "a")
	f.Add(`a={"x":"y"} ;; =`, "")
	f.Fuzz(func(t *testing.T, first, second string) {
		if strings.ContainsAny(first+second, "\r\n") {
			t.Skip("no header has line ends within")
		}
		h := http.Header{"Cookie": {first, second}}
		value, found, err := cookie.Find(h, named("a"))
		if err != nil && (found || value != "") || !found && value != "" {
			t.Fatalf("Find = %q, %v, %v, want a value only if there is one", value, found, err)
		}
		if strings.ContainsRune(value, ';') || value != strings.Trim(value, " \t") {
			t.Errorf("value = %q, want it without what is around it", value)
		}
		// What net/http finds is there for us too, if it is there once.
		r := http.Request{Header: h}
		for _, c := range r.CookiesNamed("a") {
			if v := strings.Trim(c.Value, " \t"); err == nil && v != "" && (!found || !strings.Contains(value, v)) {
				t.Errorf("Find = %q, %v, want %q", value, found, c.Value)
			}
		}
	})
}

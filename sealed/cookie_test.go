package sealed_test

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/sealed"
	"github.com/bearerkit/bearer/storagetest"
)

const (
	storefront = "cl_customer-Shop_1-market:id:xYZkjABcde"
	record     = `{"accessToken":"s3cr3t","scope":"market:id:xYZkjABcde","refreshToken":"s3cr3t"}`
)

var encoding = base64.RawURLEncoding

func newCookie(t testing.TB, opts *sealed.CookieOptions) *sealed.Cookie {
	return sealed.NewCookie(mustKeys(t, sealed.GenerateKey()), opts)
}

func TestCookieIsACarrier(t *testing.T) {
	open := func(t *testing.T) bearer.Carrier { return newCookie(t, nil) }
	storagetest.RunCarrier(t, open)
	storagetest.RunForgery(t, open)
}

// save returns the line that Save sets.
func save(t testing.TB, c *sealed.Cookie, key string, record []byte, maxAge time.Duration) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := c.Save(w, key, record, maxAge); err != nil {
		t.Fatal(err)
	}
	return w.Header().Get("Set-Cookie")
}

// request is one with the cookie of a Set-Cookie line.
func request(line string) *http.Request {
	pair, _, _ := strings.Cut(line, ";")
	return &http.Request{Header: http.Header{"Cookie": {pair}}}
}

// loggable reports whether package bearer logs err by its own words.
func loggable(err error) bool {
	var own slog.LogValuer
	return errors.As(err, &own) && err.Error() == "sealed: "+own.LogValue().String()
}

func TestCookieAttributes(t *testing.T) {
	const value = "<value>"
	name := "bearer-cxqlReuE74XNGm4M6urLbQ"
	tests := []struct {
		name   string
		opts   *sealed.CookieOptions
		record []byte
		maxAge time.Duration
		want   string
	}{
		{"session", nil, []byte(record), 0, "__Host-" + name + "=<value>; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"two weeks", &sealed.CookieOptions{}, []byte(record), 14 * 24 * time.Hour, "__Host-" + name + "=<value>; Path=/; Max-Age=1209600; HttpOnly; Secure; SameSite=Lax"},
		{"removal", nil, nil, time.Hour, "__Host-" + name + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		{"plain http", &sealed.CookieOptions{Insecure: true}, []byte(record), time.Hour, name + "=<value>; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"},
		{"removal by plain http", &sealed.CookieOptions{Insecure: true}, nil, 0, name + "=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := save(t, newCookie(t, tt.opts), storefront, tt.record, tt.maxAge)
			if _, after, _ := strings.Cut(got, "="); tt.record != nil {
				v, _, _ := strings.Cut(after, ";")
				got = strings.Replace(got, v, value, 1)
			}
			if got != tt.want {
				t.Errorf("Set-Cookie = %s, want %s", got, tt.want)
			}
			if c, err := http.ParseSetCookie(got); err != nil || c.Valid() != nil {
				t.Errorf("net/http takes it as %v, %v", c, err)
			}
		})
	}
}

func TestCookieLoadRefuses(t *testing.T) {
	keys := mustKeys(t, sealed.GenerateKey())
	c := sealed.NewCookie(keys, nil)
	line := save(t, c, storefront, []byte(record), 0)
	name, value, _ := strings.Cut(strings.Split(line, ";")[0], "=")
	insecure := save(t, sealed.NewCookie(keys, &sealed.CookieOptions{Insecure: true}), storefront, []byte(record), 0)
	_, ofInsecure, _ := strings.Cut(strings.Split(insecure, ";")[0], "=")
	_, ofOther, _ := strings.Cut(strings.Split(save(t, c, "other", []byte(record), 0), ";")[0], "=")
	_, ofStranger, _ := strings.Cut(strings.Split(save(t, newCookie(t, nil), storefront, []byte(record), 0), ";")[0], "=")
	tests := []struct{ name, value, want string }{
		{"empty", "", "does not open"},
		{"cut off", value[:len(value)/4*4-4], "does not open"},
		{"cut to a nonce", value[:16], "does not open"},
		{"longer", value + "AAAA", "does not open"},
		{"another storefront's", ofOther, "does not open"},
		{"another key's", ofStranger, "does not open"},
		{"by plain http", ofInsecure, "does not open"},
		{"padded", value + "=", "not base64"},
		{"other alphabet", strings.Repeat("+/", 100), "not base64"},
		{"line end", value[:40] + "\n" + value[40:], "not base64"},
		{"quoted", `"` + value + `"`, "not base64"},
		{"words", "s3cr3t s3cr3t", "not base64"},
		{"twice", value + "; " + name + "=" + value, "twice"},
		{"long", strings.Repeat("A", 8<<10+1), "longer than 8 KiB"},
		{"many others", value + "; a=" + strings.Repeat("a", 32<<10), "longer than 32 KiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Load(&http.Request{Header: http.Header{"Cookie": {name + "=" + tt.value}}}, storefront)
			if got != nil || !errors.Is(err, sealed.ErrInvalid) {
				t.Fatalf("Load = %d bytes, %v, want ErrInvalid", len(got), err)
			}
			if !loggable(err) {
				t.Errorf("error = %v, want one that may be logged", err)
			}
			if text := err.Error(); !strings.Contains(text, tt.want) || strings.Contains(text, "s3cr3t") || len(tt.value) > 20 && strings.Contains(text, tt.value[:20]) {
				t.Errorf("error = %s, want %q and no value", text, tt.want)
			}
		})
	}
}

// What is sealed for one use is good for no other.
func TestUsesAreKeptApart(t *testing.T) {
	keys := mustKeys(t, sealed.GenerateKey())
	c := sealed.NewCookie(keys, nil)
	name, _, _ := strings.Cut(save(t, c, storefront, []byte(record), 0), "=")
	for _, as := range []string{storefront, name, "__Host-bearer-" + storefront, "cookie\x00__Host-bearer-" + storefront} {
		forged := encoding.EncodeToString(keys.Seal(as, []byte(record)))
		if got, err := c.Load(&http.Request{Header: http.Header{"Cookie": {name + "=" + forged}}}, storefront); got != nil || !errors.Is(err, sealed.ErrInvalid) {
			t.Errorf("a value sealed as %q: Load = %d bytes, %v, want ErrInvalid", as, len(got), err)
		}
	}
}

func TestCookieOutlivesKeys(t *testing.T) {
	old, next := sealed.GenerateKey(), sealed.GenerateKey()
	line := save(t, sealed.NewCookie(mustKeys(t, old), nil), storefront, []byte(record), 0)
	if got, err := sealed.NewCookie(mustKeys(t, next, old), nil).Load(request(line), storefront); string(got) != record {
		t.Errorf("Load with the old key still there = %d bytes, %v, want the record", len(got), err)
	}
	if got, err := sealed.NewCookie(mustKeys(t, next), nil).Load(request(line), storefront); got != nil || !errors.Is(err, sealed.ErrInvalid) {
		t.Errorf("Load without the old key = %d bytes, %v, want ErrInvalid", len(got), err)
	}
}

func TestCookieSize(t *testing.T) {
	c := newCookie(t, nil)
	longest := 0
	for n := 2500; n < 3500; n++ {
		w := httptest.NewRecorder()
		err := c.Save(w, storefront, make([]byte, n), 14*24*time.Hour)
		if err == nil {
			longest = n
			continue
		}
		if len(w.Header()) != 0 {
			t.Errorf("%d bytes: header = %v, want none", n, w.Header())
		}
		if !loggable(err) || !strings.HasPrefix(err.Error(), "sealed: the record makes a cookie of ") || !strings.HasSuffix(err.Error(), "keep customers in a Storage instead") {
			t.Errorf("error = %v, want one that may be logged, with the way out", err)
		}
	}
	if longest < 2900 || longest > 2999 {
		t.Errorf("the longest record has %d bytes, want some 2.9 KB", longest)
	}
}

func TestZeroCookie(t *testing.T) {
	var c sealed.Cookie
	w := httptest.NewRecorder()
	if err := c.Save(w, storefront, []byte(record), 0); err == nil || len(w.Header()) != 0 {
		t.Errorf("Save = %v, want an error", err)
	}
	line := strings.TrimPrefix(save(t, newCookie(t, &sealed.CookieOptions{Insecure: true}), storefront, []byte(record), 0), "bearer-")
	if got, err := c.Load(request(line), storefront); got != nil || !errors.Is(err, sealed.ErrInvalid) {
		t.Errorf("Load = %d bytes, %v, want ErrInvalid", len(got), err)
	}
}

func FuzzCookieLoad(f *testing.F) {
	c := sealed.NewCookie(mustKeys(f, keyOf('k')), nil) // the same in each process
	line := save(f, c, storefront, []byte(record), 0)
	pair, _, _ := strings.Cut(line, ";")
	name, value, _ := strings.Cut(pair, "=")
	other, _, _ := strings.Cut(save(f, c, "other", []byte(`{"accessToken":"of another"}`), 0), ";")
	_, otherValue, _ := strings.Cut(other, "=")
	for _, header := range []string{pair, other, "theme=dark; " + pair, other + ";" + pair, name + "=" + otherValue, name + "=" + value[4:], name + `="` + value + `"`, name + "=", ""} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got, err := c.Load(&http.Request{Header: http.Header{"Cookie": {header}}}, storefront)
		if got != nil && (err != nil || string(got) != record || !strings.Contains(header, name)) {
			t.Errorf("Load = %q, %v, want what was sealed, an error or nothing", got, err)
		}
		if err != nil && !errors.Is(err, sealed.ErrInvalid) {
			t.Errorf("error = %v, want ErrInvalid", err)
		}
		if err == nil && got == nil && strings.Contains(header, name+"=") && strings.HasPrefix(header, name) {
			t.Errorf("Load = nil, nil, want an error or the record of a cookie that is there")
		}
	})
}

func FuzzSealOpen(f *testing.F) {
	keys := mustKeys(f, keyOf('k'))
	f.Add("name", []byte("plain"), "nam", uint(3))
	f.Add("", []byte{}, "\x00", uint(0))
	f.Fuzz(func(t *testing.T, name string, plain []byte, other string, at uint) {
		box := keys.Seal(name, plain)
		if got, err := keys.Open(name, box); err != nil || string(got) != string(plain) {
			t.Errorf("Open = %q, %v, want %q", got, err, plain)
		}
		if got, err := keys.Open(other, box); other != name && err == nil {
			t.Errorf("Open under %q of what was sealed under %q = %q", other, name, got)
		}
		box[at%uint(len(box))] ^= byte(at%255) + 1
		if got, err := keys.Open(name, box); err == nil {
			t.Errorf("Open of a changed value = %q", got)
		}
		if got, err := keys.Open(name, plain); err == nil {
			t.Errorf("Open of what was not sealed = %q", got)
		}
	})
}

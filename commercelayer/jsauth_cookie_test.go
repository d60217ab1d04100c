package commercelayer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/storagetest"
)

const (
	cookieKey    = "cl_customer-ID-market:id:xYZ"
	cookieName   = "cl_customer-ID-market%3Aid%3AxYZ"
	cookieRecord = `{"accessToken":"JWT","scope":"market:id:xYZ","refreshToken":"RT"}`

	// What js-auth's two writers make of them.
	serverPair  = cookieName + "=%7B%22accessToken%22%3A%22JWT%22%2C%22scope%22%3A%22market%3Aid%3AxYZ%22%2C%22refreshToken%22%3A%22RT%22%7D"
	browserPair = cookieName + "={%22accessToken%22:%22JWT%22%2C%22scope%22:%22market:id:xYZ%22%2C%22refreshToken%22:%22RT%22}"
)

func TestJSAuthCookieIsACarrier(t *testing.T) {
	storagetest.RunCarrier(t, func(*testing.T) bearer.Carrier { return commercelayer.NewJSAuthCookie(nil) })
}

// cookies is a request's header with these cookies.
func cookies(lines ...string) *http.Request {
	return &http.Request{Header: http.Header{"Cookie": lines}}
}

// loggableCookieError reports whether package bearer logs err by its own words.
func loggableCookieError(err error) bool {
	var own slog.LogValuer
	return errors.As(err, &own) && err.Error() == "commercelayer: "+own.LogValue().String()
}

func TestJSAuthCookieSave(t *testing.T) {
	insecure := &commercelayer.JSAuthCookieOptions{Insecure: true}
	record := []byte(cookieRecord)
	tests := []struct {
		name, key string
		opts      *commercelayer.JSAuthCookieOptions
		record    []byte
		maxAge    time.Duration
		want      string
	}{
		{"as js-auth's server", cookieKey, nil, record, 0, serverPair + "; Path=/; Secure"},
		{"remembered", cookieKey, &commercelayer.JSAuthCookieOptions{}, record, 14 * 24 * time.Hour, serverPair + "; Path=/; Max-Age=1209600; Secure"},
		{"removed", cookieKey, nil, nil, time.Hour, cookieName + "=null; Path=/; Max-Age=0"},
		{"plain http", cookieKey, insecure, record, 0, serverPair + "; Path=/"},
		{"plain http, removed", cookieKey, insecure, nil, 0, cookieName + "=null; Path=/; Max-Age=0"},
		{"two parts of a scope", "cl_customer-ID-market:id:a store:id:b", nil, []byte("{}"), 0, "cl_customer-ID-market%3Aid%3Aa%20store%3Aid%3Ab=%7B%7D; Path=/; Secure"},
		{"what is kept", "aZ09-_.!~*'()#$&+^`|", nil, []byte(`{"aZ09-_.!~*'()":1}`), 0, "aZ09-_.!~*'()#$&+^`|=%7B%22aZ09-_.!~*'()%22%3A1%7D; Path=/; Secure"},
		{"what is not", "\x00\r\n \",/;<=>?@[\\]{}%\x7fé", nil, []byte("{\"#$&+,/:;<=>?@[\\\\]^`|%\x7fé🛒\":\n1}"), 0,
			"%00%0D%0A%20%22%2C%2F%3B%3C%3D%3E%3F%40%5B%5C%5D%7B%7D%25%7F%C3%A9=%7B%22%23%24%26%2B%2C%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5C%5D%5E%60%7C%25%7F%C3%A9%F0%9F%9B%92%22%3A%0A1%7D; Path=/; Secure"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			if err := commercelayer.NewJSAuthCookie(tt.opts).Save(w, tt.key, tt.record, tt.maxAge); err != nil {
				t.Fatal(err)
			}
			if got := w.Header()["Set-Cookie"]; !slices.Equal(got, []string{tt.want}) {
				t.Errorf("Set-Cookie = %q, want\n%q", got, tt.want)
			}
			pair, _, _ := strings.Cut(tt.want, ";")
			if got, err := commercelayer.NewJSAuthCookie(nil).Load(cookies(pair), tt.key); err != nil || string(got) != string(tt.record) {
				t.Errorf("Load = %q, %v, want %q", got, err, tt.record)
			}
		})
	}
}

func TestJSAuthCookieSaveRefuses(t *testing.T) {
	tests := []struct {
		name, key, record string
		maxAge            time.Duration
		want              string
	}{
		{"no key", "", "{}", 0, "key"},
		{"key not in UTF-8", "a\xff", "{}", 0, "key"},
		{"empty", cookieKey, "", 0, "not a JSON object"},
		{"null", cookieKey, "null", 0, "not a JSON object"},
		{"undefined", cookieKey, "undefined", 0, "not a JSON object"},
		{"list", cookieKey, `["s3cr3t"]`, 0, "not a JSON object"},
		{"text", cookieKey, `"s3cr3t"`, 0, "not a JSON object"},
		{"cut off", cookieKey, `{"accessToken":"s3cr3t"`, 0, "not a JSON object"},
		{"two", cookieKey, `{"accessToken":"s3cr3t"}{}`, 0, "not a JSON object"},
		{"after a byte order mark", cookieKey, "\ufeff{}", 0, "not a JSON object"},
		{"not in UTF-8", cookieKey, "{\"accessToken\":\"s3cr3t\xff\"}", 0, "not a JSON object"},
		{"too long", cookieKey, `{"accessToken":"` + strings.Repeat("s3cr3t", 700) + `"}`, 0, "keep customers in a Storage instead"},
		{"too long once encoded", cookieKey, `{"accessToken":"s3cr3t` + strings.Repeat("=", 1400) + `"}`, 0, "keep customers in a Storage instead"},
		{"negative", cookieKey, cookieRecord, -1, "maxAge is negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			err := commercelayer.NewJSAuthCookie(nil).Save(w, tt.key, []byte(tt.record), tt.maxAge)
			if err == nil || len(w.Header()) != 0 {
				t.Fatalf("Save = %v, header %v, want an error and nothing set", err, w.Header())
			}
			if !loggableCookieError(err) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("error = %v, want %q and no secret", err, tt.want)
			}
		})
	}
}

func TestJSAuthCookieLoad(t *testing.T) {
	raw := strings.TrimPrefix(serverPair, cookieName+"=")
	long := `{"accessToken":"` + strings.Repeat("x", 8<<10-18) + `"}`
	tests := []struct {
		name, header string
		want         string // "": none
		err          string // "": none
	}{
		{"none", "theme=dark", "", ""},
		{"server", serverPair, cookieRecord, ""},
		{"browser", browserPair, cookieRecord, ""},
		{"among others", "theme=dark; " + browserPair + "; lang=it", cookieRecord, ""},
		{"no space after a semicolon", "theme=dark;" + serverPair + ";lang=it", cookieRecord, ""},
		{"lower-case hex in the value", cookieName + "=" + strings.ToLower("%7B%7D"), "{}", ""},
		{"raw JSON", cookieName + "=" + cookieRecord, cookieRecord, ""},
		{"raw JSON with spaces", cookieName + `= { "a" : "b, c" } `, `{ "a" : "b, c" }`, ""},
		{"raw UTF-8", cookieName + `={"a":"é🛒"}`, `{"a":"é🛒"}`, ""},
		{"spaces and line ends", cookieName + "=%0A%7B%20%7D%0A", "\n{ }\n", ""},
		{"in double quotes", cookieName + `="` + raw + `"`, cookieRecord, ""},
		{"lower-case hex in the name", "cl_customer-ID-market%3aid%3axYZ=" + raw, cookieRecord, ""},
		{"name not encoded", cookieKey + "=" + raw, cookieRecord, ""},
		{"name encoded throughout", "%63l_customer-ID-market%3Aid%3AxYZ=" + raw, cookieRecord, ""},
		{"plus", cookieName + "=%7B%22a%22:%22b+c%22}", `{"a":"b+c"}`, ""},
		{"encoded once more", cookieName + "=%257B%257D", "", "not a JSON object"},
		{"null", cookieName + "=null", "", ""},
		{"null with spaces", cookieName + "=%20null%0A", "", ""},
		{"empty", cookieName + "=", "", ""},
		{"empty in double quotes", cookieName + `=""`, "", ""},
		{"name alone", cookieName, "", ""},
		{"true", cookieName + "=true", "", "not a JSON object"},
		{"undefined", cookieName + "=undefined", "", "not a JSON object"},
		{"list", cookieName + "=[]", "", "not a JSON object"},
		{"bare token", cookieName + "=s3cr3t", "", "not a JSON object"},
		{"JSON in a JSON text", cookieName + `="%22{}%22"`, "", "not a JSON object"},
		{"one double quote", cookieName + `="`, "", "not a JSON object"},
		{"cut off", serverPair[:len(serverPair)-3], "", "not a JSON object"},
		{"cut off in an encoded byte", serverPair[:len(serverPair)-1], "", ""},
		{"broken encoding", cookieName + "={%22a%22:%22%zz%22}", "", ""},
		{"unencoded percent", cookieName + `={"a":"100%"}`, "", ""},
		{"not UTF-8", cookieName + "={%22a%22:%22%FF%22}", "", ""},
		{"surrogate", cookieName + "={%22a%22:%22%ED%A0%80%22}", "", ""},
		{"semicolon not encoded", cookieName + `={"a":"b;c"}`, "", "not a JSON object"},
		{"the same twice", serverPair + "; " + serverPair, "", "twice"},
		{"two writers' names", serverPair + "; " + cookieKey + "=null", "", "twice"},
		{"other case of the name", "CL_customer-ID-market%3Aid%3AxYZ=" + raw, "", ""},
		{"broken name", "cl_customer-ID-market%3Aid%3AxYZ%=" + raw, "", ""},
		{"name encoded once more", "cl_customer-ID-market%253Aid%253AxYZ=" + raw, "", ""},
		{"another scope", strings.Replace(serverPair, "xYZ", "abc", 1), "", ""},
		{"longest", cookieName + "=" + long, long, ""},
		{"long", cookieName + "=" + strings.Replace(long, "x", "xx", 1), "", "longer than 8 KiB"},
		{"long, encoded", cookieName + "=%7B" + strings.Repeat("%20", 5000) + "%7D", "{" + strings.Repeat(" ", 5000) + "}", ""},
		{"long header", serverPair + "; a=" + strings.Repeat("s3cr3t", 6000), "", "longer than 32 KiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c commercelayer.JSAuthCookie
			got, err := c.Load(cookies(tt.header), cookieKey)
			if string(got) != tt.want || (err == nil) != (tt.err == "") || (got == nil) != (tt.want == "") {
				t.Fatalf("Load = %q, %v, want %q and error %q", got, err, tt.want, tt.err)
			}
			if err != nil && (!loggableCookieError(err) || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "s3cr3t")) {
				t.Errorf("error = %v, want %q and no secret", err, tt.err)
			}
		})
	}
}

// asBrowser encodes a cookie's value as js-auth's browser side does.
func asBrowser(record string) string {
	var b strings.Builder
	for _, c := range []byte(record) {
		if c > ' ' && c < 0x7f && !strings.ContainsRune(`"%,;\`, rune(c)) {
			b.WriteByte(c)
		} else {
			b.WriteString(strings.ReplaceAll(url.QueryEscape(string([]byte{c})), "+", "%20"))
		}
	}
	return b.String()
}

func TestZeroJSAuthCookie(t *testing.T) {
	var c commercelayer.JSAuthCookie
	w := httptest.NewRecorder()
	if err := c.Save(w, cookieKey, []byte(cookieRecord), 0); err != nil || w.Header().Get("Set-Cookie") != serverPair+"; Path=/; Secure" {
		t.Errorf("Save = %v, header %v, want it for https", err, w.Header())
	}
}

func FuzzJSAuthCookie(f *testing.F) {
	f.Add(cookieKey, cookieRecord)
	f.Add("a b(c)", "{\"é\":\"\U0001F6D2 +%+; \\\\\"}")
	f.Add("%3A", "\n{ }\t")
	f.Fuzz(func(t *testing.T, key, record string) {
		c := commercelayer.NewJSAuthCookie(nil)
		w := httptest.NewRecorder()
		fields := map[string]json.RawMessage{}
		sound := utf8.ValidString(record) && json.Unmarshal([]byte(record), &fields) == nil && fields != nil
		if err := c.Save(w, key, []byte(record), 0); err != nil {
			if sound && key != "" && utf8.ValidString(key) && len(key)+len(record) < 1300 {
				t.Errorf("Save = %v, want it to take any JSON object", err)
			}
			if len(w.Header()) != 0 {
				t.Errorf("header = %v, want none after an error", w.Header())
			}
			return
		}
		if !sound {
			t.Fatalf("Save of %q = nil, want an error", record)
		}
		line := w.Header().Get("Set-Cookie")
		pair, attributes, _ := strings.Cut(line, ";")
		if attributes != " Path=/; Secure" || strings.ContainsFunc(pair, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == ',' }) {
			t.Errorf("Set-Cookie = %q, want no more than the pair and two attributes", line)
		}
		name, _, _ := strings.Cut(pair, "=")
		for what, header := range map[string]string{"server": pair, "browser": name + "=" + asBrowser(record), "quoted": "=b;" + name + `="` + asBrowser(record) + `"`} {
			if got, err := c.Load(cookies(header), key); err != nil || string(got) != record {
				t.Errorf("%s: Load = %q, %v, want %q", what, got, err, record)
			}
		}
	})
}

func FuzzJSAuthCookieLoad(f *testing.F) {
	f.Add(serverPair, "")
	f.Add("a=b;"+browserPair, cookieName+"=null")
	f.Add(cookieName+`={"a":1}`, cookieName)
	f.Fuzz(func(t *testing.T, first, second string) {
		c := commercelayer.NewJSAuthCookie(nil)
		r := cookies(first, second)
		before := maps.Clone(r.Header)
		got, err := c.Load(r, cookieKey)
		if !maps.EqualFunc(r.Header, before, slices.Equal) {
			t.Errorf("header = %q, want it as it was", r.Header)
		}
		if err != nil && (got != nil || !loggableCookieError(err)) {
			t.Errorf("Load = %q, %v, want one of them, and an error that may be logged", got, err)
		}
		if got == nil {
			return
		}
		var fields map[string]json.RawMessage
		if len(got) > 8<<10 || !utf8.Valid(got) || json.Unmarshal(got, &fields) != nil || fields == nil {
			t.Fatalf("Load = %q, want a JSON object of at most 8 KiB", got)
		}
		w := httptest.NewRecorder()
		if c.Save(w, cookieKey, got, 0) != nil {
			return // it is too long
		}
		pair, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
		if again, err := c.Load(cookies(pair), cookieKey); err != nil || string(again) != string(got) {
			t.Errorf("written and read again: %q, %v, want %q", again, err, got)
		}
	})
}

// The cookie is the one that js-auth writes and reads in a Next.js storefront.
func ExampleNewJSAuthCookie() {
	var carrier bearer.Carrier = commercelayer.NewJSAuthCookie(nil) // for MiddlewareOptions.Carrier

	// What the middleware does with it.
	w := httptest.NewRecorder()
	if err := carrier.Save(w, "cl_customer-ID-market:id:xYZ", []byte(`{"accessToken":"JWT","scope":"market:id:xYZ"}`), 0); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Header().Get("Set-Cookie"))
	// Output: cl_customer-ID-market%3Aid%3AxYZ=%7B%22accessToken%22%3A%22JWT%22%2C%22scope%22%3A%22market%3Aid%3AxYZ%22%7D; Path=/; Secure
}

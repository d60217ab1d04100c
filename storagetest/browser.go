package storagetest

import (
	"bytes"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
)

// browser keeps the cookies that a carrier sets, and sends them.
type browser struct {
	t       *testing.T
	carrier bearer.Carrier
	jar     *cookiejar.Jar
}

var shop = &url.URL{Scheme: "https", Host: "shop.example", Path: "/cart"}

func newBrowser(t *testing.T, c bearer.Carrier) *browser {
	jar, _ := cookiejar.New(nil) // it never fails
	return &browser{t, c, jar}
}

// request is one of the browser's, with its cookies.
func (b *browser) request() *http.Request {
	r := requestWith()
	for _, c := range b.jar.Cookies(shop) {
		r.AddCookie(c)
	}
	return r
}

// sent is the line of cookies that the browser sends.
func (b *browser) sent() string {
	b.t.Helper()
	lines := b.request().Header["Cookie"]
	if len(lines) != 1 || !strings.Contains(lines[0], "=") {
		b.t.Fatal("the browser has no cookie")
	}
	return lines[0]
}

// requestWith is a request with these lines of cookies.
func requestWith(lines ...string) *http.Request {
	r := &http.Request{Method: "GET", URL: shop, Host: shop.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody}
	if len(lines) > 0 {
		r.Header["Cookie"] = lines
	}
	return r
}

// save saves record, and returns the cookies set.
func (b *browser) save(key string, record []byte, maxAge time.Duration) []*http.Cookie {
	b.t.Helper()
	w := newHeaderOnly(b.t)
	b.saveTo(w, key, record, maxAge)
	return b.receive(w)
}

func (b *browser) saveTo(w *headerOnly, key string, record []byte, maxAge time.Duration) {
	b.t.Helper()
	kept := bytes.Clone(record)
	if err := b.carrier.Save(w, key, record, maxAge); err != nil {
		b.t.Fatalf("Save of %d bytes under %q = %v", len(record), key, err)
	}
	if !bytes.Equal(kept, record) {
		b.t.Fatal("Save has changed the record")
	}
}

// receive takes what w has into the jar, and returns it.
func (b *browser) receive(w *headerOnly) []*http.Cookie {
	b.t.Helper()
	var set []*http.Cookie
	for _, line := range w.header["Set-Cookie"] {
		if slices.Contains(w.before["Set-Cookie"], line) {
			continue
		}
		c, err := http.ParseSetCookie(line)
		if err != nil || strings.ContainsAny(line, "\r\n\x00") {
			b.t.Fatalf("Set-Cookie of %d bytes is none: %v", len(line), err)
		}
		if strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || c.Path != "/" || c.Domain != "") {
			b.t.Fatalf("Set-Cookie = %s, which browsers refuse", withoutValue(c))
		}
		set = append(set, c)
	}
	if len(set) == 0 {
		b.t.Fatal("Set-Cookie = none, want one")
	}
	b.jar.SetCookies(shop, set)
	return set
}

// withoutValue is c as a test may print it.
func withoutValue(c *http.Cookie) string {
	shown := *c
	shown.Value = "…"
	return shown.String()
}

// load calls Load and looks at what comes of it.
func (b *browser) load(r *http.Request, key string) ([]byte, error) {
	b.t.Helper()
	record, err := b.carrier.Load(r, key)
	if err != nil {
		if record != nil {
			b.t.Errorf("Load = %d bytes and an error, want one of them", len(record))
		}
		wantSilent(b.t, err)
	}
	return record, err
}

func (b *browser) want(key string, record []byte) {
	b.t.Helper()
	if got, err := b.load(b.request(), key); err != nil || !bytes.Equal(got, record) {
		b.t.Fatalf("Load under %q = %d bytes, %v, want the %d that were saved", key, len(got), err, len(record))
	}
}

func (b *browser) wantNone(key string) {
	b.t.Helper()
	if got, err := b.load(b.request(), key); err != nil || got != nil {
		b.t.Fatalf("Load under %q = %d bytes, %v, want nil, nil", key, len(got), err)
	}
}

// wantSilent fails if err quotes the record.
func wantSilent(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), hidden) {
		t.Error("an error quotes the record")
	}
}

// headerOnly is a response that has fields already, and takes no more than that.
type headerOnly struct {
	t              *testing.T
	header, before http.Header
}

func newHeaderOnly(t *testing.T) *headerOnly {
	h := http.Header{"Set-Cookie": {"theme=dark; Path=/", "cl=1"}, "Content-Type": {"text/html"}, "Vary": {"Accept"}}
	return &headerOnly{t, h, h.Clone()}
}

func (w *headerOnly) Header() http.Header { return w.header }

func (w *headerOnly) WriteHeader(int) { w.t.Error("WriteHeader was called, want header fields only") }

func (w *headerOnly) Write(p []byte) (int, error) {
	w.t.Error("Write was called, want header fields only")
	return len(p), nil
}

// wantUnchanged fails if something was set.
func (w *headerOnly) wantUnchanged() {
	w.t.Helper()
	if !maps.EqualFunc(w.header, w.before, slices.Equal) {
		w.t.Errorf("%d lines of Set-Cookie, want those from before", len(w.header["Set-Cookie"]))
	}
}

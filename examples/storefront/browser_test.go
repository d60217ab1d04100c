package main

import (
	"bufio"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/internal/pipe"
)

const origin = "https://kiosk.example"

// kiosk is the shop, served in a bubble by its own server, over a Commerce Layer in
// the same bubble.
type kiosk struct {
	*shop
	t         *testing.T
	transport *http.Transport
	direct    []*http.Transport // to the instances of a fleet
	issued    *issued
	stop      context.CancelFunc
	stopped   chan error

	mu   sync.Mutex // guards seen
	seen []string   // every answer that a browser got, header and body
}

// inKiosk calls f with a shop over a local Commerce Layer, in a bubble.
func inKiosk(t *testing.T, f func(t *testing.T, k *kiosk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		service, err := newService(func(string) string { return "" }, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer service.close()
		serveKiosk(t, service, false, f)
	})
}

// serveKiosk calls f with a shop, and checks at the end that no browser has seen a
// token.
func serveKiosk(t *testing.T, service *service, insecure bool, f func(t *testing.T, k *kiosk)) {
	t.Helper()
	k := &kiosk{t: t, issued: &issued{base: service.base}, stopped: make(chan error, 1)}
	service.base = k.issued
	var err error
	if k.shop, err = newShop(service, insecure); err != nil {
		t.Fatal(err)
	}
	l := pipe.Listen()
	var ctx context.Context
	ctx, k.stop = context.WithCancel(t.Context())
	go func() { k.stopped <- k.serve(ctx, l) }()
	k.transport = &http.Transport{DialContext: l.Dial, DialTLSContext: l.Dial}
	defer func() {
		k.transport.CloseIdleConnections()
		k.stop()
		<-k.stopped
	}()
	f(t, k)
	k.checkSecrets()
}

// checkSecrets looks for tokens in all that browsers have seen.
func (k *kiosk) checkSecrets() {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	tokens := k.issued.list()
	if len(k.seen) == 0 {
		k.t.Error("no browser has seen anything")
	}
	for _, token := range tokens {
		for _, answer := range k.seen {
			if strings.Contains(answer, token) {
				k.t.Fatalf("a browser has seen a token:\n%.2000s", answer)
			}
		}
	}
}

// issued is a Base that remembers each token that the service has given out.
type issued struct {
	base   http.RoundTripper
	mu     sync.Mutex // guards tokens
	tokens []string
}

func (i *issued) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := i.base.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/oauth/token") {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	json.Unmarshal(b, &answer)
	i.mu.Lock()
	for _, token := range []string{answer.Access, answer.Refresh} {
		if token != "" {
			i.tokens = append(i.tokens, token)
		}
	}
	i.mu.Unlock()
	resp.Body = io.NopCloser(strings.NewReader(string(b)))
	return resp, nil
}

func (i *issued) list() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.tokens...)
}

// browser is a visitor's, with cookies of its own. It follows redirects.
type browser struct {
	k      *kiosk
	client *http.Client
}

func (k *kiosk) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		k.t.Fatal(err)
	}
	b := &browser{k: k, client: &http.Client{Jar: jar}}
	b.client.Transport = recorder{k, k.transport}
	return b
}

// recorder keeps what browsers see, each answer of a chain of redirects.
type recorder struct {
	k    *kiosk
	line *http.Transport
}

func (x recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := x.line.RoundTrip(r)
	if err != nil || resp.Header.Get("Content-Type") == "text/event-stream" {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	var header strings.Builder
	resp.Header.Write(&header)
	x.k.mu.Lock()
	x.k.seen = append(x.k.seen, header.String()+"\r\n"+string(b))
	x.k.mu.Unlock()
	resp.Body = io.NopCloser(strings.NewReader(string(b)))
	return resp, nil
}

// screen is a page as a browser shows it.
type screen struct {
	t      *testing.T
	Status int
	Path   string // after redirects, with the query
	Header http.Header
	Body   string
}

func (b *browser) do(req *http.Request) *screen {
	b.k.t.Helper()
	resp, err := b.client.Do(req)
	if err != nil {
		b.k.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.k.t.Fatal(err)
	}
	return &screen{b.k.t, resp.StatusCode, resp.Request.URL.RequestURI(), resp.Header, string(body)}
}

func (b *browser) request(method, path string, form url.Values) *http.Request {
	b.k.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.k.t.Context(), method, origin+path, body)
	if err != nil {
		b.k.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return req
}

func (b *browser) get(path string) *screen {
	b.k.t.Helper()
	return b.do(b.request("GET", path, nil))
}

// post sends a form; the fields are names and values in turn.
func (b *browser) post(path string, fields ...string) *screen {
	b.k.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.do(b.request("POST", path, form))
}

// signIn signs Ada in.
func (b *browser) signIn() *screen {
	b.k.t.Helper()
	p := b.post("/eu/sign-in", "email", commercelayertest.CustomerEmail, "password", commercelayertest.CustomerPassword, "next", "/eu/")
	if !p.has("sign-out") {
		b.k.t.Fatalf("signing in led to %d %s\n%s", p.Status, p.Path, p.Body)
	}
	return p
}

// cookie returns the value of a cookie; nothing if there is none.
func (b *browser) cookie(prefix string) string {
	u, _ := url.Parse(origin)
	for _, c := range b.client.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, prefix) {
			return c.Value
		}
	}
	return ""
}

// setCookie puts a cookie into the browser.
func (b *browser) setCookie(name, value string) {
	u, _ := url.Parse(origin)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Secure: true, Path: "/"}})
}

func (p *screen) has(test string) bool { return strings.Contains(p.Body, `data-test="`+test+`"`) }

var tag = regexp.MustCompile(`<[^>]*>`)

// text is that of the elements with this data-test, up to where an element of that
// kind ends.
func (p *screen) text(test string) string {
	at := strings.Index(p.Body, `data-test="`+test+`"`)
	if at < 0 {
		return ""
	}
	start := strings.LastIndexByte(p.Body[:at], '<')
	name := strings.FieldsFunc(p.Body[start+1:], func(c rune) bool { return c == ' ' || c == '>' })[0]
	rest := p.Body[at:]
	rest = rest[strings.IndexByte(rest, '>')+1:]
	rest, _, _ = strings.Cut(rest, "</"+name+">")
	return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(rest, " "))), " ")
}

// attr is that attribute of the element with this data-test.
func (p *screen) attr(test, name string) string {
	m := regexp.MustCompile(`<[^>]*data-test="` + regexp.QuoteMeta(test) + `"[^>]*>`).FindString(p.Body)
	_, rest, _ := strings.Cut(m, " "+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(value)
}

// notice is the code of the notice on the page.
func (p *screen) notice() string { return p.attr("notice", "data-code") }

// field is one of the panel's box of the last request.
func (p *screen) field(name string) string {
	_, rest, _ := strings.Cut(p.Body, `data-field="`+name+`"`)
	rest = rest[strings.IndexByte(rest, '>')+1:]
	rest, _, _ = strings.Cut(rest, "</")
	return html.UnescapeString(rest)
}

// want fails unless the page has this status and notice.
func (p *screen) want(status int, notice string) *screen {
	p.t.Helper()
	if p.Status != status || p.notice() != notice {
		p.t.Fatalf("%s: status %d and notice %q, want %d and %q\n%s", p.Path, p.Status, p.notice(), status, notice, p.text("problem"))
	}
	return p
}

// stream opens the panel's stream and returns its events, as they come. It ends
// with the function that is returned too, or with the channel.
func (b *browser) stream(after string) (<-chan sse, func()) {
	b.k.t.Helper()
	ctx, cancel := context.WithCancel(b.k.t.Context())
	req := b.request("GET", "/events?after="+after, nil).WithContext(ctx)
	resp, err := b.client.Do(req)
	if err != nil {
		b.k.t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		b.k.t.Fatalf("the stream's type is %q", got)
	}
	events := make(chan sse, 1000)
	go func() {
		defer close(events)
		defer resp.Body.Close()
		var e sse
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.ID = value
			case "event":
				e.Event = value
			case "data":
				e.Data = value
			case "":
				events <- e
				e = sse{}
			}
		}
	}()
	return events, cancel
}

type sse struct{ ID, Event, Data string }

// drain returns what has come so far, as one text.
func drain(events <-chan sse) string {
	synctest.Wait()
	var b strings.Builder
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return b.String()
			}
			b.WriteString(e.Event + " " + e.Data + "\n")
		default:
			return b.String()
		}
	}
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

package main

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/examples/signon/provider"
	"github.com/bearerkit/bearer/internal/pipe"
)

const (
	origin = "https://kiosk.example"
	issuer = "https://id.example"
)

// world is a shop, its provider and its Commerce Layer, in a bubble.
type world struct {
	t          *testing.T
	shop       *shop
	identities *provider.Provider
	service    *commercelayertest.Server
	transport  *http.Transport

	mu      sync.Mutex // guards what follows
	answer  func(answer map[string]any)
	answers []map[string]any // of the provider's token endpoint, as it has given them
	seen    string           // by browsers
	logged  bytes.Buffer
}

func inWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, service: commercelayertest.NewServer(nil)}
		defer w.service.Close()
		w.identities = provider.New(issuer, provider.Client{ID: "shop", Secret: "s3cr3t & more", RedirectURI: origin + "/callback"}, users)
		w.transport = pipe.Serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			switch "https://" + r.Host {
			case origin:
				w.shop.ServeHTTP(rw, r)
			case issuer:
				w.identities.ServeHTTP(rw, r)
			}
		}))
		var err error
		w.shop, err = newShop(t.Context(), config{
			origin: origin, issuer: issuer, base: roundTripper(w.fetch), clientID: "shop", clientSecret: "s3cr3t & more", customers: customersBy(issuer),
			service: &commercelayer.Options{ClientSecret: commercelayertest.SalesChannelSecret, Base: w.service.Transport()},
			api:     w.service.APIURL(), log: slog.New(slog.NewTextHandler(writer(w.log), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		f(t, w)
		w.checkSecrets()
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type writer func([]byte)

func (f writer) Write(b []byte) (int, error) { f(b); return len(b), nil }

func (w *world) log(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logged.Write(b)
}

// fetch is how the shop reaches the provider; the test may change what that answers.
func (w *world) fetch(r *http.Request) (*http.Response, error) {
	resp, err := w.transport.RoundTrip(r)
	if err != nil || r.URL.Path != "/token" {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	var answer map[string]any
	if err != nil || json.Unmarshal(b, &answer) != nil {
		w.t.Errorf("the token endpoint answers %s, %v", b, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers, maps.Clone(answer))
	if w.answer != nil {
		w.answer(answer)
	}
	b, err = json.Marshal(answer)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	resp.Header.Del("Content-Length")
	return resp, err
}

// tamper changes what the token endpoint answers from now on.
func (w *world) tamper(f func(answer map[string]any)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

// lastToken is the ID token that the provider has issued last.
func (w *world) lastToken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	token, _ := w.answers[len(w.answers)-1]["id_token"].(string)
	return token
}

// secrets are JWTs, whoever's, and the shop's secret.
var secrets = regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+|s3cr3t`)

// checkSecrets looks for tokens in what browsers have seen and in the log.
func (w *world) checkSecrets() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, answer := range w.answers {
		for _, name := range []string{"id_token", "access_token"} {
			token, _ := answer[name].(string)
			if token != "" && (strings.Contains(w.seen, token) || strings.Contains(w.logged.String(), token)) {
				w.t.Errorf("an %s got out", name)
			}
		}
	}
	if found := secrets.FindString(w.seen + w.logged.String()); found != "" {
		w.t.Errorf("this got out: %s", found)
	}
	if strings.Contains(w.logged.String(), "@example.com") {
		w.t.Errorf("the log names somebody:\n%s", w.logged.String())
	}
}

// browser is a visitor's, with cookies of its own.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w, &http.Client{Jar: jar, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := w.transport.RoundTrip(r)
		if err == nil {
			var header strings.Builder
			resp.Header.Write(&header)
			w.see(header.String()) // of each answer in a chain of redirects
		}
		return resp, err
	})}}
}

// see notes what a browser sees.
func (w *world) see(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen += text
}

// screen is a page as a browser shows it.
type screen struct {
	w      *world
	Status int
	URL    *url.URL // after redirects
	Header http.Header
	Body   string
}

// open sends a request, a form if there is one. With stay, redirects to the shop's
// callback are not followed.
func (b *browser) open(method, address string, form url.Values, stay bool) *screen {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	client := *b.client
	client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if stay && r.URL.Path == "/callback" {
			return http.ErrUseLastResponse
		}
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		return nil
	}
	resp, err := client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.w.see(string(body))
	return &screen{b.w, resp.StatusCode, resp.Request.URL, resp.Header, string(body)}
}

func (b *browser) get(address string) *screen {
	b.w.t.Helper()
	return b.open(http.MethodGet, address, nil, false)
}

func (b *browser) post(address string) *screen {
	b.w.t.Helper()
	return b.open(http.MethodPost, address, url.Values{}, false)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// choose is what a user does on the provider's page. It returns the address that leads back to
// the shop.
func (b *browser) choose(p *screen, subject string) string {
	b.w.t.Helper()
	form := url.Values{"user": {subject}}
	for _, field := range hidden.FindAllStringSubmatch(p.Body, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	if p.Status != 200 || p.URL.Host != "id.example" || len(form) != 9 {
		b.w.t.Fatalf("at %s, status %d, with %d fields", p.URL, p.Status, len(form))
	}
	p = b.open(http.MethodPost, issuer+"/authorize", form, true)
	back := p.Header.Get("Location")
	if p.Status != http.StatusSeeOther || !strings.HasPrefix(back, origin+"/callback?") {
		b.w.t.Fatalf("the provider answers %d, and leads to %s", p.Status, back)
	}
	return back
}

// answer begins to sign on, and returns the provider's answer.
func (b *browser) answer(subject string) *url.URL {
	b.w.t.Helper()
	back, err := url.Parse(b.choose(b.post(origin+"/sign-on"), subject))
	if err != nil {
		b.w.t.Fatal(err)
	}
	return back
}

// signOn goes all the way.
func (b *browser) signOn(subject string) *screen {
	b.w.t.Helper()
	return b.get(b.answer(subject).String())
}

var shopURL = &url.URL{Scheme: "https", Host: "kiosk.example", Path: "/"}

func (b *browser) cookie(name string) string {
	for _, c := range b.client.Jar.Cookies(shopURL) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(name, value string) {
	b.client.Jar.SetCookies(shopURL, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

// attempt is what the browser has begun.
func (b *browser) attempt() attempt {
	b.w.t.Helper()
	a, ok := parseAttempt(b.cookie(attemptCookie))
	if !ok {
		b.w.t.Fatal("the browser has no attempt")
	}
	return a
}

// is checks who the shop says the visitor is: an address, or nobody.
func (b *browser) is(email string) {
	b.w.t.Helper()
	p := b.get(origin + "/")
	if p.Status != 200 || (email == "") != strings.Contains(p.Body, "You are a guest.") || email != "" && !strings.Contains(p.Body, "<b>"+email+"</b>") {
		b.w.t.Errorf("status %d, the visitor is not %q:\n%s", p.Status, email, p.Body)
	}
}

// want fails unless the page has this status and text.
func (p *screen) want(status int, text string) *screen {
	p.w.t.Helper()
	if p.Status != status || !strings.Contains(p.Body, text) {
		p.w.t.Errorf("%s: status %d, want %d with %q:\n%s", p.URL.Path, p.Status, status, text, p.Body)
	}
	return p
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

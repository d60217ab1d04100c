package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bearerkit/bearer"
	"golang.org/x/oauth2"
)

// api is a server that knows which tokens are good.
type api struct {
	mu     sync.Mutex // guards what follows
	good   func(token string) bool
	seen   []string // the Authorization headers
	bodies []string
	refuse func(w http.ResponseWriter) // the answer to a bad token; nil: the challenge of RFC 6750
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, r.Header.Get("Authorization"))
	a.bodies = append(a.bodies, string(body))
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case a.good == nil || a.good(token):
		fmt.Fprint(w, "hello")
	case a.refuse != nil:
		a.refuse(w)
	default:
		invalidToken(w)
	}
}

func (a *api) wantSeen(t *testing.T, want ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Equal(a.seen, want) {
		t.Errorf("the server saw Authorization %q, want %q", a.seen, want)
	}
}

func invalidToken(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprint(w, "no good")
}

func only(good ...string) func(string) bool {
	return func(token string) bool { return slices.Contains(good, token) }
}

func static(token string) bearer.TokenSource {
	return oauth2.StaticTokenSource(&bearer.Token{AccessToken: token})
}

func read(t *testing.T, resp *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("reading the body: %v", err)
	}
	return resp.StatusCode, string(body)
}

func want(t *testing.T, resp *http.Response, err error, status int, body string) {
	t.Helper()
	gotStatus, gotBody := read(t, resp, err)
	if gotStatus != status || gotBody != body {
		t.Errorf("got %d %q, want %d %q", gotStatus, gotBody, status, body)
	}
}

func TestTransportZeroValue(t *testing.T) {
	a := &api{}
	srv := httptest.NewServer(a)
	defer srv.Close()
	resp, err := (&http.Client{Transport: &bearer.Transport{Source: static("abc")}}).Get(srv.URL)
	want(t, resp, err, 200, "hello")
	a.wantSeen(t, "Bearer abc")
}

func TestTransportErrors(t *testing.T) {
	failing := bearer.NewSource(failFetch(errDown), nil)
	tests := []struct {
		name string
		tr   *bearer.Transport
		want string
	}{
		{"no source", &bearer.Transport{}, "Source is nil"},
		{"source fails", &bearer.Transport{Source: failing}, "no token"},
		{"empty token", &bearer.Transport{Source: static("")}, "empty token"},
		{"nil token", &bearer.Transport{Source: oauth2.StaticTokenSource(nil)}, "empty token"},
		{"line feed in token", &bearer.Transport{Source: static("s3cr3t\r\nHost: evil")}, "characters that no header may have"},
		{"NUL in token", &bearer.Transport{Source: static("s3cr3t\x00")}, "characters that no header may have"},
		{"plain http", &bearer.Transport{Source: static("abc"), RequireTLS: true}, "RequireTLS"},
		{"nil source of NewClient", bearer.NewClient(nil, nil).Transport.(*bearer.Transport), "Source is nil"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.tr.Base = roundTripFunc(func(*http.Request) (*http.Response, error) {
				t.Error("the request was sent")
				return nil, errDown
			})
			body := &oneShot{Reader: strings.NewReader("body")}
			resp, err := (&http.Client{Transport: tt.tr}).Post("http://api.test/", "text/plain", body)
			if err == nil || resp != nil {
				t.Fatalf("got response %v, error %v; want an error", resp, err)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("got %q, want %q in it and no secret", err, tt.want)
			}
			if n := body.closed.Load(); n != 1 {
				t.Errorf("the body was closed %d times, want once", n)
			}
		})
	}
}

func failFetch(err error) bearer.TokenFunc {
	return func(context.Context) (*bearer.Token, error) { return nil, err }
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransportLeavesTheRequestAlone(t *testing.T) {
	a := &api{good: only("token-2")}
	srv := httptest.NewServer(a)
	defer srv.Close()
	tr := &bearer.Transport{Source: bearer.NewSource((&endpoint{}).fetch, nil)}
	for range 2 { // replayed, and not
		req, _ := http.NewRequestWithContext(t.Context(), "PUT", srv.URL, strings.NewReader("body"))
		req.Header.Set("X-Own", "1")
		before := req.Clone(t.Context())
		resp, err := tr.RoundTrip(req)
		if fmt.Sprint(req.Header) != fmt.Sprint(before.Header) || req.URL.String() != before.URL.String() || req.Method != before.Method || req.Body == nil {
			t.Errorf("the request was changed: %v", req.Header)
		}
		if resp.Request != req {
			t.Error("resp.Request is not the caller's request")
		}
		want(t, resp, err, 200, "hello")
	}
	if got := fmt.Sprint(a.bodies); got != "[body body body]" {
		t.Errorf("the server got the bodies %v", got)
	}
}

func TestTransportAuthorizationHeader(t *testing.T) {
	tests := []struct {
		name string
		keep bool
		own  string
		want string
	}{
		{"none", false, "", "Bearer abc"},
		{"the caller's is replaced", false, "Basic of a browser", "Bearer abc"},
		{"none to keep", true, "", "Bearer abc"},
		{"kept", true, "Basic own", "Basic own"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &api{}
			srv := httptest.NewServer(a)
			defer srv.Close()
			req, _ := http.NewRequest("GET", srv.URL, nil)
			if tt.own != "" {
				req.Header.Set("Authorization", tt.own)
			}
			resp, err := (&bearer.Transport{Source: static("abc"), KeepAuthorization: tt.keep}).RoundTrip(req)
			want(t, resp, err, 200, "hello")
			a.wantSeen(t, tt.want)
		})
	}
}

func (c *changing) Token() (*bearer.Token, error) {
	return &bearer.Token{AccessToken: fmt.Sprintf("token-%d", c.n.Add(1))}, nil
}

func TestTransportErrorIsTheBases(t *testing.T) {
	client := bearer.NewClient(static("s3cr3t"), roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }))
	_, err := client.Get("http://api.test/")
	if ue, ok := errors.AsType[*url.Error](err); !ok || ue.Err != io.ErrUnexpectedEOF {
		t.Errorf("got %v, want that of the base as it is", err)
	}
}

func TestTransportOddRequestsAndBases(t *testing.T) {
	var sent []string
	answers := []*http.Response{}
	base := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		body := "none"
		if r.Body != nil {
			b, _ := io.ReadAll(r.Body)
			r.Body.Close()
			body = string(b)
		}
		sent = append(sent, body)
		if len(answers) == 0 {
			return nil, nil
		}
		resp := answers[0]
		answers = answers[1:]
		return resp, nil
	})
	tr := &bearer.Transport{Source: &changing{}, Base: base, RequireTLS: true}

	// A base that breaks its contract, as it would without us.
	req, _ := http.NewRequest("GET", "https://api.test/", nil)
	if resp, err := tr.RoundTrip(req); resp != nil || err != nil {
		t.Errorf("got %v, %v; want what the base returned: nothing", resp, err)
	}
	if _, err := tr.RoundTrip(&http.Request{Method: "GET"}); err == nil {
		t.Error("a request without URL: no error")
	}
	// A GetBody that is left from another life does not give a body to a GET.
	sent = nil
	answers = []*http.Response{{StatusCode: 401, Header: http.Header{}}, {StatusCode: 200, Header: http.Header{}, Body: http.NoBody}}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("left over")), nil }
	if resp, err := tr.RoundTrip(req); err != nil || resp.StatusCode != 200 {
		t.Errorf("got %v, %v", resp, err)
	}
	if got := fmt.Sprint(sent); got != "[none none]" {
		t.Errorf("sent the bodies %v, want none", got)
	}
	// A GetBody that fails: the answer as it came.
	sent = nil
	answers = []*http.Response{{StatusCode: 401, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("no good"))}}
	req, _ = http.NewRequest("POST", "https://api.test/", strings.NewReader("body"))
	req.GetBody = func() (io.ReadCloser, error) { return nil, errDown }
	resp, err := tr.RoundTrip(req)
	want(t, resp, err, 401, "no good")
	if got := fmt.Sprint(sent); got != "[body]" {
		t.Errorf("sent the bodies %v, want one", got)
	}
}

func TestTransportTokenTypeIsPartOfTheHeader(t *testing.T) {
	a := &api{}
	srv := httptest.NewServer(a)
	defer srv.Close()
	src := &mutable{&bearer.Token{AccessToken: "abc", TokenType: "bearer"}}
	tr := &bearer.Transport{Source: src}
	for _, kind := range []string{"bearer", "mac", "BEARER", "Custom"} {
		src.t.TokenType = kind
		resp, err := (&http.Client{Transport: tr}).Get(srv.URL)
		want(t, resp, err, 200, "hello")
	}
	a.wantSeen(t, "Bearer abc", "MAC abc", "Bearer abc", "Custom abc")
}

type mutable struct{ t *bearer.Token }

func (m *mutable) Token() (*bearer.Token, error) { return m.t, nil }

func TestTransportClosesIdleConnections(t *testing.T) {
	closed := 0
	client := bearer.NewClient(static("abc"), closer{func() { closed++ }})
	client.CloseIdleConnections()
	if closed != 1 {
		t.Errorf("those of Base were closed %d times, want once", closed)
	}
}

type closer struct{ close func() }

func (c closer) RoundTrip(*http.Request) (*http.Response, error) { return nil, errDown }
func (c closer) CloseIdleConnections()                           { c.close() }

package bearer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// oneShot is a body without GetBody that counts how often it is closed.
type oneShot struct {
	io.Reader
	closed atomic.Int32
}

func (b *oneShot) Close() error { b.closed.Add(1); return nil }

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

func TestTransportReplays(t *testing.T) {
	tests := []struct {
		name   string
		body   func() io.Reader
		status int
		seen   []string
	}{
		{"no body", func() io.Reader { return nil }, 200, []string{"Bearer token-1", "Bearer token-2"}},
		{"http.NoBody", func() io.Reader { return http.NoBody }, 200, []string{"Bearer token-1", "Bearer token-2"}},
		{"a body that can be had again", func() io.Reader { return strings.NewReader("body") }, 200, []string{"Bearer token-1", "Bearer token-2"}},
		{"a body that cannot", func() io.Reader { return &oneShot{Reader: strings.NewReader("body")} }, 401, []string{"Bearer token-1"}},
	}
	for _, tt := range tests {
		for _, kind := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(tt.name+" "+kind, func(t *testing.T) {
				a := &api{good: only("token-2")}
				srv := httptest.NewUnstartedServer(a)
				srv.EnableHTTP2 = kind == "HTTP/2.0"
				srv.StartTLS()
				defer srv.Close()
				var seen events
				e := &endpoint{}
				client := &http.Client{Transport: &bearer.Transport{
					Source: bearer.NewSource(e.fetch, nil), Base: srv.Client().Transport, Observer: seen.observe,
				}}
				body := tt.body()
				resp, err := client.Post(srv.URL, "text/plain", body)
				if err == nil && resp.Proto != kind {
					t.Errorf("spoke %s, want %s", resp.Proto, kind)
				}
				text := "hello"
				if tt.status == 401 {
					text = "no good"
				}
				want(t, resp, err, tt.status, text)
				a.wantSeen(t, tt.seen...)
				replayed, given := len(eventsOf[bearer.RequestReplayed](&seen)), len(eventsOf[bearer.RequestNotReplayed](&seen))
				if wantReplayed := len(tt.seen) - 1; replayed != wantReplayed || given != 1-wantReplayed {
					t.Errorf("%d replays and %d refusals were told, want %d and %d", replayed, given, wantReplayed, 1-wantReplayed)
				}
				if b, ok := body.(*oneShot); ok && b.closed.Load() != 1 {
					t.Errorf("the body was closed %d times, want once", b.closed.Load())
				}
				// It was evicted in any case: the next call has a good one.
				resp, err = client.Get(srv.URL)
				want(t, resp, err, 200, "hello")
			})
		}
	}
}

func TestTransportReplaysOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{good: only()}
		e := &endpoint{}
		client := bearer.NewClient(bearer.NewSource(e.fetch, nil), inMemory(t, a))
		resp, err := client.Get("http://api.test/")
		want(t, resp, err, 401, "no good")
		a.wantSeen(t, "Bearer token-1", "Bearer token-2")
		// Ten minutes of calls to an API that rejects everything.
		for range 1200 {
			resp, err := client.Get("http://api.test/")
			want(t, resp, err, 401, "no good")
			pass(500 * time.Millisecond)
		}
		if n := e.count(); n > 20 {
			t.Errorf("%d token requests, want the brake to allow about 17", n)
		}
		client.CloseIdleConnections()
	})
}

func TestTransportOriginalAnswer(t *testing.T) {
	// The answer comes back intact when no other token can be had.
	big := strings.Repeat("0123456789abcdef", 20000) // more than is peeked at
	tests := []struct {
		name string
		src  func() bearer.TokenSource
		err  bool // the token error is told
	}{
		{"a source that cannot evict", func() bearer.TokenSource { return static("bad") }, false},
		{"the same token again", func() bearer.TokenSource {
			return bearer.NewSource(func(context.Context) (*bearer.Token, error) { return &bearer.Token{AccessToken: "bad"}, nil }, nil)
		}, false},
		{"the endpoint is down", func() bearer.TokenSource {
			return bearer.NewSource(failFetch(errDown), &bearer.SourceOptions{Initial: &bearer.Token{AccessToken: "bad"}})
		}, true},
		{"Evict fails", func() bearer.TokenSource { return badEvicter{static("bad")} }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &api{good: only(), refuse: func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(401)
				fmt.Fprintf(w, `{"errors":[{"code":"INVALID_TOKEN"}],"pad":%q}`, big)
			}}
			srv := httptest.NewServer(a)
			defer srv.Close()
			var seen events
			resp, err := (&http.Client{Transport: &bearer.Transport{Source: tt.src(), Observer: seen.observe}}).Get(srv.URL)
			want(t, resp, err, 401, fmt.Sprintf(`{"errors":[{"code":"INVALID_TOKEN"}],"pad":%q}`, big))
			a.wantSeen(t, "Bearer bad")
			told := eventsOf[bearer.RequestNotReplayed](&seen)
			if len(told) != 1 || (told[0].Err != nil) != tt.err {
				t.Errorf("told %+v, want one event, with an error: %v", told, tt.err)
			}
		})
	}
}

type badEvicter struct{ bearer.TokenSource }

func (badEvicter) Evict(context.Context, *bearer.Token) error { return errDown }

// changing is a source without Evict that has another token at each call.
type changing struct{ n atomic.Int32 }

func (c *changing) Token() (*bearer.Token, error) {
	return &bearer.Token{AccessToken: fmt.Sprintf("token-%d", c.n.Add(1))}, nil
}

func TestTransportSourceWithoutEvict(t *testing.T) {
	a := &api{good: only("token-2")}
	srv := httptest.NewServer(a)
	defer srv.Close()
	resp, err := (&http.Client{Transport: &bearer.Transport{Source: &changing{}}}).Get(srv.URL)
	want(t, resp, err, 200, "hello")
	a.wantSeen(t, "Bearer token-1", "Bearer token-2")
}

func TestTransportMissingPermission(t *testing.T) {
	a := &api{good: only(), refuse: func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/vnd.api+json")
		w.WriteHeader(401)
		fmt.Fprint(w, `{"errors":[{"title":"Access denied","code":"UNAUTHORIZED","status":"401"}]}`)
	}}
	srv := httptest.NewServer(a)
	defer srv.Close()
	e := &endpoint{}
	client := bearer.NewClient(bearer.NewSource(e.fetch, nil), nil)
	for range 1000 {
		resp, err := client.Get(srv.URL)
		want(t, resp, err, 401, `{"errors":[{"title":"Access denied","code":"UNAUTHORIZED","status":"401"}]}`)
	}
	e.wantCount(t, 1)
}

func TestTransportRejectedIsReplaceable(t *testing.T) {
	a := &api{good: only("token-2"), refuse: func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "session expired")
	}}
	srv := httptest.NewServer(a)
	defer srv.Close()
	client := &http.Client{Transport: &bearer.Transport{
		Source: bearer.NewSource((&endpoint{}).fetch, nil),
		Rejected: func(resp *http.Response) bool {
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			return err == nil && resp.StatusCode == http.StatusForbidden && string(body) == "session expired"
		},
	}}
	resp, err := client.Get(srv.URL)
	want(t, resp, err, 200, "hello")
	a.wantSeen(t, "Bearer token-1", "Bearer token-2")

	a.mu.Lock()
	a.good, a.refuse = only(), func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound); fmt.Fprint(w, "nothing here") }
	a.mu.Unlock()
	resp, err = client.Get(srv.URL)
	want(t, resp, err, 404, "nothing here")
}

func TestTransportPeeksNoLongerThanASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A 401 whose JSON trickles for a minute. Nothing in it can be recognised in
		// time, so that the token is evicted; as there is no other the caller gets
		// all of it.
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(401)
			for i := range 60 {
				fmt.Fprintf(w, "%02d", i)
				w.(http.Flusher).Flush()
				select {
				case <-time.After(time.Second):
				case <-r.Context().Done():
					return
				}
			}
		})
		client := &http.Client{Transport: &bearer.Transport{Source: static("abc"), Base: inMemory(t, h)}}
		start := time.Now()
		resp, err := client.Get("http://api.test/")
		if d := time.Since(start); d > time.Second {
			t.Errorf("the answer came after %v, want at most 1s", d)
		}
		status, body := read(t, resp, err)
		if status != 401 || len(body) != 120 || !strings.HasPrefix(body, "000102") || !strings.HasSuffix(body, "59") {
			t.Errorf("got %d %q, want all of it", status, body)
		}
		// One who does not want the rest need not wait for it.
		resp, err = client.Get("http://api.test/")
		if err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		resp.Body.Close()
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v", d)
		}
	})
}

func TestTransportContextEndsBetweenTheTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{good: only("token-2")}
		e := &endpoint{}
		client := bearer.NewClient(bearer.NewSource(e.fetch, nil), inMemory(t, a))
		src := client.Transport.(*bearer.Transport).Source.(*bearer.Source)
		current(t, src)
		e.took = 10 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://api.test/", nil)
		start := time.Now()
		resp, err := client.Do(req)
		if d := time.Since(start); d != time.Second {
			t.Errorf("the call ended after %v, want 1s", d)
		}
		// As without us: the server's answer had come, its body ends with the context.
		if err != nil {
			t.Fatalf("got error %v, want the 401", err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("got %d, want the 401", resp.StatusCode)
		}
		pass(2 * time.Minute)
		wantAccess(t, src, "token-2") // the token request went on
	})
}

func TestTransportRevocationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good atomic.Value
		good.Store("token-1")
		a := &api{good: func(token string) bool { return token == good.Load() }}
		e := &endpoint{life: time.Hour, took: 200 * time.Millisecond}
		client := bearer.NewClient(bearer.NewSource(e.fetch, nil), inMemory(t, a))
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range 100 {
					resp, err := client.Post("http://api.test/", "text/plain", strings.NewReader("body"))
					want(t, resp, err, 200, "hello")
					pass(10 * time.Millisecond)
				}
			})
		}
		pass(700 * time.Millisecond)
		good.Store("token-2")
		wg.Wait()
		e.wantCount(t, 2)
		client.CloseIdleConnections()
	})
}

func TestTransportStreams(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", h2), func(t *testing.T) {
			next := make(chan bool)
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer token-2" {
					invalidToken(w)
					return
				}
				w.Header().Set("Trailer", "X-Sum")
				for i := range 3 {
					fmt.Fprintf(w, "event %d\n", i)
					w.(http.Flusher).Flush()
					<-next // the client has read it: nothing waits for the end
				}
				w.Header().Set("X-Sum", "42")
			}))
			srv.EnableHTTP2 = h2
			srv.StartTLS()
			defer srv.Close()
			client := bearer.NewClient(bearer.NewSource((&endpoint{}).fetch, nil), srv.Client().Transport)
			resp, err := client.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			for i := range 3 {
				buf := make([]byte, len("event 0\n"))
				if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != fmt.Sprintf("event %d\n", i) {
					t.Fatalf("read %q, %v", buf, err)
				}
				next <- true
			}
			if _, err := resp.Body.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("at the end: %v, want io.EOF", err)
			}
			if got := resp.Trailer.Get("X-Sum"); got != "42" {
				t.Errorf("the trailer is %q, want 42", got)
			}
		})
	}
}

func TestTransportRequestTrailerAndStreamedBody(t *testing.T) {
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body) + " " + r.Trailer.Get("X-Sum") + " " + r.Header.Get("Authorization")
	}))
	defer srv.Close()
	pr, pw := io.Pipe()
	req, _ := http.NewRequest("POST", srv.URL, pr)
	req.Trailer = http.Header{"X-Sum": nil}
	go func() {
		io.WriteString(pw, "streamed")
		req.Trailer.Set("X-Sum", "42")
		pw.Close()
	}()
	resp, err := bearer.NewClient(static("abc"), nil).Do(req)
	want(t, resp, err, 200, "")
	if got != "streamed 42 Bearer abc" {
		t.Errorf("the server got %q", got)
	}
}

func TestTransportExpectContinue(t *testing.T) {
	// A server that says 401 without reading the body: it is not sent for nothing,
	// and is sent with the second token. 1xx answers reach the caller's trace.
	a := &api{}
	var sent atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token-2" {
			invalidToken(w)
			return
		}
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		a.ServeHTTP(w, r)
	}))
	defer srv.Close()
	body := strings.Repeat("x", 1<<20)
	getBody := func() (io.ReadCloser, error) {
		return io.NopCloser(&countingReader{strings.NewReader(body), &sent}), nil
	}
	req, _ := http.NewRequest("POST", srv.URL, nil)
	req.Body, _ = getBody()
	req.GetBody = getBody
	req.ContentLength = int64(len(body))
	req.Header.Set("Expect", "100-continue")
	var continues, hints atomic.Int32
	req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got100Continue: func() { continues.Add(1) },
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			if code == http.StatusEarlyHints {
				hints.Add(1)
			}
			return nil
		},
	}))
	base := &http.Transport{ExpectContinueTimeout: time.Minute}
	defer base.CloseIdleConnections()
	resp, err := bearer.NewClient(bearer.NewSource((&endpoint{}).fetch, nil), base).Do(req)
	want(t, resp, err, 200, "hello")
	if n := sent.Load(); int(n) != len(body) {
		t.Errorf("%d bytes of the body were read, want %d: once", n, len(body))
	}
	if continues.Load() != 1 || hints.Load() != 1 {
		t.Errorf("%d times 100 and %d times 103 reached the caller, want one each", continues.Load(), hints.Load())
	}
}

type countingReader struct {
	r io.Reader
	n *atomic.Int32
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int32(n))
	return n, err
}

func TestTransportBodyClosedOnce(t *testing.T) {
	// On every path, with a real base.
	tests := []struct {
		name    string
		handler http.HandlerFunc
		getBody bool
		fails   bool
	}{
		{"success", func(w http.ResponseWriter, r *http.Request) {}, false, false},
		{"rejected", func(w http.ResponseWriter, r *http.Request) { invalidToken(w) }, false, false},
		{"rejected and replayed", func(w http.ResponseWriter, r *http.Request) { invalidToken(w) }, true, false},
		{"dropped", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, false, true},
		{"dropped in the replay", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer token-2" {
				panic(http.ErrAbortHandler)
			}
			invalidToken(w)
		}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.handler)
			base := &http.Transport{}
			var bodies []*oneShot
			newBody := func() (io.ReadCloser, error) {
				b := &oneShot{Reader: bytes.NewReader([]byte("body"))}
				bodies = append(bodies, b)
				return b, nil
			}
			req, _ := http.NewRequest("POST", srv.URL, nil)
			req.Body, _ = newBody()
			if tt.getBody {
				req.GetBody = newBody
			}
			resp, err := bearer.NewClient(bearer.NewSource((&endpoint{}).fetch, nil), base).Do(req)
			if (err != nil) != tt.fails {
				t.Errorf("error %v", err)
			}
			if resp != nil {
				read(t, resp, err)
			}
			base.CloseIdleConnections()
			srv.Close() // waits until all is done
			for i, b := range bodies {
				if n := b.closed.Load(); n != 1 {
					t.Errorf("body %d of %d was closed %d times, want once", i+1, len(bodies), n)
				}
			}
		})
	}
}

func TestTransportConnectionIsUsedAgain(t *testing.T) {
	a := &api{good: only("token-2")}
	srv := httptest.NewServer(a)
	defer srv.Close()
	dials := 0
	req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		ConnectStart: func(string, string) { dials++ },
	}), "GET", srv.URL, nil)
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	resp, err := bearer.NewClient(bearer.NewSource((&endpoint{}).fetch, nil), base).Do(req)
	want(t, resp, err, 200, "hello")
	if dials != 1 {
		t.Errorf("%d connections for a request and its replay, want 1", dials)
	}
}

func TestTransportErrorIsTheBases(t *testing.T) {
	client := bearer.NewClient(static("s3cr3t"), roundTripFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }))
	_, err := client.Get("http://api.test/")
	if ue, ok := errors.AsType[*url.Error](err); !ok || ue.Err != io.ErrUnexpectedEOF {
		t.Errorf("got %v, want that of the base as it is", err)
	}
}

// stalledGzip answers bad tokens with the head of a gzip body and then nothing.
func stalledGzip(header http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-2" {
			io.WriteString(w, "hello")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(http.StatusUnauthorized)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// net/http's reader of gzip holds a lock while it waits for the server, which its
// Close wants too. (If this breaks, the test hangs.)
func TestTransportStalledGzip(t *testing.T) {
	t.Run("closed by the caller", func(t *testing.T) {
		srv := httptest.NewServer(stalledGzip(http.Header{"Content-Type": {"application/json"}}))
		defer srv.Close()
		defer srv.CloseClientConnections()
		resp, err := bearer.NewClient(static("abc"), &http.Transport{}).Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
	t.Run("replayed", func(t *testing.T) {
		srv := httptest.NewServer(stalledGzip(http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}))
		defer srv.Close()
		defer srv.CloseClientConnections()
		resp, err := bearer.NewClient(bearer.NewSource((&endpoint{}).fetch, nil), &http.Transport{}).Get(srv.URL)
		want(t, resp, err, 200, "hello")
	})
}

// The token request must not wait for the connection that the 401 is on.
func TestTransportSharesOneConnectionWithTheEndpoint(t *testing.T) {
	for _, kind := range []string{"text/plain", "application/json"} {
		mux := http.NewServeMux()
		mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {})
		mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer token-2" {
				w.Header().Set("Content-Type", kind)
				w.WriteHeader(http.StatusUnauthorized)
			}
			io.WriteString(w, strings.Repeat("x", 10000))
		})
		srv := httptest.NewServer(mux)
		base := &http.Transport{MaxConnsPerHost: 1}
		n := 0
		src := bearer.NewSource(func(ctx context.Context) (*bearer.Token, error) {
			n++
			req, _ := http.NewRequestWithContext(ctx, "POST", srv.URL+"/token", nil)
			resp, err := base.RoundTrip(req)
			if err != nil {
				return nil, err
			}
			resp.Body.Close()
			return &bearer.Token{AccessToken: fmt.Sprintf("token-%d", n)}, nil
		}, nil)
		resp, err := bearer.NewClient(src, base).Get(srv.URL + "/api")
		want(t, resp, err, 200, strings.Repeat("x", 10000))
		base.CloseIdleConnections()
		srv.Close()
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

func TestTransportFirstAnswerIsClosed(t *testing.T) {
	for _, body := range []string{"no good", strings.Repeat("x", 1<<20)} {
		first := &oneShot{Reader: strings.NewReader(body)}
		answers := []*http.Response{{StatusCode: 401, Header: http.Header{}, Body: first}, {StatusCode: 200, Body: http.NoBody}}
		tr := &bearer.Transport{Source: &changing{}, Base: roundTripFunc(func(*http.Request) (*http.Response, error) {
			resp := answers[0]
			answers = answers[1:]
			return resp, nil
		})}
		req, _ := http.NewRequest("GET", "https://api.test/", nil)
		resp, err := tr.RoundTrip(req)
		want(t, resp, err, 200, "")
		if n := first.closed.Load(); n != 1 {
			t.Errorf("a first answer of %d bytes was closed %d times, want once", len(body), n)
		}
	}
}

func TestTransportPeeksAtMost64KiB(t *testing.T) {
	body := &countingReader{strings.NewReader(`{"pad":"` + strings.Repeat("x", 1<<20) + `"}`), new(atomic.Int32)}
	tr := &bearer.Transport{Source: static("abc"), Base: roundTripFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 401, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(body)}, nil
	})}
	req, _ := http.NewRequest("GET", "https://api.test/", nil)
	resp, err := tr.RoundTrip(req)
	if n := body.n.Load(); err != nil || n != 64<<10 {
		t.Errorf("%d bytes were read before the caller read any, %v; want 64 KiB", n, err)
	}
	if _, got := read(t, resp, err); len(got) != 1<<20+len(`{"pad":""}`) {
		t.Errorf("the caller got %d bytes, want all", len(got))
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

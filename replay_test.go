package bearer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

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
		client := bearer.NewClient(bearer.NewSource(e.fetch, nil), pipe.Serve(t, a))
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

func TestTransportContextEndsBetweenTheTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{good: only("token-2")}
		e := &endpoint{}
		client := bearer.NewClient(bearer.NewSource(e.fetch, nil), pipe.Serve(t, a))
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
		client := bearer.NewClient(bearer.NewSource(e.fetch, nil), pipe.Serve(t, a))
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

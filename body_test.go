package bearer_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
)

// oneShot is a body without GetBody that counts how often it is closed.
type oneShot struct {
	io.Reader
	closed atomic.Int32
}

func (b *oneShot) Close() error { b.closed.Add(1); return nil }

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

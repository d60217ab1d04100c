package bearer_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

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
		client := &http.Client{Transport: &bearer.Transport{Source: static("abc"), Base: pipe.Serve(t, h)}}
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

// stalledGzip answers bad tokens with the head of a gzip body and then nothing.
func stalledGzip(header http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-2" {
			io.WriteString(w, "hello")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		maps.Copy(w.Header(), header)
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

func TestTransportPeeksAtMost64KiB(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which the second that a look may take does not pass
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
	})
}

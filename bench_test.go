package bearer_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/contest"
	"golang.org/x/oauth2"
)

func hourToken() *bearer.Token {
	return &bearer.Token{AccessToken: strings.Repeat("x", 1000), TokenType: "bearer", Expiry: time.Now().Add(time.Hour)}
}

// floorSource is the least that a cached token takes.
type floorSource struct{ cur atomic.Pointer[bearer.Token] }

func (s *floorSource) Token() (*bearer.Token, error) {
	if t := s.cur.Load(); time.Now().Before(t.Expiry) {
		return t, nil
	}
	return nil, errDown
}

var sink *bearer.Token

// Reading a fresh token. The bars: at most 0.7 of the floor, and with 64
// goroutines a tenth of x/oauth2.
func BenchmarkRead(b *testing.B) {
	ctx := context.Background()
	own := bearer.NewSource(func(context.Context) (*bearer.Token, error) { return hourToken(), nil }, nil)
	own.Token()
	floor := &floorSource{}
	floor.cur.Store(hourToken())
	peer := oauth2.ReuseTokenSource(hourToken(), nil)
	loop := func(f func() (*bearer.Token, error)) func(int) {
		return func(n int) {
			for range n {
				sink, _ = f()
			}
		}
	}
	b.Run("1", func(b *testing.B) {
		contest.Compare(b,
			contest.By("bearer", func(n int) {
				for range n {
					sink, _ = own.TokenContext(ctx)
				}
			}),
			contest.By("floor", func(n int) {
				for range n {
					sink, _ = floor.Token()
				}
			}),
			contest.By("oauth2", loop(peer.Token)))
	})
	b.Run("64", func(b *testing.B) {
		contest.Compare(b,
			contest.By("bearer", contest.Parallel(64, func() { own.TokenContext(ctx) })),
			contest.By("floor", contest.Parallel(64, func() { floor.Token() })),
			contest.By("oauth2", contest.Parallel(64, func() { peer.Token() })))
	})
}

// floorTransport is the least that adding a header takes: a copy of the request
// and of its header's map.
type floorTransport struct {
	base   http.RoundTripper
	header []string
}

func (t *floorTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := new(http.Request)
	*out = *req
	out.Header = maps.Clone(req.Header)
	out.Header["Authorization"] = t.header
	return t.base.RoundTrip(out)
}

// stubBase answers without a server.
type stubBase struct{ resp *http.Response }

func (s stubBase) RoundTrip(*http.Request) (*http.Response, error) { return s.resp, nil }

func requestWith6Headers(url string) *http.Request {
	req, _ := http.NewRequest("GET", url, nil)
	for _, k := range []string{"Accept", "Accept-Encoding", "Content-Type", "User-Agent", "X-Request-Id", "X-Trace"} {
		req.Header.Set(k, "value")
	}
	return req
}

// RoundTrip over a stub. The bars: at most 3 allocations, 1.15 of the floor, half
// of x/oauth2 in time and bytes.
func BenchmarkRoundTrip(b *testing.B) {
	base := stubBase{&http.Response{StatusCode: 200, Body: http.NoBody}}
	req := requestWith6Headers("https://api.test/")
	own := &bearer.Transport{Base: base, Source: bearer.NewSource(func(context.Context) (*bearer.Token, error) { return hourToken(), nil }, nil)}
	floor := &floorTransport{base, []string{"Bearer " + hourToken().AccessToken}}
	peer := &oauth2.Transport{Base: base, Source: oauth2.ReuseTokenSource(hourToken(), nil)}
	loop := func(rt http.RoundTripper) func(int) {
		return func(n int) {
			for range n {
				rt.RoundTrip(req)
			}
		}
	}
	contest.Compare(b, contest.By("bearer", loop(own)), contest.By("floor", loop(floor)), contest.By("oauth2", loop(peer)))
	ownAllocs, ownBytes := contest.Memory(loop(own))
	_, peerBytes := contest.Memory(loop(peer))
	b.ReportMetric(ownAllocs, "allocs/op")
	b.ReportMetric(ownBytes, "B/op")
	b.ReportMetric(ownBytes/peerBytes, "B-of-oauth2")
}

func TestRoundTripAllocations(t *testing.T) {
	base := stubBase{&http.Response{StatusCode: 200, Body: http.NoBody}}
	req := requestWith6Headers("https://api.test/")
	tr := &bearer.Transport{Base: base, Source: bearer.NewSource((&endpoint{life: time.Hour}).fetch, nil)}
	if n := testing.AllocsPerRun(1000, func() { tr.RoundTrip(req) }); n > 3 {
		t.Errorf("RoundTrip: %v allocations, want at most 3", n)
	}
}

// A real server on loopback, 64 goroutines. The bar: within 4 % of a client whose
// header is constant.
func BenchmarkLoopback(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer srv.Close()
	base := &http.Transport{MaxIdleConnsPerHost: 64}
	defer base.CloseIdleConnections()
	call := func(rt http.RoundTripper, header string) func(int) {
		client := &http.Client{Transport: rt}
		return contest.Parallel(64, func() {
			req := requestWith6Headers(srv.URL)
			if header != "" {
				req.Header.Set("Authorization", header)
			}
			resp, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		})
	}
	contest.Compare(b,
		contest.By("bearer", call(&bearer.Transport{Base: base, Source: bearer.NewSource(func(context.Context) (*bearer.Token, error) { return hourToken(), nil }, nil)}, "")),
		contest.By("constant-header", call(base, "Bearer "+hourToken().AccessToken)),
		contest.By("floor", call(&floorTransport{base, []string{"Bearer " + hourToken().AccessToken}}, "")),
		contest.By("oauth2", call(&oauth2.Transport{Base: base, Source: oauth2.ReuseTokenSource(hourToken(), nil)}, "")))
}

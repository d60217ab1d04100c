package commercelayer_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
)

// pass lets time pass in a synctest bubble.
func pass(d time.Duration) { <-time.After(d) }

// jwtOf is a token with these claims and no signature worth the name.
func jwtOf(claims map[string]any) string {
	b, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return rawJWT(string(b))
}

func rawJWT(claims string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS512","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// stub is a Base that answers what it is told and remembers what it was asked.
type stub struct {
	mu       sync.Mutex // guards requests
	requests []stubRequest
	answer   func(r stubRequest) (status int, body string, header http.Header)
}

type stubRequest struct {
	URL    string
	Header http.Header
	Body   map[string]string
}

func (s *stub) RoundTrip(r *http.Request) (*http.Response, error) {
	got := stubRequest{URL: r.URL.String(), Header: r.Header.Clone()}
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		json.Unmarshal(b, &got.Body)
	}
	s.mu.Lock()
	s.requests = append(s.requests, got)
	s.mu.Unlock()
	status, body, header := 200, `{"access_token":"access","token_type":"bearer","expires_in":7200}`, http.Header(nil)
	if s.answer != nil {
		status, body, header = s.answer(got)
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (s *stub) last(t *testing.T) stubRequest {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		t.Fatal("no request was sent")
	}
	return s.requests[len(s.requests)-1]
}

func (s *stub) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func newCredentials(t *testing.T, secret string, o *commercelayer.Options) *commercelayer.Credentials {
	t.Helper()
	c, err := commercelayer.NewCredentials("my-client", secret, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// logs is a logger and what it wrote.
func logs() (*slog.Logger, *syncBuffer) {
	b := new(syncBuffer)
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})), b
}

type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// printed is v in every way that fmt and slog print it.
func printed(v any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %+v %#v %s %q", v, v, v, v, v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v, "in", struct{ V any }{v})
	return b.String()
}

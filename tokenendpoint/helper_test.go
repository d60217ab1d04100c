package tokenendpoint_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer/internal/pipe"
	"github.com/bearerkit/bearer/tokenendpoint"
	"golang.org/x/oauth2"
)

const (
	tokenURL  = "https://auth.example.com/oauth/token"
	revokeURL = "https://auth.example.com/oauth/revoke"
	goodBody  = `{"access_token":"access-1","token_type":"bearer","expires_in":7200,"scope":"market:all"}`
)

// seen is one request as the server had it.
type seen struct {
	Path, ContentType, Accept, Basic string
	Header                           http.Header
	Body                             string
}

// server is a real http.Server in memory, which works in a synctest bubble. It
// answers each request with the next handler, and with the last one from then on.
type server struct {
	mu       sync.Mutex // guards requests
	requests []seen
	handlers []http.HandlerFunc
	base     *http.Transport
}

func serve(t *testing.T, handlers ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{handlers: handlers}
	l := pipe.Listen()
	srv := &http.Server{Handler: s, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
	go srv.Serve(l)
	s.base = &http.Transport{DialContext: l.Dial, DialTLSContext: l.Dial}
	t.Cleanup(func() { s.base.CloseIdleConnections(); srv.Close() })
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	h := s.handlers[min(len(s.requests), len(s.handlers)-1)]
	s.requests = append(s.requests, seen{
		Path: r.URL.Path, ContentType: r.Header.Get("Content-Type"), Accept: r.Header.Get("Accept"),
		Basic: r.Header.Get("Authorization"), Header: r.Header.Clone(), Body: string(body),
	})
	s.mu.Unlock()
	h(w, r)
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *server) last() seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[len(s.requests)-1]
}

// answer is a handler that answers with status, body and headers in pairs.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// drop ends the connection after the server has read the request.
func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func ok(w http.ResponseWriter, r *http.Request) { answer(200, goodBody)(w, r) }

func newClient(t *testing.T, s *server, change func(*tokenendpoint.Options)) *tokenendpoint.Client {
	t.Helper()
	o := &tokenendpoint.Options{ClientID: "my-client", ClientSecret: "s3cr3t-of-client", RevokeURL: revokeURL}
	if s != nil {
		o.Base = s.base
	}
	if change != nil {
		change(o)
	}
	c, err := tokenendpoint.New(tokenURL, o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

var (
	clientCredentials = tokenendpoint.Grant{Type: tokenendpoint.ClientCredentials, Params: url.Values{"scope": {"market:all"}}}
	password          = tokenendpoint.Grant{Type: tokenendpoint.Password, Params: url.Values{"username": {"a@example.com"}, "password": {"p4ssw0rd-of-a"}}}
	refresh           = tokenendpoint.Grant{Type: tokenendpoint.RefreshToken, Params: url.Values{"refresh_token": {"refresh-token-0"}}}
	code              = tokenendpoint.Grant{Type: tokenendpoint.AuthorizationCode, Params: url.Values{"code": {"code-0-of-user"}}}
	assertion         = tokenendpoint.Grant{Type: tokenendpoint.JWTBearer, Params: url.Values{"assertion": {"assertion.of.user"}}}
)

// roundTripper is a Base made of a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// logs is a logger and what it wrote.
func logs() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})), &b
}

// printed is v in every way that fmt and slog print it.
func printed(v any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %+v %#v %s %q", v, v, v, v, v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v, "in", struct{ V any }{v})
	return b.String()
}

// pass lets time pass in a synctest bubble.
func pass(d time.Duration) { <-time.After(d) }

// oauth2WithBase is a context in which x/oauth2 asks s.
func oauth2WithBase(t *testing.T, s *server) context.Context {
	return context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: s.base})
}

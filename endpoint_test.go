package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"golang.org/x/oauth2"
)

// endpoint is a token endpoint without the network: its fetch is a TokenFunc.
type endpoint struct {
	life time.Duration // of its tokens; 0: they do not say
	took time.Duration // how long an answer takes

	mu       sync.Mutex // guards what follows
	requests int
	fail     func(n int) error     // the answer to the n-th request, from 1; nil: a token
	same     func(n int) bool      // whether that is the token of the request before
	began    []time.Time           // when the requests began
	last     *bearer.Token         // the latest token
	within   func(context.Context) // runs in each request
}

func (e *endpoint) fetch(ctx context.Context) (*bearer.Token, error) {
	e.mu.Lock()
	e.requests++
	n := e.requests
	e.began = append(e.began, time.Now())
	within := e.within
	e.mu.Unlock()
	if within != nil {
		within(ctx)
	}
	if e.took > 0 {
		select {
		case <-time.After(e.took):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		if err := e.fail(n); err != nil {
			return nil, err
		}
	}
	if e.same != nil && e.last != nil && e.same(n) {
		return new(*e.last), nil
	}
	t := &bearer.Token{AccessToken: fmt.Sprintf("token-%d", n), TokenType: "bearer"}
	if e.life != 0 {
		t.Expiry = time.Now().Add(e.life)
	}
	e.last = t
	return new(*t), nil
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.requests
}

func (e *endpoint) wantCount(t *testing.T, want int) {
	t.Helper()
	if got := e.count(); got != want {
		t.Errorf("%d token requests, want %d", got, want)
	}
}

// answered is the error of a token endpoint that answered.
func answered(status int, code string, header ...string) error {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &oauth2.RetrieveError{
		Response:  &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h},
		Body:      []byte("the secret is s3cr3t"),
		ErrorCode: code, ErrorDescription: "the secret is s3cr3t",
	}
}

var errDown = errors.New("down, and the secret is s3cr3t")

func failAll(err error) func(int) error { return func(int) error { return err } }

// access returns the access token that src hands out, "" with an error.
func access(t *testing.T, src bearer.ContextTokenSource) (string, error) {
	t.Helper()
	tok, err := src.TokenContext(t.Context())
	if err != nil {
		return "", err
	}
	if tok == nil || tok.AccessToken == "" {
		t.Fatal("TokenContext returned neither a token nor an error")
	}
	return tok.AccessToken, nil
}

func wantAccess(t *testing.T, src bearer.ContextTokenSource, want string) {
	t.Helper()
	got, err := access(t, src)
	if err != nil {
		t.Fatalf("TokenContext: %v, want %s", err, want)
	}
	if got != want {
		t.Fatalf("TokenContext returned %s, want %s", got, want)
	}
}

// events records what an observer was told.
type events struct {
	mu  sync.Mutex
	all []bearer.Event
}

func (e *events) observe(_ context.Context, ev bearer.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

// eventsOf returns those of type E.
func eventsOf[E bearer.Event](e *events) []E {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []E
	for _, ev := range e.all {
		if v, ok := ev.(E); ok {
			found = append(found, v)
		}
	}
	return found
}

// pass lets time pass in a synctest bubble, where it does so at once.
func pass(d time.Duration) { <-time.After(d) }

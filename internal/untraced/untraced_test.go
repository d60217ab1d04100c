package untraced_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"

	"github.com/bearerkit/bearer/internal/untraced"
)

func TestContext(t *testing.T) {
	type key struct{}
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	told := 0
	ctx := httptrace.WithClientTrace(context.WithValue(t.Context(), key{}, "kept"), &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { told++ },
	})
	send := func(ctx context.Context) {
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	send(ctx)
	if told == 0 {
		t.Fatal("the hook is not told of a request with the context itself")
	}
	told = 0
	quiet := untraced.Context(ctx)
	send(quiet)
	if told != 0 {
		t.Errorf("the hook was told of %d header fields, want none", told)
	}
	if quiet.Value(key{}) != "kept" {
		t.Error("another value was lost")
	}
	// A trace of one's own, on top.
	own := 0
	send(httptrace.WithClientTrace(quiet, &httptrace.ClientTrace{WroteHeaderField: func(string, []string) { own++ }}))
	if own == 0 || told != 0 {
		t.Errorf("own hook %d, hidden hook %d; want some and none", own, told)
	}
	if untraced.Context(t.Context()) != t.Context() {
		t.Error("a context without trace was wrapped")
	}
}

package pipe_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/internal/pipe"
)

func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := http.Client{Transport: pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Host)
		}))}
		for _, url := range []string{"http://a.example/", "https://b.example/"} {
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if got := string(b); got != resp.Request.URL.Host {
				t.Errorf("GET %s: the server was asked for %q", url, got)
			}
		}
	})
}

func TestListenerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipe.Listen()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Dial(ctx, "tcp", "a:1"); err != context.DeadlineExceeded {
			t.Errorf("Dial that nobody accepts: %v, want the end of its context", err)
		}
		l.Close()
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept of a closed Listener: %v, want net.ErrClosed", err)
		}
		if _, err := l.Dial(t.Context(), "tcp", "a:1"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Dial of a closed Listener: %v, want net.ErrClosed", err)
		}
	})
}

package program_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/internal/pipe"
	"github.com/bearerkit/bearer/internal/program"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want error
	}{
		{"nothing", nil, nil},
		{"a flag", []string{"-n", "1"}, nil},
		{"a flag that is none", []string{"-x"}, program.ErrUsage},
		{"a wrong value", []string{"-n", "x"}, program.ErrUsage},
		{"help", []string{"-h"}, flag.ErrHelp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flags := flag.NewFlagSet("test", flag.ContinueOnError)
			flags.SetOutput(io.Discard)
			flags.Int("n", 0, "")
			if err := program.Parse(flags, tt.args); err != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

// A program that is told to end waits for the requests under way, but not for ever.
func TestServe(t *testing.T) {
	for _, tt := range []struct {
		name           string
		takes, end     time.Duration
		answered, fine bool
	}{
		{"nothing under way", 0, 0, true, true},
		{"one that takes long", 9 * time.Second, 9 * time.Second, true, true},
		{"one that takes for ever", time.Hour, 10 * time.Second, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				l := pipe.Listen()
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(tt.takes):
					case <-r.Context().Done():
					}
				})}
				client := &http.Client{Transport: &http.Transport{DialContext: l.Dial}}
				defer client.CloseIdleConnections()
				ended := make(chan error, 1)
				go func() { ended <- program.Serve(ctx, l, server) }()
				answers := make(chan error, 1)
				go func() {
					resp, err := client.Get("http://program.test/")
					if err == nil {
						resp.Body.Close()
					}
					answers <- err
				}()
				synctest.Wait()
				begun := time.Now()
				stop()
				err, answer := <-ended, <-answers
				// Shutdown looks for what is left at least twice in a second.
				if took := time.Since(begun); took < tt.end || took > tt.end+time.Second {
					t.Errorf("it took %s to end, want %s", took, tt.end)
				}
				if (answer == nil) != tt.answered || (err == nil) != tt.fine {
					t.Errorf("the program ended with %v, the request with %v", err, answer)
				}
				if !tt.fine && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v, want %v", err, context.DeadlineExceeded)
				}
			})
		})
	}
}

func TestServeOnWhatIsClosed(t *testing.T) {
	l := pipe.Listen()
	l.Close()
	if err := program.Serve(t.Context(), l, &http.Server{}); err == nil {
		t.Error("no error")
	}
}

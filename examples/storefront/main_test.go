package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Setenv("REDIS_URL", "")
	t.Setenv("COMMERCELAYER_SCOPE", "")
	t.Setenv("COMMERCELAYER_CLIENT_ID", "")
	t.Setenv("COMMERCELAYER_SALES_CHANNEL_CLIENT_ID", "")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	stopped := make(chan error, 1)
	go func() { stopped <- run(ctx, []string{"-addr", "127.0.0.1:0"}, in, io.Discard) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	_, rest, _ := strings.Cut(line, "http://")
	addr, _, ok := strings.Cut(rest, ",")
	if err != nil || !ok {
		t.Fatalf("the program says %q, %v", line, err)
	}
	resp, err := http.Get("http://" + addr + "/eu/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the shop answers %s", resp.Status)
	}
	err = run(t.Context(), []string{"-addr", addr}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "-addr") {
		t.Errorf("on a port that is taken: %v, want an error that says what to do", err)
	}
	stop()
	if err := <-stopped; err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func TestWrongArguments(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want error
	}{
		{"a flag that is none", []string{"-nonsense"}, errUsage}, {"help", []string{"-h"}, flag.ErrHelp}, {"no duration", []string{"-token-life", "x"}, errUsage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := run(t.Context(), tt.args, io.Discard, io.Discard); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestShown(t *testing.T) {
	for _, tt := range []struct{ asked, want string }{
		{"localhost:0", "localhost:4711"}, {":0", "localhost:4711"}, {"127.0.0.1:4711", "127.0.0.1:4711"}, {"[::1]:0", "[::1]:4711"},
	} {
		if got := shown(tt.asked, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}); got != tt.want {
			t.Errorf("shown(%q) = %s, want %s", tt.asked, got, tt.want)
		}
	}
}

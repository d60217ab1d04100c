package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/redisstore/redistest"
)

// The program with a Redis, and with what is none.
func TestRunFleet(t *testing.T) {
	redis := redistest.Start(t)
	t.Setenv("COMMERCELAYER_SCOPE", "")
	t.Setenv("COMMERCELAYER_CLIENT_ID", "")
	t.Setenv("COMMERCELAYER_SALES_CHANNEL_CLIENT_ID", "")
	t.Setenv("REDIS_URL", redis.URL())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	stopped := make(chan error, 1)
	go func() { stopped <- run(ctx, []string{"-addr", "127.0.0.1:0"}, in, io.Discard) }()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	_, rest, _ := strings.Cut(line, "http://")
	addr, _, ok := strings.Cut(rest, ",")
	if err != nil || !ok {
		t.Fatalf("the program says %q, %v", line, err)
	}
	line, err = lines.ReadString('\n')
	also := regexp.MustCompile(`^Its instances A and B .* http://(localhost:\d+) and http://(localhost:\d+)`).FindStringSubmatch(line)
	if err != nil || also == nil {
		t.Fatalf("of the instances the program says %q, %v", line, err)
	}
	for i, addr := range append([]string{addr}, also[1:]...) {
		resp, err := http.Get("http://" + addr + "/eu/")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := `data-field="instance">instance ` + []string{"A", "A", "B"}[i]; resp.StatusCode != http.StatusOK || !strings.Contains(string(b), want) {
			t.Errorf("at %s the shop answers %s, without %q", addr, resp.Status, want)
		}
	}
	stop()
	if err := <-stopped; err != nil {
		t.Errorf("stopping: %v", err)
	}

	redis.Kill()
	for _, tt := range []struct{ name, url, want string }{
		{"Redis is down", "redis://:s3cret@" + redis.Addr(), "check that it runs"},
		{"no URL", "redis://:s3cret@[", "make it one like"},
		{"no Redis", "http://:s3cret@" + redis.Addr(), "make it one like"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("REDIS_URL", tt.url)
			var said strings.Builder
			err := run(t.Context(), []string{"-addr", "127.0.0.1:0"}, &said, &said)
			if err == nil || !strings.Contains(err.Error(), "REDIS_URL: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want an error about REDIS_URL with %q", err, tt.want)
			}
			if all := said.String() + err.Error(); strings.Contains(all, "s3cret") {
				t.Errorf("the password is shown: %s", all)
			}
		})
	}
}

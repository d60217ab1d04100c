package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whoever connects and says nothing does not hold a connection for ever; a
// fault that takes its time is not cut off.
func TestHTTPServerLimits(t *testing.T) {
	s := newHTTPServer(http.NotFoundHandler(), io.Discard)
	if s.ReadHeaderTimeout <= 0 || s.ReadHeaderTimeout > time.Minute {
		t.Errorf("ReadHeaderTimeout is %v, want one up to a minute", s.ReadHeaderTimeout)
	}
	if s.ReadTimeout != 0 || s.WriteTimeout != 0 {
		t.Errorf("ReadTimeout is %v and WriteTimeout %v, want none", s.ReadTimeout, s.WriteTimeout)
	}
}

// A request that is under way when the program is told to stop gets its answer.
func TestStopLetsARequestFinish(t *testing.T) {
	s := start(t, "-addr", "127.0.0.1:0", "-log", "off")
	_, port, _ := strings.Cut(s.env["COMMERCELAYER_DOMAIN"], ":")
	addr := net.JoinHostPort("127.0.0.1", port)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	form := "grant_type=client_credentials&client_id=" + s.env["COMMERCELAYER_SALES_CHANNEL_CLIENT_ID"]
	fmt.Fprintf(conn, "POST /auth/oauth/token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", addr, len(form))
	answers := bufio.NewReader(conn)
	// The server says this when the body is being read.
	if line, err := answers.ReadString('\n'); !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q, %v", line, err)
	}
	if line, err := answers.ReadString('\n'); line != "\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}

	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	for { // until it has begun to stop
		probe, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		probe.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("the program ended before the request: %v", err)
	default:
	}
	io.WriteString(conn, form)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("the request under way: %v", err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
		t.Errorf("the request under way: status %d, %v", resp.StatusCode, err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stopping: %v", err)
	}
}

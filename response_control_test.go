package bearer_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/internal/pipe"
)

// upgraded reads pings (RFC 6455 §5.5.2) and answers them, until the client closes.
func upgraded(t *testing.T, conn net.Conn, rw *bufio.ReadWriter) {
	defer conn.Close()
	for {
		var head [6]byte // FIN and opcode, mask bit and length, masking key
		if _, err := io.ReadFull(rw, head[:]); err != nil {
			if err != io.EOF {
				t.Errorf("reading a frame: %v", err)
			}
			return
		}
		if head[0] != 0x89 || head[1]&0x80 == 0 {
			t.Errorf("a frame begins with %x, want a masked ping", head)
			return
		}
		payload := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(rw, payload); err != nil {
			t.Errorf("reading a ping: %v", err)
			return
		}
		for i := range payload {
			payload[i] ^= head[2+i%4]
		}
		rw.Write([]byte{0x8a, byte(len(payload))})
		rw.Write(payload)
		rw.Flush()
	}
}

func TestResponseUpgrade(t *testing.T) {
	accept := func(r *http.Request) string { // RFC 6455 §4.2.2
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	for _, tt := range []struct {
		name    string
		h       http.HandlerFunc
		stamped bool
	}{
		{"Hijack, then the handler's own header", func(w http.ResponseWriter, r *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept(r))
			rw.Flush()
			upgraded(t, conn, rw)
		}, false},
		{"WriteHeader, then Hijack", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Sec-WebSocket-Accept", accept(r))
			w.WriteHeader(http.StatusSwitchingProtocols)
			conn, rw, err := http.NewResponseController(wrapping{w}).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			upgraded(t, conn, rw)
		}, true},
	} {
		for _, above := range []string{"the server", "a wrapping"} {
			t.Run(tt.name+"/"+above, func(t *testing.T) {
				done := make(chan bool)
				url, _ := serve(t, "HTTP/1.1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(done)
					h := stamped(tt.h)
					if above == "the server" {
						h(w, r)
					} else {
						h(struct { // that cannot flush
							wrapping
							http.Hijacker
						}{wrapping{w}, w.(http.Hijacker)}, r)
					}
				}))
				conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				req, err := http.NewRequest("GET", url, nil)
				if err != nil {
					t.Fatal(err)
				}
				// The key is RFC 6455's example, and so is what is to come back.
				req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
					"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
				if err := req.Write(conn); err != nil {
					t.Fatal(err)
				}
				answer := bufio.NewReader(conn)
				resp, err := http.ReadResponse(answer, req)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := resp.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; resp.StatusCode != 101 || got != want {
					t.Errorf("the answer is %d with Sec-WebSocket-Accept %q, want 101 with %q", resp.StatusCode, got, want)
				}
				if tt.stamped {
					wantStamp(t, "the answer", resp.Header)
				} else if resp.Header["Set-Cookie"] != nil {
					t.Errorf("the handler's own header came as %v", resp.Header)
				}
				for _, payload := range []string{"hello", "again", ""} {
					ping := []byte{0x89, 0x80 | byte(len(payload)), 1, 2, 3, 4}
					for i := range len(payload) {
						ping = append(ping, payload[i]^ping[2+i%4])
					}
					if _, err := conn.Write(ping); err != nil {
						t.Fatal(err)
					}
					pong := make([]byte, 2+len(payload))
					if _, err := io.ReadFull(answer, pong); err != nil || pong[0] != 0x8a || string(pong[2:]) != payload {
						t.Fatalf("the answer to ping %q is %q, %v", payload, pong, err)
					}
				}
				conn.(*net.TCPConn).CloseWrite()
				if rest, err := io.ReadAll(answer); len(rest) > 0 || err != nil {
					t.Errorf("after the pongs came %q, %v, want nothing", rest, err)
				}
				<-done
			})
		}
	}
}

func TestResponseWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type result struct {
			err   error
			after time.Duration
		}
		done := make(chan result, 1)
		client := &http.Client{Transport: pipe.Serve(t, stamped(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			err := http.NewResponseController(w).SetWriteDeadline(start.Add(time.Minute))
			for err == nil { // until the client's buffers are full
				_, err = w.Write(make([]byte, 1<<16))
			}
			done <- result{err, time.Since(start)}
		}))}
		resp, err := client.Get("http://shop.example")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		wantStamp(t, "the answer", resp.Header)
		if got := <-done; !errors.Is(got.err, os.ErrDeadlineExceeded) || got.after != time.Minute {
			t.Errorf("writing ended after %v with %v, want 1m0s, %v", got.after, got.err, os.ErrDeadlineExceeded)
		}
	})
}

func TestResponseReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: pipe.Serve(t, stamped(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			if err := http.NewResponseController(w).SetReadDeadline(start.Add(time.Minute)); err != nil {
				t.Errorf("SetReadDeadline: %v", err)
			}
			_, err := io.ReadAll(r.Body)
			if d := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || d != time.Minute {
				t.Errorf("reading ended after %v with %v, want 1m0s, %v", d, err, os.ErrDeadlineExceeded)
			}
			http.Error(w, "too slow", http.StatusRequestTimeout)
		}))}
		body, never := io.Pipe()
		defer never.Close()
		resp, err := client.Post("http://shop.example", "text/plain", body)
		want(t, resp, err, http.StatusRequestTimeout, "too slow\n")
		wantStamp(t, "the answer", resp.Header)
	})
}

// On real connections of both kinds: a deadline that has passed ends the answer.
func TestResponseDeadlinePassed(t *testing.T) {
	seen := make(chan bool)
	eachProto(t, stamped(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		io.WriteString(w, "hello")
		if err := c.Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		<-seen
		if err := c.SetWriteDeadline(time.Unix(1, 0)); err != nil {
			t.Errorf("SetWriteDeadline: %v", err)
		}
		io.WriteString(w, "too late")
		if err := c.Flush(); err == nil {
			t.Error("Flush after the deadline: no error")
		}
	}), func(t *testing.T, url string, client *http.Client) {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		wantStamp(t, "the answer", resp.Header)
		seen <- true
		if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err == nil {
			t.Errorf("read %q, %v, want hello and an error", body, err)
		}
	})
}

// Without full duplex, a server of HTTP/1 reads the whole body before it answers:
// there would be no end of it.
func TestResponseFullDuplex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: pipe.Serve(t, stamped(func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			if err := c.EnableFullDuplex(); err != nil {
				t.Errorf("EnableFullDuplex: %v", err)
			}
			for lines := bufio.NewScanner(r.Body); lines.Scan(); c.Flush() {
				fmt.Fprintln(w, "echo", lines.Text())
			}
		}))}
		body, lines := io.Pipe()
		go io.WriteString(lines, "one\n")
		resp, err := client.Post("http://shop.example", "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		wantStamp(t, "the answer", resp.Header)
		echo := bufio.NewReader(resp.Body)
		for _, want := range []string{"one", "two"} {
			if got, err := echo.ReadString('\n'); got != "echo "+want+"\n" {
				t.Errorf("read %q, %v, want the echo of %s", got, err, want)
			}
			if want == "one" {
				io.WriteString(lines, "two\n")
			}
		}
		lines.Close()
		if rest, err := io.ReadAll(echo); len(rest) > 0 || err != nil {
			t.Errorf("at the end came %q, %v, want nothing", rest, err)
		}
	})
}

func TestResponseTimeoutHandler(t *testing.T) {
	late := make(chan error, 1)
	slow := func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		<-time.After(time.Second) // the time-out is answered first
		_, err := io.WriteString(w, "too late")
		late <- err
	}
	quick := func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Flusher); ok {
			t.Error("the writer of http.TimeoutHandler is a Flusher")
		}
		if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Flush: %v, want %v", err, http.ErrNotSupported)
		}
		if got := w.Header()["Set-Cookie"]; got != nil {
			t.Errorf("a Flush that cannot be has set the cookie %q", got)
		}
		io.WriteString(w, "hello")
	}
	timeout := func(h http.HandlerFunc) http.HandlerFunc {
		return http.TimeoutHandler(h, time.Minute, "sorry").ServeHTTP
	}
	for _, tt := range []struct {
		name    string
		h       http.HandlerFunc
		status  int
		body    string
		stamped bool
	}{
		{"above, in time", timeout(stamped(quick)), 200, "hello", true},
		{"above, too late", timeout(stamped(slow)), 503, "sorry", false},
		{"below, in time", stamped(timeout(quick)), 200, "hello", true},
		{"below, too late", stamped(timeout(slow)), 503, "sorry", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				late = make(chan error, 1)
				client := &http.Client{Transport: pipe.Serve(t, tt.h)}
				resp, err := client.Get("http://shop.example")
				want(t, resp, err, tt.status, tt.body)
				if tt.stamped {
					wantStamp(t, "the answer", resp.Header)
				} else if resp.Header["Set-Cookie"] != nil {
					t.Errorf("the time-out has the header %v of what it gave up", resp.Header)
				}
				if tt.status == 503 {
					if err := <-late; err != http.ErrHandlerTimeout {
						t.Errorf("Write after the time-out: %v, want %v", err, http.ErrHandlerTimeout)
					}
				}
			})
		})
	}
}

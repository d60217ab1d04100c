package bearer_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
)

// ableWriter is a server's writer with all abilities, which writes down its calls.
type ableWriter struct {
	header http.Header
	calls  []string
}

var (
	errFlush    = errors.New("flush")
	errHijack   = errors.New("hijack")
	errPush     = errors.New("push")
	errDeadline = errors.New("deadline")
	errDuplex   = errors.New("duplex")
)

func (w *ableWriter) call(format string, args ...any) {
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
}

func (w *ableWriter) Header() http.Header { return w.header }

func (w *ableWriter) WriteHeader(code int) { w.call("WriteHeader %d", code) }

func (w *ableWriter) Write(p []byte) (int, error) {
	w.call("Write %s", p)
	return len(p), nil
}

func (w *ableWriter) WriteString(s string) (int, error) {
	w.call("WriteString %s", s)
	return len(s), nil
}

func (w *ableWriter) ReadFrom(src io.Reader) (int64, error) {
	w.call("ReadFrom %T", src)
	return io.Copy(io.Discard, src)
}

func (w *ableWriter) Flush() { w.call("Flush") }

func (w *ableWriter) FlushError() error {
	w.call("FlushError")
	return errFlush
}

func (w *ableWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.call("Hijack")
	return nil, nil, errHijack
}

func (w *ableWriter) Push(target string, _ *http.PushOptions) error {
	w.call("Push %s", target)
	return errPush
}

func (w *ableWriter) CloseNotify() <-chan bool {
	w.call("CloseNotify")
	return nil
}

func (w *ableWriter) SetReadDeadline(time.Time) error {
	w.call("SetReadDeadline")
	return errDeadline
}

func (w *ableWriter) SetWriteDeadline(time.Time) error {
	w.call("SetWriteDeadline")
	return errDeadline
}

func (w *ableWriter) EnableFullDuplex() error {
	w.call("EnableFullDuplex")
	return errDuplex
}

type (
	flushErrorer  interface{ FlushError() error }
	closeNotifier interface{ CloseNotify() <-chan bool }
	unwrapper     interface{ Unwrap() http.ResponseWriter }
)

// wrapping is a writer of a middleware that knows about http.ResponseController
// and nothing else.
type wrapping struct{ http.ResponseWriter }

func (w wrapping) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// onlyReader hides what else a reader can.
type onlyReader struct{ io.Reader }

func TestResponseBegins(t *testing.T) {
	type W = http.ResponseWriter
	hello := func() io.Reader { return onlyReader{strings.NewReader("hello")} }
	control := http.NewResponseController
	for _, tt := range []struct {
		name    string
		do      func(w W) error
		want    string // calls of the server's writer and of begin, in order
		wrapped string // and when the server's writer is wrapped; type assertions do not see through that
		err     error  // the server's
	}{
		{"nothing", func(w W) error { return nil }, "begin", "begin", nil},
		{"Header", func(w W) error { w.Header().Set("A", "b"); return nil }, "begin", "begin", nil},
		{"Write", func(w W) error { _, err := w.Write([]byte("a")); return err }, "begin, Write a", "begin, Write a", nil},
		{"Write nothing", func(w W) error { _, err := w.Write(nil); return err }, "begin, Write ", "begin, Write ", nil},
		{"Write twice", func(w W) error { w.Write([]byte("a")); w.Write([]byte("b")); return nil }, "begin, Write a, Write b", "begin, Write a, Write b", nil},
		{"WriteString", func(w W) error { _, err := io.WriteString(w, "a"); return err }, "begin, WriteString a", "begin, Write a", nil},
		{"WriteHeader 200", func(w W) error { w.WriteHeader(200); return nil }, "begin, WriteHeader 200", "begin, WriteHeader 200", nil},
		{"WriteHeader 204", func(w W) error { w.WriteHeader(204); return nil }, "begin, WriteHeader 204", "begin, WriteHeader 204", nil},
		{"WriteHeader 304", func(w W) error { w.WriteHeader(304); return nil }, "begin, WriteHeader 304", "begin, WriteHeader 304", nil},
		{"WriteHeader 99", func(w W) error { w.WriteHeader(99); return nil }, "begin, WriteHeader 99", "begin, WriteHeader 99", nil},
		{"WriteHeader 101", func(w W) error { w.WriteHeader(101); return nil }, "begin, WriteHeader 101", "begin, WriteHeader 101", nil},
		{"WriteHeader 100", func(w W) error { w.WriteHeader(100); return nil }, "WriteHeader 100, begin", "WriteHeader 100, begin", nil},
		{"WriteHeader 103 and 200", func(w W) error { w.WriteHeader(103); w.WriteHeader(200); return nil },
			"WriteHeader 103, begin, WriteHeader 200", "WriteHeader 103, begin, WriteHeader 200", nil},
		{"WriteHeader 199 and Write", func(w W) error { w.WriteHeader(199); w.Write([]byte("a")); return nil },
			"WriteHeader 199, begin, Write a", "WriteHeader 199, begin, Write a", nil},
		{"ReadFrom", func(w W) error { _, err := w.(io.ReaderFrom).ReadFrom(hello()); return err },
			"begin, ReadFrom bearer_test.onlyReader", "begin, Write hello", nil},
		{"Copy", func(w W) error { _, err := io.Copy(w, hello()); return err },
			"begin, ReadFrom bearer_test.onlyReader", "begin, Write hello", nil},
		{"CopyN", func(w W) error { _, err := io.CopyN(w, hello(), 2); return err },
			"begin, ReadFrom *io.LimitedReader", "begin, Write he", nil},
		{"Flusher", func(w W) error { w.(http.Flusher).Flush(); return nil }, "begin, Flush", "", nil},
		{"Hijacker", func(w W) error { _, _, err := w.(http.Hijacker).Hijack(); return err }, "begin, Hijack", "", errHijack},
		{"Pusher", func(w W) error { return w.(http.Pusher).Push("/a.css", nil) }, "Push /a.css, begin", "", errPush},
		{"control Flush", func(w W) error { return control(w).Flush() }, "begin, FlushError", "begin, FlushError", errFlush},
		{"control Hijack", func(w W) error { _, _, err := control(w).Hijack(); return err }, "begin, Hijack", "begin, Hijack", errHijack},
		{"control SetReadDeadline", func(w W) error { return control(w).SetReadDeadline(time.Time{}) },
			"SetReadDeadline, begin", "SetReadDeadline, begin", errDeadline},
		{"control SetWriteDeadline", func(w W) error { return control(w).SetWriteDeadline(time.Time{}) },
			"SetWriteDeadline, begin", "SetWriteDeadline, begin", errDeadline},
		{"control EnableFullDuplex", func(w W) error { return control(w).EnableFullDuplex() },
			"EnableFullDuplex, begin", "EnableFullDuplex, begin", errDuplex},
		{"Unwrap and Flush", func(w W) error { w.(unwrapper).Unwrap().(http.Flusher).Flush(); return nil },
			"begin, FlushError", "begin, FlushError", nil},
		{"Unwrap and Write", func(w W) error { w.(unwrapper).Unwrap().Write([]byte("a")); return nil },
			"begin, Write a", "begin, Write a", nil},
		{"much", func(w W) error {
			w.WriteHeader(200)
			control(w).Flush()
			io.WriteString(w, "a")
			io.Copy(w, hello())
			control(w).Hijack()
			return nil
		}, "begin, WriteHeader 200, FlushError, WriteString a, ReadFrom bearer_test.onlyReader, Hijack",
			"begin, WriteHeader 200, FlushError, Write a, Write hello, Hijack", nil},
	} {
		for _, wrapped := range []bool{false, true} {
			server := &ableWriter{header: http.Header{}}
			var under W = server
			name, want := tt.name, tt.want
			if wrapped {
				under, name, want = wrapping{server}, name+" wrapped", tt.wrapped
			}
			if want == "" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				w, finish := bearer.NewResponse(under, func(got W) {
					if got != under {
						t.Errorf("begin got a %T, want the server's writer", got)
					}
					server.call("begin")
				})
				if err := tt.do(w); err != tt.err {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				finish()
				finish()
				if got := strings.Join(server.calls, ", "); got != want {
					t.Errorf("the calls were %q, want %q", got, want)
				}
			})
		}
	}
}

// A begin that panics is not called again while that goes on.
func TestResponseBeginPanics(t *testing.T) {
	began := 0
	w, finish := bearer.NewResponse(httptest.NewRecorder(), func(http.ResponseWriter) { began++; panic("begin") })
	func() {
		defer func() {
			if got := recover(); got != "begin" {
				t.Errorf("recovered %v, want begin's panic", got)
			}
		}()
		defer finish()
		w.Write(nil)
	}()
	if began != 1 {
		t.Errorf("begin was called %d times, want 1", began)
	}
}

package bearer_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
)

func TestResponseTellsWhatTheServerCan(t *testing.T) {
	a := &ableWriter{header: http.Header{}}
	type (
		W = http.ResponseWriter
		F = http.Flusher
		H = http.Hijacker
		P = http.Pusher
		C = closeNotifier
	)
	plain := struct{ W }{a}
	for _, tt := range []struct {
		name   string
		server http.ResponseWriter
		notify bool // has CloseNotify
	}{
		{"nothing", plain, false},
		{"F", struct {
			W
			F
		}{a, a}, false},
		{"H", struct {
			W
			H
		}{a, a}, false},
		{"P", struct {
			W
			P
		}{a, a}, false},
		{"FH", struct {
			W
			F
			H
		}{a, a, a}, false},
		{"FP", struct {
			W
			F
			P
		}{a, a, a}, false},
		{"HP", struct {
			W
			H
			P
		}{a, a, a}, false},
		{"FHP", struct {
			W
			F
			H
			P
		}{a, a, a, a}, false},
		{"HTTP/1.1", struct {
			W
			F
			H
			C
		}{a, a, a, a}, true},
		{"HTTP/2", struct {
			W
			F
			P
			C
		}{a, a, a, a}, true},
		{"all", a, false},
		{"httptest", httptest.NewRecorder(), false},
		{"a wrapping", wrapping{a}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, _ := bearer.NewResponse(tt.server, func(http.ResponseWriter) {})
			if got, want := abilities(w), abilities(tt.server); !slices.Equal(got, want) {
				t.Errorf("abilities are %q, want %q", got, want)
			}
			n, ok := w.(closeNotifier)
			if ok != tt.notify {
				t.Errorf("has CloseNotify: %t, want %t", ok, tt.notify)
			}
			if a.calls = nil; ok {
				n.CloseNotify()
			}
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
			if h, ok := w.(http.Hijacker); ok {
				h.Hijack()
			}
			if p, ok := w.(http.Pusher); ok {
				p.Push("/", nil)
			}
			want := abilities(tt.server)
			if tt.notify {
				want = slices.Insert(want, 0, "CloseNotify")
			}
			if got := strings.ReplaceAll(strings.Join(a.calls, " "), " /", ""); tt.name != "httptest" && got != strings.Join(want, " ") {
				t.Errorf("the server's writer was called: %q, want %q", got, want)
			}
			for range 2 { // also what Unwrap returns
				if _, ok := w.(io.ReaderFrom); !ok {
					t.Errorf("%T is no io.ReaderFrom", w)
				}
				if _, ok := w.(io.StringWriter); !ok {
					t.Errorf("%T is no io.StringWriter", w)
				}
				if w = w.(unwrapper).Unwrap(); w == tt.server {
					break
				}
			}
			alloc := func(w http.ResponseWriter) float64 {
				begin := func(http.ResponseWriter) {}
				return testing.AllocsPerRun(1000, func() { bearer.NewResponse(w, begin) })
			}
			if got, want := alloc(tt.server), alloc(plain); got != want {
				t.Errorf("%v allocations, want %v as without abilities", got, want)
			}
		})
	}
}

// abilities returns those optional methods of w that handlers ask for.
func abilities(w http.ResponseWriter) []string {
	var all []string
	if _, ok := w.(http.Flusher); ok {
		all = append(all, "Flush")
	}
	if _, ok := w.(http.Hijacker); ok {
		all = append(all, "Hijack")
	}
	if _, ok := w.(http.Pusher); ok {
		all = append(all, "Push")
	}
	return all
}

// What cannot be done does not complete the header: a later sign-in still counts.
func TestResponseUnableDoesNotBegin(t *testing.T) {
	a := &ableWriter{header: http.Header{}}
	response := func(w http.ResponseWriter) http.ResponseWriter {
		w, _ = bearer.NewResponse(w, func(http.ResponseWriter) {})
		return w
	}
	for _, tt := range []struct {
		name   string
		server http.ResponseWriter
		flush  error
	}{
		{"nothing", struct{ http.ResponseWriter }{a}, http.ErrNotSupported},
		{"wrapped nothing", wrapping{wrapping{struct{ http.ResponseWriter }{a}}}, http.ErrNotSupported},
		{"wrapped nil", wrapping{nil}, http.ErrNotSupported},
		{"a second Middleware", response(wrapping{struct{ http.ResponseWriter }{a}}), http.ErrNotSupported},
		{"a second Middleware that can", response(wrapping{struct {
			http.ResponseWriter
			http.Flusher
		}{a, a}}), nil},
		{"wrapped Flusher", wrapping{struct {
			http.ResponseWriter
			http.Flusher
		}{a, a}}, nil},
		{"FlushError alone", struct {
			http.ResponseWriter
			flushErrorer
		}{a, a}, errFlush},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begun := false
			w, _ := bearer.NewResponse(tt.server, func(http.ResponseWriter) { begun = true })
			c := http.NewResponseController(w)
			if _, _, err := c.Hijack(); !errors.Is(err, http.ErrNotSupported) || begun {
				t.Errorf("Hijack: %v, and begun: %t, want %v, false", err, begun, http.ErrNotSupported)
			}
			if err := c.SetReadDeadline(time.Time{}); !errors.Is(err, http.ErrNotSupported) || begun {
				t.Errorf("SetReadDeadline: %v, and begun: %t, want %v, false", err, begun, http.ErrNotSupported)
			}
			if err, able := c.Flush(), tt.flush != http.ErrNotSupported; !errors.Is(err, tt.flush) || begun != able {
				t.Errorf("Flush: %v, and begun: %t, want %v, %t", err, begun, tt.flush, able)
			}
			if _, ok := w.(unwrapper).Unwrap().(http.Hijacker); ok {
				t.Error("Unwrap found a Hijacker where there is none")
			}
		})
	}
}

// One that can be hijacked need not be one that can flush.
func TestResponseHijackerDoesNotFlush(t *testing.T) {
	a := &ableWriter{header: http.Header{}}
	begun := false
	w, _ := bearer.NewResponse(struct {
		http.ResponseWriter
		http.Hijacker
	}{a, a}, func(http.ResponseWriter) { begun = true })
	c := http.NewResponseController(w)
	if err := c.Flush(); !errors.Is(err, http.ErrNotSupported) || begun {
		t.Errorf("Flush: %v, and begun: %t, want %v, false", err, begun, http.ErrNotSupported)
	}
	if _, _, err := c.Hijack(); err != errHijack || !begun {
		t.Errorf("Hijack: %v, and begun: %t, want %v, true", err, begun, errHijack)
	}
}

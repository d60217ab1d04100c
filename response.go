package bearer

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// response is the [http.ResponseWriter] that a handler under Middleware gets. It
// has its owner complete the header just before that is sent.
type response struct {
	http.ResponseWriter // the server's, or that of a middleware above
	owner               interface{ begin(http.ResponseWriter) }
	begun               bool
}

// finish has the owner complete the header, once. All that makes the server send
// it calls this first, and Middleware when the handler has returned or panicked.
func (w *response) finish() {
	if !w.begun {
		w.begun = true
		w.owner.begin(w.ResponseWriter)
	}
}

// WriteHeader implements [http.ResponseWriter]. The header is that of the final
// answer: others may precede it (RFC 9110 §15.2), but nothing follows a 101.
func (w *response) WriteHeader(code int) {
	if code/100 != 1 || code == http.StatusSwitchingProtocols {
		w.finish()
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *response) Write(p []byte) (int, error) {
	w.finish()
	return w.ResponseWriter.Write(p)
}

func (w *response) WriteString(s string) (int, error) {
	w.finish()
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom leaves the copying to the server's writer, so that a file goes to the
// connection within the kernel where that can be.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	w.finish()
	return io.Copy(w.ResponseWriter, src)
}

// Unwrap leads [http.ResponseController] to what is not here, such as deadlines.
// On its way to what would send the header behind our back it meets inner.
func (w *response) Unwrap() http.ResponseWriter {
	switch {
	case reaches[http.Hijacker](w.ResponseWriter):
		return innerHijacker{inner{w}}
	case canFlush(w.ResponseWriter):
		return inner{w}
	}
	return w.ResponseWriter
}

// inner stands between a response and a server's writer. That may have no Flush
// or Hijack but wrap one that has: a handler cannot assert it, but reach it.
type inner struct{ *response }

func (w inner) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w inner) Flush()                      { w.flush() }
func (w inner) FlushError() error           { return w.flush() }

type innerHijacker struct{ inner }

func (w innerHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

func (w *response) flush() error {
	if canFlush(w.ResponseWriter) {
		w.finish()
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *response) hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.finish()
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func canFlush(w http.ResponseWriter) bool {
	return reaches[http.Flusher](w) || reaches[interface{ FlushError() error }](w)
}

// reaches reports whether w, or one that it wraps, is a T.
func reaches[T any](w http.ResponseWriter) bool {
	for {
		if _, ok := w.(T); ok {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}

// writer returns what to hand to the handler. Its type tells the truth: it has
// Flush, Hijack and Push if the server's writer has. Of CloseNotify this holds
// for net/http's own writers (gin's Stream calls it without asking). Each type is
// a single pointer, so that none costs an allocation.
func (w *response) writer() http.ResponseWriter {
	_, flush := w.ResponseWriter.(http.Flusher)
	_, hijack := w.ResponseWriter.(http.Hijacker)
	_, push := w.ResponseWriter.(http.Pusher)
	_, notify := w.ResponseWriter.(closeNotifier)
	switch {
	case flush && hijack && push:
		return flushHijackPusher{flushHijacker{flusher{w}}}
	case flush && hijack && notify:
		return http1Writer{flushHijacker{flusher{w}}}
	case flush && push && notify:
		return http2Writer{flushPusher{flusher{w}}}
	case flush && hijack:
		return flushHijacker{flusher{w}}
	case flush && push:
		return flushPusher{flusher{w}}
	case hijack && push:
		return hijackPusher{hijacker{w}}
	case flush:
		return flusher{w}
	case hijack:
		return hijacker{w}
	case push:
		return pusher{w}
	}
	return w
}

// closeNotifier is http.CloseNotifier, which is deprecated.
type closeNotifier interface{ CloseNotify() <-chan bool }

type (
	flusher           struct{ *response }
	hijacker          struct{ *response }
	pusher            struct{ *response }
	flushHijacker     struct{ flusher }
	flushPusher       struct{ flusher }
	hijackPusher      struct{ hijacker }
	flushHijackPusher struct{ flushHijacker }
	http1Writer       struct{ flushHijacker }
	http2Writer       struct{ flushPusher }
)

func (w flusher) FlushError() error { return w.flush() }
func (w flusher) Flush() {
	w.finish()
	w.ResponseWriter.(http.Flusher).Flush()
}

func (w hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error)      { return w.hijack() }
func (w flushHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

func (w pusher) Push(target string, o *http.PushOptions) error            { return w.push(target, o) }
func (w flushPusher) Push(target string, o *http.PushOptions) error       { return w.push(target, o) }
func (w hijackPusher) Push(target string, o *http.PushOptions) error      { return w.push(target, o) }
func (w flushHijackPusher) Push(target string, o *http.PushOptions) error { return w.push(target, o) }

// push sends no header: a push is an answer of its own.
func (w *response) push(target string, o *http.PushOptions) error {
	return w.ResponseWriter.(http.Pusher).Push(target, o)
}

func (w http1Writer) CloseNotify() <-chan bool { return w.closeNotify() }
func (w http2Writer) CloseNotify() <-chan bool { return w.closeNotify() }

func (w *response) closeNotify() <-chan bool { return w.ResponseWriter.(closeNotifier).CloseNotify() }

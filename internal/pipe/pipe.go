// Package pipe connects HTTP clients to real servers in memory, for tests in
// testing/synctest bubbles, in which a socket would hang.
package pipe

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Listener is a [net.Listener] that is reached by Dial only, whatever the address.
type Listener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// Listen returns a Listener.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial returns the client's end of a connection. It fits [http.Transport].
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept returns the server's end of the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial. It may be called more than once.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is a name for messages.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// Serve serves h with a real [http.Server] until the test ends, and returns the
// transport that reaches it under every host name, by http and, without TLS, https.
func Serve(t testing.TB, h http.Handler) *http.Transport {
	t.Helper()
	l, server := Listen(), &http.Server{Handler: h}
	go server.Serve(l)
	tr := &http.Transport{DialContext: l.Dial, DialTLSContext: l.Dial, MaxIdleConnsPerHost: 100}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		server.Close()
	})
	return tr
}

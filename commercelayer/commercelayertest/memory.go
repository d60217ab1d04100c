package commercelayertest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// memory connects clients to a real http.Server through net.Pipe.
type memory struct {
	server http.Server

	mu      sync.Mutex // guards what follows
	closed  bool
	dialed  int
	running sync.WaitGroup // one for each connection
}

// memoryHTTPS marks the context of a connection that stands for TLS.
type memoryHTTPS struct{}

func isMemoryHTTPS(ctx context.Context) bool { return ctx.Value(memoryHTTPS{}) != nil }

func newMemory(s *Server) *memory {
	return &memory{server: http.Server{
		Handler:  s,
		ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if m, ok := c.(*memoryConn); ok && m.https {
				return context.WithValue(ctx, memoryHTTPS{}, true)
			}
			return ctx
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if m, ok := c.(*memoryConn); ok && (state == http.StateClosed || state == http.StateHijacked) {
				close(m.ended)
			}
		},
	}}
}

// Transport returns a transport whose every connection, whatever its address,
// leads to this server in memory: a net.Pipe with a real [http.Server] at its
// other end, so that streams, broken connections and time limits are real. It
// serves https addresses as well, without TLS; the server takes them for https.
//
// It works inside a testing/synctest bubble, if the server was made there too;
// end the bubble with [Server.Close].
func (s *Server) Transport() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.memory.dial(ctx, false)
		},
		// net/http takes a connection from here to be past its handshake.
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.memory.dial(ctx, true)
		},
		MaxIdleConnsPerHost: 100,
	}
}

// Client returns a client that reaches the server through [Server.Transport].
func (s *Server) Client() *http.Client { return &http.Client{Transport: s.Transport()} }

func (m *memory) dial(ctx context.Context, https bool) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errors.New("commercelayertest: the server is closed: call Close when its clients are done")
	}
	m.dialed++
	client, server := net.Pipe()
	conn := &memoryConn{Conn: server, https: https, ended: make(chan struct{}),
		peer: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1024 + m.dialed%60000}}
	m.running.Go(func() { m.server.Serve(&memoryListener{conn: conn}) })
	return client, nil
}

func (m *memory) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.server.Close()
	m.running.Wait()
}

// memoryConn is the server's end of a connection. It has an address, which a
// pipe has not, for the rate limit to count by.
type memoryConn struct {
	net.Conn
	https bool
	peer  net.Addr

	ended chan struct{} // closed when the last request on it has been served
}

func (c *memoryConn) RemoteAddr() net.Addr { return c.peer }

// memoryListener accepts one connection and then waits for its end. One for
// each connection, so that a server without connections runs nothing, and each
// runs in the bubble of its client.
type memoryListener struct {
	conn     *memoryConn
	accepted bool // used by Serve's goroutine only
}

func (l *memoryListener) Accept() (net.Conn, error) {
	if l.accepted {
		<-l.conn.ended
		return nil, io.EOF
	}
	l.accepted = true
	return l.conn, nil
}

func (l *memoryListener) Close() error   { return l.conn.Close() }
func (l *memoryListener) Addr() net.Addr { return l.conn.LocalAddr() }

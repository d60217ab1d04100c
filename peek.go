package bearer

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// peekLimit is how much of a body is read before its reader asks for it.
const peekLimit = 64 << 10

// peekedBody is a response body of which the beginning may have been read
// already. Its reader gets all of it.
type peekedBody struct {
	body io.ReadCloser

	stop atomic.Bool   // tells the reading goroutine to end after the read it is in
	done chan struct{} // closed when that goroutine has ended; nil if there is none

	mu  sync.Mutex // guards what follows until done is closed, then its reader owns it
	buf []byte
	err error // how the body ended; nil if there is more
}

// peek returns what it can read of the body within limit of time and peekLimit of
// size. It can be called again, and must not be called once Read has been.
func (p *peekedBody) peek(limit time.Duration) []byte {
	if p.done == nil {
		p.done = make(chan struct{})
		go p.fill()
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf[:len(p.buf):len(p.buf)]
}

// fill reads until peekLimit, the end, or stop.
func (p *peekedBody) fill() {
	defer close(p.done)
	chunk := make([]byte, 4<<10)
	for size := 0; size < peekLimit && !p.stop.Load(); {
		n, err := p.body.Read(chunk[:min(len(chunk), peekLimit-size)])
		p.mu.Lock()
		p.buf = append(p.buf, chunk[:n]...)
		p.err = err
		p.mu.Unlock()
		if err != nil {
			return
		}
		size += n
	}
}

// Read implements [io.Reader].
func (p *peekedBody) Read(b []byte) (int, error) {
	if p.done != nil {
		p.stop.Store(true)
		<-p.done
	}
	if len(p.buf) > 0 {
		n := copy(b, p.buf)
		p.buf = p.buf[n:]
		return n, nil
	}
	if p.err != nil {
		return 0, p.err
	}
	return p.body.Read(b)
}

// Close implements [io.Closer]. It waits for nobody: where net/http unpacks gzip,
// closing a body waits for a read of it that waits for the server.
func (p *peekedBody) Close() error {
	p.stop.Store(true)
	if p.done != nil {
		select {
		case <-p.done:
		default:
			go p.body.Close()
			return nil
		}
	}
	return p.body.Close()
}

// peek is the reader of the beginning of a peekedBody, for those who must leave
// the rest to another. It starts to read when it is read.
type peek struct {
	p     *peekedBody
	limit time.Duration
	begun bool
	rest  []byte
}

func (r *peek) Read(b []byte) (int, error) {
	if !r.begun {
		r.begun, r.rest = true, r.p.peek(r.limit)
	}
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *peek) Close() error { return nil }

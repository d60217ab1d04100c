package fleet_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// network is what lies between the shops and their Redis.
type network struct {
	l  net.Listener
	to string

	mu    sync.Mutex // guards the rest
	delay time.Duration
	dead  chan struct{} // nothing goes through until it is closed; nil if all does
	down  bool          // there are no connections, and no new ones
	conns map[net.Conn]bool
}

func newNetwork(t *testing.T, to string) *network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{l: l, to: to, conns: map[net.Conn]bool{}}
	go n.accept()
	t.Cleanup(func() {
		l.Close()
		n.revive()
		n.cut()
	})
	return n
}

func (n *network) url() string { return "redis://" + n.l.Addr().String() }

func (n *network) accept() {
	for {
		in, err := n.l.Accept()
		if err != nil {
			return
		}
		go n.connect(in)
	}
}

func (n *network) connect(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", n.to)
	if err != nil {
		return
	}
	defer out.Close()
	if !n.add(in, out) {
		return
	}
	go n.pass(out, in)
	n.pass(in, out)
	n.mu.Lock()
	delete(n.conns, in)
	delete(n.conns, out)
	n.mu.Unlock()
}

func (n *network) add(conns ...net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return false
	}
	for _, c := range conns {
		n.conns[c] = true
	}
	return true
}

// pass carries what comes from one side to the other.
func (n *network) pass(to io.WriteCloser, from io.ReadCloser) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 64<<10)
	for {
		got, err := from.Read(b)
		if err != nil {
			return
		}
		n.mu.Lock()
		delay, dead := n.delay, n.dead
		n.mu.Unlock()
		if delay > 0 {
			<-time.After(delay)
		}
		if dead != nil {
			<-dead
		}
		if _, err := to.Write(b[:got]); err != nil {
			return
		}
	}
}

// slow makes all take longer, in each direction.
func (n *network) slow(delay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = delay
}

// die lets nothing through, and breaks no connection.
func (n *network) die() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead = make(chan struct{})
}

// revive undoes die: what was under way arrives.
func (n *network) revive() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dead != nil {
		close(n.dead)
		n.dead = nil
	}
}

// cut breaks all connections, and lets none come.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for c := range n.conns {
		c.Close()
	}
}

// mend undoes cut.
func (n *network) mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

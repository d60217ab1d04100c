package redisstore

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// connection is the client that a Store uses. rueidis makes none while it cannot
// reach the server, so that the Store makes it when it is needed, and again as long
// as it must.
type connection struct {
	dial   func() (rueidis.Client, error) // nil if the client is the caller's
	client atomic.Pointer[rueidis.Client] // nil: none yet

	closed chan struct{} // closed by close

	mu      sync.Mutex // guards the rest, and writing client
	attempt *attempt   // the one under way
	renewed time.Time  // when a client was last given up
}

// attempt is one to make a client.
type attempt struct {
	done   chan struct{} // closed when the rest is set
	client rueidis.Client
	err    error
}

// renewEvery is how often at most a client is given up.
const renewEvery = time.Second

// get returns the client, and makes it if there is none. Many callers wait for one
// attempt.
func (c *connection) get(ctx context.Context) (rueidis.Client, error) {
	if made := c.client.Load(); made != nil {
		return *made, nil
	}
	c.mu.Lock()
	if c.isClosed() {
		c.mu.Unlock()
		return nil, errClosed
	}
	if made := c.client.Load(); made != nil {
		c.mu.Unlock()
		return *made, nil
	}
	a := c.attempt
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		c.attempt = a
		go c.make(a)
	}
	c.mu.Unlock()
	select {
	case <-a.done:
		return a.client, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *connection) make(a *attempt) {
	a.client, a.err = c.dial()
	if a.err != nil && a.client != nil {
		a.client.Close()
	}
	c.mu.Lock()
	c.attempt = nil
	closed := c.isClosed()
	if a.err == nil && !closed {
		c.client.Store(&a.client)
	}
	c.mu.Unlock()
	if a.err == nil && closed {
		a.client.Close()
		a.err = errClosed
	}
	close(a.done)
}

// renew gives a client up, so that the next call looks anew for the server. It
// reports whether it has.
func (c *connection) renew(old rueidis.Client) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if made := c.client.Load(); c.dial == nil || made == nil || *made != old || time.Since(c.renewed) < renewEvery {
		return false
	}
	c.renewed = time.Now()
	c.client.Store(nil)
	go old.Close() // waits for what is under way
	return true
}

func (c *connection) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// close closes the client, unless it is the caller's.
func (c *connection) close() {
	c.mu.Lock()
	if c.isClosed() {
		c.mu.Unlock()
		return
	}
	close(c.closed)
	made := c.client.Swap(nil)
	c.mu.Unlock()
	if made != nil && c.dial != nil {
		(*made).Close()
	}
}

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/redis/rueidis"
)

const (
	heartbeat = 500 * time.Millisecond

	// silence is how long a server may leave a heartbeat unanswered.
	silence = 5 * time.Second

	// maxBehind is how many changes and heartbeats a watcher may be behind.
	maxBehind = 1 << 16
)

var (
	errBehind   = &storeError{"Watch ended because its function was too slow for the changes: take everything for changed, and watch again", nil}
	errMoved    = &storeError{"Watch ended because Redis has other servers now: take everything for changed, and watch again", nil}
	errDemoted  = &storeError{"Watch ended because the server has become a replica: take everything for changed, and watch again", nil}
	errBroken   = &storeError{"Watch ended because a connection broke, or Redis has been emptied: take everything for changed, and watch again", nil}
	errSilent   = &storeError{fmt.Sprintf("Watch ended because Redis has not answered for %v: take everything for changed, and watch again", silence), os.ErrDeadlineExceeded}
	errNobody   = &storeError{"Watch has found no primary among the servers of Redis: watch again", nil}
	errNoPushes = &storeError{"Watch needs a server that tells of changes (RESP3; Redis 6.2 or newer, or Valkey), and a client that lets it", nil}
)

// Watch calls changed for each change under the Store's prefix, whoever makes it, and
// with an empty one at first and twice a second, until ctx ends, whose error it
// returns, or the feed breaks: if a connection does, a server does not answer for 5
// seconds, servers change their roles, Redis is emptied, or changed is more than
// 65,536 changes behind. Some changes may be told of more than once, and so are
// values that expire.
//
// It uses a connection of its own for each primary, on which the server tells of
// changes (CLIENT TRACKING in broadcasting mode). Answers come in order on it, so that
// a heartbeat that has been answered means that everything before has been told.
func (s *Store) Watch(ctx context.Context, changed func(bearer.Change)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &watcher{store: s, ready: make(chan struct{}, 1)}
	feeds, err := call[*feeds]{do: w.open, late: (*feeds).close}.in(ctx, s)
	if err != nil {
		return err
	}
	pulse, stop := context.WithCancel(context.WithoutCancel(ctx))
	var beating sync.WaitGroup
	beating.Go(func() { w.beat(pulse, feeds) })
	defer beating.Wait()
	defer feeds.close()
	defer stop()
	for {
		select {
		case <-w.ready:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.connection.closed:
			return errClosed
		}
		if err := w.deliver(ctx, changed); err != nil {
			return err
		}
	}
}

// watcher is a call of Watch.
type watcher struct {
	store *Store
	ready chan struct{} // has something in it if there is something to deliver

	mu    sync.Mutex // guards the rest
	queue []string   // keys whose change is to be told; empty for a heartbeat
	end   error      // why nothing follows
}

// invalidated is told by rueidis what has changed. It is called on the goroutine that
// reads the connection, and so must not wait.
func (w *watcher) invalidated(changed []rueidis.RedisMessage) {
	if changed == nil {
		w.fail(errBroken) // rueidis says the same for both
		return
	}
	keys := make([]string, 0, len(changed))
	for _, m := range changed {
		there, err := m.ToString()
		if err != nil {
			w.fail(errAnswer)
			return
		}
		// The empty key would be a heartbeat.
		if key, ok := w.store.keys.key(there); ok && key != "" {
			keys = append(keys, key)
		}
	}
	if len(keys) > 0 {
		w.add(keys...)
	}
}

// begin adds the first heartbeat. What has changed before is not told of.
func (w *watcher) begin() {
	w.mu.Lock()
	w.queue = []string{""}
	w.mu.Unlock()
	w.wake()
}

// add adds changes, or a heartbeat.
func (w *watcher) add(keys ...string) {
	w.mu.Lock()
	if w.end == nil && len(w.queue)+len(keys) > maxBehind {
		w.queue, w.end = nil, errBehind
	}
	if w.end == nil {
		w.queue = append(w.queue, keys...)
	}
	w.mu.Unlock()
	w.wake()
}

// fail ends the feed. The first reason counts.
func (w *watcher) fail(err error) {
	w.mu.Lock()
	if w.end == nil {
		w.end = err
	}
	w.mu.Unlock()
	w.wake()
}

func (w *watcher) wake() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// deliver tells of what has been added. Its error is why to tell of no more.
func (w *watcher) deliver(ctx context.Context, changed func(bearer.Change)) error {
	for {
		keys, err := w.take()
		if err != nil || len(keys) == 0 {
			return err
		}
		for _, key := range keys {
			if err := ctx.Err(); err != nil {
				return err
			}
			if key != "" && w.store.cached {
				// Whoever is told, and looks, must see the change, though the connection
				// that is read from may not have been told yet.
				w.store.written.note(key)
			}
			changed(bearer.Change{Key: key})
		}
	}
}

// take takes a few of what is to be told, or says why to tell of no more: what has
// been missed makes the rest worthless.
func (w *watcher) take() ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.end != nil {
		return nil, w.end
	}
	n := min(len(w.queue), 64)
	keys := w.queue[:n:n]
	w.queue = w.queue[n:]
	return keys, nil
}

// beat adds a heartbeat now and then, when all servers have answered one.
func (w *watcher) beat(ctx context.Context, all *feeds) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := all.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == errDemoted {
			w.store.giveUp(all.client)
		}
		if err != nil {
			w.fail(w.store.brokenOff(err))
			return
		}
		w.add("")
	}
}

// brokenOff is what ends a feed that has begun.
func (s *Store) brokenOff(err error) error {
	if _, ok := err.(*storeError); ok {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errSilent
	}
	return &storeError{errBroken.text, s.explain(context.Background(), err)}
}

package memstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
)

const (
	heartbeat = 500 * time.Millisecond

	// maxBehind is how many changes a watcher may be behind.
	maxBehind = 1 << 16
)

var errBehind = errors.New("memstore: Watch ended because its function was too slow for the changes: take everything for changed, and watch again")

// Watch calls changed for each change, and with an empty one at first and twice a
// second, until ctx ends, whose error it returns. If changed is more than 65,536
// changes behind Watch returns an error too: it neither holds writers up nor leaves
// changes out. Values that expire, or go to make room, are not told of.
func (s *Store) Watch(ctx context.Context, changed func(bearer.Change)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &watcher{ready: make(chan struct{}, 1)}
	s.feed.replace(func(all []*watcher) []*watcher { return append(all, w) })
	defer s.feed.replace(func(all []*watcher) []*watcher {
		return slices.DeleteFunc(all, func(other *watcher) bool { return other == w })
	})

	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	changed(bearer.Change{})
	for {
		alive := false
		select {
		case <-w.ready:
		case <-beat.C:
			alive = true
		case <-ctx.Done():
		}
		// Before the heartbeat too: it says that nothing has been missed.
		if err := w.deliver(ctx, changed); err != nil {
			return err
		}
		if alive {
			changed(bearer.Change{})
		}
	}
}

// watcher is a call of Watch.
type watcher struct {
	ready chan struct{} // has something in it if there is something to deliver

	mu     sync.Mutex // guards the rest
	keys   []string   // changed and not yet told
	behind bool       // there were too many, and the watcher has missed some
}

// add adds a change. It never waits for the watcher.
func (w *watcher) add(key string) {
	w.mu.Lock()
	if len(w.keys) == maxBehind {
		w.keys, w.behind = nil, true
	}
	if !w.behind {
		w.keys = append(w.keys, key)
	}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// deliver tells of what has been added. Its error is why to tell of no more.
func (w *watcher) deliver(ctx context.Context, changed func(bearer.Change)) error {
	w.mu.Lock()
	keys, behind := w.keys, w.behind
	w.keys = nil
	w.mu.Unlock()
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		changed(bearer.Change{Key: key})
	}
	if behind {
		return errBehind
	}
	return ctx.Err()
}

// feed tells the watchers of changes. The zero value has none.
type feed struct {
	mu       sync.Mutex                 // held while the list is replaced
	watchers atomic.Pointer[[]*watcher] // nil for none; a list is never changed
}

// tell tells of a change that has been made.
func (f *feed) tell(key string) {
	watchers := f.watchers.Load()
	if watchers == nil {
		return
	}
	for _, w := range *watchers {
		w.add(key)
	}
}

// replace puts another list in the place of the watchers'.
func (f *feed) replace(change func([]*watcher) []*watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var cur []*watcher
	if p := f.watchers.Load(); p != nil {
		cur = *p
	}
	if next := change(slices.Clone(cur)); len(next) > 0 {
		f.watchers.Store(&next)
	} else {
		f.watchers.Store(nil)
	}
}

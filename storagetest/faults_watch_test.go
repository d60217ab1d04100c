package storagetest_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
)

const (
	beats      = "Watcher/it begins with a heartbeat and has one each second"
	beatsAmid  = "Watcher/it has a heartbeat each second amid changes"
	eachChange = "Watcher/it tells of each change"
	swapsTold  = "Watcher/it tells of swaps"
	keysTold   = "Watcher/it tells the keys as they are"
	readable   = "Watcher/a change that it tells of can be read"
	oneAtATime = "Watcher/it tells one change at a time"
	everybody  = "Watcher/it tells all watchers"
	watchEnds  = "Watcher/it ends with its context, with an error"
)

type changedFunc = func(bearer.Change)

var watchFaults = []fault{
	{"there is no heartbeat", beats, func(f *faulty) {
		f.changes(func(c bearer.Change, changed changedFunc) {
			if c.Key != "" {
				changed(c)
			}
		})
	}},
	{"there is one heartbeat", beats, func(f *faulty) {
		var n atomic.Int32
		f.changes(func(c bearer.Change, changed changedFunc) {
			if c.Key != "" || n.Add(1) == 1 {
				changed(c)
			}
		})
	}},
	{"heartbeats come every three seconds", beats, func(f *faulty) {
		var n atomic.Int32
		f.changes(func(c bearer.Change, changed changedFunc) {
			if c.Key != "" || n.Add(1)%6 == 1 {
				changed(c)
			}
		})
	}},
	{"there is no heartbeat at first", beats, func(f *faulty) {
		f.watch = func(ctx context.Context, changed func(bearer.Change)) error {
			changed(bearer.Change{Key: "something"})
			return f.Store.Watch(ctx, changed)
		}
	}},
	{"it breaks off", beats, func(f *faulty) {
		f.watch = func(ctx context.Context, changed func(bearer.Change)) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return f.Store.Watch(ctx, changed)
		}
	}},
	{"heartbeats wait for an idle second", beatsAmid, func(f *faulty) {
		var last atomic.Int64
		f.changes(func(c bearer.Change, changed changedFunc) {
			now := time.Now().UnixNano()
			if c.Key != "" {
				last.Store(now)
			} else if now-last.Load() < int64(time.Second) {
				return
			}
			changed(c)
		})
	}},
	{"it does not tell of Set", eachChange, func(f *faulty) { plantSilent(f, "created") }},
	{"it does not tell of Set in place of a value", eachChange, func(f *faulty) { plantSilent(f, "replaced") }},
	{"it does not tell of Delete", eachChange, func(f *faulty) { plantSilent(f, "deleted") }},
	{"it tells of one change in two", eachChange, func(f *faulty) {
		var n atomic.Int32
		f.changes(func(c bearer.Change, changed changedFunc) {
			if c.Key == "" || n.Add(1)%2 == 1 {
				changed(c)
			}
		})
	}},
	{"it does not tell of swaps", swapsTold, func(f *faulty) { plantSilent(f, "replaced") }},
	{"it does not tell of swaps for nil", swapsTold, func(f *faulty) { plantSilent(f, "removed") }},
	{"it tells the keys without their prefix", keysTold, func(f *faulty) {
		f.changes(func(c bearer.Change, changed changedFunc) {
			changed(bearer.Change{Key: strings.TrimLeft(c.Key, ":/ ")})
		})
	}},
	{"it tells of changes before they are made", readable, func(f *faulty) {
		early := make(chan string, 100)
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			early <- key
			yield()
			return f.Store.Set(ctx, key, value, ttl)
		}
		f.watch = func(ctx context.Context, changed func(bearer.Change)) error {
			changed(bearer.Change{})
			for {
				select {
				case key := <-early:
					changed(bearer.Change{Key: key})
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
	}},
	{"it tells of many changes at once", oneAtATime, func(f *faulty) {
		f.changes(func(c bearer.Change, changed changedFunc) { go changed(c) })
	}},
	{"it tells the first watcher", everybody, func(f *faulty) { plantOneWatcher(f, func(i, _ int32) bool { return i == 1 }) }},
	{"it tells the last watcher", everybody, func(f *faulty) { plantOneWatcher(f, func(i, n int32) bool { return i == n }) }},
	{"it ends without an error", watchEnds, func(f *faulty) {
		f.watch = func(ctx context.Context, changed func(bearer.Change)) error {
			f.Store.Watch(ctx, changed)
			return nil
		}
	}},
	{"it does not end", watchEnds, func(f *faulty) {
		f.watch = func(ctx context.Context, changed func(bearer.Change)) error {
			defer hang()
			return f.Store.Watch(ctx, changed)
		}
	}},
	{"it goes on after its end", watchEnds, func(f *faulty) {
		f.watch = func(ctx context.Context, changed func(bearer.Change)) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				f.Store.Watch(ctx, changed)
			}()
			<-ctx.Done()
			return ctx.Err()
		}
	}},
	{"its error quotes a key", watchEnds, func(f *faulty) {
		f.watch = func(ctx context.Context, changed func(bearer.Change)) error {
			var last string
			err := f.Store.Watch(ctx, func(c bearer.Change) { last = c.Key; changed(c) })
			return fmt.Errorf("watch, after %q: %w", last, err)
		}
	}},
}

// plantSilent makes Watch keep silent about keys that hold a word.
func plantSilent(f *faulty, word string) {
	f.changes(func(c bearer.Change, changed changedFunc) {
		if !strings.Contains(c.Key, word) {
			changed(c)
		}
	})
}

// plantOneWatcher makes Watch tell changes only to the watcher that is meant: the
// i-th of the n that there have been.
func plantOneWatcher(f *faulty, meant func(i, n int32) bool) {
	var n atomic.Int32
	f.watch = func(ctx context.Context, changed func(bearer.Change)) error {
		i := n.Add(1)
		return f.Store.Watch(ctx, func(c bearer.Change) {
			if c.Key == "" || meant(i, n.Load()) {
				changed(c)
			}
		})
	}
}

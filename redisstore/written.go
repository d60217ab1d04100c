package redisstore

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// copyLife is how long a copy of a value may be used without a look at the
	// original, for the case that a change is not told of.
	copyLife = 10 * time.Second

	// bypass is how long a value is read from Redis after a change that this process
	// knows of. Copies that were made before it are gone by then, whenever it is told
	// of.
	bypass = copyLife + time.Second

	// minSweep is how many keys are not worth a look at which are due.
	minSweep = 1024
)

// written is the keys whose values are known to have changed a short while ago.
//
// Redis tells of a change in a message of its own, which may come after the answer
// to the one who made it: one's own copy would outlive one's own write by a moment.
// So for these keys copies do not count.
type written struct {
	born  time.Time
	until sync.Map // of keys, to the time.Duration since born
	count atomic.Int64
	sweep atomic.Int64 // as many as there may be before those that are due are dropped
}

// note notes that the value of key has changed by now.
func (w *written) note(key string) {
	now := time.Since(w.born)
	if _, known := w.until.Swap(key, now+bypass); known {
		return
	}
	n := w.count.Add(1)
	most := w.sweep.Load()
	if n < max(most, minSweep) || !w.sweep.CompareAndSwap(most, 2*n) {
		return
	}
	for key, until := range w.until.Range {
		if until.(time.Duration) <= now && w.until.CompareAndDelete(key, until) {
			w.count.Add(-1)
		}
	}
	w.sweep.Store(2 * w.count.Load())
}

// has reports whether the value of key has changed a short while ago.
func (w *written) has(key string) bool {
	until, ok := w.until.Load(key)
	return ok && time.Since(w.born) < until.(time.Duration)
}

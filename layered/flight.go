package layered

import (
	"sync"
	"time"
)

// flights are the reads of the truth that others may wait for. The zero value is
// ready to use.
type flights struct {
	mu   sync.Mutex         // guards what follows
	runs map[string]*flight // by key
}

// flight is one of them: the goroutine that began it reads, with its own context;
// the others wait. If it leaves before there is an answer one of them begins anew.
type flight struct {
	generation uint64
	began      time.Duration // on the store's clock
	done       chan struct{} // closed when what follows is set
	landed     bool          // there is an answer
	raw        []byte        // the copy; nil if there is an error; nobody changes it
	err        error
}

// join returns the flight under key, and whether the caller has to do the reading.
// What has begun more than a moment ago, or before a change, is of no use.
func (all *flights) join(key string, generation uint64, now time.Duration) (f *flight, mine bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if f := all.runs[key]; f != nil && f.generation == generation && now-f.began <= moment {
		return f, false
	}
	if all.runs == nil {
		all.runs = make(map[string]*flight)
	}
	f = &flight{generation: generation, began: now, done: make(chan struct{})}
	all.runs[key] = f
	return f, true
}

// end wakes those who wait for f.
func (all *flights) end(key string, f *flight) {
	all.mu.Lock()
	if all.runs[key] == f {
		delete(all.runs, key)
	}
	all.mu.Unlock()
	close(f.done)
}

package verify

import (
	"container/heap"
	"crypto/sha256"
	"sync"
	"time"
)

// MaxRefused is how many tokens a [Verifier] remembers that are to be refused. Those
// that are to be refused for the shortest time go first.
const MaxRefused = 65536

// refusals are tokens that have been revoked. There is a queue of them, and no cache of
// otter's, since that would rather keep an old one than a new one, even if the old one
// has long expired.
type refusals struct {
	most  int
	mu    sync.RWMutex // guards what follows
	by    map[[sha256.Size]byte]*revoked
	queue queue
}

// revoked is one token.
type revoked struct {
	digest [sha256.Size]byte // of what is signed of it
	until  time.Time         // by the wall clock
	place  int               // in the queue
}

func newRefusals() *refusals {
	return &refusals{most: MaxRefused, by: map[[sha256.Size]byte]*revoked{}}
}

func digest(token string) [sha256.Size]byte { return sha256.Sum256([]byte(signed(token))) }

// add refuses a token until then, or longer if it is refused for longer already.
func (r *refusals) add(token string, until time.Time) {
	now := time.Now()
	until = until.Round(0)
	if !now.Before(until) {
		return
	}
	d := digest(token)
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.by[d]; known != nil {
		if known.until.Before(until) {
			known.until = until
			heap.Fix(&r.queue, known.place)
		}
		return
	}
	for len(r.queue) > 0 && (len(r.queue) >= r.most || !now.Before(r.queue[0].until)) {
		delete(r.by, heap.Pop(&r.queue).(*revoked).digest)
	}
	r.by[d] = &revoked{digest: d, until: until}
	heap.Push(&r.queue, r.by[d])
}

func (r *refusals) has(token string) bool { return !r.unless(token, func() {}) }

// unless does what is to be done with a token that is not refused, before anybody can
// refuse it. It reports whether it has been done.
func (r *refusals) unless(token string, do func()) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.by) > 0 {
		if known := r.by[digest(token)]; known != nil && time.Now().Before(known.until) {
			return false
		}
	}
	do()
	return true
}

// queue has first what ends first. It implements heap.Interface.
type queue []*revoked

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].until.Before(q[j].until) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(r any) {
	r.(*revoked).place = len(*q)
	*q = append(*q, r.(*revoked))
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	r := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return r
}

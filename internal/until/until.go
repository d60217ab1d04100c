// Package until remembers tokens for as long as it matters.
package until

import (
	"container/heap"
	"crypto/sha256"
	"strings"
	"sync"
	"time"
)

// Tokens are JWTs that are remembered, each until a time of its own; how many, is bounded,
// and those whose time is up first go first. There is a queue of them, and no cache of
// otter's, since that would rather keep an old one than a new one, even if the old one's
// time has long been up.
//
// A token is known by what is signed of it: whoever has a signature of ECDSA can make
// another one of it, and the two are one token.
type Tokens struct {
	most  int
	mu    sync.RWMutex // guards what follows
	by    map[digest]*token
	queue queue
}

type digest = [sha256.Size]byte

// token is one that is remembered.
type token struct {
	digest digest
	until  time.Time // by the wall clock
	place  int       // in the queue
}

// New returns Tokens of which there are so many at most.
func New(most int) *Tokens { return &Tokens{most: most, by: map[digest]*token{}} }

// Signed is the part of a token that is signed.
func Signed(text string) string {
	if end := strings.LastIndexByte(text, '.'); end >= 0 {
		return text[:end]
	}
	return text
}

func digestOf(text string) digest { return sha256.Sum256([]byte(Signed(text))) }

// Add remembers a token until then, or longer if it is for longer already.
func (t *Tokens) Add(text string, until time.Time) {
	d := digestOf(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.by[d]; known == nil {
		t.add(d, until)
	} else if until = until.Round(0); known.until.Before(until) {
		known.until = until
		heap.Fix(&t.queue, known.place)
	}
}

// Take remembers a token until then, and reports whether it was not known.
func (t *Tokens) Take(text string, until time.Time) bool {
	d := digestOf(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.has(d) {
		return false
	}
	t.remove(d)
	t.add(d, until)
	return true
}

// Remove forgets a token.
func (t *Tokens) Remove(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(digestOf(text))
}

// Has reports whether a token is remembered.
func (t *Tokens) Has(text string) bool { return !t.Unless(text, func() {}) }

// Unless does what is to be done with a token that is not remembered, before anybody can
// have it remembered. It reports whether it has been done.
func (t *Tokens) Unless(text string, do func()) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.by) > 0 && t.has(digestOf(text)) {
		return false
	}
	do()
	return true
}

// Len is how many are kept, those too whose time has been up since the last one came.
func (t *Tokens) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.by)
}

// has, remove and add are called with mu held.
func (t *Tokens) has(d digest) bool {
	known := t.by[d]
	return known != nil && time.Now().Before(known.until)
}

func (t *Tokens) remove(d digest) {
	if known := t.by[d]; known != nil {
		delete(t.by, d)
		heap.Remove(&t.queue, known.place)
	}
}

func (t *Tokens) add(d digest, until time.Time) {
	now := time.Now()
	if !now.Before(until) {
		return
	}
	for len(t.queue) > 0 && (len(t.queue) >= t.most || !now.Before(t.queue[0].until)) {
		delete(t.by, heap.Pop(&t.queue).(*token).digest)
	}
	t.by[d] = &token{digest: d, until: until.Round(0)}
	heap.Push(&t.queue, t.by[d])
}

// queue has first what ends first. It implements heap.Interface.
type queue []*token

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].until.Before(q[j].until) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(t any) {
	t.(*token).place = len(*q)
	*q = append(*q, t.(*token))
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return t
}

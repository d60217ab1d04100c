package tokenendpoint

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstPause = time.Second
	longPause  = time.Minute
	// maxPauses bounds the memory that keys chosen by visitors can take.
	maxPauses = 4096
)

// RateLimit remembers until when an endpoint has asked to be left alone, by
// answering 429. Each [Client] has one of its own unless [Options.RateLimit]
// gives several the same: clients whose requests the server counts together
// should share one. It holds at most 4096 pauses.
//
// The zero value is ready, and safe for concurrent use. It must not be copied
// after first use.
type RateLimit struct {
	mu     sync.Mutex // guards pauses
	pauses map[limitKey]pause
}

type limitKey struct{ url, key string }

// pause is the time after a 429.
type pause struct {
	since time.Time // when the 429 came
	until time.Time
	count int // 429s in a row, not counting requests that were under way together
}

// paused returns the end of the pause that k is in.
func (l *RateLimit) paused(k limitKey, now time.Time) (until time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pauses[k]
	return p.until, p.until.After(now)
}

// refused notes a 429 for a request that was sent at sent, and returns the time
// of the next try. A negative wait means that the server named none.
func (l *RateLimit) refused(k limitKey, sent, now time.Time, wait time.Duration) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, known := l.pauses[k]
	// Requests that were under way when the pause began say nothing new: a
	// hundred of them must not double it a hundred times.
	if !known || sent.After(p.since) {
		p.since = now
		p.count++
	}
	if wait < 0 {
		wait = min(firstPause<<min(p.count-1, 6), longPause)
		wait -= jitter(wait / 5)
	} else {
		wait += jitter(wait / 10)
	}
	if until := now.Add(wait); until.After(p.until) {
		p.until = until
	}
	if l.pauses == nil {
		l.pauses = make(map[limitKey]pause)
	}
	if !known && len(l.pauses) >= maxPauses {
		l.makeRoom(now)
	}
	l.pauses[k] = p
	return p.until
}

// answered ends the doubling: the endpoint has answered a request that was sent
// after the last 429.
func (l *RateLimit) answered(k limitKey, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.pauses[k]; ok && sent.After(p.since) {
		delete(l.pauses, k)
	}
}

// makeRoom drops the pauses that are over, or else the one that ends first.
// l.mu is held.
func (l *RateLimit) makeRoom(now time.Time) {
	var first limitKey
	var end time.Time
	for k, p := range l.pauses {
		if !p.until.After(now) {
			delete(l.pauses, k)
		} else if end.IsZero() || p.until.Before(end) {
			first, end = k, p.until
		}
	}
	if len(l.pauses) >= maxPauses {
		delete(l.pauses, first)
	}
}

// jitter is a random duration below d, and 0 if d is not positive.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

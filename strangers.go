package bearer

import (
	"bytes"
	"context"
	"hash/maphash"
	"sync"
	"time"
)

const (
	maxStrangers = 5                // whose refresh tokens are spent at a time
	maxRefused   = 10               // in a minute; then no more are tried
	strangerLife = 10 * time.Minute // of the note that one has been refused
	maxKnown     = 1 << 16          // records that are told from strangers'
)

// strangers bounds what visitors bring about with records that they have made up, where
// the carrier is plain: each costs a token request, of which there are few for all
// visitors together, and leaves a note in the storage. A stranger is who brings a record
// that this process has not made, such as one of js-auth's, or of before a restart. They
// are served as long as few are refused. A nil one bounds nothing.
type strangers struct {
	asking    chan struct{} // has an element for each whose refresh token is being spent
	seed      maphash.Seed
	complaint complaint // about too many

	mu      sync.Mutex            // guards what follows
	refused [maxRefused]time.Time // when the latest ones were, in turn
	n       int
	known   map[uint64]struct{} // digests of the secrets of records
}

func newStrangers() *strangers {
	return &strangers{asking: make(chan struct{}, maxStrangers), seed: maphash.MakeSeed(), known: map[uint64]struct{}{}}
}

var errStrangers = &safeError{"too many refresh tokens that came from browsers were refused in the last minute: those that this process does not know have to wait", nil}

// meet notes a record that this process has made.
func (s *strangers) meet(raw []byte) {
	secret := secretOf(raw)
	if s == nil || secret == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.known { // any
		if len(s.known) < maxKnown {
			break
		}
		delete(s.known, one)
	}
	s.known[maphash.String(s.seed, secret)] = struct{}{}
}

// bounds reports whether the record is a stranger's.
func (s *strangers) bounds(raw []byte) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.known[maphash.String(s.seed, secretOf(raw))]
	return !known
}

// enter waits until the refresh token of the record may be spent. Afterwards leave is
// called with whether it was refused.
func (s *strangers) enter(ctx context.Context, raw []byte) (leave func(refused bool), err error) {
	if !s.bounds(raw) {
		return func(bool) {}, nil
	}
	select {
	case s.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if oldest := s.refused[s.n%maxRefused]; !oldest.IsZero() && time.Since(oldest) < time.Minute {
		<-s.asking
		return nil, errStrangers
	}
	return func(refused bool) {
		if refused {
			s.mu.Lock()
			s.refused[s.n%maxRefused] = time.Now()
			s.n++
			s.mu.Unlock()
		}
		<-s.asking
	}, nil
}

// life is for how long what became of a record is kept: old's, which is followed by
// next. life is that of a customer's.
func (s *strangers) life(old, next []byte, life time.Duration) time.Duration {
	switch {
	case secretOf(next) != "" || !s.bounds(old):
		return life
	case bytes.Equal(next, signedOut.raw):
		return min(life, tombstoneLife)
	}
	return min(life, strangerLife)
}

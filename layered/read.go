package layered

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/bearerkit/bearer"
)

// Get returns the value under key, from the nearest layer that has a copy of it.
func (s *store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := s.now()
	s.feed.use(now)
	if bearer.IsUncached(ctx) {
		value, _, err := s.read(ctx, key)
		return value, err
	}
	generation := s.generations.of(key).Load()
	if value, ok := s.find(ctx, key, func(h header) bool { return s.fresh(h, generation, now) }); ok {
		return value, nil
	}
	if _, ok := s.find(ctx, key, s.stillServes); ok {
		return s.readOrStale(ctx, key)
	}
	return s.shared(ctx, key)
}

// fresh reports whether a copy is as good as the truth.
func (s *store) fresh(h header, generation uint64, now time.Duration) bool {
	if h.ended(now) || h.generation != generation {
		return false
	}
	age := now - h.read
	return age <= moment || age <= minute && s.feed.covers(h.epoch, now)
}

// stillServes reports whether a copy is better than nothing. It does not look at the
// generation, which may have changed for another key: a change under this one has
// removed the copy.
func (s *store) stillServes(h header) bool {
	now := s.now()
	return !h.ended(now) && now-h.read <= s.opts.MaxStale
}

// find returns the value of the nearest copy that is good, which it brings into the
// layers before.
func (s *store) find(ctx context.Context, key string, good func(header) bool) ([]byte, bool) {
	for i, near := range s.near {
		raw, h, value := s.look(ctx, near, key)
		if raw == nil || !good(h) {
			continue
		}
		if i > 0 {
			s.put(ctx, s.near[:i], key, h, raw)
		}
		return value, true
	}
	return nil, false
}

// look returns the copy of ours that is in a layer, nil if there is none.
func (s *store) look(ctx context.Context, near bearer.Storage, key string) (raw []byte, h header, value []byte) {
	raw, err := near.Get(ctx, key)
	if err != nil {
		if !errors.Is(err, bearer.ErrNotFound) && ctx.Err() == nil {
			s.warn(&s.nearFails, err)
		}
		return nil, header{}, nil
	}
	h, value, ok := unpack(raw)
	if !ok || h.store != s.id {
		return nil, header{}, nil
	}
	return raw, h, value
}

// readOrStale reads the truth for one who has a copy to fall back on.
func (s *store) readOrStale(ctx context.Context, key string) ([]byte, error) {
	err := error(errSlow)
	if s.mayAsk() {
		short, cancel := context.WithTimeout(ctx, moment)
		defer cancel()
		var value []byte
		if value, err = s.shared(short, key); err == nil || errors.Is(err, bearer.ErrNotFound) {
			return value, err
		}
		if short.Err() != nil && ctx.Err() == nil {
			s.hungUntil.Store(int64(s.now() + moment))
			err = errSlow
		}
	}
	// Somebody may have ended the copy meanwhile: it is looked for again.
	if value, ok := s.find(context.WithoutCancel(ctx), key, s.stillServes); ok {
		s.warn(&s.stale, err)
		return value, nil
	}
	if err == errSlow {
		return s.shared(ctx, key)
	}
	return nil, err
}

// mayAsk reports whether one who has a copy asks the truth: while it does not answer
// one in a moment does.
func (s *store) mayAsk() bool {
	until := s.hungUntil.Load()
	if until == 0 {
		return true
	}
	now := int64(s.now())
	return now >= until && s.hungUntil.CompareAndSwap(until, now+int64(moment))
}

// shared reads the truth, together with others who want the same.
func (s *store) shared(ctx context.Context, key string) ([]byte, error) {
	for {
		generation := s.generations.of(key).Load()
		if !quiet(generation) { // who begins to read now may have to see what is being written
			value, _, err := s.read(bearer.Uncached(ctx), key)
			return value, err
		}
		f, mine := s.flights.join(key, generation, s.now())
		if mine {
			return s.fly(ctx, key, f)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case !f.landed:
		case f.err != nil:
			return nil, f.err
		default:
			return bytes.Clone(f.raw)[headerSize:], nil
		}
	}
}

// fly reads the truth for those who wait for f.
func (s *store) fly(ctx context.Context, key string, f *flight) ([]byte, error) {
	defer s.flights.end(key, f)
	// Past the copies of the truth too: a copy of a copy would live twice as long, and
	// what a feed has told could be read from before.
	value, raw, err := s.read(bearer.Uncached(ctx), key)
	f.raw, f.err = raw, err
	f.landed = err == nil || ctx.Err() == nil
	return value, err
}

// read reads the truth and keeps a copy, which it returns as well.
func (s *store) read(ctx context.Context, key string) (value, raw []byte, err error) {
	h := header{store: s.id, generation: s.generations.of(key).Load(), epoch: s.feed.alive.Load(), read: s.now()}
	value, err = s.truth.Get(ctx, key)
	if err == nil || errors.Is(err, bearer.ErrNotFound) {
		if s.hungUntil.Load() != 0 {
			s.hungUntil.Store(0)
		}
	}
	switch {
	case errors.Is(err, bearer.ErrNotFound):
		s.drop(ctx, key)
		return nil, nil, err
	case err != nil:
		return nil, nil, err
	case value == nil:
		value = []byte{}
	}
	h.end = s.ends.when(key, h.read)
	raw = h.pack(value)
	if !s.hasLater(ctx, key, h.read) {
		s.put(ctx, s.near, key, h, raw)
	}
	return value, raw, nil
}

// hasLater reports whether there is a copy of what was read later: what others have
// done in between must not be forgotten when the truth is down.
func (s *store) hasLater(ctx context.Context, key string, read time.Duration) bool {
	raw, h, _ := s.look(context.WithoutCancel(ctx), s.near[0], key)
	return raw != nil && h.read > read
}

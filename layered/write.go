package layered

import (
	"context"
	"time"

	"github.com/bearerkit/bearer"
)

// Set puts value under key at the truth, then in the nearer layers.
func (s *store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := s.write(ctx, key, value, ttl, func() (bool, error) {
		err := s.truth.Set(ctx, key, value, ttl)
		return err == nil, err
	})
	return err
}

// Delete removes the value under key from the truth and from all layers: from those
// also if the truth fails.
func (s *store) Delete(ctx context.Context, key string) error {
	_, err := s.write(ctx, key, nil, 0, func() (bool, error) {
		err := s.truth.Delete(ctx, key)
		return err == nil, err
	})
	return err
}

// CompareAndSwap is that of the truth. After one that did not swap, or failed, no
// copy is left.
func (s *store) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	return s.write(ctx, key, next, ttl, func() (bool, error) {
		return s.truth.CompareAndSwap(ctx, key, old, next, ttl)
	})
}

// write calls do, which writes value to the truth and reports whether it has, and
// sees to the copies. A nil value is none.
func (s *store) write(ctx context.Context, key string, value []byte, ttl time.Duration, do func() (bool, error)) (done bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	h := header{store: s.id, epoch: s.feed.alive.Load(), read: s.now()}
	if ttl > 0 {
		h.end = h.read + ttl
	}
	g := s.generations.of(key)
	begun := g.begin()
	defer func() {
		written := done && err == nil && value != nil
		if written {
			end := ending{first: h.end}
			if ttl > 0 {
				end.last = s.now() + ttl
			}
			s.ends.note(key, end, h.read)
		}
		generation, alone := g.end(begun)
		if !written || !alone { // else nobody knows whose value is there
			s.drop(ctx, key)
			return
		}
		h.generation = generation
		s.put(ctx, s.near, key, h, h.pack(value))
	}()
	return do()
}

// put puts a copy into layers, unless the value has changed since it was read. If
// it changes meanwhile the copy goes again, so that it does not serve when the truth
// is down.
func (s *store) put(ctx context.Context, layers []bearer.Storage, key string, h header, raw []byte) {
	g, now := s.generations.of(key), s.now()
	life := max(s.opts.MaxStale, minute) - (now - h.read)
	if h.end != 0 {
		life = min(life, h.end-now)
	}
	if g.Load() != h.generation || !quiet(h.generation) || life < time.Millisecond {
		return
	}
	ctx = context.WithoutCancel(ctx) // the caller may have left meanwhile
	for _, near := range layers {
		if err := near.Set(ctx, key, raw, life); err != nil {
			s.warn(&s.nearFails, err)
		}
	}
	if g.Load() != h.generation {
		s.drop(ctx, key)
	}
}

// drop removes the copies under key.
func (s *store) drop(ctx context.Context, key string) {
	ctx = context.WithoutCancel(ctx)
	for _, near := range s.near {
		if err := near.Delete(ctx, key); err != nil {
			s.warn(&s.nearFails, err)
		}
	}
}

// changed ends the copies under key, which somebody has changed at the truth.
func (s *store) changed(key string) {
	s.generations.of(key).changed()
	s.drop(context.Background(), key)
}

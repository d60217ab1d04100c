package layered

import (
	"hash/maphash"
	"maps"
	"sync"
	"time"
)

// ends are when the values end that this process has written: copies of those are
// made again and again, and a Storage does not tell how long a value has to live.
type ends struct {
	seed   maphash.Seed
	shards [64]endShard
}

type endShard struct {
	mu sync.Mutex        // guards what follows
	at map[uint64]ending // by hash
}

// ending is when a value ends, on the store's clock: not before the one, and not after
// the other, since nobody knows when in between the truth has taken it.
type ending struct{ first, last time.Duration }

// maxEnds bounds a shard. What does not fit is as if others had written it.
const maxEnds = 1 << 10

func (all *ends) of(key string) (*endShard, uint64) {
	hash := maphash.String(all.seed, key)
	return &all.shards[hash%uint64(len(all.shards))], hash
}

// note notes the end of the value under key; 0 if it has none.
func (all *ends) note(key string, end ending, now time.Duration) {
	s, hash := all.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if end.first == 0 {
		delete(s.at, hash)
		return
	}
	if s.at == nil {
		s.at = make(map[uint64]ending)
	}
	if _, there := s.at[hash]; !there && len(s.at) >= maxEnds {
		maps.DeleteFunc(s.at, func(_ uint64, end ending) bool { return now >= end.last })
		for some := range s.at { // any will do: most were written with the same ttl
			if len(s.at) < maxEnds*3/4 {
				break
			}
			delete(s.at, some)
		}
	}
	s.at[hash] = end
}

// when returns when the value under key ends at the earliest, as note has noted it; 0 if
// it must have ended by now: then somebody else has written since.
func (all *ends) when(key string, now time.Duration) time.Duration {
	s, hash := all.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	end, there := s.at[hash]
	if !there {
		return 0
	}
	if now >= end.last {
		delete(s.at, hash)
		return 0
	}
	return end.first
}

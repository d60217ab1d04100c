package memstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/maypok86/otter/v2"
)

// Store is a storage in memory. Make one with [New]. It is safe for concurrent
// use, needs no closing, and is safe to print.
type Store struct {
	born    time.Time // what all times count from, by the monotonic clock
	max     uint64
	log     *slog.Logger
	entries *otter.Cache[string, *entry]
	room    sync.Mutex // held by the one writer that makes room for all
	locks   locks
	feed    feed
}

var (
	_ bearer.CompareAndSwapper = (*Store)(nil)
	_ bearer.Locker            = (*Store)(nil)
	_ bearer.Watcher           = (*Store)(nil)
)

// entry is a value. It is a string so that it cannot share memory with anybody's
// bytes.
type entry struct {
	value string
	end   time.Duration // when it ends, on the Store's clock
	used  atomic.Int64  // about when it was last read or written, on the Store's clock
}

const (
	never = time.Duration(math.MaxInt64)

	// overhead is what a value takes beside its key and its bytes: entry, node,
	// table.
	overhead = 256

	// maxWeight is as heavy as a value can be for otter.
	maxWeight = math.MaxUint32
)

// New returns an empty Store. Options that cannot be meant panic.
func New(opts *Options) *Store {
	o := opts.withDefaults()
	if err := o.validate(); err != nil {
		panic(err.Error())
	}
	return &Store{
		born: time.Now(),
		max:  uint64(o.MaxBytes),
		log:  o.Logger,
		// No ExpiryCalculator: it would leave a goroutine behind. With this Executor
		// otter does its upkeep within the calls and starts none either.
		entries: otter.Must(&otter.Options[string, *entry]{
			MaximumWeight: uint64(o.MaxBytes),
			Weigher:       func(key string, e *entry) uint32 { return uint32(weight(key, len(e.value))) },
			Executor:      func(task func()) { task() },
		}),
	}
}

func weight(key string, length int) uint64 { return uint64(len(key)) + uint64(length) + overhead }

// now is the time on the Store's clock.
func (s *Store) now() time.Duration { return time.Since(s.born) }

// Get returns the value under key, or [bearer.ErrNotFound].
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, ok := s.entries.GetEntryQuietly(key)
	if !ok {
		return nil, bearer.ErrNotFound
	}
	e, now := found.Value, s.now()
	if e.ended(now) {
		s.drop(key, e)
		return nil, bearer.ErrNotFound
	}
	e.touch(now)
	return []byte(e.value), nil
}

// Set puts value under key, for ttl, or until it is deleted if that is 0. The time
// that the machine sleeps does not count. A negative ttl is an error, and so is a
// value larger than Options.MaxBytes.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e, err := s.admit(key, value, ttl)
	if err != nil {
		return err
	}
	s.entries.Set(strings.Clone(key), e)
	s.feed.tell(key)
	return nil
}

// Delete removes the value under key, if there is one.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, was := s.entries.Invalidate(key); was {
		s.feed.tell(key)
	}
	return nil
}

// CompareAndSwap puts next under key, for ttl, if old is there. A nil old expects
// nothing, a nil next removes what is there.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	var e *entry
	if next != nil {
		var err error
		if e, err = s.admit(key, next, ttl); err != nil {
			return false, err
		}
	}
	var swapped bool
	s.entries.Compute(strings.Clone(key), func(cur *entry, found bool) (*entry, otter.ComputeOp) {
		found = found && !cur.ended(s.now())
		if found != (old != nil) || found && cur.value != string(old) {
			return nil, otter.CancelOp
		}
		swapped = true
		if e == nil {
			return nil, otter.InvalidateOp
		}
		return e, otter.WriteOp
	})
	if swapped {
		s.feed.tell(key)
	}
	return swapped, nil
}

var errNegativeTTL = errors.New("memstore: the ttl is negative: it must be 0, for ever, or at least a millisecond")

// admit returns the entry to put under key, and sees to it that there is room.
func (s *Store) admit(key string, value []byte, ttl time.Duration) (*entry, error) {
	if ttl < 0 {
		return nil, errNegativeTTL
	}
	w := weight(key, len(value))
	if limit := min(s.max, maxWeight); w > limit {
		return nil, fmt.Errorf("memstore: a value takes %d bytes with its key, and the whole store has %d: raise Options.MaxBytes, or keep less in it", w, limit)
	}
	s.makeRoom(w)
	now := s.now()
	e := &entry{value: string(value), end: never}
	e.used.Store(int64(now))
	if ttl > 0 && ttl < never-now {
		e.end = now + ttl
	}
	return e, nil
}

// drop removes e, unless another value has taken its place.
func (s *Store) drop(key string, e *entry) {
	s.entries.ComputeIfPresent(key, func(cur *entry) (*entry, otter.ComputeOp) {
		if cur != e {
			return nil, otter.CancelOp
		}
		return nil, otter.InvalidateOp
	})
}

func (e *entry) ended(now time.Duration) bool { return now >= e.end }

// touch notes that the value was read. It writes once a second at most, so that
// many readers of one value do not take its cache line from each other.
func (e *entry) touch(now time.Duration) {
	if now-time.Duration(e.used.Load()) >= time.Second {
		e.used.Store(int64(now))
	}
}

// String says how full the store is.
func (s *Store) String() string {
	return fmt.Sprintf("memstore.Store with %d values in %d of %d bytes", s.entries.EstimatedSize(), s.entries.WeightedSize(), s.max)
}

// Format prints what String returns, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what String returns.
func (s *Store) LogValue() slog.Value { return slog.StringValue(s.String()) }

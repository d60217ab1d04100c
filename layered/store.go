package layered

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/able"
)

const (
	// moment is how long a copy serves without a feed, and how long one who has a
	// copy waits for the truth.
	moment = time.Second

	// minute is how long a copy serves while a feed is alive.
	minute = time.Minute
)

// errSlow is why a reader who had a copy took it.
var errSlow = errors.New("layered: the truth did not answer within a second")

// store is what New returns, or hides some abilities of.
type store struct {
	opts  Options
	truth bearer.CompareAndSwapper
	near  []bearer.Storage // nearest first

	id          uint64    // of this store, to know its own copies
	born        time.Time // what all times count from, by the monotonic clock
	generations generations
	ends        ends
	flights     flights
	feed        feed
	hungUntil   atomic.Int64 // when somebody who has a copy asks again a truth that does not answer; 0 if it does

	stale, nearFails, feedBroke warning
}

// New returns the storage that keeps copies of what is in truth in nearer layers.
// It is a [bearer.Locker] and a [bearer.Watcher] if truth is one. It is safe for
// concurrent use, needs no closing, and is safe to print. The options may be nil;
// layers that cannot be meant panic.
//
// Values and keys are those of truth, unchanged. An encrypted truth, such as that of
// [github.com/bearerkit/bearer/sealed.NewStorage], has its copies in the clear.
func New(truth bearer.CompareAndSwapper, opts *Options) bearer.CompareAndSwapper {
	o := opts.withDefaults()
	o.validate(truth)
	s := &store{opts: o, truth: truth, near: o.Near, id: rand.Uint64(), born: time.Now()}
	s.generations.seed = maphash.MakeSeed()
	s.ends.seed = s.generations.seed
	s.stale.text = "the truth cannot be read, copies serve on"
	s.nearFails.text = "a nearer layer fails, the truth is read instead"
	s.feedBroke.text = "the change feed is down, copies serve for a second only"
	w, _ := truth.(bearer.Watcher)
	s.feed = feed{truth: w, changed: s.changed, now: s.now, broke: func(err error) { s.warn(&s.feedBroke, err) }}
	return able.As(truth, s)
}

// now is the time on the store's clock.
func (s *store) now() time.Duration { return time.Since(s.born) }

// TryLock takes a lock of the truth.
func (s *store) TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
	l, ok := s.truth.(bearer.Locker)
	if !ok {
		return nil, errors.ErrUnsupported // able.As does not let anybody come here
	}
	return l.TryLock(ctx, key, lease)
}

// Watch tells what the truth tells. Who is told of a change can read it.
func (s *store) Watch(ctx context.Context, changed func(bearer.Change)) error {
	w, ok := s.truth.(bearer.Watcher)
	if !ok {
		return errors.ErrUnsupported
	}
	return w.Watch(ctx, func(c bearer.Change) {
		if c.Key != "" {
			s.changed(c.Key)
		}
		changed(c)
	})
}

// String names the storage and its layers.
func (s *store) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "layered storage %q: ", s.opts.Name)
	for _, near := range s.near {
		fmt.Fprintf(&b, "%s before ", name(near))
	}
	return b.String() + name(s.truth)
}

// name is how a storage calls itself. One that says nothing of the kind may hold
// passwords.
func name(s bearer.Storage) string {
	if s, ok := s.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", s)
}

// Format prints what String returns, whatever the verb.
func (s *store) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what String returns.
func (s *store) LogValue() slog.Value { return slog.StringValue(s.String()) }

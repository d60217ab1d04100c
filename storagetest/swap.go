package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
)

func swapsCompare(s *subject) {
	key, a, b := s.key("a"), s.value("a"), s.value("b")
	s.set(key, a, 0)
	for what, old := range map[string][]byte{
		"old is another value":         b,
		"old is empty":                 {},
		"old is the value's beginning": a[:len(a)-1],
		"old is the value and more":    append(bytes.Clone(a), 0),
		"old is the value in capitals": bytes.ToUpper(a),
	} {
		s.wantSwap(false, key, old, b, 0, what)
		s.want(key, a, "a swap that failed")
	}
	s.wantSwap(true, key, a, b, 0, "old is the value")
	s.want(key, b, "a swap")
	s.wantSwap(false, key, a, b, 0, "old is the value before the last")
	s.wantSwap(true, key, b, b, 0, "old, next and the value are the same")
	s.wantSwap(true, key, b, []byte{}, 0, "next is empty")
	s.want(key, []byte{}, "a swap with an empty value")
	s.wantSwap(true, key, []byte{}, a, 0, "old and the value are empty")
	missing := s.key("missing")
	s.wantSwap(false, missing, a, b, 0, "old is a value where none is")
	s.wantSwap(false, missing, []byte{}, b, 0, "old is empty where no value is")
	s.wantNone(missing, "swaps that failed")
}

func nilOldExpectsNone(s *subject) {
	key, a, b := s.key("a"), s.value("a"), s.value("b")
	s.wantSwap(true, key, nil, a, 0, "old is nil, no value is there")
	s.want(key, a, "a swap for no value")
	s.wantSwap(false, key, nil, b, 0, "old is nil, a value is there")
	s.want(key, a, "a swap that failed")
	s.del(key)
	s.wantSwap(true, key, nil, b, 0, "old is nil, the value is deleted")
	empty := s.key("empty")
	s.set(empty, []byte{}, 0)
	s.wantSwap(false, empty, nil, a, 0, "old is nil, an empty value is there")
}

func nilNextRemoves(s *subject) {
	key, a, b := s.key("a"), s.value("a"), s.value("b")
	s.set(key, a, 0)
	s.wantSwap(false, key, b, nil, 0, "next is nil, old is another value")
	s.wantSwap(false, key, nil, nil, 0, "next and old are nil, a value is there")
	s.want(key, a, "swaps that failed")
	s.wantSwap(true, key, a, nil, 0, "next is nil, old is the value")
	s.wantNone(key, "a swap for nil")
	s.wantSwap(false, key, a, nil, 0, "next is nil, no value is there")
	s.wantSwap(true, key, nil, b, 0, "old is nil after a swap for nil")
}

func swapsKeepValues(s *subject) {
	for name, value := range someValues(s.mark) {
		key := s.key(name)
		s.wantSwap(true, key, nil, value, 0, "next is "+name)
		s.want(key, value, "a swap for "+name)
		s.wantSwap(true, key, value, s.value("b"), 0, "old is "+name)
	}
}

func swapsKeepKeys(s *subject) {
	keys := s.oddKeys()
	for i, key := range keys {
		s.wantSwap(true, key, nil, s.value(fmt.Sprint(i)), 0, fmt.Sprintf("old is nil, the key is %.60q", key))
	}
	for i, key := range keys {
		s.want(key, s.value(fmt.Sprint(i)), fmt.Sprintf("a swap under %.60q", key))
	}
}

func swapsSetTTL(s *subject) {
	begin := time.Now()
	a, b := s.value("a"), s.value("b")
	var ends []life
	for _, ttl := range []time.Duration{time.Millisecond, brief} {
		fresh := s.key("created for " + ttl.String())
		ends = append(ends, life{fresh, time.Now(), ttl})
		s.wantSwap(true, fresh, nil, a, ttl, "old is nil")
		for _, first := range []time.Duration{0, time.Hour} {
			key := s.key(fmt.Sprint("replaced for ", ttl, first))
			s.set(key, a, first)
			ends = append(ends, life{key, time.Now(), ttl})
			s.wantSwap(true, key, a, b, ttl, "old is the value")
		}
	}
	var stays []string
	for _, ttl := range []time.Duration{0, time.Hour} {
		if key := s.swapInTime(ttl); key != "" {
			stays = append(stays, key)
		}
	}
	s.wantEnds(ends...)
	pause(coarse - time.Since(begin))
	for _, key := range stays {
		s.want(key, b, "a swap that replaces a brief ttl")
	}
}

// swapInTime swaps a value that has a brief ttl for b with another, and returns its
// key; none if the storage, or the machine, is too slow for that.
func (s *subject) swapInTime(ttl time.Duration) string {
	s.Helper()
	for i := range 10 {
		key := s.key(fmt.Sprint("brief, then ", ttl, i))
		l := s.setFor(key, s.value("a"), brief)
		if s.swap(key, s.value("a"), s.value("b"), ttl) {
			return key
		}
		if time.Since(l.since) < l.lasts {
			s.Fatalf("CompareAndSwap, old is a value with a ttl of %v: got false, want true", l.lasts)
		}
	}
	return ""
}

func failedSwapsChangeNothing(s *subject) {
	begin := time.Now()
	a, b := s.value("a"), s.value("b")
	stays := s.key("stays")
	s.set(stays, a, 0)
	s.wantSwap(false, stays, b, b, brief, "old is another value")
	s.wantSwap(false, stays, nil, b, brief, "old is nil, a value is there")
	ends := s.key("ends")
	l := s.setFor(ends, a, brief)
	s.wantSwap(false, ends, b, b, 0, "old is another value")
	s.wantSwap(false, ends, b, b, time.Hour, "old is another value")
	s.wantEnds(l)
	pause(coarse - time.Since(begin))
	s.want(stays, a, "failed swaps with a brief ttl")
}

func expiredIsNone(s *subject) {
	a, b := s.value("a"), s.value("b")
	// They end before the last one does, and nobody has read them by then: a storage
	// may look at the time only when somebody reads.
	keys := []string{s.key("swapped"), s.key("created"), s.key("removed")}
	for _, key := range keys {
		s.set(key, a, brief)
	}
	s.wantEnds(s.setFor(s.key("last"), a, brief))
	s.wantSwap(false, keys[0], a, b, 0, "old is a value that has expired")
	s.wantSwap(true, keys[1], nil, b, 0, "old is nil, the value has expired")
	s.wantSwap(false, keys[2], a, nil, 0, "next is nil, old is a value that has expired")
	s.wantNone(keys[0], "a swap that failed")
	s.want(keys[1], b, "a swap in place of a value that had expired")
	s.wantNone(keys[2], "a swap that failed")
}

func negativeTTLOfSwap(s *subject) {
	key, a := s.key("a"), s.value("a")
	s.set(key, a, 0)
	c := s.storage.(bearer.CompareAndSwapper)
	swapped, err := c.CompareAndSwap(s.ctx, key, a, s.value("b"), -time.Second)
	if s.safe("CompareAndSwap", err) == nil || swapped {
		s.Errorf("CompareAndSwap with a negative ttl: got %v, %v; want false and an error", swapped, err)
	}
	s.want(key, a, "CompareAndSwap with a negative ttl")
}

func oneCreatorWins(s *subject) {
	const goroutines, rounds = 16, 5
	c := s.storage.(bearer.CompareAndSwapper)
	for round := range rounds {
		key := s.key(fmt.Sprint(round))
		var winners atomic.Int32
		var winner atomic.Value
		s.together(goroutines, func(i int) error {
			value := s.value(fmt.Sprint(i))
			swapped, err := c.CompareAndSwap(s.ctx, key, nil, value, 0)
			if swapped {
				winners.Add(1)
				winner.Store(value)
			}
			return s.safe("CompareAndSwap", err)
		})
		if got := winners.Load(); got != 1 {
			s.Fatalf("%d of %d swaps for no value took place, want 1", got, goroutines)
		}
		s.want(key, winner.Load().([]byte), "the swap of the one that won")
	}
}

func noUpdateIsLost(s *subject) {
	const goroutines, updates = 8, 10
	c := s.storage.(bearer.CompareAndSwapper)
	key := s.key("counter")
	s.set(key, []byte("0"), 0)
	s.together(goroutines, func(int) error {
		for range updates {
			for swapped := false; !swapped; {
				old, err := s.storage.Get(s.ctx, key)
				if err != nil {
					return s.safe("Get", err)
				}
				n, err := strconv.Atoi(string(old))
				if err != nil {
					return errors.New("the value is none that was written")
				}
				if swapped, err = c.CompareAndSwap(s.ctx, key, old, strconv.AppendInt(nil, int64(n+1), 10), 0); err != nil {
					return s.safe("CompareAndSwap", err)
				}
			}
		}
		return nil
	})
	s.want(key, strconv.AppendInt(nil, goroutines*updates, 10), fmt.Sprintf("%d updates by each of %d", updates, goroutines))
}

// Some add to the value by swaps, while another one replaces it, or deletes it,
// without a look at it.
func swapsUndoNothing(s *subject) {
	const goroutines, rounds = 4, 20
	c := s.storage.(bearer.CompareAndSwapper)
	key := s.key("a")
	s.set(key, []byte("0"), 0)
	ctx, cancel := context.WithCancel(s.ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for range goroutines {
		all.Go(func() {
			for ctx.Err() == nil {
				if old, err := s.storage.Get(ctx, key); err == nil && len(old) < 16 {
					c.CompareAndSwap(ctx, key, old, append(bytes.Clone(old), '+'), 0)
				}
				pause(time.Millisecond)
			}
		})
	}
	for i := range rounds {
		begin := strconv.AppendInt(nil, int64(i), 10)
		s.set(key, begin, 0)
		for range 3 {
			if got, ok := s.get(key); !ok || !bytes.Equal(bytes.TrimRight(got, "+"), begin) {
				s.Fatalf("a swap has undone a Set: the value is %s, want one that begins with %s", short(got), begin)
			}
			pause(time.Millisecond)
		}
		s.del(key)
		for range 3 {
			if got, ok := s.get(key); ok {
				s.Fatalf("a swap has undone a Delete: the value is %s, want none", short(got))
			}
			pause(time.Millisecond)
		}
	}
}

func swapContextsEnd(s *subject) {
	key, a, b := s.key("a"), s.value("a"), s.value("b")
	s.set(key, a, 0)
	c := s.storage.(bearer.CompareAndSwapper)
	var swapped bool
	err := s.promptly("CompareAndSwap", func(ctx context.Context) (err error) {
		swapped, err = c.CompareAndSwap(ctx, key, a, b, 0)
		return err
	})
	if err == nil {
		if !swapped {
			s.Errorf("CompareAndSwap, called with a context that has ended, says that the value is another")
		}
		s.want(key, b, "a swap with a context that has ended, which returned no error,")
	}
}

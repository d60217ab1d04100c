package storagetest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
)

// feed is a call of Watch.
type feed struct {
	s     *subject
	told  chan told
	ended chan struct{} // closed when Watch has returned
	err   error         // what it returned
	stop  context.CancelFunc
}

// told is a call of its function.
type told struct {
	bearer.Change
	at time.Time
}

// watch begins to watch, and waits for the heartbeat.
func (s *subject) watch() *feed {
	s.Helper()
	f := s.feed()
	first := f.next(time.After(patience))
	if first.Key != "" {
		s.Fatalf("Watch began with a change: want a heartbeat")
	}
	return f
}

func (s *subject) feed() *feed {
	f := &feed{s: s, told: make(chan told, 1<<14), ended: make(chan struct{})}
	f.stop = s.watchWith(f, func(c bearer.Change) { f.told <- told{c, time.Now()} })
	return f
}

// watchWith has f watch with changed.
func (s *subject) watchWith(f *feed, changed func(bearer.Change)) context.CancelFunc {
	ctx, stop := context.WithCancel(s.ctx)
	go func() {
		defer close(f.ended)
		f.err = s.storage.(bearer.Watcher).Watch(ctx, changed)
	}()
	s.Cleanup(func() {
		stop()
		select {
		case <-f.ended:
		case <-time.After(patience):
		}
	})
	return stop
}

// next returns the next call.
func (f *feed) next(late <-chan time.Time) told {
	f.s.Helper()
	select {
	case t := <-f.told:
		return t
	case <-f.ended:
		f.s.Fatalf("Watch ended before its context: %v", f.s.safe("Watch", f.err))
	case <-late:
		f.s.Fatalf("Watch did not call its function in time")
	}
	return told{}
}

// wants waits until all keys have been told of.
func (f *feed) wants(what string, keys ...string) {
	f.s.Helper()
	missing := make(map[string]bool)
	for _, key := range keys {
		missing[key] = true
	}
	late := time.After(patience)
	for len(missing) > 0 {
		select {
		case t := <-f.told:
			delete(missing, t.Key)
		case <-f.ended:
			f.s.Fatalf("%s: Watch ended before its context: %v", what, f.s.safe("Watch", f.err))
		case <-late:
			for key := range missing {
				f.s.Fatalf("%s: Watch did not tell of %d of %d changes within %v, one of them under %.60q", what, len(missing), len(keys), patience, key)
			}
		}
	}
}

func heartbeats(s *subject) { s.wantHeartbeats(func() {}) }

func heartbeatsAmidChanges(s *subject) {
	key := s.key("a")
	s.wantHeartbeats(func() { s.set(key, s.value("a"), 0) })
}

// wantHeartbeats watches while it calls change every now and then.
func (s *subject) wantHeartbeats(change func()) {
	s.Helper()
	// A second, and what a storage and a machine may be late; and long enough to see
	// that one is missing.
	const most, watched, step = 2 * time.Second, 2200 * time.Millisecond, 20 * time.Millisecond
	var worst time.Duration
	for range 3 { // a machine can be busier than that
		f := s.watch()
		last, end := time.Now(), time.After(watched)
		turn := time.NewTicker(step)
		defer turn.Stop()
		var still time.Duration // since the last one, when nobody got to do anything
		beat := func(at time.Time) {
			worst, last, still = max(worst, at.Sub(last)-still), at, 0
		}
		worst = 0
		for done := false; !done; {
			waits := time.Now()
			var t told
			var next, turned bool
			select {
			case t, next = <-f.told:
			case <-turn.C:
				turned = true
			case <-f.ended:
				s.Fatalf("Watch ended before its context: %v", s.safe("Watch", f.err))
			case <-end:
				done = true
			}
			still += max(0, time.Since(waits)-step)
			if next && t.Key == "" {
				beat(t.at)
			}
			if turned {
				change()
			}
		}
		for len(f.told) > 0 {
			if t := <-f.told; t.Key == "" {
				beat(t.at)
			}
		}
		f.stop()
		if beat(time.Now()); worst <= most {
			return
		}
	}
	s.Errorf("there was no heartbeat for %v, want one at least every second", worst.Round(time.Millisecond))
}

// Each change is made under a key of its own, so that a storage may tell of one
// twice.
func changesAreTold(s *subject) {
	created, brief, replaced, deleted := s.key("created"), s.key("brief"), s.key("replaced"), s.key("deleted")
	s.set(replaced, s.value("a"), 0)
	s.set(deleted, s.value("a"), 0)
	f := s.watch()
	s.set(created, s.value("a"), 0)
	s.set(brief, s.value("a"), time.Hour)
	f.wants("Set", created, brief)
	s.set(replaced, s.value("b"), 0)
	f.wants("Set in place of another value", replaced)
	s.del(deleted)
	f.wants("Delete", deleted)
}

func swapsAreTold(s *subject) {
	if !is[bearer.CompareAndSwapper](s.storage) {
		s.Skip("the storage is no CompareAndSwapper")
	}
	created, replaced, removed := s.key("created"), s.key("replaced"), s.key("removed")
	s.set(replaced, s.value("a"), 0)
	s.set(removed, s.value("a"), 0)
	f := s.watch()
	s.wantSwap(true, created, nil, s.value("a"), 0, "old is nil")
	f.wants("CompareAndSwap, old is nil", created)
	s.wantSwap(true, replaced, s.value("a"), s.value("b"), 0, "old is the value")
	f.wants("CompareAndSwap", replaced)
	s.wantSwap(true, removed, s.value("a"), nil, 0, "next is nil")
	f.wants("CompareAndSwap, next is nil", removed)
}

func keysAreTold(s *subject) {
	keys := s.oddKeys()
	f := s.watch()
	for _, key := range keys {
		s.set(key, s.value("a"), 0)
	}
	f.wants("Set", keys...)
}

// Whoever is told of a change and reads gets what has been written: a reader that
// got the value before would keep it, and not be told again.
func toldCanBeRead(s *subject) {
	key := s.key("a")
	f := s.watch()
	for i := range 20 {
		value := s.value(fmt.Sprint(i))
		set := make(chan error, 1)
		go func() { set <- s.storage.Set(s.ctx, key, value, 0) }()
		late := time.After(patience)
		for read := false; !read; {
			if f.next(late).Key == key {
				got, _ := s.get(key)
				read = string(got) == string(value)
			}
		}
		if err := <-set; err != nil {
			s.Fatalf("Set: %v", err)
		}
	}
}

func toldOneAtATime(s *subject) {
	const goroutines, changes = 4, 10
	keys := make([]string, goroutines*changes)
	for i := range keys {
		keys[i] = s.key(fmt.Sprint(i))
	}
	f := &feed{s: s, told: make(chan told, 1<<14), ended: make(chan struct{})}
	var running atomic.Int32
	var most atomic.Int32
	f.stop = s.watchWith(f, func(c bearer.Change) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		if strings.Contains(c.Key, s.mark) { // a database may have much else to tell
			pause(time.Millisecond)
		}
		running.Add(-1)
		f.told <- told{Change: c}
	})
	f.next(time.After(patience))
	s.together(goroutines, func(i int) error {
		for _, key := range keys[i*changes : (i+1)*changes] {
			if err := s.storage.Set(s.ctx, key, []byte("a"), 0); err != nil {
				return s.safe("Set", err)
			}
		}
		return nil
	})
	f.wants("Set by many at once", keys...)
	if n := most.Load(); n != 1 {
		s.Errorf("Watch called its function %d times at once", n)
	}
}

func allWatchersAreTold(s *subject) {
	a, b := s.watch(), s.watch()
	first, second := s.key("first"), s.key("second")
	s.set(first, s.value("a"), 0)
	a.wants("Set, first of two watchers", first)
	b.wants("Set, second of two watchers", first)
	a.stop()
	a.wantEnd()
	s.set(second, s.value("a"), 0)
	b.wants("Set, after another watcher has left", second)
}

// wantEnd waits for the end of Watch.
func (f *feed) wantEnd() {
	f.s.Helper()
	select {
	case <-f.ended:
	case <-time.After(patience):
		f.s.Fatalf("Watch has not returned for %v after its context ended", patience)
	}
	if f.s.safe("Watch", f.err) == nil {
		f.s.Errorf("Watch ended without an error")
	}
}

func watchesEnd(s *subject) {
	f := s.watch()
	last := s.key("last")
	s.set(last, s.value("a"), 0)
	f.wants("Set", last)
	f.stop()
	f.wantEnd()
	for len(f.told) > 0 {
		<-f.told
	}
	s.set(s.key("a"), s.value("a"), 0)
	pause(10 * pollEvery)
	if len(f.told) > 0 {
		s.Errorf("Watch called its function after it had returned")
	}
	if s.promptly("Watch", func(ctx context.Context) error {
		return s.storage.(bearer.Watcher).Watch(ctx, func(bearer.Change) {})
	}) == nil {
		s.Errorf("Watch, called with a context that has ended, returned no error")
	}
}

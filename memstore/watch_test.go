package memstore_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// A watcher that does not come along holds nobody up, and learns that it has
// missed something.
func TestSlowWatcherLosesItsFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		release := make(chan struct{})
		var heartbeats atomic.Int32
		ended := make(chan error, 1)
		go func() {
			ended <- s.Watch(t.Context(), func(c bearer.Change) {
				if c.Key == "" {
					heartbeats.Add(1)
					return
				}
				<-release
			})
		}()
		synctest.Wait()
		set(t, s, "key", nil, 0)
		synctest.Wait() // for it to be told of this one
		for range 1<<16 + 1 {
			set(t, s, "key", nil, 0)
		}
		pass(time.Minute)
		close(release)
		select {
		case err := <-ended:
			if err == nil || errors.Is(err, context.Canceled) {
				t.Errorf("Watch returned %v, want an error of its own", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("Watch goes on after it has missed changes")
		}
		if heartbeats.Load() != 1 {
			t.Errorf("%d heartbeats, want none after changes were missed", heartbeats.Load()-1)
		}
		if s.Watched() {
			t.Error("the store goes on telling")
		}
	})
}

// One that comes along in the end has missed nothing.
func TestWatcherCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		ctx, cancel := context.WithCancel(t.Context())
		told, beats := 0, 0
		ended := make(chan error, 1)
		go func() {
			ended <- s.Watch(ctx, func(c bearer.Change) {
				if c.Key == "" {
					beats++
					pass(time.Second) // meanwhile, all the changes
					return
				}
				told++
			})
		}()
		synctest.Wait()
		const changes = 1 << 16
		for range changes {
			set(t, s, "key", nil, 0)
		}
		pass(1500 * time.Millisecond)
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("Watch returned %v, want %v", err, context.Canceled)
		}
		if told != changes || beats < 2 {
			t.Errorf("told of %d changes in %d heartbeats, want %d, and a heartbeat after them", told, beats, changes)
		}
	})
}

func TestWatchEndsWithAPanic(t *testing.T) {
	s := memstore.New(nil)
	func() {
		defer func() { recover() }()
		s.Watch(t.Context(), func(bearer.Change) { panic("the watcher's own") })
	}()
	if s.Watched() {
		t.Error("the store goes on telling a watcher that has panicked")
	}
}

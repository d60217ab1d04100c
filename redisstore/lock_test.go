package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
)

func TestLockIsTakenOverAfterItsLease(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	ctx := t.Context()
	const lease = time.Second
	begin := time.Now()
	lost, err := a.TryLock(ctx, "key", lease)
	if err != nil {
		t.Fatal(err)
	}
	var taken bearer.Lock
	eventually(t, "the lock can be taken over", func() bool {
		taken, err = b.TryLock(ctx, "key", time.Hour)
		if err != nil && !errors.Is(err, bearer.ErrLocked) {
			t.Fatal(err)
		}
		return err == nil
	})
	if after := time.Since(begin); after < lease {
		t.Errorf("it was taken over after %v of a lease of %v", after, lease)
	}
	for name, method := range map[string]func(context.Context) error{"Renew": lost.Renew, "Unlock": lost.Unlock} {
		if err := method(ctx); err != bearer.ErrLockLost {
			t.Errorf("%s of a lock that somebody has taken over: %v, want ErrLockLost", name, err)
		}
	}
	if err := taken.Renew(ctx); err != nil {
		t.Errorf("Renew of the lock that was taken over: %v", err)
	}
}

// The lock is one of Redis's own, that an operator can see and remove.
func TestLockInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), &redisstore.Options{Prefix: "app"})
	l, err := s.TryLock(t.Context(), "cl_guest-ID", 90*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	const there = "app:bearer-lock:cl_guest-ID"
	owner := server.Do("GET", there)
	if len(owner) < 20 {
		t.Errorf("the owner is %q, want something that nobody guesses", owner)
	}
	if ttl, err := strconv.Atoi(server.Do("TTL", there)); err != nil || ttl > 90 || ttl < 60 { // a slow machine gets to see less of it
		t.Errorf("the lease is %d s, %v, want 90", ttl, err)
	}
	if all := fmt.Sprintf("%v %+v %#v %s", l, l, l, l); strings.Contains(all, owner) || strings.Contains(all, "cl_guest") {
		t.Errorf("the lock prints its owner, or its key: %s", all)
	}
	server.Do("DEL", there)
	if err := l.Renew(t.Context()); err != bearer.ErrLockLost {
		t.Errorf("Renew of a lock that was removed: %v, want ErrLockLost", err)
	}
}

// Whatever lies where a lock does, and would stay there, is free after a lease.
func TestLockThatWouldLastForEver(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		make []string
		free bool
	}{
		{"restored without its time", []string{"SET", "bearer-lock:key", "somebody"}, true},
		{"of another type", []string{"HSET", "bearer-lock:key", "a", "b"}, true},
		{"somebody's", []string{"SET", "bearer-lock:key", "somebody", "PX", "3600000"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			server.Do(tt.make...)
			s := open(t, server.URL(), nil)
			const lease = time.Minute
			if _, err := s.TryLock(t.Context(), "key", lease); err != bearer.ErrLocked {
				t.Fatalf("TryLock: %v, want ErrLocked", err)
			}
			ttl, err := strconv.Atoi(server.Do("PTTL", "bearer-lock:key"))
			if bounded := ttl <= int(lease.Milliseconds()); err != nil || ttl < 0 || bounded != tt.free {
				t.Errorf("it is there for %d ms, %v; for no longer than a lease: want %v", ttl, err, tt.free)
			}
		})
	}
}

// A caller who has left has no use for a lock, and nobody else could have it.
func TestLockThatNobodyWaitsForIsGivenBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	set(t, a, "key", "value") // connects
	server.Stop()
	_, err := a.TryLock(within(t, time.Second), "key", time.Hour) // time enough to send it
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("TryLock while Redis does not answer: %v, want the context's error", err)
	}
	wantError(t, err, "had not answered when the caller's context ended")
	server.Continue()
	eventually(t, "the lock has been taken", func() bool { return server.Calls("set") == 2 })
	eventually(t, "the lock is free", func() bool {
		_, err := b.TryLock(t.Context(), "key", time.Second)
		return err == nil
	})
}

func TestLockNeedsALease(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://127.0.0.1:1", nil)
	for _, lease := range []time.Duration{0, -time.Second} {
		_, err := s.TryLock(t.Context(), "key", lease)
		wantError(t, err, "a lock needs a lease")
	}
}

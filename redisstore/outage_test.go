package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/internal/redistest"
)

// A program starts without Redis, and finds it when it is there.
func TestOpenBeforeRedisRuns(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Kill()
	s := open(t, server.URL(), nil)
	_, err := s.Get(t.Context(), "key")
	wantError(t, err, "Redis at "+server.Addr()+" cannot be reached: connection refused")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Get: %v, want one that wraps ECONNREFUSED", err)
	}
	server.Restart()
	set(t, s, "key", "value")
	wantValue(t, s, "key", "value", "the start of Redis")
}

// Nothing of a Store has to be made anew for a Redis that has been away.
func TestRedisGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	var failed, done atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var users sync.WaitGroup
	defer users.Wait()
	defer stop()
	for i := range 8 {
		users.Go(func() {
			key := fmt.Sprint("key", i)
			for ctx.Err() == nil {
				err := s.Set(ctx, key, []byte("a"), time.Minute)
				if err == nil {
					_, err = s.Get(ctx, key)
				}
				if err == nil {
					_, err = s.CompareAndSwap(ctx, key, []byte("a"), []byte("b"), time.Minute)
				}
				if err == nil {
					var l bearer.Lock
					if l, err = s.TryLock(ctx, key, time.Second); err == nil {
						err = l.Unlock(ctx)
					}
				}
				if err == nil {
					done.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
				}
				<-time.After(time.Millisecond)
			}
		})
	}
	works := func() {
		t.Helper()
		from := done.Load()
		eventually(t, "all works", func() bool { return done.Load() > from+100 })
	}
	works()
	for range 2 {
		server.Kill() // and with it the scripts that it knew
		from := failed.Load()
		eventually(t, "calls fail, and none of them hangs", func() bool { return failed.Load() > from+100 })
		server.Restart()
		works()
	}
	from := failed.Load()
	works()
	if got := failed.Load(); got != from {
		t.Errorf("%d calls failed while Redis was back", got-from)
	}
}

// A server that is stopped keeps its connections, and answers nothing.
func TestCallsEndWithTheirContexts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), &redisstore.Options{Timeout: time.Minute})
	set(t, s, "key", "value")
	server.Stop()
	begin := time.Now()
	var callers sync.WaitGroup
	for i := range 3000 { // more than rueidis has room for
		callers.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			var err error
			switch i % 4 {
			case 0:
				_, err = s.Get(ctx, "key")
			case 1:
				err = s.Set(ctx, "key", nil, 0)
			case 2:
				_, err = s.CompareAndSwap(ctx, "key", nil, nil, 0)
			case 3:
				_, err = s.TryLock(ctx, "key", time.Second)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a call whose context ended: %v, want its error", err)
			}
		})
	}
	callers.Wait()
	if took := time.Since(begin); took > patience {
		t.Errorf("calls with 100 ms took %v", took)
	}
	server.Continue()
	get(t, s, "key") // none of them has left anything in the way
}

// A call without a deadline does not wait for ever.
func TestCallsEndWithTheTimeout(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), &redisstore.Options{Timeout: 1500 * time.Millisecond})
	set(t, s, "key", "value")
	server.Stop()
	begin := time.Now()
	_, err := s.Get(t.Context(), "key")
	wantError(t, err, "has not answered within 1.5s")
	if errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a call whose context has not ended: %v, want a timeout that is not that of a context", err)
	}
	if took := time.Since(begin); took < 1500*time.Millisecond || took > patience {
		t.Errorf("a call with a timeout of 1.5 s took %v", took)
	}
	server.Continue()
	eventually(t, "it answers again", func() bool {
		_, err := s.Get(t.Context(), "key")
		return err == nil || errors.Is(err, bearer.ErrNotFound)
	})
}

// Callers who ask for the same share one request. It is not the first one's alone.
func TestOneCallersContextFailsNobodyElse(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("SET", "key", "value")
	s := open(t, server.URL(), nil)
	get(t, s, "connect")
	server.Stop()
	asked := make(chan struct{})
	impatient := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		close(asked)
		_, err := s.Get(ctx, "key")
		impatient <- err
	}()
	<-asked
	patient := make(chan error, 8)
	for range cap(patient) {
		go func() {
			_, err := s.Get(t.Context(), "key")
			patient <- err
		}()
	}
	<-time.After(50 * time.Millisecond)
	cancel()
	if err := <-impatient; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller who left got %v", err)
	}
	server.Continue()
	for range cap(patient) {
		if err := <-patient; err != nil {
			t.Errorf("a caller who stayed got %v", err)
		}
	}
}

func TestCloseEndsCalls(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	set(t, s, "key", "value")
	ended := make(chan error, 1)
	begun := make(chan struct{}, 1<<10)
	go func() {
		ended <- s.Watch(t.Context(), func(bearer.Change) { begun <- struct{}{} })
	}()
	<-begun
	s.Close()
	s.Close()
	wantError(t, <-ended, "the Store has been closed")
	_, err := s.Get(t.Context(), "key")
	wantError(t, err, "the Store has been closed")
	eventually(t, "the connections are closed", func() bool {
		return connections(server) == 1 // that of the question
	})
}

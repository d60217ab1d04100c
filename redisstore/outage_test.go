package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
	"github.com/redis/rueidis"
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
	var failed atomic.Int64
	var last atomic.Value
	var done [8]atomic.Int64 // of each user
	ctx, stop := context.WithCancel(t.Context())
	var users sync.WaitGroup
	defer users.Wait()
	defer stop()
	for i := range done {
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
					if l, err = s.TryLock(ctx, key, time.Minute); err == nil {
						err = l.Unlock(ctx)
					}
				}
				if err == nil {
					done[i].Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
					last.Store(err.Error())
				}
				<-time.After(time.Millisecond)
			}
		})
	}
	works := func() {
		t.Helper()
		for i := range done {
			from := done[i].Load()
			eventually(t, "all works", func() bool { return done[i].Load() > from+10 })
		}
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
		t.Errorf("%d calls failed while Redis was back, the last one: %v", got-from, last.Load())
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

// Callers who find no connection make one, not one each.
func TestManyConnectOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	before := connections(server)
	s := open(t, server.URL(), nil)
	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() {
			if _, err := s.Get(t.Context(), "key"); err != bearer.ErrNotFound {
				t.Errorf("Get: %v, want ErrNotFound", err)
			}
		})
	}
	callers.Wait()
	if got := connections(server) - before; got != 1 {
		t.Errorf("100 callers made %d connections, want 1", got)
	}
}

// What a Store tries by itself ends in its own time, not in that of the caller's
// context.
func TestNobodyElsesTimeIsTakenForTheCallers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Stop()
	s := open(t, server.URL()+"?dial_timeout=100ms", &redisstore.Options{Timeout: time.Minute})
	_, err := s.Get(t.Context(), "key")
	wantError(t, err, "has not answered in time")
	if errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Get: %v, want a timeout that is not that of a context", err)
	}
}

// A connection may break at any time: the first write after it finds another one.
func TestBrokenConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), &redisstore.Options{DisableCache: true})
	set(t, s, "key", "value")
	for range 3 {
		var err error
		// A busy machine may take longer to notice.
		for _, later := range []time.Duration{20 * time.Millisecond, time.Second, 10 * time.Second} {
			server.Kill()
			server.Restart()
			<-time.After(later)
			if err = s.Set(t.Context(), "key", nil, 0); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatalf("10 s after a restart: Set: %v", err)
		}
	}
}

// breaking is a client whose connection breaks as it reads the first answers.
type breaking struct {
	rueidis.Client
	times atomic.Int32
}

func (b *breaking) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	return b.after(b.Client.Do(ctx, cmd))
}

func (b *breaking) DoCache(ctx context.Context, cmd rueidis.Cacheable, ttl time.Duration) rueidis.RedisResult {
	return b.after(b.Client.DoCache(ctx, cmd, ttl))
}

func (b *breaking) after(r rueidis.RedisResult) rueidis.RedisResult {
	if b.times.Add(-1) >= 0 {
		return rueidis.NewErrorResult(io.EOF)
	}
	return r
}

// A read may be done twice. A write may not: somebody else's may have come between.
func TestOnlyReadsAreRepeated(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableRetry: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	b := &breaking{Client: client}
	s, err := redisstore.New(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, method := range methods(t, s) {
		if name == "Watch" {
			continue
		}
		b.times.Store(1)
		err := method()
		if strings.HasPrefix(name, "Get") {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else {
			wantError(t, err, "closed the connection")
		}
		if b.times.Load() > 0 {
			t.Errorf("%s asks Redis nothing", name)
		}
	}
	for command, want := range map[string]int{"set": 2, "unlink": 1, "evalsha": 2} {
		if got := server.Calls(command); got > want {
			t.Errorf("%s has been sent %d times, want %d", command, got, want)
		}
	}
}

// A client as rueidis makes it by default tries again for ever.
func TestClientThatTriesAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s, err := redisstore.New(client, &redisstore.Options{Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it works", func() bool { return s.Set(t.Context(), "key", []byte("value"), 0) == nil })
	server.Kill()
	_, err = s.Get(t.Context(), "key")
	wantError(t, err, "Redis ")
	server.Restart()
	eventually(t, "it works again", func() bool { return s.Set(t.Context(), "key", []byte("value"), 0) == nil })
	if s.Close(); client.Do(t.Context(), client.B().Ping().Build()).Error() != nil {
		t.Error("Close has closed a client that is not the Store's")
	}
	_, err = s.Get(t.Context(), "key")
	wantError(t, err, "the Store has been closed")
}

// A call without a deadline does not wait for ever.
func TestCallsEndWithTheTimeout(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), &redisstore.Options{Timeout: 1500 * time.Millisecond})
	eventually(t, "it is connected", func() bool { return s.Set(t.Context(), "key", nil, 0) == nil })
	server.Stop()
	begin := time.Now()
	_, err := s.Get(t.Context(), "key")
	wantError(t, err, "has not answered in time (Options.Timeout is 1.5s)")
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

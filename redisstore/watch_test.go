package redisstore_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
)

var clients = regexp.MustCompile(`connected_clients:(\d+)`)

// connections returns how many the server has, with the one of the question.
func connections(server *redistest.Server) int {
	n, _ := strconv.Atoi(clients.FindStringSubmatch(server.Do("INFO", "clients"))[1])
	return n
}

// watching is a call of Watch.
type watching struct {
	told chan string // keys; empty for a heartbeat
	end  chan error
}

// watch begins to watch, and waits for the first heartbeat.
func watch(t *testing.T, s *redisstore.Store) *watching {
	t.Helper()
	w := &watching{told: make(chan string, 1<<16), end: make(chan error, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { w.end <- s.Watch(ctx, func(c bearer.Change) { w.told <- c.Key }) }()
	if key := w.next(t); key != "" {
		t.Fatalf("Watch began with %q, want a heartbeat", key)
	}
	return w
}

func (w *watching) next(t *testing.T) string {
	t.Helper()
	select {
	case key := <-w.told:
		return key
	case err := <-w.end:
		t.Fatalf("Watch ended: %v", err)
	case <-time.After(patience):
		t.Fatal("Watch has nothing to tell")
	}
	return ""
}

// change returns the next one that is not a heartbeat.
func (w *watching) change(t *testing.T) string {
	t.Helper()
	for {
		if key := w.next(t); key != "" {
			return key
		}
	}
}

func (w *watching) wantEnd(t *testing.T, words string) {
	t.Helper()
	select {
	case err := <-w.end:
		wantError(t, err, words)
	case <-time.After(patience):
		t.Fatalf("Watch has not ended, want it to because %q", words)
	}
}

func TestWatchTellsOfEverybodysChanges(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), &redisstore.Options{Prefix: "app"})
	w := watch(t, s)
	for _, command := range [][]string{
		{"SET", "app:a", "1"}, {"SET", "app:b", "1", "EX", "100"}, {"UNLINK", "app:a"}, {"DEL", "app:b"},
		{"SET", "app:c", "1", "PX", "1"}, // and its end need not be told
	} {
		server.Do(command...)
		want := command[1][len("app:"):]
		if got := w.change(t); got != want {
			t.Errorf("%s %s: Watch told of %q", command[0], command[1], got)
		}
	}
	// What is not the Store's is not told of: the next is the last.
	server.Do("SET", "other", "1")
	server.Do("SET", "apple", "1")
	server.Do("SET", "app:", "1") // would look like a heartbeat
	if _, err := s.TryLock(t.Context(), "lock", time.Minute); err != nil {
		t.Fatal(err)
	}
	server.Do("SET", "app:last", "1")
	for got := ""; got != "last"; {
		if got = w.change(t); got != "last" && got != "c" {
			t.Errorf("Watch told of %q", got)
		}
	}
}

// A change that is told of can be read, though another connection tells the cache.
func TestWatchIsAheadOfTheCache(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	w := watch(t, s)
	for i := range 500 {
		key := fmt.Sprint("key", i)
		wantValue(t, s, key, "none", "nothing")
		server.Do("SET", key, "new")
		if got := w.change(t); got != key {
			t.Fatalf("Watch told of %q, want %q", got, key)
		}
		wantValue(t, s, key, "new", "a change that was told of")
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, words string
		cause       func(*redistest.Server)
	}{
		{"server killed", "a connection broke", (*redistest.Server).Kill},
		{"connection killed", "a connection broke", func(s *redistest.Server) { s.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") }},
		{"flushed", "emptied", func(s *redistest.Server) { s.Do("FLUSHALL") }},
		{"made a replica", "has become a replica", func(s *redistest.Server) { s.Do("REPLICAOF", "127.0.0.1", "1") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, server.URL(), nil)
			w := watch(t, s)
			test.cause(server)
			w.wantEnd(t, test.words)
		})
	}
}

// A heartbeat is an answer: without one there is none, and nothing is made up for
// later.
func TestWatchIsSilentWithRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	var err error
	for range 5 {
		w := watch(t, s)
		server.Stop()
		for quiet := false; !quiet; {
			select {
			case <-w.told: // one may have been on its way
			case <-time.After(1200 * time.Millisecond):
				quiet = true
			}
		}
		server.Continue()
		select {
		case <-w.told:
			server.Do("SET", "key", "value")
			if got := w.change(t); got != "key" {
				t.Errorf("Watch told of %q", got)
			}
			return
		case err = <-w.end: // on a machine that has stood still for seconds
			wantError(t, err, "has not answered")
		case <-time.After(patience):
			t.Fatal("Watch has nothing to tell")
		}
	}
	t.Errorf("Watch ended: %v", err)
}

func TestWatchGivesUpASlowFunction(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	begun, end := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		end <- s.Watch(t.Context(), func(bearer.Change) {
			select {
			case begun <- struct{}{}:
			default:
			}
			<-time.After(time.Millisecond)
		})
	}()
	<-begun
	for begin := time.Now(); ; {
		server.Do("EVAL", "for i = 1, 40000 do redis.call('SET', i, '') end", "0")
		select {
		case err := <-end:
			wantError(t, err, "too slow")
			return
		case <-time.After(100 * time.Millisecond):
			if time.Since(begin) > patience {
				t.Fatal("Watch goes on")
			}
		}
	}
}

func TestWatchNeedsPushes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL()+"?protocol=2", nil)
	set(t, s, "key", "value")
	wantValue(t, s, "key", "value", "Set by RESP2")
	server.Do("SET", "key", "other")
	wantValue(t, s, "key", "other", "a change, without a cache")
	wantError(t, s.Watch(within(t, patience), func(bearer.Change) { t.Error("Watch tells") }), "RESP3")
}

func TestWatchClosesItsConnection(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	set(t, s, "key", "value")
	before := connections(server)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Watch(ctx, func(bearer.Change) {
		if got := connections(server); got != before+1 {
			t.Errorf("Watch uses %d connections, want 1", got-before)
		}
		cancel()
	})
	if err != context.Canceled {
		t.Errorf("Watch: %v, want the context's error", err)
	}
	eventually(t, "the connection is closed", func() bool { return connections(server) == before })
}

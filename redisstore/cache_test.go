package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
	"github.com/redis/rueidis"
)

func TestHotGetCostsNoRoundTrip(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("SET", "key", "value")
	for _, test := range []struct {
		name string
		opts *redisstore.Options
		want int
	}{
		{name: "cached", want: 1},
		{name: "cache disabled", opts: &redisstore.Options{DisableCache: true}, want: 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, server.URL(), test.opts)
			before := server.Calls("get")
			for range 50 {
				wantValue(t, s, "key", "value", "SET")
			}
			if got := server.Calls("get") - before; got != test.want {
				t.Errorf("50 reads made %d GETs, want %d", got, test.want)
			}
		})
	}
	t.Run("uncached", func(t *testing.T) {
		s := open(t, server.URL(), nil)
		wantValue(t, s, "key", "value", "SET")
		before := server.Calls("get")
		for range 50 {
			if _, err := s.Get(bearer.Uncached(t.Context()), "key"); err != nil {
				t.Fatal(err)
			}
		}
		if got := server.Calls("get") - before; got != 50 {
			t.Errorf("50 reads of the original made %d GETs", got)
		}
	})
	t.Run("missing", func(t *testing.T) {
		s := open(t, server.URL(), nil)
		before := server.Calls("get")
		for range 50 {
			wantValue(t, s, "missing", "none", "nothing")
		}
		if got := server.Calls("get") - before; got != 1 {
			t.Errorf("50 reads of a missing value made %d GETs, want 1", got)
		}
	})
}

// Another process is seen by both other Stores and by programs that know nothing of
// this package, as js-auth does.
func TestChangesElsewhereAreSeen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := open(t, server.URL(), nil), open(t, server.URL(), nil)
	swap := func(old, next []byte) {
		t.Helper()
		if swapped, err := b.CompareAndSwap(t.Context(), "key", old, next, 0); err != nil || !swapped {
			t.Fatalf("CompareAndSwap: %v, %v", swapped, err)
		}
	}
	for _, change := range []struct {
		name string
		make func()
		want string
	}{
		{"Set", func() { set(t, b, "key", "1") }, "1"},
		{"CompareAndSwap", func() { swap([]byte("1"), []byte("2")) }, "2"},
		{"CompareAndSwap for nil", func() { swap([]byte("2"), nil) }, "none"},
		{"SET", func() { server.Do("SET", "key", "3") }, "3"},
		{"Delete", func() { b.Delete(t.Context(), "key") }, "none"},
		{"SET EX", func() { server.Do("SET", "key", "4", "EX", "100") }, "4"},
		{"UNLINK", func() { server.Do("UNLINK", "key") }, "none"},
		{"SET PX", func() { server.Do("SET", "key", "5", "PX", "3600000") }, "5"},
		{"the end of its time", func() { server.Do("PEXPIRE", "key", "50") }, "none"},
		{"SET again", func() { server.Do("SET", "key", "6") }, "6"},
		{"FLUSHALL", func() { server.Do("FLUSHALL") }, "none"},
	} {
		get(t, a, "key")
		change.make()
		begin := time.Now()
		eventually(t, change.name+" elsewhere is seen", func() bool { return get(t, a, "key") == change.want })
		// Redis tells of it, and not the end of the copy's own life.
		if late := time.Since(begin); late > 8*time.Second {
			t.Errorf("%s elsewhere is seen after %v", change.name, late)
		}
	}
}

// Redis may tell of a change after it has answered who made it.
func TestOwnWritesAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	ctx := t.Context()
	for i := range 300 {
		key := func(name string) string { return fmt.Sprint(name, i) }
		for _, name := range []string{"set", "swapped", "deleted"} {
			server.Do("SET", key(name), "old")
			wantValue(t, s, key(name), "old", "SET")
		}
		set(t, s, key("set"), "new")
		wantValue(t, s, key("set"), "new", "one's own Set")
		s.CompareAndSwap(ctx, key("swapped"), []byte("old"), []byte("new"), 0)
		wantValue(t, s, key("swapped"), "new", "one's own CompareAndSwap")
		s.Delete(ctx, key("deleted"))
		wantValue(t, s, key("deleted"), "none", "one's own Delete")
	}
}

// Whoever has been told that the value is another one must not get the old one. (A
// client with many connections may be told so on another one than that on which the
// value was read.)
func TestFailedSwapIsFollowedByTheNewValue(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, PipelineMultiplex: 3, DisableRetry: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	a, err := redisstore.New(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, server.URL(), nil)
	for i := range 50 {
		key := fmt.Sprint("key", i)
		server.Do("SET", key, "old")
		wantValue(t, a, key, "old", "SET")
		go b.Set(t.Context(), key, []byte("new"), 0)
		for {
			swapped, err := a.CompareAndSwap(t.Context(), key, []byte("old"), []byte("old"), 0)
			if err != nil {
				t.Fatal(err)
			}
			if !swapped {
				break
			}
		}
		wantValue(t, a, key, "new", "a swap that failed")
	}
}

// A connection that is gone tells of nothing: what was read on it must go too.
func TestCopiesEndWithTheConnection(t *testing.T) {
	t.Parallel()
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t)
		s := open(t, server.URL(), nil)
		server.Do("SET", "key", "value")
		wantValue(t, s, "key", "value", "SET")
		server.Kill()
		eventually(t, "the copy is gone", func() bool {
			_, err := s.Get(t.Context(), "key")
			return err != nil
		})
		server.Restart()
		eventually(t, "Redis is back, and empty", func() bool {
			value, err := s.Get(t.Context(), "key")
			if err == nil {
				t.Fatalf("Get returned %q from an empty Redis", value)
			}
			return err == bearer.ErrNotFound
		})
	})
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t)
		s := open(t, server.URL(), &redisstore.Options{Timeout: time.Second})
		server.Do("SET", "key", "value")
		eventually(t, "the value is read", func() bool {
			value, err := s.Get(t.Context(), "key")
			return err == nil && string(value) == "value"
		})
		server.Stop()
		begin := time.Now()
		eventually(t, "the copy is gone", func() bool {
			_, err := s.Get(t.Context(), "key")
			return err != nil
		})
		if after := time.Since(begin); after > 8*time.Second {
			t.Errorf("the copy was used for %v after Redis had ceased to answer", after)
		}
		server.Continue()
		eventually(t, "Redis answers again", func() bool {
			value, err := s.Get(t.Context(), "key")
			return err == nil && string(value) == "value"
		})
	})
}

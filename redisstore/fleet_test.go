package redisstore_test

import (
	"fmt"
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
	"github.com/bearerkit/bearer/storagetest"
)

func TestClusterConforms(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t, 3)
	s := open(t, servers[1].URL(), &redisstore.Options{Prefix: "app"})
	storagetest.Run(t, func(*testing.T) bearer.Storage { return s })
	used := 0
	for _, server := range servers {
		if server.Calls("get") > 0 {
			used++
		}
	}
	if used != 3 {
		t.Errorf("%d of 3 servers have been used", used)
	}
}

// A feed that one server does not belong to any more misses changes.
func TestWatchEndsWithOneServerOfACluster(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t, 3)
	s := open(t, servers[0].URL(), nil)
	w := watch(t, s)
	for i := range 20 { // some on each server
		key := fmt.Sprint("key", i)
		set(t, s, key, "value")
		if got := w.change(t); got != key {
			t.Errorf("Watch told of %q, want %q", got, key)
		}
	}
	servers[2].Kill()
	w.wantEnd(t, "watch again")
}

// A server that joins has values that the others do not tell of.
func TestWatchEndsWhenAServerJoinsACluster(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t, 3)
	s := open(t, servers[0].URL(), nil)
	w := watch(t, s)
	fourth := redistest.Join(t, servers)
	w.wantEnd(t, "Redis has other servers now")
	w = watch(t, s)
	const key = "3560" // in the slot that it has been given
	set(t, s, key, "value")
	if got := fourth.Do("GET", key); got != "value" {
		t.Fatalf("the new server has %q", got)
	}
	if got := w.change(t); got != key {
		t.Errorf("Watch told of %q, want %q", got, key)
	}
}

func TestFailover(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	sentinel := redistest.StartSentinel(t, primary)
	s := open(t, sentinel.URL()+"?master_set="+redistest.Main, nil)
	set(t, s, "key", "old")
	wantValue(t, s, "key", "old", "Set")
	w := watch(t, s)
	eventually(t, "it is replicated", func() bool { return replica.Do("GET", "key") == "old" })

	eventually(t, "the sentinel finds the replica good enough", func() bool {
		return sentinel.Try("SENTINEL", "FAILOVER", redistest.Main).Error() == nil
	})
	w.wantEnd(t, "watch again")
	eventually(t, "the new primary takes writes", func() bool { return s.Set(t.Context(), "key", []byte("new"), 0) == nil })
	wantValue(t, s, "key", "new", "the failover")
	eventually(t, "the new primary has what was written after the failover", func() bool {
		got, err := replica.Try("GET", "key").ToString() // the first fails: its connections have been closed
		return err == nil && got == "new"
	})
	replica.Do("SET", "key", "newer")
	eventually(t, "a change on the new primary is seen", func() bool { return get(t, s, "key") == "newer" })
	w = watch(t, s)
	replica.Do("SET", "other", "value")
	if got := w.change(t); got != "other" {
		t.Errorf("Watch told of %q", got)
	}
}

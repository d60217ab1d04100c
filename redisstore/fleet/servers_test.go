package fleet_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/redisstore/redistest"
)

// A cluster of Redis does what one does.
func TestCluster(t *testing.T) {
	t.Parallel()
	const processes = 20
	f := newFleet(t, copies, authConfig{})
	f.config.Redis = redistest.StartCluster(t, 3)[0].URL()
	f.start(processes)
	begin := time.Now()
	got := f.visit("/", "").wait(begin, []string{guest}, nil)
	results.add(t, row{"cluster: cold start", processes, got, len(f.requests()), "of a call"})
	wantTokens(t, len(f.requests()), 1)
	cookie := f.loginExpired()
	f.visitOnce("cluster: one customer, expired", cookie)
	f.wantReused(0)
	f.wantAll(cookie, ada)
}

// The primary is lost, and a sentinel has its replica take over: nobody notices, and
// what happens afterwards reaches all.
func TestFailover(t *testing.T) {
	t.Parallel()
	const processes = 10
	f := newFleet(t, memory, authConfig{})
	primary := redistest.Start(t)
	replica := redistest.StartReplica(t, primary)
	f.config.Redis = redistest.StartSentinel(t, primary).URL() + "?master_set=" + redistest.Main
	f.start(processes)
	cookie, _ := f.loginFor(time.Hour)
	f.load(load{Path: "/", Every: 100 * time.Millisecond, Want: []string{guest}})
	f.load(load{Path: "/", Cookie: cookie, Every: 100 * time.Millisecond, Want: []string{ada}})
	<-time.After(2 * time.Second)
	primary.Kill()
	<-time.After(8 * time.Second)
	f.eventually("the replica has become the primary", func() bool {
		return strings.Contains(replica.Do("INFO", "replication"), "role:master")
	})
	got := f.unload()
	results.add(t, row{"failover", processes, got, len(f.requests()), "of a call"})
	wantTokens(t, len(f.requests()), 1)
	f.eventually("she can sign out", func() bool {
		req, err := http.NewRequest(http.MethodPost, f.shops[0].url+"/forget", nil)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := send(req, cookie)
		return v.Error == ""
	})
	for _, s := range f.shops {
		f.eventually(s.name+" knows of it", func() bool { return get(s.url, cookie).Who == guest })
	}
	f.wantAll(cookie, guest)
}

package redistest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const slots = 16384

// StartCluster starts a Redis Cluster of n primaries without replicas.
func StartCluster(t testing.TB, n int) []*Server {
	t.Helper()
	all := make([]*Server, n)
	for i := range all {
		s := Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		command := []string{"CLUSTER", "ADDSLOTS"}
		for slot := slots * i / n; slot < slots*(i+1)/n; slot++ {
			command = append(command, strconv.Itoa(slot))
		}
		s.Do(command...)
		all[i] = s
	}
	for _, s := range all[1:] {
		s.Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(all[0].port))
	}
	for _, s := range all {
		s.wait("the cluster is complete", func() bool {
			return strings.Contains(s.Do("CLUSTER", "INFO"), "cluster_state:ok") &&
				strings.Count(s.Do("CLUSTER", "NODES"), " connected ") == n
		})
	}
	return all
}

// Join starts one more server, and gives it a slot.
func Join(t testing.TB, cluster []*Server) *Server {
	t.Helper()
	s := Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
	s.Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(cluster[0].port))
	all := append(slices.Clone(cluster), s)
	s.wait("all servers know each other", func() bool {
		for _, s := range all {
			if strings.Count(s.Do("CLUSTER", "NODES"), " connected") != len(all) {
				return false
			}
		}
		return true
	})
	id := s.Do("CLUSTER", "MYID")
	s.Do("CLUSTER", "SETSLOT", "0", "NODE", id)
	cluster[0].Do("CLUSTER", "SETSLOT", "0", "NODE", id)
	return s
}

// StartReplica starts a replica of primary, and waits until it has its data.
func StartReplica(t testing.TB, primary *Server) *Server {
	t.Helper()
	s := Start(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(primary.port))
	s.wait("the replica has its data", func() bool {
		return strings.Contains(s.Do("INFO", "replication"), "master_link_status:up")
	})
	return s
}

// Main is the name of the primary that a sentinel watches.
const Main = "main"

// StartSentinel starts a sentinel that watches primary, and waits until it knows its
// replica.
func StartSentinel(t testing.TB, primary *Server) *Server {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	text := "sentinel monitor " + Main + " 127.0.0.1 " + strconv.Itoa(primary.port) + " 1\n" +
		"sentinel down-after-milliseconds " + Main + " 300\n" +
		"sentinel failover-timeout " + Main + " 2000\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(&Server{t: t, dir: dir, sentinel: file})
	s.Try("SENTINEL", "DEBUG", "info-period", "200") // from version 7 on; else it takes seconds more
	s.wait("the sentinel knows the replica", func() bool {
		return strings.Contains(s.Do("INFO", "sentinel"), "status=ok") && strings.Contains(s.Do("INFO", "sentinel"), "slaves=1")
	})
	return s
}

func (s *Server) wait(what string, done func() bool) {
	s.t.Helper()
	for begin := time.Now(); !done(); <-time.After(10 * time.Millisecond) {
		if time.Since(begin) > patience {
			s.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

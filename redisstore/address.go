package redisstore

import (
	"errors"
	neturl "net/url"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	// lookAround is how often is looked for servers that have joined a cluster, or
	// taken over, in case that nobody has told.
	lookAround = 5 * time.Second

	cacheBytes  = 32 << 20 // of copies, for each server
	bufferBytes = 64 << 10 // of what is sent and received, for each connection
)

// parse returns how to connect to the Redis at url, and its address without the
// password. Errors of net/url, and some of rueidis, quote what they cannot parse,
// and so are not passed on.
func parse(url string) (o rueidis.ClientOption, address string, err error) {
	refuse := func(why string) (rueidis.ClientOption, string, error) {
		return rueidis.ClientOption{}, "", &storeError{"the address " + why + "; it is not shown, since it may hold a password", nil}
	}
	u, err := neturl.Parse(url)
	if err != nil {
		return refuse("is no URL: make it one like redis://user:password@host:6379/0, with other characters than letters and digits percent-encoded in the password")
	}
	switch u.Scheme {
	case "redis", "rediss", "valkey", "valkeys", "unix":
	default:
		return refuse("has none of the schemes redis, rediss (with TLS), valkey, valkeys and unix: make it one like redis://host:6379")
	}
	if o, err = rueidis.ParseURL(url); err != nil {
		return refuse("has a database, or a parameter after the question mark, that cannot be used: make it one like redis://host:6379/0?dial_timeout=5s")
	}
	o.DisableRetry = true // it would go on until the context ends
	// Else nobody reads while nobody calls, and the first to learn that a connection is
	// broken is the next write.
	o.AlwaysPipelining = true
	o.PipelineMultiplex = -1 // one connection: a fleet has enough of them
	o.CacheSizeEachConn = cacheBytes
	o.ReadBufferEachConn, o.WriteBufferEachConn = bufferBytes, bufferBytes
	o.ClusterOption.ShardsRefreshInterval = lookAround
	o.Sentinel.TopologyRefreshInterval = lookAround
	o.Sentinel.TLSConfig = o.TLSConfig
	return o, strings.Join(o.InitAddress, ","), nil
}

// dial makes a client.
func (s *Store) dial(o rueidis.ClientOption) (rueidis.Client, error) {
	if o.ConnWriteTimeout == 0 {
		// A server that does not answer a PING for so long is given up.
		o.ConnWriteTimeout = max(s.timeout, time.Second)
	}
	client, err := rueidis.NewClient(o)
	if !errors.Is(err, rueidis.ErrNoCache) {
		return client, err
	}
	s.log.Warn("redisstore: the server cannot tell of changes, and so nothing is cached: it is older than Redis 6, a proxy, or its user may not run CLIENT TRACKING", "server", s.place())
	o.DisableCache = true
	return rueidis.NewClient(o)
}

// Package redisstore is a [bearer.Storage] in Redis, for processes that share their
// tokens: one machine's customer is known on all. For most uses, call [Open] with an
// address and a prefix:
//
//	store, err := redisstore.Open(os.Getenv("REDIS_URL"), &redisstore.Options{Prefix: "shop"})
//
// At a glance: it survives restarts as far as Redis does; all processes share it; a
// hot read costs no round trip; it is a module of its own.
//
// It compares and swaps, locks, watches, and keeps copies of what was read. Keys and
// values are those that js-auth's storages write, with unstorage's driver for Redis:
// see [Options].Prefix.
//
// # Addresses
//
//	redis://localhost:6379             one server
//	rediss://user:password@host:6379/1 TLS; database 1
//	unix:///run/redis/redis.sock       a socket
//	redis://a:6379?addr=b:6379         a cluster, by some of its servers
//	redis://a:26379?master_set=main    sentinels, and what they call the primary
//
// A password's characters other than letters and digits are percent-encoded. One
// server's address serves for a cluster too: it tells of the others. The parameters
// dial_timeout=5s, write_timeout=5s (how long a connection may be silent),
// client_name, protocol=2, client_cache=0 and skip_verify are known as well. For all
// else, such as certificates or sentinels with a password, make a client of
// [github.com/redis/rueidis] and pass it to [New].
//
// # Copies
//
// A value that has been read is kept in memory, and the next Get of it costs no round
// trip. Redis tells of its change, whoever makes it, on the connection on which it was
// read (RESP3, CLIENT TRACKING), as soon as it has been made. A copy goes
//
//   - when Redis has told of a change, or that the value has been evicted or flushed;
//   - when the connection breaks, or nothing is answered on it for some seconds;
//   - 10 seconds after it was read, in any case.
//
// A copy never hides one's own write. What this Store has changed, or [Store.Watch]
// has told of, is read from Redis for the next 11 seconds, as Redis may answer who
// makes a change before it tells of it. In a context of [bearer.Uncached] Get always
// asks Redis. Options.DisableCache switches copies off; so does a server that knows
// nothing of them, and the log says so.
//
// # Locks
//
// A lock is a key of its own, with a random word that only its owner knows; Renew and
// Unlock are scripts that compare it. One that somebody has made last for ever gets the
// lease of whoever finds it next. It is as good as the one server that has it: a
// replica that takes over may not have heard of it yet, and then two have it for a
// while. [bearer.Locker] is for locks of that kind: they spare work, and what must not
// be lost is compared and swapped.
//
// (Package rueidislock, which comes with rueidis, answers another question: it waits
// for a lock, and keeps it by itself until it is cancelled, on two out of three keys.
// Here the holder decides whether to renew, and must know how much of its lease is
// left; who does not get the lock has better things to do than to wait; and three keys
// in one Redis fail together.)
//
// # When Redis is away
//
// Calls fail until it is back, each at once or after Options.Timeout, and none later
// than its context. Nothing has to be opened anew: not after a restart, a failover, or
// a time in which the server was a replica. Open itself does not need Redis. Errors say
// in words what to do; they quote neither keys nor values nor passwords, and errors.As
// finds what Redis said.
//
// What Redis has acknowledged and then lost, in a failover or without persistence,
// is lost: a guest token is requested anew, and a customer has to sign in again.
//
// # Which servers
//
// Redis 6 and newer, and Valkey; Watch needs Redis 6.2. Tested with 7.0: one server,
// a cluster of three, and a failover by a sentinel. Older servers, and proxies, do
// without copies and Watch. In a cluster, Watch ends when servers join or leave, which
// it notices within some 5 seconds. All commands are on one key.
//
// A user with these permissions suffices, besides those on commands of clusters or
// sentinels:
//
//	ACL SETUSER shop on >password resetchannels ~shop:* +hello +ping +role +client|tracking +client|trackinginfo +client|caching +get +set +unlink +pttl +pexpire +multi +exec +eval +evalsha
package redisstore

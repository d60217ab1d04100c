package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
	"github.com/redis/rueidis"
)

const (
	secretKey   = "cl_customer-secretkey"
	secretValue = "secretvalue"
	password    = "secretpassword"
)

// methods are all that a Store can do.
func methods(t testing.TB, s *redisstore.Store) map[string]func() error {
	ctx := t.Context()
	return map[string]func() error{
		"Get": func() error {
			_, err := s.Get(ctx, secretKey)
			if errors.Is(err, bearer.ErrNotFound) {
				return nil
			}
			return err
		},
		"Get uncached": func() error {
			_, err := s.Get(bearer.Uncached(ctx), secretKey)
			if errors.Is(err, bearer.ErrNotFound) {
				return nil
			}
			return err
		},
		"Set":    func() error { return s.Set(ctx, secretKey, []byte(secretValue), time.Minute) },
		"Delete": func() error { return s.Delete(ctx, secretKey) },
		"CompareAndSwap": func() error {
			_, err := s.CompareAndSwap(ctx, secretKey, nil, []byte(secretValue), time.Minute)
			return err
		},
		"TryLock": func() error {
			l, err := s.TryLock(ctx, secretKey, time.Minute)
			if err != nil {
				return err
			}
			if err := l.Renew(ctx); err != nil {
				return err
			}
			return l.Unlock(ctx)
		},
		"Watch": func() error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			err := s.Watch(ctx, func(bearer.Change) { cancel() })
			if err == context.Canceled {
				return nil
			}
			return err
		},
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const reads, writes, all = "Get, Get uncached", "Set, CompareAndSwap, TryLock", "Get, Get uncached, Set, Delete, CompareAndSwap, TryLock, Watch"
	for _, test := range []struct {
		name, words, fails string
		args               []string
		user               string // with what to sign in
		prepare            func(*redistest.Server)
	}{
		{name: "a hash", words: "something else than a string (WRONGTYPE)", fails: reads + ", CompareAndSwap",
			prepare: func(s *redistest.Server) {
				s.Do("DEL", secretKey)
				s.Do("HSET", secretKey, "field", secretValue)
			}},
		{name: "full", words: "its memory is full (OOM)", fails: writes,
			prepare: func(s *redistest.Server) { s.Do("CONFIG", "SET", "maxmemory", "1") }},
		{name: "replica", words: "it is a replica, which takes no writes (READONLY)", fails: writes + ", Delete",
			prepare: func(s *redistest.Server) { s.Do("REPLICAOF", "127.0.0.1", "1") }},
		{name: "replica on its own", words: "it is a replica that has lost its primary (MASTERDOWN)", fails: reads,
			prepare: func(s *redistest.Server) {
				s.Do("CONFIG", "SET", "replica-serve-stale-data", "no")
				s.Do("REPLICAOF", "127.0.0.1", "1")
			}},
		{name: "too few replicas", words: "too few replicas are connected to it (NOREPLICAS)", fails: writes + ", Delete",
			prepare: func(s *redistest.Server) { s.Do("CONFIG", "SET", "min-replicas-to-write", "1") }},
		{name: "no password", words: "it wants a password (NOAUTH)", fails: all,
			prepare: func(s *redistest.Server) { s.Do("CONFIG", "SET", "requirepass", "other") }},
		{name: "wrong password", words: "the user name or the password is wrong (WRONGPASS)", fails: all, user: ":" + password + "@",
			prepare: func(s *redistest.Server) { s.Do("CONFIG", "SET", "requirepass", "other") }},
		{name: "key not permitted", words: "not run a command, or use a key, that is needed (NOPERM)", fails: "Get, Get uncached, Set, Delete, CompareAndSwap, TryLock",
			user: "app:" + password + "@", prepare: func(s *redistest.Server) {
				s.Do("ACL", "SETUSER", "app", "on", ">"+password, "+@all", "~other*")
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, test.args...)
			s := open(t, strings.Replace(server.URL(), "//", "//"+test.user, 1), nil)
			for name, method := range methods(t, s) {
				test.prepare(server)
				err := method()
				// (After a replica is found to be one the connection is given up.)
				if strings.Contains(", "+test.fails+",", ", "+name+",") {
					wantError(t, err, test.words, secretKey, secretValue, password)
					if e, ok := errors.AsType[*rueidis.RedisError](err); !ok {
						t.Errorf("%s: %v does not wrap what Redis says", name, err)
					} else if e.Error() == "" {
						t.Errorf("%s: Redis says nothing", name)
					}
				} else if err != nil && test.name != "replica on its own" && (name != "Watch" || !strings.Contains(err.Error(), "no primary")) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// A read needs no memory.
func TestFullRedisIsRead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("SET", "key", "value")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	s := open(t, server.URL(), nil)
	wantValue(t, s, "key", "value", "SET")
}

// Redis quotes what it does not understand. We do not.
func TestWhatRedisQuotesIsNotShown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--rename-command", "UNLINK", "")
	s := open(t, server.URL(), nil)
	err := s.Delete(t.Context(), secretKey)
	e, ok := errors.AsType[*rueidis.RedisError](err)
	if !ok || !strings.Contains(e.Error(), secretKey) {
		t.Fatalf("Redis's own words are %v: want some that quote the key", e)
	}
	wantError(t, err, "refuses: it answers an error, in words that may quote keys", secretKey)
	if got := slog.AnyValue(err).Resolve().String(); strings.Contains(got, secretKey) || !strings.Contains(got, "refuses") {
		t.Errorf("logged, the error is %q", got)
	}
}

func TestRedisLoads(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("EVAL", "for i = 1, 5000 do redis.call('SET', 'key' .. i, 'value') end", "0")
	server.Do("SAVE")
	s := open(t, server.URL(), nil)
	wantValue(t, s, "key1", "value", "SET")
	server.Kill()
	// It takes 10 s, or until somebody has seen it.
	server.Restart("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
	var loading error
	eventually(t, "Redis has loaded", func() bool {
		_, err := s.Get(t.Context(), "key1")
		if err != nil && strings.Contains(err.Error(), "(LOADING)") {
			loading = err
			server.Try("CONFIG", "SET", "key-load-delay", "0")
		}
		return err == nil
	})
	wantError(t, loading, "it is still loading its data (LOADING)")
}

func TestAddressesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, url, words string }{
		{"empty", "", "none of the schemes"},
		{"no scheme", password + "@host", "none of the schemes"},
		{"no scheme, a port", password + "@host:6379", "is no URL"},
		{"another scheme", "http://user:" + password + "@host", "none of the schemes"},
		{"the password as scheme", password + "://host", "none of the schemes"},
		{"not encoded", "redis://user:" + password + "%zz@host", "percent-encoded"},
		{"a slash in the password", "redis://user:" + password + "/x@host", "is no URL"},
		{"a password as port", "redis://host:" + password, "is no URL"},
		{"a database that is none", "redis://host/" + password, "a database"},
		{"a path", "redis://host/0/" + password, "a database"},
		{"a parameter", "redis://host?dial_timeout=" + password, "a parameter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := redisstore.Open(test.url, nil)
			if s != nil {
				t.Errorf("Open returned a Store")
			}
			wantError(t, err, test.words, password)
		})
	}
}

func TestOptionsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, words string
		opts        redisstore.Options
	}{
		{"negative timeout", "Options.Timeout is -1s", redisstore.Options{Timeout: -time.Second}},
		{"no time at all", "make it 10ms or more", redisstore.Options{Timeout: time.Nanosecond}},
		{"question mark", "cut it off", redisstore.Options{Prefix: "app?"}},
		{"separators", "separators only", redisstore.Options{Prefix: ":/"}},
		{"where locks are", `with the part "bearer-lock"`, redisstore.Options{Prefix: "bearer-lock"}},
		{"where another's locks are", `with the part "bearer-lock"`, redisstore.Options{Prefix: "app/bearer-lock"}},
		{"where values are moved to", `with the part "bearer-key"`, redisstore.Options{Prefix: "bearer-key:app"}},
		{"line break", "cannot be printed", redisstore.Options{Prefix: "app\n"}},
		{"broken UTF-8", "cannot be printed", redisstore.Options{Prefix: "app\xff"}},
		{"long", "longer than 256 bytes", redisstore.Options{Prefix: strings.Repeat("a", 257)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := redisstore.Open("redis://localhost", &test.opts)
			wantError(t, err, test.words)
		})
	}
	_, err := redisstore.New(nil, nil)
	wantError(t, err, "New needs a client")
}

func TestStorePrintsNoPassword(t *testing.T) {
	t.Parallel()
	s := open(t, "redis://user:"+password+"@host:1234/5", &redisstore.Options{Prefix: "app"})
	const want = "redisstore.Store in Redis at host:1234 under app:"
	for _, got := range []string{fmt.Sprint(s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), slog.AnyValue(s).Resolve().String()} {
		if got != want {
			t.Errorf("it prints %q, want %q", got, want)
		}
	}
}

func TestServerWithAPassword(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--requirepass", password)
	s := open(t, "redis://:"+password+"@"+server.Addr(), nil)
	set(t, s, "k", "v")
	wantValue(t, s, "k", "v", "writing it")
}

func TestServersThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	secure, plain := httptest.NewUnstartedServer(nil), httptest.NewServer(nil)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	secure.StartTLS()
	defer secure.Close()
	defer plain.Close()
	for _, test := range []struct {
		name, words string
		server      *httptest.Server
	}{
		{"unknown certificate", "has a certificate that is not trusted", secure},
		{"no TLS", "does not speak TLS", plain},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, "rediss://:"+password+"@"+test.server.Listener.Addr().String(), nil)
			_, err := s.Get(t.Context(), secretKey)
			wantError(t, err, test.words, password)
		})
	}
}

// A failover leaves a program connected to a server that takes no writes.
func TestReplicaIsGivenUp(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var logged strings.Builder
	s := open(t, server.URL(), &redisstore.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	set(t, s, "key", "value")
	id := func() string { return server.Do("CLIENT", "LIST") }
	was := strings.Count(id(), "id=")
	server.Do("REPLICAOF", "127.0.0.1", "1")
	wantError(t, s.Set(t.Context(), "key", nil, 0), "READONLY")
	eventually(t, "the connection is closed", func() bool { return strings.Count(id(), "id=") == was-1 })
	server.Do("REPLICAOF", "NO", "ONE")
	set(t, s, "key", "other")
	wantValue(t, s, "key", "other", "the failover")
	if !strings.Contains(logged.String(), "has become a replica") {
		t.Errorf("the log says nothing of it: %s", logged.String())
	}
}

package redisstore_test

import (
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
)

// The bytes are those that js-auth reads and writes.
func TestBytesInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	const key, value = "cl_guest-ID-market:id:xYZkjABcde store:id:bGvCXzYgNB", `{"accessToken":"JWT","scope":"market:id:xYZkjABcde"}`
	for _, test := range []struct{ name, prefix, there string }{
		{"none", "", key},
		{"word", "app", "app:" + key},
		{"colon", "app:", "app:" + key},
		{"colon before", ":app", "app:" + key},
		{"two words", "a:b", "a:b:" + key},
		{"slash", "a/b", "a:b:" + key},
		{"backslash", `a\b`, "a:b:" + key},
		{"many", "//a::b/:", "a:b:" + key},
	} {
		t.Run(test.name, func(t *testing.T) {
			server.Do("FLUSHALL")
			s := open(t, server.URL(), &redisstore.Options{Prefix: test.prefix})
			set(t, s, key, value)
			if got := server.Do("GET", test.there); got != value {
				t.Errorf("under %q is %q", test.there, got)
			}
			if got := server.Do("PTTL", test.there); got != "-1" {
				t.Errorf("PTTL is %s for a ttl of 0", got)
			}
			server.Do("SET", test.there, "other")
			eventually(t, "what another program writes is read", func() bool { return get(t, s, key) == "other" })
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if got := server.Do("DBSIZE"); got != "0" {
				t.Errorf("%s keys are left after Delete", got)
			}
		})
	}
}

func TestTTLInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.URL(), nil)
	for _, test := range []struct {
		name      string
		ttl       time.Duration
		min, most time.Duration
	}{
		{"two weeks", 14 * 24 * time.Hour, 14*24*time.Hour - time.Minute, 14 * 24 * time.Hour},
		{"a fraction of a millisecond", time.Hour + time.Nanosecond, time.Hour - time.Minute, time.Hour},
		{"as long as can be", 1<<63 - 1, 290 * 365 * 24 * time.Hour, 1<<63 - 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, write := range map[string]func() error{
				"Set": func() error { return s.Set(t.Context(), "key", nil, test.ttl) },
				"CompareAndSwap": func() error {
					_, err := s.CompareAndSwap(t.Context(), "key", []byte{}, []byte{}, test.ttl)
					return err
				},
			} {
				set(t, s, "key", "")
				if err := write(); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got, err := strconv.ParseInt(server.Do("PTTL", "key"), 10, 64)
				if err != nil || got < test.min.Milliseconds() || got > test.most.Milliseconds()+1 {
					t.Errorf("%s: PTTL is %d ms, want %v to %v", name, got, test.min, test.most)
				}
			}
		})
	}
}

var permissions = regexp.MustCompile(`(?m)^//\t(ACL SETUSER shop .*)$`)

// A user needs no other commands than the package's documentation lists.
func TestPermissionsThatSuffice(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	found := permissions.FindSubmatch(doc)
	if found == nil {
		t.Fatal("doc.go lists no permissions")
	}
	server := redistest.Start(t)
	server.Do(strings.Fields(string(found[1]))...)
	s := open(t, strings.Replace(server.URL(), "//", "//shop:password@", 1), &redisstore.Options{Prefix: "shop"})
	for name, method := range methods(t, s) {
		if err := method(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	before := server.Calls("get")
	for range 10 {
		wantValue(t, s, "missing", "none", "nothing")
	}
	if got := server.Calls("get") - before; got != 1 {
		t.Errorf("10 reads made %d GETs, want 1", got)
	}
}

// Without permission to be told of changes, nothing is cached.
func TestNoPermissionForTracking(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "shop", "on", ">password", "~*", "+@all", "-client|tracking")
	var log strings.Builder
	s := open(t, strings.Replace(server.URL(), "//", "//shop:password@", 1), &redisstore.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for range 3 {
		set(t, s, "key", "value")
		server.Do("SET", "key", "other")
		wantValue(t, s, "key", "other", "a change elsewhere")
	}
	if got := strings.Count(log.String(), "nothing is cached"); got != 1 {
		t.Errorf("the log says %d times that nothing is cached, want 1:\n%s", got, log.String())
	}
	wantError(t, s.Watch(within(t, patience), func(bearer.Change) {}), "NOPERM", "password")
}

func FuzzKeys(f *testing.F) {
	for _, key := range []string{"", "key", "bearer-lock:key", "bearer-key:key", "bearer-key:bearer-lock:", "bearer-lock:bearer-key:"} {
		f.Add("", key, "key")
		f.Add("app", key, "bearer-lock:key")
	}
	f.Fuzz(func(t *testing.T, prefix, a, b string) {
		keys, err := redisstore.NewKeys(prefix)
		if err != nil {
			return
		}
		if got, ok := keys.Key(keys.Value(a)); !ok || got != a {
			t.Errorf("the value of %q is told of as that of %q (%v)", a, got, ok)
		}
		if got, ok := keys.Key(keys.Lock(a)); ok {
			t.Errorf("the lock of %q is told of as the value of %q", a, got)
		}
		if keys.Value(a) == keys.Lock(b) {
			t.Errorf("the value of %q lies where the lock of %q does", a, b)
		}
		if (keys.Value(a) == keys.Value(b)) != (a == b) {
			t.Errorf("the values of %q and %q lie at %q and %q", a, b, keys.Value(a), keys.Value(b))
		}
		if got, ok := keys.Key(b); ok && keys.Value(got) != b {
			t.Errorf("%q is told of as the value of %q, which lies at %q", b, got, keys.Value(got))
		}
	})
}

func FuzzPrefix(f *testing.F) {
	for _, prefix := range []string{"", "app", "app:", ":app", "a/b", `a\b`, "::", "a?b", "a b", "ünï"} {
		f.Add(prefix)
	}
	f.Fuzz(func(t *testing.T, prefix string) {
		keys, err := redisstore.NewKeys(prefix)
		if err != nil {
			return
		}
		there := keys.Value("key")
		// What unstorage would make of it is the same.
		again, err := redisstore.NewKeys(strings.TrimSuffix(there, "key"))
		if err != nil || again.Value("key") != there {
			t.Errorf("the prefix of %q changes once more: %v", there, err)
		}
		if strings.ContainsAny(there, `?/\`) || strings.Contains(there, "::") || strings.HasPrefix(there, ":") || !strings.HasSuffix(there, "key") {
			t.Errorf("with prefix %q the key is %q", prefix, there)
		}
	})
}

// Whatever an address is, an error about it does not quote the password.
func FuzzAddress(f *testing.F) {
	for _, format := range []string{"redis://user:PASSWORD@host:6379/0", "redis://:PASSWORD@host/x", "redis://PASSWORD:PASSWORD@h?db=PASSWORD", "PASSWORD", "redis://%zz:PASSWORD@", "http://PASSWORD", "unix://x:PASSWORD@/path?dial_timeout=PASSWORD"} {
		f.Add(format)
	}
	f.Fuzz(func(t *testing.T, format string) {
		s, err := redisstore.Open(strings.ReplaceAll(format, "PASSWORD", password), nil)
		if err != nil {
			wantError(t, err, "redisstore: the address ", password)
			return
		}
		s.Close()
	})
}

package redisstore_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
)

// patience is how long something may take that has to happen.
const patience = time.Minute

// TestMain lets more tests run at once than there are processors: they wait for Redis
// most of the time.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "6")
	m.Run()
}

// calm is a timeout for a machine that is busy with a hundred connections.
const calm = 30 * time.Second

// open opens a Store that is closed after the test. Unless opts say otherwise its calls
// may take their time.
func open(t testing.TB, url string, opts *redisstore.Options) *redisstore.Store {
	t.Helper()
	var o redisstore.Options
	if opts != nil {
		o = *opts
	}
	o.Timeout = cmp.Or(o.Timeout, calm)
	s, err := redisstore.Open(url, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func set(t testing.TB, s bearer.Storage, key, value string) {
	t.Helper()
	if err := s.Set(t.Context(), key, []byte(value), 0); err != nil {
		t.Fatalf("Set: %v", err)
	}
}

// get returns the value, and "none" if there is none.
func get(t testing.TB, s bearer.Storage, key string) string {
	t.Helper()
	value, err := s.Get(t.Context(), key)
	if errors.Is(err, bearer.ErrNotFound) {
		return "none"
	}
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return string(value)
}

func wantValue(t testing.TB, s bearer.Storage, key, want, after string) {
	t.Helper()
	if got := get(t, s, key); got != want {
		t.Fatalf("after %s the value is %q, want %q", after, got, want)
	}
}

// eventually waits until done.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); <-time.After(2 * time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// wantError checks an error's words, and that none of them is a secret, however it
// is printed.
func wantError(t testing.TB, err error, words string, secrets ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one that says %q", words)
		return
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("the error is %q, want one that says %q", err, words)
	}
	for _, secret := range secrets {
		if all := fmt.Sprintf("%v %+v %#v %s %q", err, err, err, err, err); strings.Contains(all, secret) {
			t.Errorf("the error quotes %q: %s", secret, all)
		}
	}
}

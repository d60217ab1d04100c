package memstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

func TestTTLEndsToTheNanosecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		pass(time.Hour)
		for _, ttl := range []time.Duration{time.Millisecond, time.Minute, 14 * 24 * time.Hour} {
			set(t, s, "key", record(), ttl)
			pass(ttl - 1)
			if !has(t, s, "key") {
				t.Errorf("ttl %v: gone a nanosecond before its time", ttl)
			}
			pass(1)
			if has(t, s, "key") {
				t.Errorf("ttl %v: there when its time has passed", ttl)
			}
		}
	})
}

func TestTTLBeyondAllTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		pass(time.Hour)
		set(t, s, "key", record(), math.MaxInt64)
		pass(100 * 365 * 24 * time.Hour)
		if !has(t, s, "key") {
			t.Error("gone after 100 years of a ttl of 292")
		}
	})
}

func TestExpiredIsDroppedWhenRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		set(t, s, "key", record(), time.Minute)
		pass(time.Minute)
		if has(t, s, "key") || s.Size() != 0 {
			t.Errorf("an expired value that was read takes %d bytes, want 0", s.Size())
		}
	})
}

// Whoever has found a value expired, or old, does not take its successor away.
func TestDroppingSparesWhatIsNew(t *testing.T) {
	s := memstore.New(nil)
	set(t, s, "key", []byte("value"), 0)
	drop := s.Dropper("key")
	set(t, s, "key", []byte("value"), 0)
	drop()
	if !has(t, s, "key") {
		t.Error("the new value is gone")
	}
	s.Dropper("key")()
	if has(t, s, "key") {
		t.Error("the value that was meant is there")
	}
}

func TestValueTooLargeForAll(t *testing.T) {
	const most = 1 << 20
	s := memstore.New(&memstore.Options{MaxBytes: most})
	set(t, s, "key", []byte("before"), 0)
	large := bytes.Repeat([]byte("s3cr3t"), most/6)
	err := s.Set(t.Context(), "key", large, 0)
	if err == nil || !strings.Contains(err.Error(), "MaxBytes") || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("Set: error %v, want one that names MaxBytes", err)
	}
	if swapped, err := s.CompareAndSwap(t.Context(), "key", []byte("before"), large, 0); swapped || err == nil {
		t.Errorf("CompareAndSwap: %v, %v; want false and an error", swapped, err)
	}
	if got, err := s.Get(t.Context(), "key"); string(got) != "before" {
		t.Errorf("the value is now %.20q, error %v, want the one before", got, err)
	}
	set(t, s, "key", large[:most-1000], 0)
	if !has(t, s, "key") {
		t.Error("a value that just fits is lost")
	}
}

func TestOptionsThatCannotBeMeant(t *testing.T) {
	for _, most := range []int64{-1, 1, 1<<20 - 1} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, "memstore: Options.MaxBytes is ") {
					t.Errorf("MaxBytes %d: panic with %q, want one that names it", most, got)
				}
			}()
			memstore.New(&memstore.Options{MaxBytes: most})
		}()
	}
	memstore.New(&memstore.Options{MaxBytes: 1 << 20})
}

func TestNothingIsPrinted(t *testing.T) {
	s := memstore.New(nil)
	set(t, s, "k3y", []byte("s3cr3t"), 0)
	l, err := s.TryLock(t.Context(), "k3y", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	log.Info("printed", "store", s, "lock", l)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", l)
		fmt.Fprintf(&out, verb+"\n", struct{ S any }{s})
		fmt.Fprintf(&out, verb+"\n", struct{ L any }{l})
	}
	for _, secret := range []string{"k3y", "s3cr3t", fmt.Sprintf("%x", "k3y"), fmt.Sprintf("%x", "s3cr3t")} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in what was printed:\n%s", secret, out.String())
		}
	}
	if want := "memstore.Store with 1 values in 265 of 67108864 bytes"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is missing in what was printed:\n%s", want, out.String())
	}
}

// What is left running would keep a process from its end, and this bubble from its.
func TestNoGoroutineStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{MaxBytes: 1 << 20})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go s.Watch(ctx, func(bearer.Change) {})
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for j := range 500 {
					key := fmt.Sprint(i, j)
					s.Set(ctx, key, record(), time.Minute)
					s.Get(ctx, key)
					s.TryLock(ctx, key, time.Hour)
				}
			})
		}
		all.Wait()
	})
}

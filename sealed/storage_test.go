package sealed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/sealed"
	"github.com/bearerkit/bearer/storagetest"
)

func TestStorageConforms(t *testing.T) {
	s := sealed.NewStorage(mustKeys(t, sealed.GenerateKey()), memstore.New(nil))
	storagetest.Run(t, func(*testing.T) bearer.Storage { return s })
}

// only is a storage without further abilities, and with hooks.
type only struct {
	bearer.CompareAndSwapper
	beforeSwap func() // called before each CompareAndSwap, if not nil
	uncached   bool   // what the last Get was
	gets       int
}

func (o *only) Get(ctx context.Context, key string) ([]byte, error) {
	o.gets++
	o.uncached = bearer.IsUncached(ctx)
	return o.CompareAndSwapper.Get(ctx, key)
}

func (o *only) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	if o.beforeSwap != nil {
		o.beforeSwap()
	}
	return o.CompareAndSwapper.CompareAndSwap(ctx, key, old, next, ttl)
}

func wantValue(t *testing.T, s bearer.Storage, key, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil || string(got) != want {
		t.Errorf("Get = %q, %v, want %q", got, err, want)
	}
}

func wantInvalid(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, sealed.ErrInvalid) || errors.Is(err, bearer.ErrNotFound) {
		t.Errorf("%s = %v, want %v", what, err, sealed.ErrInvalid)
	}
}

func mustSet(t *testing.T, s bearer.Storage, key, value string) {
	t.Helper()
	if err := s.Set(t.Context(), key, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// What the inner storage has tells nothing, and opens nowhere else.
func TestStorageSeals(t *testing.T) {
	inner := memstore.New(nil)
	keys := mustKeys(t, sealed.GenerateKey())
	s := sealed.NewStorage(keys, inner)
	mustSet(t, s, "a", "s3cr3t")
	box, err := inner.Get(t.Context(), "a")
	if err != nil || bytes.Contains(box, []byte("s3cr3t")) || len(box) != len("s3cr3t")+28 {
		t.Errorf("the inner storage has %q, %v, want it sealed", box, err)
	}
	mustSet(t, s, "a", "s3cr3t")
	if again, _ := inner.Get(t.Context(), "a"); bytes.Equal(again, box) {
		t.Error("sealed twice, and the same comes out")
	}
	if _, err := keys.Open("a", box); !errors.Is(err, sealed.ErrInvalid) {
		t.Errorf("Open = %v, want ErrInvalid: it is a storage's", err)
	}
	foreign := map[string][]byte{"moved": box, "in the clear": []byte("s3cr3t"), "empty": {}, "cut off": box[:len(box)-1], "of Keys.Seal": keys.Seal("b", []byte("s3cr3t"))}
	for name, value := range foreign {
		if err := inner.Set(t.Context(), "b", value, 0); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), "b")
		wantInvalid(t, name+": Get", err)
		if got != nil {
			t.Errorf("%s: Get = %q", name, got)
		}
		swapped, err := s.CompareAndSwap(t.Context(), "b", []byte("s3cr3t"), []byte("x"), 0)
		wantInvalid(t, name+": CompareAndSwap", err)
		if swapped {
			t.Errorf("%s: CompareAndSwap = true", name)
		}
		if swapped, err := s.CompareAndSwap(t.Context(), "b", nil, []byte("x"), 0); swapped || err != nil {
			t.Errorf("%s: CompareAndSwap for nothing = %v, %v, want false: there is something", name, swapped, err)
		}
		if strings.Contains(fmt.Sprint(err), "s3cr3t") {
			t.Errorf("%s: %v quotes the value", name, err)
		}
	}
	mustSet(t, s, "b", "new")
	wantValue(t, s, "b", "new")
	inner.Set(t.Context(), "b", foreign["moved"], 0)
	if err := s.Delete(t.Context(), "b"); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), "b"); !errors.Is(err, bearer.ErrNotFound) {
		t.Errorf("Get after Delete = %v, want ErrNotFound", err)
	}
}

// What an old key has sealed stays readable, and is sealed with the new one when it
// is written.
func TestStorageChangesKeys(t *testing.T) {
	old, next := sealed.GenerateKey(), sealed.GenerateKey()
	inner := memstore.New(nil)
	before := sealed.NewStorage(mustKeys(t, old), inner)
	between := sealed.NewStorage(mustKeys(t, next, old), inner)
	after := sealed.NewStorage(mustKeys(t, next), inner)
	for _, key := range []string{"set", "swapped", "removed"} {
		mustSet(t, before, key, "a")
		wantValue(t, between, key, "a")
		_, err := after.Get(t.Context(), key)
		wantInvalid(t, "Get without the old key", err)
	}
	mustSet(t, between, "set", "b")
	if ok, err := between.CompareAndSwap(t.Context(), "swapped", []byte("a"), []byte("b"), 0); !ok || err != nil {
		t.Errorf("CompareAndSwap = %v, %v, want true", ok, err)
	}
	if ok, err := between.CompareAndSwap(t.Context(), "removed", []byte("a"), nil, 0); !ok || err != nil {
		t.Errorf("CompareAndSwap for nil = %v, %v, want true", ok, err)
	}
	wantValue(t, after, "set", "b")
	wantValue(t, after, "swapped", "b")
	if _, err := after.Get(t.Context(), "removed"); !errors.Is(err, bearer.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
}

// Between the read and the swap others may write.
func TestStorageSwapsAgain(t *testing.T) {
	keys := mustKeys(t, sealed.GenerateKey())
	tests := []struct {
		name    string
		others  func(times int) string // what somebody writes in between
		want    bool
		wantErr bool
	}{
		{"the same value", func(times int) string { return map[bool]string{true: "old", false: ""}[times < 10] }, true, false},
		{"another value", func(int) string { return "other" }, false, false},
		{"the same value, for ever", func(int) string { return "old" }, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner := &only{CompareAndSwapper: memstore.New(nil)}
			s := sealed.NewStorage(keys, inner)
			mustSet(t, s, "a", "old")
			times := 0
			inner.beforeSwap = func() {
				if value := tt.others(times); value != "" {
					mustSet(t, s, "a", value)
				}
				times++
			}
			got, err := s.CompareAndSwap(t.Context(), "a", []byte("old"), []byte("next"), 0)
			if got != tt.want || (err != nil) != tt.wantErr {
				t.Errorf("CompareAndSwap = %v, %v, want %v, error %v", got, err, tt.want, tt.wantErr)
			}
			if !inner.uncached {
				t.Error("what is swapped was read from a copy")
			}
			if tt.want {
				wantValue(t, s, "a", "next")
			}
		})
	}
	t.Run("removed", func(t *testing.T) {
		inner := &only{CompareAndSwapper: memstore.New(nil)}
		s := sealed.NewStorage(keys, inner)
		mustSet(t, s, "a", "old")
		inner.beforeSwap = func() { s.Delete(t.Context(), "a") }
		if got, err := s.CompareAndSwap(t.Context(), "a", []byte("old"), []byte("next"), 0); got || err != nil {
			t.Errorf("CompareAndSwap = %v, %v, want false", got, err)
		}
	})
}

func TestStorageRefusesNegativeTTL(t *testing.T) {
	s := sealed.NewStorage(mustKeys(t, sealed.GenerateKey()), memstore.New(nil))
	for _, old := range []string{"a", "b"} {
		if ok, err := s.CompareAndSwap(t.Context(), "none", []byte(old), []byte("b"), -1); ok || err == nil || !strings.HasPrefix(err.Error(), "sealed: the ttl is negative") {
			t.Errorf("CompareAndSwap with a negative ttl = %v, %v, want an error", ok, err)
		}
	}
}

func TestStorageKeepsTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sealed.NewStorage(mustKeys(t, sealed.GenerateKey()), memstore.New(nil))
		if err := s.Set(t.Context(), "a", []byte("a"), time.Minute); err != nil {
			t.Fatal(err)
		}
		if ok, err := s.CompareAndSwap(t.Context(), "a", []byte("a"), []byte("b"), time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
		<-time.After(time.Hour - 1)
		wantValue(t, s, "a", "b")
		<-time.After(1)
		if _, err := s.Get(t.Context(), "a"); !errors.Is(err, bearer.ErrNotFound) {
			t.Errorf("Get = %v, want ErrNotFound", err)
		}
	})
}

func TestStorageAbilitiesAreThoseOfTheInner(t *testing.T) {
	keys := mustKeys(t, sealed.GenerateKey())
	for _, inner := range []bearer.CompareAndSwapper{memstore.New(nil), &only{CompareAndSwapper: memstore.New(nil)}} {
		s := sealed.NewStorage(keys, inner)
		_, innerLocks := inner.(bearer.Locker)
		_, innerWatches := inner.(bearer.Watcher)
		_, locks := s.(bearer.Locker)
		_, watches := s.(bearer.Watcher)
		if locks != innerLocks || watches != innerWatches {
			t.Errorf("in %T: it locks %v, watches %v, want %v, %v", inner, locks, watches, innerLocks, innerWatches)
		}
	}
}

func TestNewStoragePanics(t *testing.T) {
	for name, f := range map[string]func(){
		"no keys":    func() { sealed.NewStorage(nil, memstore.New(nil)) },
		"zero keys":  func() { sealed.NewStorage(&sealed.Keys{}, memstore.New(nil)) },
		"no storage": func() { sealed.NewStorage(mustKeys(t, sealed.GenerateKey()), nil) },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "sealed: NewStorage needs a ") {
					t.Errorf("%s: recover() = %q, want what is missing", name, text)
				}
			}()
			f()
		}()
	}
}

func TestStoragePrintsNoKey(t *testing.T) {
	keys := mustKeys(t, []byte("s3cr3ts3cr3ts3cr3ts3cr3ts3cr3ts3"))
	for _, inner := range []bearer.CompareAndSwapper{memstore.New(nil), &only{CompareAndSwapper: memstore.New(nil)}} {
		s := sealed.NewStorage(keys, inner)
		mustSet(t, s, "k3y", "s3cr3t")
		var b strings.Builder
		fmt.Fprintf(&b, "%v %+v %#v %s %q %x %d ", s, s, s, s, s, s, s)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", s)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", s)
		if strings.Contains(b.String(), "s3cr3t") || strings.Contains(b.String(), "k3y") || strings.Contains(b.String(), "115 51") {
			t.Errorf("printed with what it is to hide: %s", b.String())
		}
		if strings.Count(b.String(), "sealed storage in ") != 9 {
			t.Errorf("printed as %s", b.String())
		}
	}
}

func BenchmarkStorageGet(b *testing.B) {
	s := sealed.NewStorage(mustKeys(b, sealed.GenerateKey()), memstore.New(nil))
	if err := s.Set(b.Context(), "a", make([]byte, 2000), 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context(), "a"); err != nil {
			b.Fatal(err)
		}
	}
}

// A storage that others can read holds customers' tokens, and tells them nothing.
func ExampleNewStorage() {
	// From os.Getenv("STORAGE_KEYS"), made by: openssl rand -base64 32
	keys, err := sealed.ParseKeys("kdLHZcBGuZjjUJ1OpqQJeN3eZLiOXOLdSVyuWlyfoEk=")
	if err != nil {
		fmt.Println(err)
		return
	}
	shared := memstore.New(nil) // one in Redis, say
	customers := sealed.NewStorage(keys, shared)

	ctx := context.Background()
	if err := customers.Set(ctx, "cl_customer-shop", []byte("a token"), time.Hour); err != nil {
		fmt.Println(err)
		return
	}
	value, err := customers.Get(ctx, "cl_customer-shop")
	fmt.Println(string(value), err)
	value, err = shared.Get(ctx, "cl_customer-shop")
	fmt.Println(len(value), bytes.Contains(value, []byte("token")), err)
	// Output:
	// a token <nil>
	// 35 false <nil>
}

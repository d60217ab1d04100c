package layered_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
)

const (
	key    = "cl_customer-shop-k3y"
	second = time.Second
)

// bubble runs f in a bubble, and then lets what has to end by itself end.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t)
		pass(2 * time.Minute)
	})
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

var errDown = errors.New("s3cr3t: the storage is down")

// faulty is a storage that counts what it is asked, and can be made to fail. It has
// no abilities but CompareAndSwap.
type faulty struct {
	bearer.CompareAndSwapper
	gets atomic.Int32

	mu     sync.Mutex // guards what follows
	err    error      // what each method returns
	hangs  bool       // each method waits for the end of its context
	before hook       // called before and after each method's work, with its name
	after  hook
}

type hook func(ctx context.Context, method string)

func newFaulty() *faulty { return &faulty{CompareAndSwapper: memstore.New(nil)} }

func (f *faulty) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *faulty) hang(hangs bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hangs = hangs
}

// around has hooks called, once each.
func (f *faulty) around(before, after hook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

// do does a method's work.
func (f *faulty) do(ctx context.Context, method string, work func() error) error {
	f.mu.Lock()
	before, after, hangs, err := f.before, f.after, f.hangs, f.err
	f.before, f.after = nil, nil
	f.mu.Unlock()
	if before != nil {
		before(ctx, method)
	}
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if err == nil {
		err = work()
	}
	if after != nil {
		after(ctx, method)
	}
	return err
}

func (f *faulty) Get(ctx context.Context, key string) (value []byte, err error) {
	f.gets.Add(1)
	err = f.do(ctx, "Get", func() (err error) {
		value, err = f.CompareAndSwapper.Get(ctx, key)
		return err
	})
	return value, err
}

func (f *faulty) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return f.do(ctx, "Set", func() error { return f.CompareAndSwapper.Set(ctx, key, value, ttl) })
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	return f.do(ctx, "Delete", func() error { return f.CompareAndSwapper.Delete(ctx, key) })
}

func (f *faulty) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (swapped bool, err error) {
	err = f.do(ctx, "CompareAndSwap", func() (err error) {
		swapped, err = f.CompareAndSwapper.CompareAndSwap(ctx, key, old, next, ttl)
		return err
	})
	return swapped, err
}

// watched is a faulty with a feed.
type watched struct {
	*faulty
	muted   atomic.Bool  // the feed tells nothing
	deaf    atomic.Int32 // which call of Watch is told nothing, from 1 on
	broken  atomic.Bool  // the feed cannot be had
	watches atomic.Int32 // how many calls of Watch there were
	running atomic.Int32 // and how many there are

	mu  sync.Mutex // guards what follows
	cut context.CancelFunc
}

func newWatched() *watched { return &watched{faulty: newFaulty()} }

func (w *watched) Watch(ctx context.Context, changed func(bearer.Change)) error {
	number := w.watches.Add(1)
	if w.broken.Load() {
		return errDown
	}
	w.running.Add(1)
	defer w.running.Add(-1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.mu.Lock()
	w.cut = cancel
	w.mu.Unlock()
	return w.CompareAndSwapper.(bearer.Watcher).Watch(ctx, func(c bearer.Change) {
		if !w.muted.Load() && w.deaf.Load() != number {
			changed(c)
		}
	})
}

// breakOff ends the running Watch.
func (w *watched) breakOff() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut()
}

// elsewhere changes a value as another process does.
func (f *faulty) elsewhere(t *testing.T, value string) {
	t.Helper()
	var err error
	if value == "" {
		err = f.CompareAndSwapper.Delete(t.Context(), key)
	} else {
		err = f.CompareAndSwapper.Set(t.Context(), key, []byte(value), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (f *faulty) wantGets(t *testing.T, want int) {
	t.Helper()
	if got := int(f.gets.Load()); got != want {
		t.Errorf("%d reads of the truth, want %d", got, want)
	}
}

// want gets the value, an empty one meaning that there is none.
func want(t *testing.T, s bearer.Storage, want string) {
	t.Helper()
	wantWith(t, t.Context(), s, want)
}

func wantWith(t *testing.T, ctx context.Context, s bearer.Storage, want string) {
	t.Helper()
	got, err := s.Get(ctx, key)
	if errors.Is(err, bearer.ErrNotFound) && want == "" {
		return
	}
	if err != nil || string(got) != want {
		t.Errorf("Get = %q, %v, want %q", got, err, want)
	}
}

// wantErr gets no value.
func wantErr(t *testing.T, s bearer.Storage, want error) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); got != nil || !errors.Is(err, want) {
		t.Errorf("Get = %q, %v, want %v", got, err, want)
	}
}

func set(t *testing.T, s bearer.Storage, value string, ttl time.Duration) {
	t.Helper()
	if err := s.Set(t.Context(), key, []byte(value), ttl); err != nil {
		t.Fatal(err)
	}
}

// logged returns options whose log is returned too.
func logged() (*layered.Options, *buffer) {
	b := &buffer{}
	return &layered.Options{Name: "customers", Logger: slog.New(slog.NewTextHandler(b, nil))}, b
}

// buffer keeps what is logged.
type buffer struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

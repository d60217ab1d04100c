package layered_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
)

func TestCopiesServeForASecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		want(t, s, "old")
		truth.elsewhere(t, "new")
		for range 10 {
			want(t, s, "old")
			pass(second / 10)
		}
		truth.wantGets(t, 1)
		pass(1)
		want(t, s, "new")
		truth.wantGets(t, 2)
	})
}

// Of a missing value there is no copy: somebody may be about to sign in.
func TestMissingValuesAreNotKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		want(t, s, "")
		truth.elsewhere(t, "a")
		want(t, s, "a")
		pass(2 * second)
		truth.elsewhere(t, "")
		want(t, s, "")
		truth.fail(errDown)
		wantErr(t, s, errDown) // not the copy from before
	})
}

func TestUncachedReadsTheTruth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		want(t, s, "old")
		truth.elsewhere(t, "new")
		want(t, s, "old")
		wantWith(t, bearer.Uncached(t.Context()), s, "new")
		want(t, s, "new") // the copy too
		truth.wantGets(t, 2)
		truth.fail(errDown)
		if _, err := s.Get(bearer.Uncached(t.Context()), key); !errors.Is(err, errDown) {
			t.Errorf("Get with Uncached = %v, want %v", err, errDown)
		}
	})
}

// A copy of a copy would serve for two seconds.
func TestLayersOfLayersServeForASecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		inner := layered.New(truth, nil)
		s := layered.New(inner, nil)
		truth.elsewhere(t, "old")
		want(t, inner, "old")
		truth.elsewhere(t, "new")
		pass(second * 9 / 10)
		want(t, s, "new")
	})
}

func TestCopiesGoUpward(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth, middle, nearest := newFaulty(), newFaulty(), newFaulty()
		s := layered.New(truth, &layered.Options{Near: []bearer.Storage{nearest, middle}})
		truth.elsewhere(t, "old")
		want(t, s, "old")
		nearest.elsewhere(t, "") // it went to make room
		pass(second / 2)
		want(t, s, "old")
		middle.wantGets(t, 3) // fresh, then for want of it any, then this one
		want(t, s, "old")
		middle.wantGets(t, 3)
		truth.elsewhere(t, "new")
		pass(second/2 + 1) // of the copy below, whose time counts
		want(t, s, "new")
		truth.wantGets(t, 2)
	})
}

func TestWritesReachAllLayers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth, middle, nearest := newFaulty(), newFaulty(), newFaulty()
		layers := []bearer.Storage{nearest, middle}
		s := layered.New(truth, &layered.Options{Near: layers})
		set(t, s, "a", 0)
		for i, l := range layers {
			if _, err := l.Get(t.Context(), key); err != nil {
				t.Errorf("layer %d has no copy of what was set: %v", i, err)
			}
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		for i, l := range append(layers, truth) {
			if _, err := l.Get(t.Context(), key); !errors.Is(err, bearer.ErrNotFound) {
				t.Errorf("layer %d: Get after Delete = %v, want ErrNotFound", i, err)
			}
		}
	})
}

// Two stores may be before one layer by mistake, or one after the other.
func TestCopiesOfAnotherStoreAreNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		near := memstore.New(nil)
		first, second := newFaulty(), newFaulty()
		a := layered.New(first, &layered.Options{Near: []bearer.Storage{near}})
		b := layered.New(second, &layered.Options{Near: []bearer.Storage{near}})
		set(t, a, "of a", 0)
		set(t, b, "of b", 0)
		want(t, a, "of a")
		want(t, b, "of b")
		for _, junk := range []string{"", "junk", "junk that is as long as what is before the value of a copy"} {
			if err := near.Set(t.Context(), key, []byte(junk), 0); err != nil {
				t.Fatal(err)
			}
			want(t, a, "of a")
		}
	})
}

// Who writes knows when the value ends, also while a feed would keep its copies.
func TestCopiesEndWithTheirValue(t *testing.T) {
	for name, open := range truths {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				truth := open()
				s := layered.New(truth, nil)
				want(t, s, "")
				pass(second)
				set(t, s, "a", 10*second)
				pass(9 * second)
				want(t, s, "a")
				pass(second - time.Millisecond)
				want(t, s, "a")
				pass(time.Millisecond)
				want(t, s, "")
				if ok, err := s.CompareAndSwap(t.Context(), key, nil, []byte("b"), 10*second); !ok || err != nil {
					t.Fatal(ok, err)
				}
				pass(second)
				set(t, s, "c", 0) // counts from here on
				pass(9 * second)
				want(t, s, "c")
				pass(20 * second)
				want(t, s, "c")
			})
		})
	}
}

// Not all layers keep time as exactly as it is given to them.
func TestLayerThatKeepsTooLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, &layered.Options{Near: []bearer.Storage{timeless{memstore.New(nil)}}})
		set(t, s, "a", 2*second)
		pass(3 * second / 2)
		want(t, s, "a")
		truth.elsewhere(t, "b")
		pass(second/2 + 1)
		want(t, s, "b")
		set(t, s, "a", second/2)
		pass(second/2 + 1)
		want(t, s, "")
		set(t, s, "a", 2*second)
		truth.fail(errDown)
		pass(2 * second)
		wantErr(t, s, errDown)
		truth.fail(nil)
		set(t, s, "a", 0)
		truth.fail(errDown)
		pass(time.Hour + 1)
		wantErr(t, s, errDown)
	})
}

type timeless struct{ bearer.Storage }

func (l timeless) Set(ctx context.Context, key string, value []byte, _ time.Duration) error {
	return l.Storage.Set(ctx, key, value, 0)
}

// truths are storages of the two kinds.
var truths = map[string]func() bearer.CompareAndSwapper{
	"with a feed": func() bearer.CompareAndSwapper { return memstore.New(nil) },
	"without":     func() bearer.CompareAndSwapper { return newFaulty() },
}

func TestReadersShareOneRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "a")
		truth.around(func(context.Context, string) { pass(second / 2) }, nil)
		var all sync.WaitGroup
		values := make([][]byte, 50)
		for i := range values {
			all.Go(func() { values[i], _ = s.Get(t.Context(), key) })
		}
		all.Wait()
		truth.wantGets(t, 1)
		for i := range values {
			if string(values[i]) != "a" {
				t.Fatalf("Get = %q, want %q", values[i], "a")
			}
			values[i][0] = 'x' // nobody else's
		}
	})
}

func TestReadersShareAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.fail(errDown)
		truth.around(func(context.Context, string) { pass(second / 2) }, nil)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { wantErr(t, s, errDown) })
		}
		all.Wait()
		truth.wantGets(t, 1)
		truth.fail(nil)
		want(t, s, "")
	})
}

func TestReaderWhoLeavesFailsNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "a")
		truth.hang(true)
		ctx, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := s.Get(ctx, key); !errors.Is(err, context.Canceled) {
				t.Errorf("Get of the one who leaves = %v, want %v", err, context.Canceled)
			}
		})
		synctest.Wait()
		for range 3 {
			all.Go(func() { want(t, s, "a") })
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), second/10)
			defer cancel()
			start := time.Now()
			if _, err := s.Get(ctx, key); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != second/10 {
				t.Errorf("Get of one who waits = %v after %v, want %v after 100ms", err, time.Since(start), context.DeadlineExceeded)
			}
		})
		pass(second / 2)
		truth.hang(false)
		truth.around(func(context.Context, string) { pass(second / 10) }, nil)
		leave()
		all.Wait()
		truth.wantGets(t, 2)
	})
}

// What was asked for long ago may be as old.
func TestSlowReadIsNotShared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		truth.around(nil, func(context.Context, string) { pass(3 * second) })
		var all sync.WaitGroup
		all.Go(func() { want(t, s, "old") })
		pass(second + 1)
		truth.elsewhere(t, "new")
		truth.around(nil, func(context.Context, string) { pass(3 * second) })
		all.Go(func() { want(t, s, "new") })
		pass(2 * second)
		truth.wantGets(t, 2)
		all.Wait() // the slower one leaves no copy from before
		want(t, s, "new")
	})
}

// What a slow reader has got is not kept in place of what a later one has.
func TestSlowReadReplacesNothingLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		truth.around(nil, func(context.Context, string) { pass(second / 2) })
		go want(t, s, "old")
		synctest.Wait()
		pass(second / 10)
		truth.elsewhere(t, "new")
		wantWith(t, bearer.Uncached(t.Context()), s, "new")
		pass(second)
		truth.fail(errDown)
		want(t, s, "new")
	})
}

// A panic of a backend is the caller's, and wedges nobody.
func TestPanicsOfTheTruth(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		for method, call := range map[string]func(){
			"Get": func() { s.Get(t.Context(), key) },
			"Set": func() { s.Set(t.Context(), key, []byte("x"), 0) },
		} {
			truth.around(func(context.Context, string) { panic(method) }, nil)
			func() {
				defer func() {
					if got := recover(); got != method {
						t.Errorf("recover() = %v, want %v", got, method)
					}
				}()
				call()
			}()
		}
		set(t, s, "a", 0)
		truth.elsewhere(t, "b")
		want(t, s, "a") // copies are made as before
		pass(2 * second)
		want(t, s, "b")
	})
}

// No reader gets what was there before a write that had ended when it began.
func TestReadersNeverGoBack(t *testing.T) {
	for name, open := range truths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := layered.New(open(), nil)
			var written atomic.Int64
			var all sync.WaitGroup
			ctx, stop := context.WithCancel(t.Context())
			for range 4 {
				all.Go(func() {
					for ctx.Err() == nil {
						before := written.Load()
						value, err := s.Get(t.Context(), key)
						if errors.Is(err, bearer.ErrNotFound) {
							continue
						}
						var n int64
						if fmt.Sscan(string(value), &n); err != nil || n < before {
							t.Errorf("Get = %q, %v, and %d was written before", value, err, before)
							return
						}
					}
				})
			}
			for n := range int64(3000) {
				next := fmt.Append(nil, n+1)
				if n%3 == 0 {
					if ok, err := s.CompareAndSwap(t.Context(), key, fmt.Append(nil, n), next, 0); n > 0 && (!ok || err != nil) {
						t.Fatal(ok, err)
					}
				}
				if n%3 != 0 || n == 0 {
					set(t, s, string(next), 0)
				}
				written.Store(n + 1)
			}
			stop()
			all.Wait()
		})
	}
}

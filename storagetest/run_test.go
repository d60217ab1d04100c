package storagetest_test

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/storagetest"
)

func TestSoundStoragePasses(t *testing.T) {
	tests := []struct {
		name  string
		plant func(*faulty)
	}{
		{"memstore", func(*faulty) {}},
		{"in whole seconds", func(f *faulty) {
			up := func(d time.Duration) time.Duration {
				if d > 0 {
					d = (d + time.Second - 1).Truncate(time.Second)
				}
				return d
			}
			f.ttls(up)
			plantLeases(f, func(lease time.Duration) time.Duration { return up(lease + 1) })
		}},
		{"far away", func(f *faulty) { plantDistance(f, 20*time.Millisecond) }},
		{"very far away", func(f *faulty) { plantDistance(f, 500*time.Millisecond) }},
		{"told twice", func(f *faulty) {
			f.changes(func(c bearer.Change, changed changedFunc) { changed(c); changed(c) })
		}},
		{"heeds no contexts", func(f *faulty) {
			f.get = func(_ context.Context, key string) ([]byte, error) { return f.Store.Get(context.Background(), key) }
			f.set = func(_ context.Context, key string, value []byte, ttl time.Duration) error {
				return f.Store.Set(context.Background(), key, value, ttl)
			}
			f.del = func(_ context.Context, key string) error { return f.Store.Delete(context.Background(), key) }
			f.swap = func(_ context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
				return f.Store.CompareAndSwap(context.Background(), key, old, next, ttl)
			}
			f.lock = func(_ context.Context, key string, lease time.Duration) (bearer.Lock, error) {
				return f.Store.TryLock(context.Background(), key, lease)
			}
		}},
	}
	for _, tt := range tests {
		for _, rule := range storagetest.Rules() {
			t.Run(tt.name+"/"+rule, func(t *testing.T) {
				if got := check(t, rule, tt.plant); got != nil {
					t.Errorf("the rule finds fault with a storage that has none:\n%s", strings.Join(got, "\n"))
				}
			})
		}
	}
}

func TestFaultsAreFound(t *testing.T) {
	found := make(map[string]bool)
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			got := check(t, tt.rule, tt.plant)
			if got == nil {
				t.Errorf("the rule %q does not notice", tt.rule)
			}
			for _, failure := range got {
				t.Log(failure)
			}
		})
		found[tt.rule] = true
	}
	for _, rule := range storagetest.Rules() {
		if !found[rule] {
			t.Errorf("no fault shows that the rule %q finds any", rule)
		}
	}
}

// Only what a storage says that it can do is tested.
func TestRunSkipsWhatAStorageLacks(t *testing.T) {
	var mu sync.Mutex // guards skipped
	var skipped []string
	t.Run("Storage alone", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T) bearer.Storage {
			t.Cleanup(func() {
				if t.Skipped() {
					mu.Lock()
					defer mu.Unlock()
					skipped = append(skipped, path.Base(t.Name()))
				}
			})
			return struct{ bearer.Storage }{memstore.New(nil)}
		})
	})
	slices.Sort(skipped)
	if want := []string{"CompareAndSwapper", "Locker", "Watcher"}; !slices.Equal(skipped, want) {
		t.Errorf("skipped: %q, want %q", skipped, want)
	}
}

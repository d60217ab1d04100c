package storagetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bearerkit/bearer"
)

// fault is one that storages have, or could have, and the rule that must find it.
type fault struct {
	name  string
	rule  string
	plant func(*faulty)
}

var faults = slices.Concat(storageFaults, swapFaults, lockFaults, watchFaults)

// yield lets the others have a go.
func yield() { <-time.After(time.Millisecond) }

// hang does what a method does that ignores its context, for longer than the suite
// waits.
func hang() { <-time.After(time.Minute) }

const (
	comeBack    = "Storage/a value comes back as it was"
	copies      = "Storage/a value shares no memory with its callers"
	replace     = "Storage/a write replaces what is there"
	notFound    = "Storage/a key without a value is ErrNotFound"
	deleted     = "Storage/a deleted value is gone, and a missing one can be deleted"
	toldApart   = "Storage/keys are told apart whatever they hold"
	end         = "Storage/a value is gone after its ttl and not before"
	lastTTL     = "Storage/the ttl is that of the last write"
	negativeTTL = "Storage/a negative ttl is an error that changes nothing"
	contextsEnd = "Storage/a method returns when its context ends"
	manyAtOnce  = "Storage/it can be used by many at once"
	zeroByte    = "\x00"
)

var storageFaults = []fault{
	{"an empty value is none", comeBack, func(f *faulty) {
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if len(value) == 0 {
				return f.Store.Delete(ctx, key)
			}
			return f.Store.Set(ctx, key, value, ttl)
		}
	}},
	{"an empty value comes back as nil", comeBack, func(f *faulty) {
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			value, err := f.Store.Get(ctx, key)
			return append([]byte(nil), value...), err
		}
	}},
	{"values end at a zero byte", comeBack, func(f *faulty) {
		f.values(func(b []byte) []byte { before, _, _ := bytes.Cut(b, []byte(zeroByte)); return before })
	}},
	{"values are made UTF-8", comeBack, func(f *faulty) {
		f.values(func(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("\ufffd")) })
	}},
	{"values are trimmed", comeBack, func(f *faulty) { f.values(bytes.TrimSpace) }},
	{"values are cut", comeBack, func(f *faulty) {
		f.values(func(b []byte) []byte { return b[:min(len(b), 32<<10)] })
	}},
	{"it keeps the slice that it is given", copies, func(f *faulty) { plantMemory(f, true, false) }},
	{"it returns the slice that it keeps", copies, func(f *faulty) { plantMemory(f, false, true) }},
	{"the first write stays", replace, func(f *faulty) {
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			_, err := f.Store.CompareAndSwap(ctx, key, nil, value, ttl)
			return err
		}
	}},
	{"the end of a longer value stays", replace, func(f *faulty) {
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if old, _ := f.Store.Get(ctx, key); len(old) > len(value) {
				value = append(bytes.Clone(value), old[len(value):]...)
			}
			return f.Store.Set(ctx, key, value, ttl)
		}
	}},
	{"the error is another one", notFound, func(f *faulty) {
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			value, err := f.Store.Get(ctx, key)
			if errors.Is(err, bearer.ErrNotFound) {
				err = errors.New(err.Error())
			}
			return value, err
		}
	}},
	{"there is no error", notFound, func(f *faulty) {
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			value, err := f.Store.Get(ctx, key)
			if errors.Is(err, bearer.ErrNotFound) {
				err = nil
			}
			return value, err
		}
	}},
	{"the error quotes the key", notFound, func(f *faulty) {
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			value, err := f.Store.Get(ctx, key)
			if err != nil {
				err = fmt.Errorf("get %s: %w", key, err)
			}
			return value, err
		}
	}},
	{"Delete of a missing value is an error", deleted, func(f *faulty) {
		f.del = func(ctx context.Context, key string) error {
			if _, err := f.Store.Get(ctx, key); err != nil {
				return err
			}
			return f.Store.Delete(ctx, key)
		}
	}},
	{"Delete does nothing", deleted, func(f *faulty) {
		f.del = func(context.Context, string) error { return nil }
	}},
	{"Delete makes the value empty", deleted, func(f *faulty) {
		f.del = func(ctx context.Context, key string) error { return f.Store.Set(ctx, key, []byte{}, 0) }
	}},
	{"keys are folded to lower case", toldApart, func(f *faulty) { f.keys(strings.ToLower) }},
	{"keys are trimmed", toldApart, func(f *faulty) { f.keys(strings.TrimSpace) }},
	{"keys end at a question mark", toldApart, func(f *faulty) {
		f.keys(func(key string) string { before, _, _ := strings.Cut(key, "?"); return before })
	}},
	{"keys end at a zero byte", toldApart, func(f *faulty) {
		f.keys(func(key string) string { before, _, _ := strings.Cut(key, zeroByte); return before })
	}},
	{"keys have slashes for colons", toldApart, func(f *faulty) {
		f.keys(strings.NewReplacer("/", ":", `\`, ":").Replace)
	}},
	{"keys lose colons at their ends", toldApart, func(f *faulty) {
		f.keys(func(key string) string { return strings.Trim(key, ":") })
	}},
	{"keys lose colons in a row", toldApart, func(f *faulty) { f.keys(strings.NewReplacer("::", ":").Replace) }},
	{"keys are unescaped", toldApart, func(f *faulty) { f.keys(strings.NewReplacer("+", " ", "%20", " ").Replace) }},
	{"keys are cut at 255 bytes", toldApart, func(f *faulty) {
		f.keys(func(key string) string { return key[:min(len(key), 255)] })
	}},
	{"keys lose their beginning beyond 512 bytes", toldApart, func(f *faulty) {
		f.keys(func(key string) string { return key[max(0, len(key)-512):] })
	}},
	{"Delete takes a pattern", toldApart, func(f *faulty) {
		var all sync.Map
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			all.Store(key, true)
			return f.Store.Set(ctx, key, value, ttl)
		}
		f.del = func(ctx context.Context, key string) error {
			begin, wild := strings.CutSuffix(key, "*")
			all.Range(func(k, _ any) bool {
				if k == key || wild && strings.HasPrefix(k.(string), begin) {
					f.Store.Delete(ctx, k.(string))
				}
				return true
			})
			return nil
		}
	}},
	{"values have no ttl", end, func(f *faulty) { f.ttls(func(time.Duration) time.Duration { return 0 }) }},
	{"ttls are halved", end, func(f *faulty) { f.ttls(func(ttl time.Duration) time.Duration { return ttl / 2 }) }},
	{"ttls are cut to seconds", end, func(f *faulty) {
		f.ttls(func(ttl time.Duration) time.Duration {
			if ttl > 0 {
				ttl = max(ttl.Truncate(time.Second), time.Millisecond)
			}
			return ttl
		})
	}},
	{"ttls under a second are none", end, func(f *faulty) {
		f.ttls(func(ttl time.Duration) time.Duration { return ttl.Truncate(time.Second) })
	}},
	{"a ttl of 0 is a second", end, func(f *faulty) {
		f.ttls(func(ttl time.Duration) time.Duration {
			if ttl == 0 {
				ttl = time.Second
			}
			return ttl
		})
	}},
	{"no ttl is more than a second", end, func(f *faulty) {
		f.ttls(func(ttl time.Duration) time.Duration { return min(ttl, time.Second) })
	}},
	{"the ttl of the first write stays", lastTTL, func(f *faulty) {
		first := make(map[string]time.Duration)
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if _, ok := first[key]; !ok {
				first[key] = ttl
			}
			return f.Store.Set(ctx, key, value, first[key])
		}
	}},
	{"a ttl of 0 leaves the one before", lastTTL, func(f *faulty) {
		last := make(map[string]time.Duration)
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if ttl == 0 {
				ttl = last[key]
			}
			last[key] = ttl
			return f.Store.Set(ctx, key, value, ttl)
		}
		f.del = func(ctx context.Context, key string) error {
			delete(last, key)
			return f.Store.Delete(ctx, key)
		}
	}},
	{"the end of a deleted value comes to the next one", lastTTL, func(f *faulty) {
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if ttl > 0 { // a timer for each, which nobody stops
				time.AfterFunc(ttl, func() { f.Store.Delete(context.Background(), key) })
			}
			return f.Store.Set(ctx, key, value, 0)
		}
	}},
	{"a negative ttl is none", negativeTTL, func(f *faulty) {
		f.ttls(func(ttl time.Duration) time.Duration { return max(ttl, 0) })
	}},
	{"a negative ttl deletes", negativeTTL, func(f *faulty) {
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if ttl < 0 {
				return errors.Join(errors.New("it has expired"), f.Store.Delete(ctx, key))
			}
			return f.Store.Set(ctx, key, value, ttl)
		}
	}},
	{"the error quotes the value", negativeTTL, func(f *faulty) {
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if ttl < 0 {
				return fmt.Errorf("set %q: the ttl is negative", value)
			}
			return f.Store.Set(ctx, key, value, ttl)
		}
	}},
	{"a context that has ended makes a value missing", contextsEnd, func(f *faulty) {
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			value, err := f.Store.Get(ctx, key)
			if err != nil {
				err = bearer.ErrNotFound
			}
			return value, err
		}
	}},
	{"Get does not return", contextsEnd, func(f *faulty) {
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			if ctx.Err() != nil {
				hang()
			}
			return f.Store.Get(ctx, key)
		}
	}},
	{"Set does nothing and says nothing", contextsEnd, func(f *faulty) {
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			if err := f.Store.Set(ctx, key, value, ttl); ctx.Err() == nil {
				return err
			}
			return nil
		}
	}},
	{"Delete does not return", contextsEnd, func(f *faulty) {
		f.del = func(ctx context.Context, key string) error {
			if ctx.Err() != nil {
				hang()
			}
			return f.Store.Delete(ctx, key)
		}
	}},
	{"values are written in two steps", manyAtOnce, func(f *faulty) {
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			f.Store.Set(ctx, key, value[:len(value)/2], ttl)
			yield()
			return f.Store.Set(ctx, key, value, ttl)
		}
	}},
	{"all share one buffer", manyAtOnce, func(f *faulty) {
		var mu sync.Mutex
		var buffer []byte
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			mu.Lock()
			buffer = append(buffer[:0], value...)
			mu.Unlock()
			yield()
			mu.Lock()
			defer mu.Unlock()
			return f.Store.Set(ctx, key, buffer, ttl)
		}
	}},
}

// plantMemory makes f a map that shares memory with its callers.
func plantMemory(f *faulty, onWrite, onRead bool) {
	values := make(map[string][]byte)
	f.set = func(_ context.Context, key string, value []byte, _ time.Duration) error {
		if !onWrite {
			value = bytes.Clone(value)
		}
		values[key] = value
		return nil
	}
	f.get = func(_ context.Context, key string) ([]byte, error) {
		value, ok := values[key]
		if !ok {
			return nil, bearer.ErrNotFound
		}
		if !onRead {
			value = bytes.Clone(value)
		}
		return value, nil
	}
	f.swap = func(ctx context.Context, key string, _, next []byte, ttl time.Duration) (bool, error) {
		return true, f.set(ctx, key, next, ttl)
	}
}

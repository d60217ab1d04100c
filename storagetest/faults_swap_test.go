package storagetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
)

const (
	compare        = "CompareAndSwapper/a swap takes place only if the expected value is there"
	nilOld         = "CompareAndSwapper/a nil old expects no value"
	nilNext        = "CompareAndSwapper/a nil next removes the value"
	swapValues     = "CompareAndSwapper/a swapped value comes back as it was"
	swapKeys       = "CompareAndSwapper/a swap under any key is one of that key"
	swapTTL        = "CompareAndSwapper/a swap gives the value its ttl"
	failedSwaps    = "CompareAndSwapper/a failed swap changes neither value nor ttl"
	expiredNone    = "CompareAndSwapper/an expired value is none"
	swapNegative   = "CompareAndSwapper/a negative ttl is an error that changes nothing"
	creators       = "CompareAndSwapper/of many creators one wins"
	updates        = "CompareAndSwapper/no update of many is lost"
	undo           = "CompareAndSwapper/a swap does not undo a Set or a Delete that it did not see"
	swapContextEnd = "CompareAndSwapper/a method returns when its context ends"
)

type swapFunc = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error)

// step is a swap by a look and a write: what the write is depends on the fault.
func step(f *faulty, equal func(old, cur []byte, there bool) bool, write func(ctx context.Context, key string, next []byte, ttl time.Duration) error) swapFunc {
	return func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
		if ttl < 0 {
			return false, errors.New("the ttl is negative")
		}
		cur, err := f.Store.Get(ctx, key)
		if err != nil && !errors.Is(err, bearer.ErrNotFound) {
			return false, err
		}
		if !equal(old, cur, err == nil) {
			return false, nil
		}
		return true, write(ctx, key, next, ttl)
	}
}

// write is the write of a sound swap.
func (f *faulty) write(ctx context.Context, key string, next []byte, ttl time.Duration) error {
	if next == nil {
		return f.Store.Delete(ctx, key)
	}
	return f.Store.Set(ctx, key, next, ttl)
}

// equal is the comparison of a sound swap.
func equal(old, cur []byte, there bool) bool {
	return there == (old != nil) && bytes.Equal(old, cur)
}

var swapFaults = []fault{
	{"it does not compare", compare, func(f *faulty) {
		f.swap = step(f, func(_, _ []byte, _ bool) bool { return true }, f.write)
	}},
	{"it compares lengths", compare, func(f *faulty) {
		f.swap = step(f, func(old, cur []byte, there bool) bool { return there == (old != nil) && len(old) == len(cur) }, f.write)
	}},
	{"it compares beginnings", compare, func(f *faulty) {
		f.swap = step(f, func(old, cur []byte, there bool) bool { return there == (old != nil) && bytes.HasPrefix(cur, old) }, f.write)
	}},
	{"it folds case", compare, func(f *faulty) {
		f.swap = step(f, func(old, cur []byte, there bool) bool { return there == (old != nil) && bytes.EqualFold(cur, old) }, f.write)
	}},
	{"an empty old is a nil one", compare, func(f *faulty) {
		f.swap = step(f, func(old, cur []byte, there bool) bool { return there == (len(old) > 0) && bytes.Equal(old, cur) }, f.write)
	}},
	{"a missing value is an empty one", compare, func(f *faulty) {
		f.swap = step(f, func(old, cur []byte, _ bool) bool { return bytes.Equal(old, cur) }, f.write)
	}},
	{"a value that stays the same is no swap", compare, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			swapped, err := f.Store.CompareAndSwap(ctx, key, old, next, ttl)
			return swapped && !bytes.Equal(old, next), err
		}
	}},
	{"an empty next is a nil one", compare, func(f *faulty) {
		f.swap = step(f, equal, func(ctx context.Context, key string, next []byte, ttl time.Duration) error {
			if len(next) == 0 {
				next = nil
			}
			return f.write(ctx, key, next, ttl)
		})
	}},
	{"a nil old is not looked at", nilOld, func(f *faulty) {
		f.swap = step(f, func(old, cur []byte, there bool) bool { return old == nil || equal(old, cur, there) }, f.write)
	}},
	{"a nil old takes place for an empty value", nilOld, func(f *faulty) {
		f.swap = step(f, func(old, cur []byte, there bool) bool { return equal(old, cur, there) || old == nil && len(cur) == 0 }, f.write)
	}},
	{"a nil old does not take place", nilOld, func(f *faulty) {
		f.swap = step(f, func(old, cur []byte, there bool) bool { return old != nil && equal(old, cur, there) }, f.write)
	}},
	{"a nil next leaves an empty value", nilNext, func(f *faulty) { f.swap = step(f, equal, f.Store.Set) }},
	{"a nil next is not compared", nilNext, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			if next == nil {
				return true, f.Store.Delete(ctx, key)
			}
			return f.Store.CompareAndSwap(ctx, key, old, next, ttl)
		}
	}},
	{"swapped values are made UTF-8", swapValues, func(f *faulty) {
		f.swap = step(f, equal, func(ctx context.Context, key string, next []byte, ttl time.Duration) error {
			return f.Store.Set(ctx, key, bytes.ToValidUTF8(next, nil), ttl)
		})
	}},
	{"swaps compare UTF-8", swapValues, func(f *faulty) {
		f.swap = step(f, func(old, cur []byte, there bool) bool {
			return there == (old != nil) && bytes.Equal(bytes.ToValidUTF8(old, nil), cur)
		}, f.write)
	}},
	{"swaps have keys of their own", swapKeys, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			return f.Store.CompareAndSwap(ctx, strings.TrimSpace(key), old, next, ttl)
		}
	}},
	{"swapped values have no ttl", swapTTL, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, _ time.Duration) (bool, error) {
			return f.Store.CompareAndSwap(ctx, key, old, next, 0)
		}
	}},
	{"swapped values end soon", swapTTL, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			return f.Store.CompareAndSwap(ctx, key, old, next, max(ttl/2, time.Millisecond))
		}
	}},
	{"swapped values keep their ttl", swapTTL, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			if old != nil && ttl == 0 {
				ttl = 10 * time.Millisecond // what is left
			}
			return f.Store.CompareAndSwap(ctx, key, old, next, ttl)
		}
	}},
	{"a failed swap gives the value its ttl", failedSwaps, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			swapped, err := f.Store.CompareAndSwap(ctx, key, old, next, ttl)
			if cur, lost := f.Store.Get(ctx, key); !swapped && lost == nil {
				f.Store.Set(ctx, key, cur, ttl)
			}
			return swapped, err
		}
	}},
	{"a failed swap removes the value", failedSwaps, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			swapped, err := f.Store.CompareAndSwap(ctx, key, old, next, ttl)
			if !swapped {
				f.Store.Delete(ctx, key)
			}
			return swapped, err
		}
	}},
	{"an expired value is there for swaps", expiredNone, func(f *faulty) {
		last := make(map[string][]byte)
		f.set = func(ctx context.Context, key string, value []byte, ttl time.Duration) error {
			last[key] = value
			return f.Store.Set(ctx, key, value, ttl)
		}
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			if cur, ok := last[key]; ok && !bytes.Equal(cur, old) {
				return false, nil
			}
			return true, f.Store.Set(ctx, key, next, ttl)
		}
	}},
	{"a negative ttl is none for swaps", swapNegative, func(f *faulty) {
		f.ttls(func(ttl time.Duration) time.Duration { return max(ttl, 0) })
	}},
	{"a negative ttl swaps and is an error", swapNegative, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			f.Store.CompareAndSwap(ctx, key, old, next, 0)
			return false, errors.New("the ttl is negative")
		}
	}},
	{"the error of a swap quotes the value", swapNegative, func(f *faulty) {
		f.swap = func(_ context.Context, _ string, old, _ []byte, _ time.Duration) (bool, error) {
			return false, fmt.Errorf("swap of %s: the ttl is negative", old)
		}
	}},
	{"creating is a look and a write", creators, func(f *faulty) { plantTwoSteps(f, false) }},
	{"swapping is a look and a write", updates, func(f *faulty) { plantTwoSteps(f, false) }},
	{"swaps exclude swaps but not Set", undo, func(f *faulty) { plantTwoSteps(f, true) }},
	{"an ended context makes a swap fail without an error", swapContextEnd, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			swapped, err := f.Store.CompareAndSwap(ctx, key, old, next, ttl)
			if ctx.Err() != nil {
				err = nil
			}
			return swapped, err
		}
	}},
	{"CompareAndSwap does not return", swapContextEnd, func(f *faulty) {
		f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
			if ctx.Err() != nil {
				hang()
			}
			return f.Store.CompareAndSwap(ctx, key, old, next, ttl)
		}
	}},
}

// plantTwoSteps makes swaps that all may come between, or all but other swaps.
func plantTwoSteps(f *faulty, inTurn bool) {
	swap := step(f, equal, func(ctx context.Context, key string, next []byte, ttl time.Duration) error {
		yield()
		return f.write(ctx, key, next, ttl)
	})
	turn := make(chan struct{}, 1) // no mutex: a bubble's time stands still while one is waited for
	f.swap = func(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
		if inTurn {
			turn <- struct{}{}
			defer func() { <-turn }()
		}
		return swap(ctx, key, old, next, ttl)
	}
}

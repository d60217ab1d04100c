package storagetest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bearerkit/bearer"
)

const (
	oneOwner      = "Locker/a lock has one owner"
	exclude       = "Locker/a lock has one owner at a time among many"
	leases        = "Locker/a lease runs out and not before its time"
	renew         = "Locker/Renew makes the lease begin anew"
	lapsed        = "Locker/a lapsed lock cannot be had back"
	others        = "Locker/the lock of another cannot be given back"
	noValues      = "Locker/locks and values do not know each other"
	lockKeys      = "Locker/locks are told apart whatever their keys hold"
	lockContexts  = "Locker/a method returns when its context ends"
	lockSuffix    = ":lock"
	leaseForgiven = time.Hour
)

var lockFaults = []fault{
	{"everybody gets the lock", oneOwner, func(f *faulty) {
		n := 0
		f.lock = func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
			n++
			return f.Store.TryLock(ctx, fmt.Sprint(key, n), lease)
		}
	}},
	{"there is one lock for all keys", oneOwner, func(f *faulty) {
		f.lock = func(ctx context.Context, _ string, lease time.Duration) (bearer.Lock, error) {
			return f.Store.TryLock(ctx, "", lease)
		}
	}},
	{"Unlock does nothing", oneOwner, func(f *faulty) {
		f.locks(func(_ string, l *faultyLock) { l.unlock = func(context.Context) error { return nil } })
	}},
	{"the error is none of ErrLocked", oneOwner, func(f *faulty) {
		f.lock = func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
			l, err := f.Store.TryLock(ctx, key, lease)
			if err != nil {
				return nil, errors.New("no")
			}
			return l, nil
		}
	}},
	{"taking is a look and a write", exclude, func(f *faulty) {
		var held sync.Map
		f.lock = func(_ context.Context, key string, _ time.Duration) (bearer.Lock, error) {
			if _, locked := held.Load(key); locked {
				return nil, bearer.ErrLocked
			}
			yield()
			held.Store(key, true)
			unlock := func(context.Context) error { held.Delete(key); return nil }
			return &faultyLock{nil, unlock, unlock}, nil
		}
	}},
	{"leases do not end", leases, func(f *faulty) { plantLeases(f, func(time.Duration) time.Duration { return leaseForgiven }) }},
	{"leases end early", leases, func(f *faulty) {
		plantLeases(f, func(lease time.Duration) time.Duration { return lease / 2 })
	}},
	{"locks have no owner", leases, func(f *faulty) {
		latest := make(map[string]bearer.Lock)
		f.locks(func(key string, l *faultyLock) {
			latest[key] = l.Lock
			l.unlock = func(ctx context.Context) error { return latest[key].Unlock(ctx) }
		})
	}},
	{"Renew takes a lock from its new owner", leases, func(f *faulty) { plantReviving(f, true) }},
	{"Renew does nothing", renew, func(f *faulty) {
		f.locks(func(_ string, l *faultyLock) {
			l.renew = func(context.Context) error { return nil }
		})
	}},
	{"Renew says that the lock is lost", renew, func(f *faulty) {
		f.locks(func(_ string, l *faultyLock) {
			l.renew = func(context.Context) error { return bearer.ErrLockLost }
		})
	}},
	{"Renew of a lapsed lock takes it anew", lapsed, func(f *faulty) { plantReviving(f, false) }},
	{"Unlock of a lapsed lock is no error", lapsed, func(f *faulty) {
		f.locks(func(_ string, l *faultyLock) {
			l.unlock = func(ctx context.Context) error { l.Lock.Unlock(ctx); return nil }
		})
	}},
	{"Unlock works twice", others, func(f *faulty) {
		latest := make(map[string]bearer.Lock)
		f.locks(func(key string, l *faultyLock) {
			latest[key] = l.Lock
			l.unlock = func(ctx context.Context) error { return latest[key].Unlock(ctx) }
		})
	}},
	{"a lock is a value under its key", noValues, func(f *faulty) { plantValues(f, "") }},
	{"a lock is a value under a key like its own", noValues, func(f *faulty) { plantValues(f, lockSuffix) }},
	{"Delete gives the lock back", noValues, func(f *faulty) {
		latest := make(map[string]bearer.Lock)
		f.locks(func(key string, l *faultyLock) { latest[key] = l.Lock })
		f.del = func(ctx context.Context, key string) error {
			if l, ok := latest[key]; ok {
				l.Unlock(ctx)
			}
			return f.Store.Delete(ctx, key)
		}
	}},
	{"Unlock deletes the value", noValues, func(f *faulty) {
		f.locks(func(key string, l *faultyLock) {
			l.unlock = func(ctx context.Context) error { f.Store.Delete(ctx, key); return l.Lock.Unlock(ctx) }
		})
	}},
	{"keys of locks are folded", lockKeys, func(f *faulty) { f.keys(strings.ToLower) }},
	{"an ended context makes a lock somebody's", lockContexts, func(f *faulty) {
		f.lock = func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
			if ctx.Err() != nil {
				return nil, bearer.ErrLocked
			}
			return f.Store.TryLock(ctx, key, lease)
		}
	}},
	{"an ended context makes a lock lost", lockContexts, func(f *faulty) {
		f.locks(func(_ string, l *faultyLock) {
			l.renew = func(ctx context.Context) error {
				if l.Lock.Renew(ctx) != nil {
					return bearer.ErrLockLost
				}
				return nil
			}
		})
	}},
	{"TryLock does not return", lockContexts, func(f *faulty) {
		f.lock = func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
			if ctx.Err() != nil {
				hang()
			}
			return f.Store.TryLock(ctx, key, lease)
		}
	}},
}

func plantLeases(f *faulty, change func(time.Duration) time.Duration) {
	f.lock = func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
		return f.Store.TryLock(ctx, key, change(lease))
	}
}

// plantReviving makes Renew take a lock that is lost, if need be from another.
func plantReviving(f *faulty, fromAnother bool) {
	latest := make(map[string]bearer.Lock)
	f.locks(func(key string, l *faultyLock) {
		latest[key] = l.Lock
		l.renew = func(ctx context.Context) error {
			if err := l.Lock.Renew(ctx); !errors.Is(err, bearer.ErrLockLost) {
				return err
			}
			if fromAnother {
				latest[key].Unlock(ctx)
			}
			anew, err := f.Store.TryLock(ctx, key, time.Minute)
			if err != nil {
				return bearer.ErrLockLost
			}
			l.Lock, latest[key] = anew, anew
			return nil
		}
	})
}

// plantValues makes locks of values.
func plantValues(f *faulty, suffix string) {
	f.lock = func(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
		key += suffix
		taken, err := f.Store.CompareAndSwap(ctx, key, nil, []byte("locked"), lease)
		if err != nil {
			return nil, err
		}
		if !taken {
			return nil, bearer.ErrLocked
		}
		return &faultyLock{nil,
			func(ctx context.Context) error { return f.Store.Set(ctx, key, []byte("locked"), lease) },
			func(ctx context.Context) error { return f.Store.Delete(ctx, key) },
		}, nil
	}
}

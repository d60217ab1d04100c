package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/redis/rueidis"
)

// A lock is a key that exists for its lease, with a word in it that only its owner
// knows.
var (
	// A lock that does not end by itself, such as one that a backup has brought back
	// without its time, would be locked for ever: it gets the lease that is asked for.
	takeLock = rueidis.NewLuaScript(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
`)
	renewLock = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)
	giveBack = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
`)
)

// lock is one that TryLock has given.
type lock struct {
	store *Store
	there string
	owner string // random
	lease time.Duration
}

// TryLock takes the lock called key, for lease, which begins anew with each Renew.
// The error is [bearer.ErrLocked] if somebody else has it. If ctx ends before Redis
// has answered, and the lock turns out to be taken, it is given back.
func (s *Store) TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error) {
	if lease <= 0 {
		return nil, errNoLease
	}
	l := &lock{store: s, there: s.keys.lock(key), owner: rand.Text(), lease: lease}
	taken, err := call[bool]{do: l.take, late: l.regret}.in(ctx, s)
	if err != nil {
		return nil, err
	}
	if !taken {
		return nil, bearer.ErrLocked
	}
	return l, nil
}

func (l *lock) take(ctx context.Context, c rueidis.Client) (bool, error) {
	n, err := takeLock.Exec(ctx, c, []string{l.there}, []string{l.owner, l.milliseconds()}).AsInt64()
	return n == 1, err
}

func (l *lock) milliseconds() string { return strconv.FormatInt(milliseconds(l.lease), 10) }

// regret gives back what nobody waits for any more.
func (l *lock) regret(taken bool) {
	if taken {
		l.Unlock(context.Background())
	}
}

// Renew makes the lease begin anew.
func (l *lock) Renew(ctx context.Context) error {
	return l.own(ctx, renewLock, l.milliseconds())
}

// Unlock gives the lock back.
func (l *lock) Unlock(ctx context.Context) error { return l.own(ctx, giveBack) }

// own runs a script that does something if the lock is still the caller's.
func (l *lock) own(ctx context.Context, script *rueidis.Lua, args ...string) error {
	own, err := call[bool]{do: func(ctx context.Context, c rueidis.Client) (bool, error) {
		n, err := script.Exec(ctx, c, []string{l.there}, append([]string{l.owner}, args...)).AsInt64()
		return n == 1, err
	}}.in(ctx, l.store)
	if err == nil && !own {
		return bearer.ErrLockLost
	}
	return err
}

// Format prints nothing of key and owner, whatever the verb.
func (l *lock) Format(f fmt.State, _ rune) { io.WriteString(f, "a lock of "+l.store.String()) }

package redisstore

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/redis/rueidis"
)

// Store is a storage in Redis. Make one with [Open] or [New]. It is safe for
// concurrent use, and safe to print.
type Store struct {
	address    string // as it may be shown; empty if not known
	keys       keyspace
	timeout    time.Duration
	cached     bool
	log        *slog.Logger
	connection connection
	written    written
}

var (
	_ bearer.CompareAndSwapper = (*Store)(nil)
	_ bearer.Locker            = (*Store)(nil)
	_ bearer.Watcher           = (*Store)(nil)
	_ io.Closer                = (*Store)(nil)
)

// Open returns a Store on the Redis at url, such as "redis://localhost:6379". See
// the package's documentation for what else it may be.
//
// It does not connect: the first call does, and while Redis is down each call
// tries. So that a program starts without Redis too, and finds it when it is back.
// An error is about url or opts, and does not quote the password.
func Open(url string, opts *Options) (*Store, error) {
	s, err := newStore(opts)
	if err != nil {
		return nil, err
	}
	o, address, err := parse(url)
	if err != nil {
		return nil, err
	}
	o.DisableCache = o.DisableCache || !s.cached
	s.address = address
	s.connection.dial = func() (rueidis.Client, error) { return s.dial(o) }
	return s, nil
}

// New returns a Store that uses client, which must send reads to primaries, not to
// replicas. The caller closes it, after the Store. Better make it as [Open] does: with
// DisableRetry, so that a call fails at once, and not at its timeout, while Redis is
// down; and with AlwaysPipelining, so that a broken connection is noticed before the
// next call.
func New(client rueidis.Client, opts *Options) (*Store, error) {
	if client == nil {
		return nil, &storeError{"New needs a client: pass one, or an address to Open", nil}
	}
	s, err := newStore(opts)
	if err != nil {
		return nil, err
	}
	s.connection.client.Store(&client)
	return s, nil
}

func newStore(opts *Options) (*Store, error) {
	o := opts.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	keys, err := newKeyspace(o.Prefix)
	if err != nil {
		return nil, err
	}
	return &Store{
		keys:       keys,
		timeout:    o.Timeout,
		cached:     !o.DisableCache,
		log:        o.Logger,
		connection: connection{closed: make(chan struct{})},
		written:    written{born: time.Now()},
	}, nil
}

// Close ends what is under way, and closes the connections that [Open] has made. Calls
// after it fail. It returns nil.
func (s *Store) Close() error {
	s.connection.close()
	return nil
}

// Get returns the value under key, or [bearer.ErrNotFound]. What it returns has
// been the value a moment ago: a change by another process is seen when Redis has
// told of it. The Store's own changes are seen at once, and so are all in a context
// of [bearer.Uncached].
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	there := s.keys.value(key)
	cached := s.cached && !bearer.IsUncached(ctx) && !s.written.has(key)
	value, err := call[[]byte]{again: true, do: func(ctx context.Context, c rueidis.Client) ([]byte, error) {
		var r rueidis.RedisResult
		if cached {
			r = c.DoCache(ctx, c.B().Get().Key(there).Cache(), copyLife)
		}
		// A read that leaves a copy is a transaction, which Redis refuses when its memory
		// is full, for one. A plain one may be had.
		if _, refused := refusal(r.Error()); refused || !cached {
			r = c.Do(ctx, c.B().Get().Key(there).Build())
		}
		text, err := r.ToString()
		if rueidis.IsRedisNil(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []byte(text), nil // a copy: the text is that of the cache
	}}.in(ctx, s)
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, bearer.ErrNotFound
	}
	return value, nil
}

// Set puts value under key, for ttl, or until it is deleted if that is 0. Whatever is
// there is replaced. A negative ttl is an error.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl < 0 {
		return errNegativeTTL
	}
	there, text := s.keys.value(key), string(value)
	return s.change(ctx, key, func(ctx context.Context, c rueidis.Client) error {
		set := c.B().Set().Key(there).Value(text)
		if ttl > 0 {
			return c.Do(ctx, set.PxMilliseconds(milliseconds(ttl)).Build()).Error()
		}
		return c.Do(ctx, set.Build()).Error()
	})
}

// Delete removes the value under key, if there is one.
func (s *Store) Delete(ctx context.Context, key string) error {
	there := s.keys.value(key)
	return s.change(ctx, key, func(ctx context.Context, c rueidis.Client) error {
		return c.Do(ctx, c.B().Unlink().Key(there).Build()).Error()
	})
}

// change changes the value of key.
func (s *Store) change(ctx context.Context, key string, do func(context.Context, rueidis.Client) error) error {
	defer s.written.note(key) // after an error too: it may have been done
	_, err := call[struct{}]{do: func(ctx context.Context, c rueidis.Client) (struct{}, error) {
		return struct{}{}, do(ctx, c)
	}}.in(ctx, s)
	return err
}

// milliseconds rounds up.
func milliseconds(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}

// swap compares the value with the one expected, and puts the next one in its place.
// ARGV: whether a value is expected, the value, whether there is a next one, that,
// and its ttl in milliseconds.
var swap = rueidis.NewLuaScript(`
local value = redis.call('GET', KEYS[1])
if ARGV[1] == '0' then
	if value then return 0 end
elseif value ~= ARGV[2] then
	return 0
end
if ARGV[3] == '0' then
	redis.call('UNLINK', KEYS[1])
elseif ARGV[5] == '0' then
	redis.call('SET', KEYS[1], ARGV[4])
else
	redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
return 1
`)

// CompareAndSwap puts next under key, for ttl, if old is there. A nil old expects
// nothing, a nil next removes what is there.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	if ttl < 0 {
		return false, errNegativeTTL
	}
	// If the value was another one too: whoever looks for it now must not see a copy
	// of the old one.
	defer s.written.note(key)
	keys := []string{s.keys.value(key)}
	args := []string{given(old), string(old), given(next), string(next), strconv.FormatInt(milliseconds(ttl), 10)}
	return call[bool]{do: func(ctx context.Context, c rueidis.Client) (bool, error) {
		n, err := swap.Exec(ctx, c, keys, args).AsInt64()
		return n == 1, err
	}}.in(ctx, s)
}

// given says to a script whether there is a value.
func given(value []byte) string {
	if value == nil {
		return "0"
	}
	return "1"
}

// place names the server in errors and logs.
func (s *Store) place() string {
	if s.address == "" {
		return "Redis"
	}
	return "Redis at " + s.address
}

// String says where the values are.
func (s *Store) String() string {
	text := "redisstore.Store in " + s.place()
	if s.keys.prefix != "" {
		text += " under " + s.keys.prefix
	}
	return text
}

// Format prints what String returns, whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is what String returns.
func (s *Store) LogValue() slog.Value { return slog.StringValue(s.String()) }

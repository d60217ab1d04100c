package verify

import (
	"bytes"
	"hash/maphash"
	"slices"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/until"
	"github.com/maypok86/otter/v2"
)

// verified is a token that has been found good.
type verified struct {
	token         string
	claims        *Claims
	authorization *bearer.Authorization
	issuer        *issuer
	keys          []*key // one of which has verified it
}

// good reports whether it still is.
func (f *verified) good(now time.Time) bool {
	return now.Before(f.claims.ExpiresAt) && !slices.ContainsFunc(f.keys, func(k *key) bool { return k.gone.Load() })
}

// weight is about what it takes in bytes: the token, its claims as text and as values, a
// member of an object or list being a value of its own, and what holds them.
func (f *verified) weight() uint32 {
	return uint32(3*len(f.token) + 100*bytes.Count(f.claims.Raw, []byte{','}) + 1024)
}

// cache remembers tokens that have been found good.
type cache struct {
	seed    maphash.Seed
	entries *otter.Cache[uint64, *verified] // nil: none is remembered
}

func newCache(bytes int64) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	if bytes > 0 {
		c.entries = otter.Must(&otter.Options[uint64, *verified]{
			MaximumWeight: uint64(bytes),
			Weigher:       func(_ uint64, f *verified) uint32 { return f.weight() },
			Executor:      func(task func()) { task() }, // no goroutines
		})
	}
	return c
}

// key is a digest that nobody can foresee. It finds a token; the token itself tells that
// it is the one.
func (c *cache) key(token string) uint64 { return maphash.String(c.seed, until.Signed(token)) }

// get returns what is known of a token that is still good; nil if nothing is.
func (c *cache) get(token string, now time.Time) *verified {
	if c.entries == nil {
		return nil
	}
	f, ok := c.entries.GetIfPresent(c.key(token))
	if !ok || f.token != token { // another one of the same digest, or with another signature
		return nil
	}
	if !f.good(now) {
		c.drop(token)
		return nil
	}
	return f
}

func (c *cache) put(f *verified) {
	if c.entries != nil {
		c.entries.Set(c.key(f.token), f)
	}
}

// drop forgets the token, whatever its signature.
func (c *cache) drop(token string) {
	if c.entries != nil {
		c.entries.Invalidate(c.key(token))
	}
}

package verify

import (
	"context"
	"crypto"
	"slices"
	"time"
)

// AgeOf is how long an answer with these headers may be kept.
var AgeOf = ageOf

// Key is one that can verify.
type Key struct {
	ID     string
	Public crypto.PublicKey
	Algs   []string
}

// ParseKeys reads a JWK Set, and says which keys can verify by these algorithms.
func ParseKeys(body []byte, algorithms ...string) ([]Key, error) {
	k, err := parseKeys(body, algorithms)
	if err != nil {
		return nil, err
	}
	var all []Key
	for _, key := range k.all {
		all = append(all, Key{key.id, key.public, slices.Clone(key.algs)})
	}
	return all, nil
}

// Await asks for a key as somebody does who has just not found it.
func Await(ctx context.Context, v *Verifier, issuer, id, alg string) error {
	_, err := v.issuers[issuer].keys.await(ctx, id, alg)
	return err
}

// Born is what the times of an issuer's key set count from.
func Born(v *Verifier, issuer string) time.Time { return v.issuers[issuer].keys.born }

// WouldRenew reports whether who uses an issuer's keys now would want to renew them.
func WouldRenew(v *Verifier, issuer string) bool {
	s := v.issuers[issuer].keys
	return int64(time.Since(s.born)) >= s.due.Load()
}

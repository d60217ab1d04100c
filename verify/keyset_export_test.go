package verify

import (
	"crypto"
	"slices"
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

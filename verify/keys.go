package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"math"
	"slices"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// asymmetric are the algorithms that there are: all of them have a public key.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// The sizes of RSA keys: below is broken (RFC 7518 §3.3), above is a way to keep a
// server busy.
const (
	minRSA = 2048
	maxRSA = 4096
)

// maxNamesakes is how many keys of one name are tried: a key set must not be a way to
// keep a server busy either.
const maxNamesakes = 4

// key is one of a key set.
type key struct {
	id     string
	public crypto.PublicKey
	algs   []string    // that it may verify
	jwk    string      // as it was read, with its members in order
	gone   atomic.Bool // it has left the key set
}

// keys is a key set. It does not change.
type keys struct {
	all  []*key
	byID map[string][]*key
}

// find returns the keys that a token with this kid may be signed by; several if the set
// has several of that name. A token without kid (RFC 7515 §4.1.4) has to do with the only
// key that there is.
func (k *keys) find(id, alg string) []*key {
	candidates := k.byID[id]
	if id == "" {
		candidates = k.all
	}
	var fit []*key
	for _, c := range candidates {
		if slices.Contains(c.algs, alg) && len(fit) < maxNamesakes {
			fit = append(fit, c)
		}
	}
	if id == "" && len(fit) > 1 {
		return nil
	}
	return fit
}

// ids names the keys, for logs.
func (k *keys) ids() []string {
	var ids []string
	for _, key := range k.all {
		ids = append(ids, key.id)
	}
	return ids
}

// succeed makes the keys that are in before too the same ones, and tells the others of
// before that they are gone.
func (k *keys) succeed(before *keys) (changed bool) {
	if before == nil {
		return true
	}
	left := map[string]*key{}
	for _, old := range before.all {
		left[old.jwk] = old
	}
	for i, fresh := range k.all {
		if old := left[fresh.jwk]; old != nil {
			k.all[i] = old
			delete(left, fresh.jwk)
		} else {
			changed = true
		}
	}
	k.index()
	for _, old := range left {
		old.gone.Store(true)
		changed = true
	}
	return changed
}

func (k *keys) index() {
	k.byID = map[string][]*key{}
	for _, key := range k.all {
		k.byID[key.id] = append(k.byID[key.id], key)
	}
}

const (
	errNoKeySet = keySetError(`the key set is not a JWK Set, which begins with {"keys":[ (RFC 7517 §5): check where it comes from`)
	errNoKeys   = keySetError("the key set has no key that can verify with the issuer's Algorithms: check both")
)

// parseKeys reads a JWK Set. A key that cannot be read, or is not for these
// algorithms, is left out: it must not lose the others (RFC 7517 §5).
func parseKeys(body []byte, algorithms []string) (*keys, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil || set.Keys == nil {
		return nil, errNoKeySet
	}
	k := &keys{}
	has := map[string]bool{} // some sets have a key twice
	for _, raw := range set.Keys {
		if key := parseKey(raw, algorithms); key != nil && !has[key.jwk] {
			k.all, has[key.jwk] = append(k.all, key), true
		}
	}
	if len(k.all) == 0 {
		return nil, errNoKeys
	}
	k.index()
	return k, nil
}

// secrets are the members of keys that are to be kept (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
// What has been published with one is nobody's signature any more.
var secrets = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// parseKey reads a JWK; nil if it is none to verify these algorithms with.
func parseKey(raw []byte, algorithms []string) *key {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	r := reader{set: members}
	use, operations := r.text("use"), r.texts("key_ops")
	if r.err != nil || use != "" && use != "sig" || operations != nil && !slices.Contains(operations, "verify") {
		return nil // RFC 7517 §4.2, §4.3
	}
	if slices.ContainsFunc(secrets, r.has) {
		return nil
	}
	// A certificate is not looked at, so a strange one must not spoil the key.
	for _, name := range []string{"x5c", "x5u", "x5t", "x5t#S256"} {
		delete(members, name)
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil
	}
	var parsed jose.JSONWebKey
	if parsed.UnmarshalJSON(text) != nil {
		return nil
	}
	k := &key{id: parsed.KeyID, public: parsed.Key, jwk: string(text)}
	for _, alg := range algorithmsOf(parsed.Key) {
		named := parsed.Algorithm == "" || parsed.Algorithm == alg || parsed.Algorithm == "Ed25519" && alg == "EdDSA"
		if named && slices.Contains(algorithms, alg) {
			k.algs = append(k.algs, alg)
		}
	}
	if k.algs == nil {
		return nil
	}
	return k
}

// algorithmsOf are those that a key can verify: the key decides, not the token (RFC
// 8725 §3.1). A private or symmetric one can none.
func algorithmsOf(public crypto.PublicKey) []string {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < minRSA || n > maxRSA || k.N.Bit(0) == 0 || k.E < 3 || k.E > math.MaxInt32 || k.E%2 == 0 {
			return nil
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return []string{"ES256"}
		case 384:
			return []string{"ES384"}
		case 521:
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		if len(k) == ed25519.PublicKeySize {
			return []string{"EdDSA"}
		}
	}
	return nil
}

// verificationKeys is what golang-jwt tries.
func verificationKeys(from []*key) (set jwt.VerificationKeySet) {
	for _, k := range from {
		set.Keys = append(set.Keys, k.public)
	}
	return set
}

package commercelayertest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"net/http"
	"sync"
)

// signingKey is a key with the name that tokens know it by.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

// firstKey is shared by all servers of the process, because making one takes
// longer than a whole test should.
var firstKey = sync.OnceValue(newSigningKey)

func newSigningKey() *signingKey {
	// With crypto/rand a failure is impossible since Go 1.24: it would crash.
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(&private.PublicKey))
	return &signingKey{hex.EncodeToString(sum[:]), private}
}

// keyring holds the keys in use, the signing one first.
type keyring struct {
	mu   sync.Mutex // guards keys
	keys []*signingKey
}

func newKeyring() *keyring { return &keyring{} }

// current returns the key to sign with.
func (k *keyring) current() *signingKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		k.keys = []*signingKey{firstKey()}
	}
	return k.keys[0]
}

// has tells whether a key is still in use.
func (k *keyring) has(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		if key.id == id {
			return true
		}
	}
	return false
}

// RollKeysOptions describes a change of keys. The zero value keeps the old
// keys in the key set.
type RollKeysOptions struct {
	// DropOld takes the old keys out of the key set at once. Tokens signed with
	// them are then refused by the API and not given again.
	DropOld bool
}

// RollKeys makes a new key, which signs all tokens from now on.
func (s *Server) RollKeys(opts *RollKeysOptions) {
	fresh := newSigningKey()
	s.keys.current()
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if opts != nil && opts.DropOld {
		s.keys.keys = nil
	}
	s.keys.keys = append([]*signingKey{fresh}, s.keys.keys...)
}

// jwk is a public key in the form of RFC 7517.
type jwk struct {
	KeyType   string `json:"kty"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

type jwkSet struct {
	Keys []jwk `json:"keys"`
}

// keySet answers GET /.well-known/jwks.json.
func (c *call) keySet() reply {
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return methodNotAllowed("GET").reply(c.place)
	}
	c.s.keys.current()
	c.s.keys.mu.Lock()
	defer c.s.keys.mu.Unlock()
	var set jwkSet
	for _, key := range c.s.keys.keys {
		e := big.NewInt(int64(key.private.E)).Bytes()
		set.Keys = append(set.Keys, jwk{
			KeyType: "RSA", ID: key.id, Algorithm: "RS512", Use: "sig",
			Modulus:  base64.RawURLEncoding.EncodeToString(key.private.N.Bytes()),
			Exponent: base64.RawURLEncoding.EncodeToString(e),
		})
	}
	return newReply(http.StatusOK, jsonType, set)
}

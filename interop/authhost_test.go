package interop_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// authHost is an auth host that signs whatever a test wants. All it serves is its key
// set.
type authHost struct {
	domain  string
	key     *rsa.PrivateKey
	fetched atomic.Int64 // how often its key set has been

	mu   sync.Mutex // guards kids
	kids []string   // the names of its key; empty: one without a name
}

var partnerKey, forgerKey = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func newAuthHost(t *testing.T, name string, key *rsa.PrivateKey, kids ...string) *authHost {
	t.Helper()
	h := &authHost{key: key, kids: kids}
	serve(t, name, func(domain string) http.Handler {
		h.domain = domain
		return h
	})
	return h
}

func (h *authHost) issuer() string { return "https://auth." + h.domain }

func (h *authHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/.well-known/jwks.json" {
		http.NotFound(w, r)
		return
	}
	h.fetched.Add(1)
	w.Header().Set("Content-Type", "application/json")
	w.Write(h.keySet())
}

// alsoKnownAs gives the key one more name.
func (h *authHost) alsoKnownAs(kid string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kids = append(h.kids, kid)
}

// jwk is the key under a name.
func (h *authHost) jwk(kid string) fields {
	key := fields{
		"kty": "RSA", "alg": "RS512", "use": "sig",
		"n": base64.RawURLEncoding.EncodeToString(h.key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(h.key.E)).Bytes()),
	}
	if kid != "" {
		key["kid"] = kid
	}
	return key
}

// keySet is the key under all its names.
func (h *authHost) keySet() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := []fields{}
	for _, kid := range h.kids {
		keys = append(keys, h.jwk(kid))
	}
	b, err := json.Marshal(fields{"keys": keys})
	if err != nil {
		panic(err)
	}
	return b
}

// header is that of a token as the service makes them, changed. A nil takes a member
// away.
func (h *authHost) header(more fields) fields {
	return changed(fields{"alg": "RS512", "typ": "JWT", "kid": h.kids[0]}, more)
}

// claims are those of a guest's token as the service makes them, changed.
func (h *authHost) claims(more fields) fields {
	now := time.Now().Unix()
	return changed(fields{
		"organization": fields{"id": "mRtXoqFLPn", "slug": commercelayertest.Slug, "enterprise": true, "region": "eu-west-1"},
		"application":  fields{"id": "wKzVdiBQYe", "client_id": channelID, "kind": "sales_channel", "public": true, "confidential": false},
		"scope":        "market:all", "exp": now + 7200, "test": true, "rand": 0.25, "iat": now, "iss": h.issuer(),
	}, more)
}

func changed(f, more fields) fields {
	maps.Copy(f, more)
	maps.DeleteFunc(f, func(_ string, value any) bool { return value == nil })
	return f
}

// token signs a header and claims, either of which may be text that is not JSON.
func (h *authHost) token(header, claims any) string {
	input := part(header) + "." + part(claims)
	digest := sha512.Sum512([]byte(input))
	return input + "." + h.signed(crypto.SHA512, digest[:])
}

// token256 is token by RS256.
func (h *authHost) token256(header, claims any) string {
	input := part(header) + "." + part(claims)
	digest := sha256.Sum256([]byte(input))
	return input + "." + h.signed(crypto.SHA256, digest[:])
}

func (h *authHost) signed(hash crypto.Hash, digest []byte) string {
	signature, err := rsa.SignPKCS1v15(nil, h.key, hash, digest)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(signature)
}

// tokenByPublicKey is token by HS512, with the public key as the secret.
func (h *authHost) tokenByPublicKey(header, claims any) string {
	input := part(header) + "." + part(claims)
	secret, err := x509.MarshalPKIXPublicKey(&h.key.PublicKey)
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha512.New, secret)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// part is one of a token's three.
func part(value any) string {
	text, ok := value.(string)
	if !ok {
		b, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		text = string(b)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

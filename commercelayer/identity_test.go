package commercelayer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
	"github.com/golang-jwt/jwt/v5"
)

const (
	shopAtProvider = "shop-client"
	adaSubject     = "provider|1815"
	nonce          = "n-0S6_WzA2Mj"
)

// identityKey is a key of an identity provider's.
type identityKey struct {
	id      string
	private *ecdsa.PrivateKey
}

func newIdentityKey(id string) *identityKey {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &identityKey{id, private}
}

var (
	providerKey = newIdentityKey("one")
	forgersKey  = newIdentityKey("one")
)

// keySet is a key set of these keys.
func keySet(keys ...*identityKey) []byte {
	var set []map[string]string
	for _, k := range keys {
		point, err := k.private.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		set = append(set, map[string]string{
			"kty": "EC", "crv": "P-256", "use": "sig", "kid": k.id,
			"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
		})
	}
	b, err := json.Marshal(map[string]any{"keys": set})
	if err != nil {
		panic(err)
	}
	return b
}

func (k *identityKey) sign(claims jwt.MapClaims, typ string) string {
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"], token.Header["typ"] = k.id, typ
	if typ == "" {
		delete(token.Header, "typ")
	}
	s, err := token.SignedString(k.private)
	if err != nil {
		panic(err)
	}
	return s
}

// adasClaims are those of Ada's ID token, but for what is changed; nil leaves one out.
func adasClaims(changed map[string]any) jwt.MapClaims {
	claims := jwt.MapClaims{
		"iss": "https://id.example", "sub": adaSubject, "aud": shopAtProvider, "nonce": nonce,
		"iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(), "email": "ada@example.com",
	}
	maps.Copy(claims, changed)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

func adasToken(changed map[string]any) string { return providerKey.sign(adasClaims(changed), "JWT") }

func identityProvider() verify.Issuer {
	return verify.Issuer{Name: "https://id.example", KeySet: keySet(providerKey), Algorithms: []string{"ES256"}, Audience: []string{shopAtProvider}}
}

// identities finds customers by the provider's subject, and counts how often.
type identities struct {
	mu     sync.Mutex // guards what follows
	asked  int
	answer func(ctx context.Context, id *verify.Claims) (string, error) // nil: Ada is known
}

func (i *identities) find(ctx context.Context, id *verify.Claims) (string, error) {
	i.mu.Lock()
	i.asked++
	answer := i.answer
	i.mu.Unlock()
	switch {
	case answer != nil:
		return answer(ctx, id)
	case id.Subject == adaSubject:
		return commercelayertest.CustomerID, nil
	}
	return "", nil
}

func (i *identities) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

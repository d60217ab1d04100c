package verify_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer/verify"
	"github.com/golang-jwt/jwt/v5"
)

const (
	authName = "https://auth.test"
	keysURL  = "https://auth.test/.well-known/jwks.json"
)

// authority signs tokens with one key by one algorithm.
type authority struct {
	kid, alg string
	key      crypto.Signer
}

// Keys are made once for all tests, and when one needs them.
var (
	rsaKey  = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256Key = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey   = sync.OnceValue(func() crypto.Signer { _, k, err := ed25519.GenerateKey(rand.Reader); return must(k, err) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// of is the authority that has a key of alg's type, the same one each time, under a
// kid of its own for each algorithm.
func of(alg string) *authority {
	key := map[string]func() crypto.Signer{"ES256": p256Key, "ES384": p384Key, "ES512": p521Key, "EdDSA": edKey}[alg]
	if key == nil {
		key = rsaKey
	}
	return &authority{"key-" + alg, alg, key()}
}

// fresh is an authority with a P-256 key of its own, which costs little.
func fresh(kid string) *authority {
	return &authority{kid, "ES256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
}

// header is the usual one.
func (a *authority) header() string {
	return fmt.Sprintf(`{"alg":%q,"typ":"JWT","kid":%q}`, a.alg, a.kid)
}

// sign makes a token of a header and claims as they are, which may be anything.
func (a *authority) sign(header, claims string) string {
	return a.signText(b64(header) + "." + b64(claims))
}

// signText makes a token of its first two parts.
func (a *authority) signText(text string) string {
	return text + "." + b64(a.signature(a.alg, text))
}

// signature is one by any algorithm that the key can do.
func (a *authority) signature(alg, text string) string {
	return string(must(jwt.GetSigningMethod(alg).Sign(text, a.key)))
}

// token has the usual header.
func (a *authority) token(claims string) string { return a.sign(a.header(), claims) }

// good is a token that is right, for an hour; more are further claims, as in `"sub":"x"`.
func (a *authority) good(more ...string) string { return a.token(goodClaims(more...)) }

func goodClaims(more ...string) string {
	usual := fmt.Sprintf(`"iss":%q,"exp":%d`, authName, time.Now().Add(time.Hour).Unix())
	return "{" + strings.Join(append([]string{usual}, more...), ",") + "}"
}

// jwk is the public key; more are further members, as in `"use":"sig"`.
func (a *authority) jwk(more ...string) string {
	members := append([]string{fmt.Sprintf(`"kid":%q`, a.kid)}, more...)
	switch k := a.key.Public().(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(k.E)).Bytes()
		members = append(members, `"kty":"RSA"`, `"n":"`+b64(k.N.Bytes())+`"`, `"e":"`+b64(e)+`"`)
	case *ecdsa.PublicKey:
		point := must(k.Bytes())[1:]
		half := len(point) / 2
		members = append(members, `"kty":"EC"`, `"crv":"`+k.Params().Name+`"`, `"x":"`+b64(point[:half])+`"`, `"y":"`+b64(point[half:])+`"`)
	case ed25519.PublicKey:
		members = append(members, `"kty":"OKP"`, `"crv":"Ed25519"`, `"x":"`+b64(k)+`"`)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// keySet is a JWK Set of these authorities' keys.
func keySet(of ...*authority) []byte {
	var keys []string
	for _, a := range of {
		keys = append(keys, a.jwk(`"use":"sig"`, fmt.Sprintf(`"alg":%q`, a.alg)))
	}
	return jwks(keys...)
}

func jwks(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

func b64[T ~string | ~[]byte](text T) string {
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// issuerOf is the issuer authName with these keys and their algorithms.
func issuerOf(keys ...*authority) verify.Issuer {
	i := verify.Issuer{Name: authName, KeySet: keySet(keys...)}
	for _, a := range keys {
		i.Algorithms = append(i.Algorithms, a.alg)
	}
	return i
}

func newVerifier(t testing.TB, opts *verify.Options, issuers ...verify.Issuer) *verify.Verifier {
	t.Helper()
	v, err := verify.New(issuers, opts)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func check(v *verify.Verifier, token string) error {
	_, err := v.Verify(context.Background(), token)
	return err
}

// pass lets time pass, in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// split returns what is signed of a token, and the signature.
func split(token string) (text string, signature []byte) {
	dot := strings.LastIndexByte(token, '.')
	return token[:dot], must(base64.RawURLEncoding.DecodeString(token[dot+1:]))
}

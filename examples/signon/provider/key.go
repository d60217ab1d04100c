package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"net/http"

	"github.com/golang-jwt/jwt/v5"
)

// key signs ID tokens, by ES256.
type key struct {
	id      string
	private *ecdsa.PrivateKey
	public  []byte // 4, x, y (SEC 1 §2.3.3)
}

// RollKeys makes a new key. What the old one has signed is not good any more.
func (p *Provider) RollKeys() {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // which a working random source rules out
	}
	public, err := private.PublicKey.Bytes()
	if err != nil {
		panic(err) // which its own curve rules out
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key = &key{rand.Text(), private, public}
}

func (p *Provider) current() *key {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.key
}

// keys is the key set (RFC 7517 §5).
func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	k := p.current()
	w.Header().Set("Cache-Control", "public, max-age=3600")
	answer(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": k.id,
		"x": base64.RawURLEncoding.EncodeToString(k.public[1:33]), "y": base64.RawURLEncoding.EncodeToString(k.public[33:]),
	}}})
}

// Sign signs an ID token that says this, for tests of what becomes of a wrong one.
func (p *Provider) Sign(claims map[string]any) (string, error) {
	k := p.current()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims(claims))
	token.Header["kid"] = k.id
	return token.SignedString(k.private)
}

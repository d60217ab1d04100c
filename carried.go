package bearer

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// carried is a record that the browser carries. What becomes of it is kept in the
// storage under a digest of the token that was spent, sealed with a key made of
// that token: so a request that comes with the old record, since it was sent
// before the answer with the new one arrived or that answer was lost, gets the new
// record too, and nobody else can open it.
type carried struct {
	results CompareAndSwapper
	prefix  string // of the results' keys
	first   []byte // as the browser sent it; nil if it sent none
}

// maxSuccessors is how often a record may have been refreshed without the
// browser's ever having got an answer.
const maxSuccessors = 64

func (h carried) load(ctx context.Context) ([]byte, error) {
	at := h.first
	for range maxSuccessors {
		secret := spendable(at)
		if secret == "" {
			break // a tombstone, or nothing
		}
		sealed, err := h.result(secret).load(ctx)
		if err != nil {
			return nil, err
		}
		next := openWith(secret, sealed)
		if next == nil {
			break
		}
		at = next
	}
	return at, nil
}

func (h carried) swap(ctx context.Context, old, next []byte, ttl time.Duration) (bool, error) {
	secret := spendable(old)
	if secret == "" {
		return true, nil // the browser will hold it
	}
	return h.result(secret).swap(ctx, nil, sealWith(secret, next), ttl)
}

func (h carried) lock(r record) string { return h.result(spendable(r.raw)).key }
func (h carried) origin() Origin       { return OriginCookie }

// result is where the successor of a record is, told by its secret.
func (h carried) result(secret string) stored {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("bearer: key of a record's successor"))
	return stored{h.results, h.prefix + "-spent-" + hex.EncodeToString(mac.Sum(nil))}
}

// spendable is the token of a record that is gone once there is a successor.
func spendable(raw []byte) string {
	var form recordJSON
	if len(raw) > maxRecord || json.Unmarshal(raw, &form) != nil {
		return ""
	}
	if form.RefreshToken != "" {
		return form.RefreshToken
	}
	return form.AccessToken
}

func sealWith(secret string, plain []byte) []byte { return aead(secret).Seal(nil, nil, plain, nil) }

// openWith returns nil for what sealWith has not made with that secret.
func openWith(secret string, sealed []byte) []byte {
	plain, err := aead(secret).Open(nil, nil, sealed, nil)
	if err != nil {
		return nil
	}
	return plain
}

// aead has a key made of the secret, which has the entropy of a token.
func aead(secret string) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "bearer: seal of a record's successor", 32)
	if err != nil {
		panic(err) // lengths that do not fit
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return a
}

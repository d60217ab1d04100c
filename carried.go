package bearer

import (
	"bytes"
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
// storage under a digest of its tokens, sealed with a key made of them: so a
// request that comes with the old record, since it was sent before the answer with
// the new one arrived or that answer was lost, gets the new record too, and nobody
// else can open it. A refresh token alone would not do: some providers give the
// same one again with each access token.
type carried struct {
	results   CompareAndSwapper
	prefix    string        // of the results' keys
	life      time.Duration // of the results: after that an old record is good for nothing
	first     []byte        // as the browser sent it; nil if it sent none
	strangers *strangers    // nil if no visitor can make up a record
}

// carried is the home of a record that the browser has brought, or will have.
func (b *browser) carried(f *Storefront, raw []byte) carried {
	h := carried{f.opts.Customers, f.opts.Key, f.opts.RefreshLife, raw, nil}
	if b.plain {
		h.strangers = f.strangers
	}
	return h
}

// maxSuccessors bounds what load follows. It makes a long way short, so that this
// takes a storage that fails to write.
const maxSuccessors = 64

func (h carried) load(ctx context.Context) ([]byte, error) {
	trail, sealed, err := h.follow(ctx)
	if err != nil || len(trail) == 0 {
		return nil, err
	}
	last := trail[len(trail)-1]
	// A client that keeps no cookies comes this way again. What says "expired" may
	// yet be restored where it is.
	if len(trail) > 2 && !bytes.Equal(last, expired.raw) {
		first := secretOf(h.first)
		h.result(first).swap(ctx, sealed, sealWith(first, last), h.life)
	}
	return last, nil
}

// follow returns the first record and those that came after it, none if there are too
// many, and the first one's result as it is kept.
func (h carried) follow(ctx context.Context) (trail [][]byte, sealed []byte, err error) {
	at, secret := h.first, secretOf(h.first)
	for trail = append(trail, at); secret != ""; trail = append(trail, at) { // else at is a tombstone, or nothing
		there, err := h.result(secret).load(ctx)
		if err != nil {
			return nil, nil, err
		}
		next := openWith(secret, there)
		if next == nil {
			break
		}
		if sealed == nil {
			sealed = there
		}
		before := secret
		at, secret = next, secretOf(next)
		if secret == before { // the same tokens, to be good for longer
			trail[len(trail)-1] = at
			break
		}
		if len(trail) == maxSuccessors {
			return nil, nil, nil
		}
	}
	return trail, sealed, nil
}

func (h carried) swap(ctx context.Context, old, next []byte, _ time.Duration) (bool, error) {
	secret := secretOf(old)
	if secret == "" || next == nil {
		return true, nil // the browser will hold it, or has not got it
	}
	return h.swapAt(ctx, secret, old, next)
}

// swapAt replaces the result of the record with the secret, unless that is other than
// old by now.
func (h carried) swapAt(ctx context.Context, secret string, old, next []byte) (bool, error) {
	at := h.result(secret)
	sealed, err := at.load(ctx)
	if err != nil {
		return false, err
	}
	if there := openWith(secret, sealed); there != nil && !bytes.Equal(there, old) {
		return false, nil
	}
	ok, err := at.swap(ctx, sealed, sealWith(secret, next), h.strangers.life(old, next, h.life))
	if ok {
		h.strangers.meet(next)
	}
	return ok, err
}

func (h carried) restore(ctx context.Context, next []byte, _ time.Duration) (bool, error) {
	trail, _, err := h.follow(ctx)
	n := len(trail)
	if err != nil || n < 2 || !bytes.Equal(trail[n-1], expired.raw) {
		return false, err
	}
	return h.swapAt(ctx, secretOf(trail[n-2]), expired.raw, next)
}

// revive lets the record begin anew, whose tokens may have been signed out before
// without being revoked.
func (h carried) revive(ctx context.Context) error {
	secret := secretOf(h.first)
	at := h.result(secret)
	sealed, err := at.load(ctx)
	if err != nil || sealed == nil {
		return err
	}
	if next := secretOf(openWith(secret, sealed)); next != "" && next != secret {
		return nil // they have been spent
	}
	_, err = at.swap(ctx, sealed, nil, 0)
	return err
}

func (h carried) brought() []byte      { return h.first }
func (h carried) lock(r record) string { return h.result(secretOf(r.raw)).key }
func (h carried) origin() Origin       { return OriginCookie }

// result is where what became of a record is, told by its secret.
func (h carried) result(secret string) stored {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("bearer: key of a record's successor"))
	return stored{h.results, h.prefix + "-spent-" + hex.EncodeToString(mac.Sum(nil))}
}

// secretOf is what tells a record from all others, and is known to none but who
// has it: its tokens. It is empty for what is no record.
func secretOf(raw []byte) string {
	var form recordJSON
	if len(raw) > maxRecord || json.Unmarshal(raw, &form) != nil || form.AccessToken == "" {
		return ""
	}
	return form.AccessToken + "\n" + form.RefreshToken
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

// aead has a key made of the secret, which has the entropy of tokens.
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

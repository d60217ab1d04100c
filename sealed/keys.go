package sealed

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// Keys is a key ring: its first key seals, all of them open, so that keys can be
// changed while sealed values are out. Make one with [NewKeys] or [ParseKeys]. It
// is safe for concurrent use, and safe to print: its keys are not shown. The zero
// value has no keys, and opens nothing.
//
// To change keys, put the new one last in each process, then first in each, and
// take the old one out once nothing that it has sealed is worth keeping: of
// cookies, after two weeks. A key that has got out must be taken out at once;
// what it has sealed is lost, and customers sign in again.
type Keys struct {
	ring []cipher.AEAD
}

// GenerateKey returns a new random key, of [KeySize] bytes. It is for tests, and
// for programs whose sealed values need not outlive them; all processes of a site
// need the same keys.
func GenerateKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key)
	return key
}

// NewKeys returns the ring of these keys, which it does not keep. Each must be
// [KeySize] random bytes (not a password: it would be guessed), and no two the
// same.
func NewKeys(keys ...[]byte) (*Keys, error) {
	if len(keys) == 0 {
		return nil, &sealError{"there is no key: make one with openssl rand -base64 32", nil}
	}
	k := &Keys{ring: make([]cipher.AEAD, len(keys))}
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, &sealError{fmt.Sprintf("key %d of %d has %d bytes, want %d: make one with openssl rand -base64 32", i+1, len(keys), len(key), KeySize), nil}
		}
		if bytes.Equal(key, make([]byte, KeySize)) {
			return nil, &sealError{fmt.Sprintf("key %d of %d is all zeros: make one with openssl rand -base64 32", i+1, len(keys)), nil}
		}
		for j, other := range keys[:i] {
			if bytes.Equal(key, other) {
				return nil, &sealError{fmt.Sprintf("keys %d and %d of %d are the same: leave one out", j+1, i+1, len(keys)), nil}
			}
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("sealed: making a cipher of key %d of %d: %w", i+1, len(keys), err)
		}
		if k.ring[i], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("sealed: making a cipher of key %d of %d: %w", i+1, len(keys), err)
		}
	}
	return k, nil
}

// ParseKeys is [NewKeys] for the value of an environment variable: keys in base64
// (of either alphabet, padded or not) or hex, with commas between them. Spaces
// and line ends around them do not count.
func ParseKeys(text string) (*Keys, error) {
	if strings.TrimSpace(text) == "" {
		return NewKeys()
	}
	texts := strings.Split(text, ",")
	keys := make([][]byte, len(texts))
	for i, t := range texts {
		key, err := parseKey(strings.TrimSpace(t))
		if err != nil { // its text quotes the key
			return nil, &sealError{fmt.Sprintf("key %d of %d is not %d bytes in base64 or hex: make one with openssl rand -base64 32", i+1, len(texts), KeySize), nil}
		}
		keys[i] = key
	}
	return NewKeys(keys...)
}

func parseKey(t string) ([]byte, error) {
	if len(t) == hex.EncodedLen(KeySize) {
		return hex.DecodeString(t)
	}
	t = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSuffix(t, "="))
	if len(t) != base64.RawStdEncoding.EncodedLen(KeySize) {
		return nil, errors.New("neither is of that length")
	}
	return base64.RawStdEncoding.Strict().DecodeString(t)
}

// Seal encrypts plain, which may be empty, with the ring's first key, and returns
// it longer by 28 bytes. [Keys.Open] opens it again under the same name only; the
// name, any text, says what the value is and whose. It must not hold a secret.
//
// Each call takes a random nonce. A key must seal no more than 2^32 values: change
// it in time if you seal hundreds in a second for months. Seal panics on a ring
// without keys.
func (k *Keys) Seal(name string, plain []byte) []byte { return k.seal(forValue, name, plain) }

// Open returns what was sealed under name by one of the ring's keys, not nil. The
// error is [ErrInvalid], perhaps wrapped, if nothing was.
func (k *Keys) Open(name string, sealed []byte) ([]byte, error) {
	return k.open(forValue, name, sealed)
}

// use keeps the uses of a ring apart: what is sealed for one does not open in
// another, whatever names they choose. No use may have a NUL.
type use string

const (
	forValue  use = "value"
	forCookie use = "cookie"
)

// bound is the additional data of a value.
func (u use) bound(name string) []byte {
	return []byte("bearer/sealed 1\x00" + string(u) + "\x00" + name)
}

func (k *Keys) seal(u use, name string, plain []byte) []byte {
	if k == nil || len(k.ring) == 0 {
		panic("sealed: there is no key to seal with: make the Keys with NewKeys")
	}
	return k.ring[0].Seal(nil, nil, plain, u.bound(name))
}

func (k *Keys) open(u use, name string, sealed []byte) ([]byte, error) {
	if k == nil {
		return nil, errNotOpened
	}
	bound := u.bound(name)
	for _, aead := range k.ring {
		if plain, err := aead.Open([]byte{}, nil, sealed, bound); err == nil {
			return plain, nil
		}
	}
	return nil, errNotOpened
}

// String counts the keys.
func (k Keys) String() string { return fmt.Sprintf("sealed.Keys{%d}", len(k.ring)) }

// Format prints what String returns, whatever the verb.
func (k Keys) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// LogValue is what String returns.
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

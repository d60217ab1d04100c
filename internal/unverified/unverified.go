// Package unverified reads the claims of JWTs and verifies nothing.
package unverified

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"
)

// maxToken is far above the size of any token, which is about 1 KB.
const maxToken = 64 << 10

// Claims decodes the middle part of a JWT into a pointer. Its errors never quote
// the token.
func Claims(token string, into any) error {
	if len(token) > maxToken {
		return errors.New("is over 64 KiB")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errors.New("is not a JWT: it has not three parts")
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return errors.New("is not a JWT: its claims are not base64url")
	}
	if len(b) == 0 || b[0] != '{' || json.Unmarshal(b, into) != nil {
		return errors.New("has claims that are not the expected JSON")
	}
	return nil
}

// Times are the claims that tell a token's life, iat and exp; zero if absent.
// They are read apart from the others, so that a novelty among those does no
// harm.
func Times(token string) (issued, expires time.Time) {
	var w struct {
		ExpiresAt json.Number `json:"exp"`
		IssuedAt  json.Number `json:"iat"`
	}
	if Claims(token, &w) != nil {
		return time.Time{}, time.Time{}
	}
	return Unix(w.IssuedAt), Unix(w.ExpiresAt)
}

// Unix reads a NumericDate (RFC 7519 §2), which may have a fraction. What is
// no time of the last and next few centuries counts as absent.
func Unix(n json.Number) time.Time {
	seconds, err := n.Float64()
	if err != nil || seconds <= 0 || seconds > 1e10 {
		return time.Time{}
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9))
}

package sealed

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/cookie"
)

// Cookie is a [bearer.Carrier] that keeps a customer's record, with its tokens,
// in a cookie that is encrypted (AES-256-GCM) and bound to its name. Make one
// with [NewCookie]; the zero value is none. It is safe for concurrent use, and
// safe to print.
//
// The cookie is called __Host-bearer- and a digest of the key, and is HttpOnly,
// Secure, SameSite=Lax and for the whole host (RFC 6265). Records of up to some
// 2.9 KB fit into it: an access token and a refresh token, but not much more.
// Save refuses what does not fit, and sets nothing; then keep customers in a
// [bearer.Storage]. A shop with several markets has a cookie for each, of which two or
// three fit into a browser with such tokens: signing in to more is an error. See
// [bearer.Carrier].
//
// A sealed record has no time of its own. Whoever has got hold of an old cookie
// has what its tokens are still good for, no more: that they run out, and that
// they can be revoked, is the provider's business.
type Cookie struct {
	keys               *Keys
	prefix, attributes string
}

var _ bearer.Carrier = (*Cookie)(nil)

// CookieOptions are those of [NewCookie]. The zero value is for https, and for
// http://localhost.
type CookieOptions struct {
	// Insecure is for plain http on another host than localhost: browsers keep no
	// Secure cookie from there, nor one whose name begins with __Host-, so the
	// cookie is called bearer- and the digest. Whoever is on the network then sees
	// the cookie and can use it as it is.
	Insecure bool
}

// NewCookie returns the carrier that seals with keys. It panics if there is none.
// A nil opts is the zero one.
func NewCookie(keys *Keys, opts *CookieOptions) *Cookie {
	if keys == nil || len(keys.ring) == 0 {
		panic("sealed: NewCookie needs a key: make the Keys with NewKeys")
	}
	if opts != nil && opts.Insecure {
		return &Cookie{keys, "bearer-", "; HttpOnly; SameSite=Lax"}
	}
	return &Cookie{keys, "__Host-bearer-", "; HttpOnly; Secure; SameSite=Lax"}
}

// maxValue bounds what is decoded for a visitor; browsers keep half of it.
const maxValue = 8 << 10

var (
	errLong    = &sealError{"the cookie is longer than 8 KiB", ErrInvalid}
	errBase64  = &sealError{"the cookie is not base64: it was cut off or changed", ErrInvalid}
	errNotMade = &sealError{"the Cookie has no keys: make it with NewCookie", nil}
)

// Load implements [bearer.Carrier]. An error is [ErrInvalid], and quotes nothing.
func (c *Cookie) Load(r *http.Request, key string) ([]byte, error) {
	name := c.name(key)
	value, found, err := cookie.Find(r.Header, func(n string) bool { return n == name })
	switch {
	case err != nil:
		return nil, &sealError{err.Error(), ErrInvalid}
	case !found:
		return nil, nil
	case len(value) > maxValue:
		return nil, errLong
	}
	sealed, err := encoding.DecodeString(value)
	if err != nil || encoding.EncodedLen(len(sealed)) != len(value) { // it skips line ends
		return nil, errBase64
	}
	return c.keys.open(forCookie, c.prefix+key, sealed)
}

// Save implements [bearer.Carrier]. A maxAge counts in whole seconds, rounded up.
func (c *Cookie) Save(w http.ResponseWriter, key string, record []byte, maxAge time.Duration) error {
	if c.keys == nil {
		return errNotMade
	}
	if record == nil {
		cookie.Remove(w.Header(), c.name(key), "", c.attributes)
		return nil
	}
	value := encoding.EncodeToString(c.keys.seal(forCookie, c.prefix+key, record))
	if err := cookie.Set(w.Header(), c.name(key), value, maxAge, c.attributes); err != nil {
		return &sealError{err.Error(), nil}
	}
	return nil
}

// encoding has one text for each value, so that no change of a cookie goes
// unnoticed.
var encoding = base64.RawURLEncoding.Strict()

// name is the cookie's for a key, which may have characters that no cookie's name
// has. What is sealed is bound to the key itself.
func (c *Cookie) name(key string) string {
	digest := sha256.Sum256([]byte(key))
	return c.prefix + encoding.EncodeToString(digest[:16])
}

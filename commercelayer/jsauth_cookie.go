package commercelayer

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/cookie"
)

// JSAuthCookie is a [bearer.Carrier] that shares a customer with js-auth, the
// service's JavaScript library: it keeps the record in the plain cookie in which
// js-auth's storages keep it, written as their server side does and read in the
// forms of both sides. Make one with [NewJSAuthCookie]; the zero value is for
// https too. It is safe for concurrent use.
//
// The cookie is not secret, and nothing in it is verified. Every script of the
// site's pages can read the access token and the refresh token and send them
// elsewhere; visitors, and other sites below the same domain, can put there what
// they like, also a token that says to be somebody else's. Trust the API, which
// checks tokens, with whom a visitor is: never the Owner of an
// [bearer.Authorization] that comes from this cookie, nor a State, nor that
// bearer.RequireCustomer has let somebody through: a made-up JWT that says not to have
// expired is enough for that. It has no SameSite either: protect forms with http.CrossOriginProtection. Unless a
// browser has to have the tokens, take package
// [github.com/bearerkit/bearer/sealed] or a storage.
//
// A made-up record with a refresh token makes a token request, of which the service
// allows 30 a minute for all visitors together. So after ten that were refused within
// a minute no more are tried for customers whom this process has neither signed in nor
// refreshed, those of js-auth among them: their calls fail for the rest of the minute.
// See [bearer.PlainCarrier]. A logout of a made-up record asks the service to revoke
// its tokens, and leaves a note in the storage for an hour: limit how often one
// address may call the page that signs out, as you limit sign-ins.
//
// A record that is kept for as long as the browser runs makes the cookie that
// js-auth would make. For one that is to last longer, Max-Age is added, which
// js-auth knows nothing of: when that writes the cookie next, it lasts for as long
// as the browser runs again. If both refresh the same customer at once, one of
// them finds the refresh token spent.
type JSAuthCookie struct {
	insecure bool
}

var _ bearer.PlainCarrier = (*JSAuthCookie)(nil)

// JSAuthCookieOptions are those of [NewJSAuthCookie]. The zero value is for https,
// and for http://localhost.
type JSAuthCookieOptions struct {
	// Insecure is for plain http on another host than localhost, from where
	// browsers keep no Secure cookie. Whoever is on the network then sees the
	// tokens.
	Insecure bool
}

// NewJSAuthCookie returns the carrier. A nil opts is the zero one. What is in such a
// cookie is anybody's word: see [JSAuthCookie] for what follows from that.
func NewJSAuthCookie(opts *JSAuthCookieOptions) *JSAuthCookie {
	return &JSAuthCookie{insecure: opts != nil && opts.Insecure}
}

// maxCookieRecord bounds what is read for a visitor; browsers keep half of it.
const maxCookieRecord = 8 << 10

var (
	errCookieLong   = &cookieError{"js-auth's cookie is longer than 8 KiB"}
	errCookieRecord = &cookieError{"js-auth's cookie is not a JSON object: it was cut off, or somebody else's"}
	errRecordKey    = &cookieError{"the key of the customer's record is empty or not UTF-8, and cannot name a cookie"}
	errRecordJSON   = &cookieError{"the customer's record is not a JSON object, which js-auth could not read: pass nil to remove it"}
)

// cookieError is an error that quotes nothing, so that it may be logged.
type cookieError struct{ text string }

func (e *cookieError) Error() string        { return "commercelayer: " + e.text }
func (e *cookieError) LogValue() slog.Value { return slog.StringValue(e.text) }

// Plain implements [bearer.PlainCarrier]: anybody can make up such a cookie.
func (c *JSAuthCookie) Plain() bool { return true }

// Load implements [bearer.Carrier]. It returns a JSON object of at most 8 KiB, of
// which nothing else is known. As for js-auth's server side, an empty cookie, one
// of the text null and one whose percent-encoding is broken are none. Two cookies
// of the name are an error, since of js-auth's two sides each takes another one.
func (c *JSAuthCookie) Load(r *http.Request, key string) ([]byte, error) {
	value, found, err := cookie.Find(r.Header, func(name string) bool {
		name, err := url.PathUnescape(name)
		return err == nil && name == key
	})
	switch {
	case err != nil:
		return nil, &cookieError{err.Error()}
	case !found:
		return nil, nil
	}
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	text, err := url.PathUnescape(value) // which leaves "+" as it is
	if err != nil || !utf8.ValidString(text) {
		return nil, nil
	}
	switch {
	case text == "" || strings.TrimSpace(text) == "null":
		return nil, nil
	case len(text) > maxCookieRecord:
		return nil, errCookieLong
	case !isObject([]byte(text)):
		return nil, errCookieRecord
	}
	return []byte(text), nil
}

// Save implements [bearer.Carrier]. A record must be a JSON object in UTF-8.
func (c *JSAuthCookie) Save(w http.ResponseWriter, key string, record []byte, maxAge time.Duration) error {
	if key == "" || !utf8.ValidString(key) {
		return errRecordKey
	}
	name := percentEncode(key, nameKeeps)
	if record == nil {
		cookie.Remove(w.Header(), name, "null", "") // to the letter: without Secure
		return nil
	}
	if !utf8.Valid(record) || !isObject(record) {
		return errRecordJSON
	}
	attributes := "; Secure"
	if c.insecure {
		attributes = ""
	}
	if err := cookie.Set(w.Header(), name, percentEncode(string(record), valueKeeps), maxAge, attributes); err != nil {
		return &cookieError{err.Error()}
	}
	return nil
}

// isObject reports whether text is one JSON object.
func isObject(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) && json.Valid(text)
}

const (
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

	// What js-auth's server side does not encode in cookies. Nothing of it has a
	// meaning in a header.
	nameKeeps  = alphanumeric + "-_.!~*'()#$&+^`|"
	valueKeeps = alphanumeric + "-_.!~*'()"
)

// percentEncode encodes all bytes of text but those that it keeps.
func percentEncode(text, keeps string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, 2*len(text))
	for _, c := range []byte(text) {
		if strings.IndexByte(keeps, c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"time"
)

// Claims are what a token says that has been verified. The zero value says nothing.
// Those of [Verifier.Claims] are the caller's own. Those of an Authorization are shared
// between all requests that bring the token, and must not be modified.
type Claims struct {
	Issuer    string // as the token writes it
	Subject   string
	ID        string
	Scope     string   // empty if absent (RFC 9068 §2.2.3)
	Audience  []string // nil if absent
	ExpiresAt time.Time
	NotBefore time.Time // zero if absent
	IssuedAt  time.Time // zero if absent

	// Raw is the whole claims set, as the issuer has written it: JSON in valid UTF-8,
	// an object whose members' names, in each object in it, differ in more than case.
	Raw json.RawMessage `json:"-"`
}

func (c *Claims) clone() *Claims {
	own := *c
	own.Audience, own.Raw = slices.Clone(c.Audience), bytes.Clone(c.Raw)
	return &own
}

// Decode reads the claims into what a pointer points to, as json.Unmarshal does.
func (c *Claims) Decode(into any) error {
	if err := json.Unmarshal(c.Raw, into); err != nil {
		return fmt.Errorf("verify: the claims do not fit %T: check the types of its fields", into)
	}
	return nil
}

// As returns the claims as a type of the application's own, with json tags.
func As[T any](c *Claims) (T, error) {
	var t T
	err := c.Decode(&t)
	return t, err
}

// String names the issuer; nothing about anybody shows.
func (c Claims) String() string { return fmt.Sprintf("verify.Claims{Issuer: %q}", c.Issuer) }

// Format prints what String returns, whatever the verb.
func (c Claims) Format(s fmt.State, _ rune) { io.WriteString(s, c.String()) }

// LogValue is what String returns.
func (c Claims) LogValue() slog.Value { return slog.StringValue(c.String()) }

// maxTime is the end of the year 9999, beyond which times cannot be written.
const maxTime = 253402300799

// rawClaims is a claims set that is taken strictly. It implements jwt.Claims, of which
// nothing is asked: what golang-jwt would check is checked here, without leeway for exp
// and without claims whose names differ in case.
type rawClaims struct {
	noClaims
	Claims
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *rawClaims) UnmarshalJSON(b []byte) error {
	set, err := strict(b, false)
	if err != nil {
		return err
	}
	r := reader{set: set}
	c.Claims = Claims{
		Issuer: r.text("iss"), Subject: r.text("sub"), ID: r.text("jti"), Audience: r.texts("aud"),
		ExpiresAt: r.time("exp", 1), NotBefore: r.time("nbf", 0), IssuedAt: r.time("iat", 1),
		Raw: bytes.Clone(b),
	}
	// No registered claim of RFC 7519, and not always a text.
	if r.has("scope") {
		json.Unmarshal(set["scope"], &c.Scope)
	}
	return r.err
}

// reader reads members of an object, by their exact names. The first failure stays.
type reader struct {
	set map[string]json.RawMessage
	err error
}

func (r *reader) has(name string) bool { return len(r.set[name]) > 0 && string(r.set[name]) != "null" }

func (r *reader) text(name string) (s string) {
	if r.has(name) && json.Unmarshal(r.set[name], &s) != nil {
		r.fail(name, "a text")
	}
	return s
}

// texts reads a list, or a single text in its place (RFC 7519 §4.1.3).
func (r *reader) texts(name string) (list []string) {
	if !r.has(name) {
		return nil
	}
	var one string
	if json.Unmarshal(r.set[name], &one) == nil {
		return []string{one}
	}
	var each []*string
	if json.Unmarshal(r.set[name], &each) != nil {
		r.fail(name, "a text or a list of texts")
	}
	for _, s := range each {
		if s == nil {
			r.fail(name, "a text or a list of texts")
			return nil
		}
		list = append(list, *s)
	}
	if list == nil {
		list = []string{} // for nobody, which is not for anybody
	}
	return list
}

// time reads a NumericDate (RFC 7519 §2), of which only whole seconds are taken: a
// fraction or an exponent is read differently by different parsers, and so is null. It is
// not before least: there are issuers whose nbf is always 0.
func (r *reader) time(name string, least int64) time.Time {
	if r.set[name] == nil {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(string(r.set[name]), 10, 64)
	if err != nil || seconds < least || seconds > maxTime {
		r.fail(name, "a number of whole seconds")
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

func (r *reader) fail(name, want string) {
	if r.err == nil {
		r.err = refuse(ErrMalformed, "the token's "+name+" is not "+want)
	}
}

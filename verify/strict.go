package verify

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxDepth is how deep objects and lists may be nested. Nobody's tokens are.
	maxDepth = 16

	// The greatest float64 is under 10 to the power of maxSize. Numbers of that size are
	// read quickly if they have up to maxExact digits.
	maxSize, maxExact = 309, 19

	// maxDigits are those of a whole number that all parsers read alike (RFC 8259 §6).
	maxDigits = 15
)

// Each token's error is its own.
func errText() error { return malformed("the token has text that is not UTF-8") }
func errJSON() error { return malformed("the token has a part that is not a JSON object") }
func errDeep() error { return malformed("the token's JSON is nested too deeply") }
func errTwice() error {
	return malformed("the token has a member twice, or two that differ in case alone")
}
func errNumber() error { return malformed("the token has a number that is out of range") }
func errHeader() error {
	return malformed("the token's header has a number that is not a whole one of up to 15 digits")
}

func malformed(detail string) error { return refuse(ErrMalformed, detail) }

// strict reads an object's members, and checks that all parsers read the same in b: JSON
// in UTF-8, an object, in which no object has two members of one name (RFC 7515 §4, RFC
// 7519 §4), no text has half a character, and numbers are within what parsers can do (RFC
// 8259 §6, §8.2). Names that differ in case alone count as one, since they are for
// encoding/json, which is what claims will be decoded with. In a header numbers are whole.
func strict(b []byte, header bool) (map[string]json.RawMessage, error) {
	b = bytes.Trim(b, space)
	switch {
	case !utf8.Valid(b):
		return nil, errText()
	case !json.Valid(b) || b[0] != '{':
		return nil, errJSON()
	}
	members := map[string]json.RawMessage{}
	r := reading{b: b, header: header}
	return members, r.object(members)
}

const space = " \t\r\n"

// reading goes through valid JSON.
type reading struct {
	b      []byte
	header bool
	at     int // in b
	depth  int // of objects and lists that are open
}

// next skips what has no meaning, and returns what is there.
func (r *reading) next() byte {
	for strings.IndexByte(space+",:", r.b[r.at]) >= 0 {
		r.at++
	}
	return r.b[r.at]
}

// object reads one, and puts its members into a map that is not nil.
func (r *reading) object(members map[string]json.RawMessage) error {
	var names []string
	if r.depth++; r.depth > maxDepth {
		return errDeep()
	}
	for r.at++; r.next() != '}'; {
		begin := r.at
		if err := r.text(); err != nil {
			return err
		}
		name := unquote(r.b[begin:r.at])
		names = append(names, fold(name))
		r.next()
		begin = r.at
		if err := r.value(); err != nil {
			return err
		}
		if members != nil {
			members[name] = r.b[begin:r.at]
		}
	}
	r.at++
	r.depth--
	slices.Sort(names)
	if len(slices.Compact(names)) < len(names) {
		return errTwice()
	}
	return nil
}

func (r *reading) list() error {
	if r.depth++; r.depth > maxDepth {
		return errDeep()
	}
	for r.at++; r.next() != ']'; {
		if err := r.value(); err != nil {
			return err
		}
	}
	r.at++
	r.depth--
	return nil
}

func (r *reading) value() error {
	switch r.next() {
	case '{':
		return r.object(nil)
	case '[':
		return r.list()
	case '"':
		return r.text()
	}
	begin := r.at
	r.at += bytes.IndexAny(r.b[begin:], space+",]}") // there is one: an object ends behind
	switch r.b[begin] {
	case 't', 'f', 'n':
		return nil
	}
	return r.number(string(r.b[begin:r.at]))
}

// number looks at one as a text, whether it is within a float64's range. To read it can take
// a thousand times as long as others do, such as with 1e-308, and a token has room for
// thousands: nobody has signed it yet. golang-jwt reads those of a header.
func (r *reading) number(text string) error {
	if r.header {
		if len(text) > maxDigits || strings.ContainsAny(text, ".eE") {
			return errHeader()
		}
		return nil
	}
	digits, exponent := strings.TrimLeft(text, "-0"), 0
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.Atoi(digits[i+1:]); err != nil {
			return errNumber()
		}
		digits = digits[:i]
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	places := len(whole) // before the point
	if whole == "" {
		places = len(strings.TrimLeft(fraction, "0")) - len(fraction)
	}
	switch size := places + max(-2*maxToken, min(exponent, maxToken)); { // it is under 10 to the power of size
	case whole == "" && strings.Trim(fraction, "0") == "":
	case size > maxSize:
		return errNumber()
	case size == maxSize: // perhaps too large
		if len(whole)+len(fraction) > maxExact {
			return errNumber()
		}
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return errNumber()
		}
	}
	return nil
}

// text reads one. Half of a surrogate pair is a character of its own for some parsers,
// and none, or another, for others.
func (r *reading) text() error {
	for r.at++; r.b[r.at] != '"'; r.at++ {
		if r.b[r.at] != '\\' {
			continue
		}
		if r.at++; r.b[r.at] != 'u' {
			continue
		}
		c := r.escaped()
		if !utf16.IsSurrogate(c) {
			continue
		}
		if !bytes.HasPrefix(r.b[r.at+1:], []byte(`\u`)) {
			return errText()
		}
		if r.at += 2; utf16.DecodeRune(c, r.escaped()) == unicode.ReplacementChar {
			return errText()
		}
	}
	r.at++
	return nil
}

// escaped reads the digits behind u, and stays at the last one.
func (r *reading) escaped() rune {
	c, _ := strconv.ParseUint(string(r.b[r.at+1:r.at+5]), 16, 16)
	r.at += 4
	return rune(c)
}

func unquote(text []byte) (s string) {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1])
	}
	json.Unmarshal(text, &s)
	return s
}

// fold makes one name of all that encoding/json takes for the same: of each letter the
// form that is the least, but a lower one in ASCII, so that most names are left alone.
func fold(name string) string {
	return strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || c == '_' {
			return c
		}
		least := c
		for r := unicode.SimpleFold(c); r != c; r = unicode.SimpleFold(r) {
			if 'a' <= r && r <= 'z' {
				return r
			}
			least = min(least, r)
		}
		return least
	}, name)
}

// noClaims is what golang-jwt is told.
type noClaims struct{}

func (noClaims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (noClaims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (noClaims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (noClaims) GetIssuer() (string, error)                   { return "", nil }
func (noClaims) GetSubject() (string, error)                  { return "", nil }
func (noClaims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

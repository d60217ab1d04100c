package verify

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// maxDepth is how deep objects and lists may be nested. Nobody's tokens are.
const maxDepth = 16

var (
	errUTF8  = refuse(ErrMalformed, "the token has text that is not UTF-8")
	errJSON  = refuse(ErrMalformed, "the token has a part that is not a JSON object")
	errDeep  = refuse(ErrMalformed, "the token's JSON is nested too deeply")
	errTwice = refuse(ErrMalformed, "the token has a member twice, or two that differ in case alone")
)

// strict checks that all parsers read the same in b: JSON in UTF-8, an object, in which
// no object has two members of one name (RFC 7515 §4, RFC 7519 §4). Names that differ in
// case alone count as one, since they are for encoding/json, which is what claims will be
// decoded with.
func strict(b []byte) error {
	if !utf8.Valid(b) {
		return errUTF8
	}
	if !json.Valid(b) || !bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) {
		return errJSON
	}
	var levels [][]string // of each object or list that is open, the names so far
	var lists [maxDepth]bool
	name := false // a string that comes now is a name
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '{', '[':
			if len(levels) == maxDepth {
				return errDeep
			}
			lists[len(levels)] = c == '['
			levels = append(levels, nil)
			name = c == '{'
		case '}', ']':
			last := len(levels) - 1
			if twice(levels[last]) {
				return errTwice
			}
			levels = levels[:last]
		case ',':
			name = !lists[len(levels)-1]
		case '"':
			begin := i
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if name {
				last := len(levels) - 1
				levels[last] = append(levels[last], fold(b[begin:i+1]))
			}
			name = false
		}
	}
	return nil
}

func twice(names []string) bool {
	slices.Sort(names)
	return len(slices.Compact(names)) < len(names)
}

// fold makes one name of all that encoding/json takes for the same: of each letter the
// form that is the least, but a lower one in ASCII, so that most names are left alone.
func fold(quoted []byte) string {
	name := string(quoted[1 : len(quoted)-1])
	if strings.Contains(name, `\`) {
		json.Unmarshal(quoted, &name)
	}
	return strings.Map(func(c rune) rune {
		least := c
		for r := unicode.SimpleFold(c); r != c; r = unicode.SimpleFold(r) {
			if 'a' <= r && r <= 'z' {
				return r
			}
			if least < 'a' || least > 'z' {
				least = min(least, r)
			}
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

package verify

import (
	"encoding/base64"
	"strings"
)

const (
	// maxToken is some times the size of the largest tokens that there are.
	maxToken = 16 << 10

	// maxHeader is that of headers, which two parsers read before anything is known of the
	// token.
	maxHeader = 2 << 10
)

// header is what a token's first part says (RFC 7515 §4).
type header struct {
	algorithm string
	keyID     string // empty if it names none
	typ       string // empty if it has none
}

// foreign are members that would have the token decide by which key, or how, it is
// verified. A token that has one is made by somebody who wants that, or for somebody who
// does it: RFC 8725 §3.10, RFC 7515 §4.1.11, RFC 7797 §3, RFC 7516 §4.1.
var foreign = []string{"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"}

// parseHeader looks at a token as a whole, and at its first part.
func parseHeader(token string) (*header, error) {
	switch {
	case strings.Count(token, ".") != 2:
		return nil, refuse(ErrMalformed, "the token has not three parts")
	case strings.Contains(token, "\n") || strings.Contains(token, "\r"): // which encoding/base64 skips
		return nil, refuse(ErrMalformed, "the token has a line break")
	}
	first, _, _ := strings.Cut(token, ".")
	if len(first) > maxHeader {
		return nil, refuse(ErrMalformed, "the token's header is over 2 KiB")
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil {
		return nil, refuse(ErrMalformed, "the token's header is not base64url")
	}
	set, err := strict(text, true)
	if err != nil {
		return nil, err
	}
	for _, name := range foreign {
		if _, has := set[name]; has {
			return nil, refuse(ErrMalformed, "the token's header has "+name+", which is not taken from tokens")
		}
	}
	r := reader{set: set}
	h := &header{algorithm: r.text("alg"), keyID: r.text("kid"), typ: r.text("typ")}
	switch {
	case r.err != nil:
		return nil, r.err
	case h.algorithm == "":
		return nil, refuse(ErrMalformed, "the token's header has no alg")
	}
	return h, nil
}

package verify_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/verify"
)

// What is signed is signed by the right key each time: the form alone is wrong.
func TestForms(t *testing.T) {
	s := signer()
	header, claims := b64(s.header()), b64(goodClaims())
	std := func(part []byte) string { return base64.RawStdEncoding.EncodeToString(part) }
	good := s.good()
	text, signature := split(good)
	for std(signature) == b64(signature) { // it is another one each time
		good = s.good()
		text, signature = split(good)
	}
	// A part in which the alphabets differ, in each place.
	odd := `{"iss":"` + authName + `","exp":99999999999,"x":"` + strings.Repeat("??>>~~", 4) + `"}`
	if std([]byte(odd)) == b64(odd) {
		t.Fatal("the alphabets do not differ")
	}
	malformed := func(name, token string) attack { return attack{name, token, verify.ErrMalformed, false} }
	sized := func(bytes int) string { // a token of so many
		for pad := range 3 { // since base64 does not come in all lengths
			token, more := "", 3*bytes/4-1024
			for ; len(token) < bytes; more += max((bytes-len(token))*3/4, 1) {
				token = s.sign(s.header()+strings.Repeat(" ", pad), goodClaims(`"x":"`+strings.Repeat("y", more)+`"`))
			}
			if len(token) == bytes {
				return token
			}
		}
		t.Fatalf("no token has %d bytes", bytes)
		return ""
	}
	wide := func(more int) string { // a token whose header is so many bytes more than 2 KiB of base64
		return s.sign(s.header()+strings.Repeat(" ", 2<<10*3/4-len(s.header())+more), goodClaims())
	}
	attacks := []attack{
		malformed("nothing", ""),
		malformed("a dot", "."),
		malformed("two dots", ".."),
		malformed("one part", header),
		malformed("two parts", text),
		malformed("four parts", good+"."),
		malformed("four parts, one of them before", "."+good),
		malformed("five parts, as of JWE", good+"."+claims+"."+claims),
		malformed("a million dots", strings.Repeat(".", 1e6)),
		malformed("empty header", s.signText("."+claims)),
		malformed("empty claims", s.signText(header+".")),
		{"empty signature", text + ".", verify.ErrSignature, true},
		malformed("JSON in place of base64", s.header()+"."+goodClaims()+"."+string(signature)),
		malformed("1 MB of claims", s.good(`"x":"`+strings.Repeat("y", 1<<20)+`"`)),
		malformed("1 MB of header", s.sign(`{"alg":"ES256","x":"`+strings.Repeat("y", 1<<20)+`"}`, goodClaims())),
		malformed("1 MB of signature", text+"."+strings.Repeat("A", 1<<20)),
		malformed("1 MB of nothing", strings.Repeat("A", 1<<20)),
		malformed("over 16 KiB", sized(16<<10+1)),
		malformed("2 KiB of header", s.sign(`{"alg":"ES256","kid":"`+strings.Repeat("y", 2000)+`"}`, goodClaims())),
		malformed("a byte more than 2 KiB of header", wide(1)),
		malformed("quoted", `"`+good+`"`),
		malformed("with its scheme", "Bearer "+good),
		malformed("NUL behind", good+"\x00"),
		malformed("other letters", strings.Replace(good, "e", "е", 1)), // of another alphabet
	}
	for i, name := range []string{"header", "claims", "signature"} {
		parts := []string{header, claims, b64(signature)}
		change := func(f func(part string) string) string {
			parts := []string{parts[0], parts[1], parts[2]}
			parts[i] = f(parts[i])
			if i == 2 {
				return strings.Join(parts, ".")
			}
			return s.signText(parts[0] + "." + parts[1])
		}
		for _, c := range []string{"\n", "\r", "\r\n", " ", "\t", "=", "==", "%3D", "+", "\x00"} {
			attacks = append(attacks,
				malformed(name+" with "+strings.Trim(c, "\x00")+" behind", change(func(p string) string { return p + c })),
				malformed(name+" with "+strings.Trim(c, "\x00")+" before", change(func(p string) string { return c + p })),
				malformed(name+" with "+strings.Trim(c, "\x00")+" in the middle", change(func(p string) string { return p[:8] + c + p[8:] })))
		}
		attacks = append(attacks,
			malformed(name+" that ends within a byte", change(func(p string) string { return strings.Repeat("A", (5-len(p)%4)%4) + p })),
			malformed(name+" with bits behind", change(withBits)))
	}
	attacks = append(attacks,
		malformed("claims in the other alphabet", s.signText(header+"."+std([]byte(odd)))),
		malformed("signature in the other alphabet", text+"."+std(signature)))
	withstand(t, attacks)

	v := newVerifier(t, nil, issuerOf(s))
	for name, token := range map[string]string{"the good one": good, "the alphabet": s.token(odd), "16 KiB": sized(16 << 10), "2 KiB of header": wide(0)} {
		if err := check(v, token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// withBits is the same in base64, for who is not strict, of a part that has bits to spare.
func withBits(part string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(part)%4 == 0 || len(part)%4 == 1 {
		part = b64(" " + string(must(base64.RawURLEncoding.DecodeString(part))))
	}
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + alphabet[last+1:last+2]
}

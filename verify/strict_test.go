package verify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/verify"
)

// nested is so many objects in each other.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
}

func TestAmbiguousHeaders(t *testing.T) {
	s := signer()
	with := func(header string) string { return s.sign(header, goodClaims()) }
	usual := strings.TrimSuffix(s.header(), "}")
	withstand(t, []attack{
		{"alg twice", with(usual + `,"alg":"ES256"}`), verify.ErrMalformed, false},
		{"alg none first", with(`{"alg":"none",` + s.header()[1:]), verify.ErrMalformed, false},
		{"alg by case", with(usual + `,"ALG":"ES256"}`), verify.ErrMalformed, false},
		{"alg by escapes", with(usual + `,"\u0061lg":"ES256"}`), verify.ErrMalformed, false},
		{"alg by escapes and case", with(usual + `,"\u0041L\u0047":"none"}`), verify.ErrMalformed, false},
		{"kid twice", with(usual + `,"kid":"second"}`), verify.ErrMalformed, false},
		{"kid by the Kelvin sign", with(usual + `,"Kid":"second"}`), verify.ErrMalformed, false},
		{"kid by an escaped Kelvin sign", with(usual + `,"\u212aid":"second"}`), verify.ErrMalformed, false},
		{"typ twice", with(usual + `,"typ":"at+jwt"}`), verify.ErrMalformed, false},
		{"unknown ones twice", with(usual + `,"x":1,"x":1}`), verify.ErrMalformed, false},
		{"twice, further down", with(usual + `,"x":[{"y":{"z":1,"Z":2}}]}`), verify.ErrMalformed, false},
		{"nested", with(usual + `,"x":` + nested(16) + `}`), verify.ErrMalformed, false},
		{"nested 1,000 times", with(usual + `,"x":` + nested(1000) + `}`), verify.ErrMalformed, false},
		{"array", with(`[` + s.header() + `]`), verify.ErrMalformed, false},
		{"null", with(`null`), verify.ErrMalformed, false},
		{"text", with(`"ES256"`), verify.ErrMalformed, false},
		{"number", with(`1`), verify.ErrMalformed, false},
		{"true", with(`true`), verify.ErrMalformed, false},
		{"empty", with(``), verify.ErrMalformed, false},
		{"spaces", with(`   `), verify.ErrMalformed, false},
		{"invalid UTF-8", with(usual + ",\"x\":\"\xff\"}"), verify.ErrMalformed, false},
		{"invalid UTF-8 in a name", with(usual + ",\"x\xc3\x28\":1}"), verify.ErrMalformed, false},
		{"overlong UTF-8", with(usual + ",\"x\":\"\xc0\xae\"}"), verify.ErrMalformed, false},
		{"a surrogate in UTF-8", with(usual + ",\"x\":\"\xed\xa0\x80\"}"), verify.ErrMalformed, false},
		{"half a character in the kid", with(`{"alg":"ES256","kid":"\ud800"}`), verify.ErrMalformed, false},
		{"number out of range", with(usual + `,"x":1e400}`), verify.ErrMalformed, false},
		{"number with a fraction", with(usual + `,"x":[1.5]}`), verify.ErrMalformed, false},
		{"number with an exponent", with(usual + `,"x":1e3}`), verify.ErrMalformed, false},
		{"number with an exponent in capitals", with(usual + `,"x":1E3}`), verify.ErrMalformed, false},
		{"number of many digits", with(usual + `,"x":1234567890123456}`), verify.ErrMalformed, false},
		{"data behind", with(s.header() + "{}"), verify.ErrMalformed, false},
		{"a NUL behind", with(s.header() + "\x00"), verify.ErrMalformed, false},
		{"a comma behind", with(usual + ",}"), verify.ErrMalformed, false},
		{"a comment", with("/**/" + s.header()), verify.ErrMalformed, false},
		{"BOM", with("\ufeff" + s.header()), verify.ErrMalformed, false},
		{"UTF-16", with(strings.Join(strings.Split(s.header(), ""), "\x00")), verify.ErrMalformed, false},
		{"single quotes", with(strings.ReplaceAll(s.header(), `"`, `'`)), verify.ErrMalformed, false},
		{"another kind of space", with("\u00a0" + s.header()), verify.ErrMalformed, false},
	})
}

func TestAmbiguousClaims(t *testing.T) {
	s := signer()
	with := func(more string) string { return s.good(more) }
	withstand(t, []attack{
		{"iss twice", with(`"iss":"` + authName + `"`), verify.ErrMalformed, false},
		{"exp twice", with(`"exp":99999999999`), verify.ErrMalformed, false},
		{"exp by case", with(`"Exp":99999999999`), verify.ErrMalformed, false},
		{"exp by escapes", with(`"\u0065xp":99999999999`), verify.ErrMalformed, false},
		{"sub by a long s", with(`"sub":"a","ſub":"b"`), verify.ErrMalformed, false},
		{"sub by an escaped long s", with(`"sub":"a","\u017fub":"b"`), verify.ErrMalformed, false},
		{"ks of all kinds", with(`"k":1,"K":1`), verify.ErrMalformed, false},
		{"by case, not in ASCII", with(`"é":1,"É":1`), verify.ErrMalformed, false},
		{"three cases of sigma", with(`"σ":1,"ς":1`), verify.ErrMalformed, false},
		{"by escapes of backslashes", with(`"\\":1,"\u005c":1`), verify.ErrMalformed, false},
		{"empty names", with(`"":1,"":1`), verify.ErrMalformed, false},
		{"twice, further down", with(`"owner":{"id":"a","type":"Customer","id":"b"}`), verify.ErrMalformed, false},
		{"twice, by case, further down", with(`"owner":{"id":"a","ID":"b"}`), verify.ErrMalformed, false},
		{"twice in a list", with(`"x":[1,{"a":1},{"a":1,"a":2}]`), verify.ErrMalformed, false},
		{"twice, behind an object", with(`"x":{"a":{"b":1},"a":2}`), verify.ErrMalformed, false},
		{"twice, behind texts with quotes", with(`"x":{"a":"\",\"b\":1","b":"\\","b":1}`), verify.ErrMalformed, false},
		{"twice, with spaces", with("\"x\" \t:\r\n{ \"a\" : 1 , \"a\" : 2 } "), verify.ErrMalformed, false},
		{"nested objects", with(`"x":` + nested(16)), verify.ErrMalformed, false},
		{"nested lists", with(`"x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16)), verify.ErrMalformed, false},
		{"nested 5,000 times", with(`"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)), verify.ErrMalformed, false},
		{"invalid UTF-8", with("\"x\":\"\xff\""), verify.ErrMalformed, false},
		{"invalid UTF-8 in a name", with("\"\xff\":1"), verify.ErrMalformed, false},
		{"a cut character", with("\"x\":\"\xe2\x82\""), verify.ErrMalformed, false},
		{"first half of a character", with(`"sub":"\ud83d"`), verify.ErrMalformed, false},
		{"first half twice", with(`"sub":"\ud83d\ud83d\ude00"`), verify.ErrMalformed, false},
		{"first half and another escape", with(`"sub":"\ud83d\u0041"`), verify.ErrMalformed, false},
		{"first half and a line feed", with(`"sub":"\ud83d\n"`), verify.ErrMalformed, false},
		{"second half of a character", with(`"sub":"\ude00"`), verify.ErrMalformed, false},
		{"half in a name", with(`"x":{"\uD83D":1}`), verify.ErrMalformed, false},
		{"half in a list", with(`"x":["\uDE00"]`), verify.ErrMalformed, false},
		{"number out of range", with(`"x":1e400`), verify.ErrMalformed, false},
		{"number just out of range", with(`"x":[1.8e308]`), verify.ErrMalformed, false},
		{"negative number out of range", with(`"x":-1E+309`), verify.ErrMalformed, false},
		{"exponent too long", with(`"x":1e` + strings.Repeat("9", 30)), verify.ErrMalformed, false},
		{"exponent that overflows", with(`"x":1e9223372036854775807`), verify.ErrMalformed, false},
		{"number of too many digits", with(`"x":` + strings.Repeat("1", 310)), verify.ErrMalformed, false},
		{"number that is almost nothing times too much", with(`"x":0.0001e320`), verify.ErrMalformed, false},
		{"long number at the limit", with(`"x":1.00000000000000000000001e308`), verify.ErrMalformed, false},
		{"negative number out of range", with(`"x":[-1E+309]`), verify.ErrMalformed, false},
		{"long number out of range", with(`"x":{"y":1` + strings.Repeat("0", 400) + `}`), verify.ErrMalformed, false},
		{"NaN", with(`"x":NaN`), verify.ErrMalformed, false},
		{"leading zero", with(`"x":01`), verify.ErrMalformed, false},
		{"hexadecimal", with(`"x":0x10`), verify.ErrMalformed, false},
		{"control character", with("\"x\":\"\x00\""), verify.ErrMalformed, false},
		{"null", s.token(`null`), verify.ErrMalformed, false},
		{"null with spaces", s.token(` null `), verify.ErrMalformed, false},
		{"array", s.token(`[` + goodClaims() + `]`), verify.ErrMalformed, false},
		{"empty array", s.token(`[]`), verify.ErrMalformed, false},
		{"text", s.token(`"a"`), verify.ErrMalformed, false},
		{"claims in a text", s.token(fmt.Sprintf("%q", goodClaims())), verify.ErrMalformed, false},
		{"number", s.token(`1`), verify.ErrMalformed, false},
		{"false", s.token(`false`), verify.ErrMalformed, false},
		{"empty", s.token(``), verify.ErrMalformed, false},
		{"empty object", s.token(`{}`), verify.ErrMissingClaim, false},
		{"data behind", s.token(goodClaims() + `{}`), verify.ErrMalformed, false},
		{"a brace behind", s.token(goodClaims() + `}`), verify.ErrMalformed, false},
		{"a NUL behind", s.token(goodClaims() + "\x00"), verify.ErrMalformed, false},
		{"BOM", s.token("\ufeff" + goodClaims()), verify.ErrMalformed, false},
		{"cut", s.token(strings.TrimSuffix(goodClaims(), "}")), verify.ErrMalformed, false},
		{"not JSON", s.token(`iss=https://auth.test`), verify.ErrMalformed, false},
	})
}

// What is unusual, and means the same to everybody.
func TestUnambiguousClaims(t *testing.T) {
	s := signer()
	v := newVerifier(t, nil, issuerOf(s))
	for _, more := range []string{
		`"x":` + nested(15),
		`"x":` + strings.Repeat("[", 15) + strings.Repeat("]", 15),
		`"x":{"a":1},"y":{"a":1},"z":[{"a":1},{"a":1}]`,
		`"x":["a","a","A"]`,
		`"x":[` + strings.Repeat(`{},[],`, 20) + `0]`, // not deep, but wide
		`"x":"x","y":"x"`,
		`"x":"{\"a\":1,\"a\":2}"`,
		`"x":"\\\\\"","y":"\u0022,\u0022"`,
		`"x":"\ud83d\ude00 \uD83D\uDE00 😀 \u00e9 \\ud83d \ufffd"`,
		`"x":[1.5e300,-0,-0.0e9,0.1,1E-400,2e+0007,12345678901234567890,1.7976931348623157e308,5e-324,9.9999999999999999e-9223372036854775808,-0.00012e312,` + strings.Repeat("7", 308) + `,0.` + strings.Repeat("0", 400) + `1e600,0e400]`,
		"\"x\" \n: [ 1 , 2 ] , \"y\"\t:{ } ",
		`"x":[true,false,null],"y":null,"z":[]`,
		`"ı":1,"i":1,"ß":1,"ss":1`, // pairs that other ways of folding make one
	} {
		token := s.good(more)
		c, err := v.Claims(context.Background(), token)
		if err != nil {
			t.Errorf("%s: %v", more, err)
			continue
		}
		if !strings.Contains(string(c.Raw), more) {
			t.Errorf("got the claims %s, want %s in them", c.Raw, more)
		}
	}
	for _, claims := range []string{" " + goodClaims() + "\n", "\r\n\t" + goodClaims()} {
		if err := check(v, s.token(claims)); err != nil {
			t.Errorf("space around the claims: %v", err)
		}
	}
	if err := check(v, s.sign(" "+s.header()+"\n", goodClaims())); err != nil {
		t.Errorf("space around the header: %v", err)
	}
}

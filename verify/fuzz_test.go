package verify_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/bearerkit/bearer/verify"
	"github.com/golang-jwt/jwt/v5"
)

// fuzzer signs what is fuzzed. Its key is the same in each process.
var fuzzer = &authority{"k", "EdDSA", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))}

var fuzzed = sync.OnceValues(func() (plain, caching *verify.Verifier) {
	plain = must(verify.New([]verify.Issuer{issuerOf(fuzzer)}, &verify.Options{Leeway: -1, CacheBytes: -1}))
	return plain, must(verify.New([]verify.Issuer{issuerOf(fuzzer)}, &verify.Options{Leeway: -1}))
})

// peer is golang-jwt, as strict as it can be with the same rules.
var peer = jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding())

var kinds = []error{
	verify.ErrMalformed, verify.ErrAlgorithm, verify.ErrIssuer, verify.ErrAudience, verify.ErrMissingClaim, verify.ErrUnknownKey,
	verify.ErrSignature, verify.ErrNotAdmitted, verify.ErrNotYetValid, verify.ErrExpired, verify.ErrRefused,
}

// examine compares what is said of a token with what golang-jwt says: it must accept
// what we accept, and read the same; where only we refuse, it is for a rule of ours.
func examine(t *testing.T, token string) {
	t.Helper()
	ctx := context.Background()
	plain, caching := fuzzed()
	own, err := plain.Claims(ctx, token)
	for range 2 {
		if _, again := caching.Verify(ctx, token); (again == nil) != (err == nil) || err != nil && !errors.Is(again, errors.Unwrap(err)) {
			t.Errorf("got the error %v at first, and then %v", err, again)
		}
	}
	theirs := jwt.MapClaims{}
	_, peerErr := peer.ParseWithClaims(token, theirs, func(*jwt.Token) (any, error) { return fuzzer.key.Public(), nil })
	if err == nil {
		if peerErr != nil {
			t.Fatalf("golang-jwt refuses what we accept: %v", peerErr)
		}
		compareClaims(t, own, theirs)
		return
	}
	wantRefusal(t, err, token, kinds...)
	if peerErr == nil {
		wantOwnRule(t, err, token, theirs)
	}
}

func compareClaims(t *testing.T, own *verify.Claims, theirs jwt.MapClaims) {
	t.Helper()
	iss, _ := theirs.GetIssuer()
	sub, _ := theirs.GetSubject()
	exp, err := theirs.GetExpirationTime()
	if own.Issuer != iss || own.Subject != sub || err != nil || !own.ExpiresAt.Equal(exp.Time) {
		t.Errorf("got the issuer %q, subject %q and end %v, golang-jwt %q, %q and %v (%v)", own.Issuer, own.Subject, own.ExpiresAt, iss, sub, exp, err)
	}
	if why := ambiguity(own.Raw); why != "" {
		t.Errorf("accepted, though %s", why)
	}
	if slices.ContainsFunc(numbers(own.Raw), isExtreme) {
		t.Errorf("accepted, with the numbers %q", numbers(own.Raw))
	}
	for name := range theirs {
		for _, ours := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} {
			if name != ours && strings.EqualFold(name, ours) {
				return // encoding/json would take it, alone as it is, for ours
			}
		}
	}
	var registered jwt.RegisteredClaims // what encoding/json makes of them
	if err := json.Unmarshal(own.Raw, &registered); err != nil || registered.Issuer != iss || registered.Subject != sub || !registered.ExpiresAt.Equal(exp.Time) {
		t.Errorf("another parser reads %+v (%v)", registered, err)
	}
}

// wantOwnRule checks that a token which golang-jwt accepts is refused for a rule that is
// stricter here, and that it is as the error says.
func wantOwnRule(t *testing.T, err error, token string, c jwt.MapClaims) {
	t.Helper()
	parts := strings.Split(token, ".")
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	both := string(header) + string(claims)
	ambiguous := ambiguity(header) + ambiguity(claims)
	var h map[string]any
	json.Unmarshal(header, &h)
	one := func(of map[string]any, name string) bool { return of[name] != nil && !isText(of[name]) }
	rules := map[string]bool{
		"the token is malformed":                                         len(c) == 0,
		"the token is over 16 KiB":                                       len(token) > 16<<10,
		"the token's header is over 2 KiB":                               len(parts[0]) > 2<<10,
		"the token has text that is not UTF-8":                           !utf8.ValidString(both) || strings.Contains(strings.ToLower(both), `\ud`),
		"the token has a part that is not a JSON object":                 len(c) == 0,
		"the token's claims are not a JSON object":                       len(c) == 0,
		"the token's JSON is nested too deeply":                          strings.Contains(ambiguous, "depth"),
		"the token has a member twice, or two that differ in case alone": strings.Contains(ambiguous, "name"),
		"the token has a number that is out of range":                    slices.ContainsFunc(numbers(claims), isExtreme),
		"the token's header has a number that is not a whole one of up to 15 digits": slices.ContainsFunc(numbers(header), func(n string) bool {
			_, err := strconv.ParseInt(n, 10, 64)
			return err != nil || len(n) > 15
		}),
		"the token's header has no alg":                    one(h, "alg"),
		"the token's alg is not a text":                    one(h, "alg"),
		"the token's kid is not a text":                    one(h, "kid"),
		"the token's typ is not a text":                    one(h, "typ"),
		"the token's iss is not a text":                    one(c, "iss"),
		"the token's sub is not a text":                    one(c, "sub"),
		"the token's jti is not a text":                    one(c, "jti"),
		"the token's aud is not a text or a list of texts": one(c, "aud"),
		"the token's typ says that it is none for here":    isText(h["typ"]),
		"the token has no iss":                             c["iss"] == nil || c["iss"] == "",
		"the token's issuer is unknown":                    c["iss"] != authName,
		"the token is for another audience":                c["aud"] != nil,
		"the token's key is not in its issuer's key set":   isText(h["kid"]) && h["kid"] != "k",
		"the token has a line break":                       strings.ContainsAny(token, "\r\n"),
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		number, is := c[name].(float64)
		rules["the token's "+name+" is not a number of whole seconds"] = is && (number != float64(int64(number)) || number > 253402300799 || number <= 0 || strings.ContainsAny(string(claims), ".eE"))
	}
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"} {
		_, has := h[name]
		rules["the token's header has "+name+", which is not taken from tokens"] = has
	}
	own, _ := errors.AsType[*verify.Error](err)
	if !rules[own.Description()] {
		t.Errorf("golang-jwt accepts what we refuse: %v\nheader: %q\nclaims: %q", err, header, claims)
	}
}

// numbers are those of an object, as they are written.
func numbers(b []byte) (all []string) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return all
		}
		if n, is := token.(json.Number); is {
			all = append(all, n.String())
		}
	}
}

// isExtreme reports whether a number is beyond a float64's range, or may be, and is long, or
// has an exponent that is.
func isExtreme(n string) bool {
	f, err := strconv.ParseFloat(n, 64)
	_, exponent, _ := strings.Cut(strings.ToLower(n), "e")
	return err != nil || math.Abs(f) >= 9e307 && len(n) > 19 || len(exponent) > 18
}

func isText(v any) bool { _, is := v.(string); return is }

// ambiguity says why an object is not the same to all, by other means than the package's.
func ambiguity(b []byte) (why string) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var walk func(depth int)
	walk = func(depth int) {
		token, err := d.Token()
		delim, opens := token.(json.Delim)
		if err != nil || !opens {
			return
		}
		if depth == 16 {
			why += "the depth is more than 16; "
		}
		var names []string
		for d.More() {
			if delim == '{' {
				name, _ := d.Token()
				text := name.(string)
				for _, other := range names {
					if strings.EqualFold(text, other) {
						why += fmt.Sprintf("the name %q is there as %q too; ", text, other)
					}
				}
				names = append(names, text)
			}
			walk(depth + 1)
		}
		d.Token()
	}
	walk(0)
	return why
}

// headers and claims to begin with.
var (
	someHeaders = []string{
		`{"alg":"EdDSA"}`, `{"alg":"EdDSA","typ":"JWT","kid":"k"}`, `{"alg":"none"}`, `{"alg":"EdDSA","jku":"x"}`, `{"alg":"EdDSA","crit":["b64"],"b64":false}`,
		`{"alg":"EdDSA","\u0061lg":"none"}`, ` { "alg" : "EdDSA" , "x" : [ 1 , { } ] } `, `{"alg":"EdDSA","Kid":"k"}`, `{"alg":"EdDSA","kid":"\ud800"}`, `{"alg":"EdDSA","typ":"dpop+jwt"}`,
		`[]`, `null`, `{}`, ``, `{"alg":["EdDSA"]}`, `{"alg":"EdDSA","x":1e400}`, `{"alg":"EdDSA","x":123456789012345,"y":-12345678901234}`, `{"alg":"EdDSA","x":1.5}`, `{"alg":"EdDSA","x":1234567890123456}`,
	}
	someClaims = []string{
		`{"iss":"https://auth.test","exp":99999999999}`, `{"iss":"https://auth.test","exp":1}`, `{"iss":"https://auth.test","exp":9e10}`, `{"iss":"https://auth.test","exp":99999999999.5}`,
		`{"iss":"https://auth.test","exp":99999999999,"Exp":1}`, `{"iss":"https://auth.test","exp":99999999999,"sub":"a","ſub":"b"}`, `{"iss":"https://auth.test","exp":99999999999,"sub":"\ud83d\ude00"}`,
		`{"iss":"https://auth.test","exp":99999999999,"nbf":1,"iat":1,"aud":["x"],"jti":"1","scope":"a b"}`, `{"iss":"https://auth.test","exp":"99999999999"}`, `{"iss":"https://auth.test","exp":99999999999,"x":1e400}`, `{"iss":"https://auth.test","exp":99999999999,"x":[1e-500,1.7976931348623157e308,0.0001e311,-0e9,1e309]}`,
		`{"iss":"https://auth.test","exp":99999999999,"x":{"y":[{"z":"\"","Z":1}]}}`, `{"iss":null,"exp":99999999999}`, `{"iss":"https://auth.test","exp":99999999999,"nbf":null}`, `null`, `[]`, `"x"`, ``,
		`{"iss":"https://auth.test","exp":99999999999,"x":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}`,
	}
)

func FuzzVerify(f *testing.F) {
	for _, header := range someHeaders {
		f.Add(fuzzer.sign(header, someClaims[0]))
	}
	for _, claims := range someClaims {
		f.Add(fuzzer.token(claims))
	}
	f.Fuzz(examine)
}

func FuzzHeader(f *testing.F) {
	for _, header := range someHeaders {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) { examine(t, fuzzer.sign(header, someClaims[0])) })
}

func FuzzClaims(f *testing.F) {
	for _, claims := range someClaims {
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, claims string) { examine(t, fuzzer.token(claims)) })
}

// dice makes tokens that are right, nearly right, and not.
type dice struct{ *rand.Rand }

func (d dice) of(list ...string) string { return list[d.IntN(len(list))] }

func (d dice) value(depth int) string {
	switch d.IntN(8) {
	case 0:
		if depth < 20 {
			return d.object(d.IntN(3), depth+1)
		}
	case 1:
		if depth < 20 {
			return "[" + d.value(depth+1) + "," + d.value(depth+1) + "]"
		}
	case 2:
		return strings.Repeat("[", d.IntN(20)) + "0" // mostly broken
	case 3:
		return fmt.Sprint(d.Int64N(1 << 40))
	}
	return d.of(`"a"`, `""`, `"`+authName+`"`, `"us"`, `null`, `true`, `0`, `1`, `-1`, `1.0`, `1e3`, `1e400`, `99999999999`, `253402300800`, `"\u0041"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\""`, `"JWT"`, `"k"`, "\"\xff\"", `[]`, `{}`)
}

func (d dice) member(depth int) string {
	name := d.of("iss", "exp", "nbf", "iat", "aud", "sub", "jti", "scope", "alg", "kid", "typ", "crit", "jwk", "x", "y", "Exp", "ISS", "\\u0065xp", "ſub", "K", "k", "é", "É", "", "\\\\", "\\\"")
	return `"` + name + `":` + d.value(depth)
}

func (d dice) object(members, depth int, fixed ...string) string {
	for range members {
		fixed = append(fixed, d.member(depth))
	}
	d.Shuffle(len(fixed), func(i, j int) { fixed[i], fixed[j] = fixed[j], fixed[i] })
	space := d.of("", "", "", " ", "\n\t")
	return "{" + space + strings.Join(fixed, space+","+space) + "}"
}

// damage changes a text here and there, or not.
func (d dice) damage(text string) string {
	b := []byte(text)
	for d.IntN(4) == 0 && len(b) > 0 {
		i := d.IntN(len(b))
		switch d.IntN(4) {
		case 0:
			b[i] ^= 1 << d.IntN(8)
		case 1:
			b = append(b[:i], b[i+1:]...)
		case 2:
			b = append(b[:i:i], append([]byte(d.of(`"`, `\`, `,`, `{`, `}`, " ", "\n", "=", ".", "0", "e", "\x00", "\ufeff")), b[i:]...)...)
		case 3:
			b = b[:i]
		}
	}
	return string(b)
}

func (d dice) token() string {
	header := d.object(d.IntN(5)/3, 0, d.of(`"alg":"EdDSA"`, `"alg":"EdDSA"`, `"alg":"EdDSA"`, `"alg":"none"`, `"alg":"HS256"`), d.of(`"kid":"k"`, `"typ":"JWT"`, `"typ":"at+jwt"`, `"x":1`))
	exp := d.of("99999999999", "99999999999", "253402300799", "1", "1e11", "99999999999.5")
	claims := d.object(d.IntN(4), 0, `"iss":"`+authName+`"`, `"exp":`+exp)
	if d.IntN(3) == 0 {
		header = d.damage(header)
	}
	if d.IntN(2) == 0 {
		claims = d.damage(claims)
	}
	token := fuzzer.sign(header, claims)
	if d.IntN(8) == 0 {
		token = d.damage(token)
	}
	return token
}

func TestAgainstGolangJWT(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := dice{rand.New(rand.NewPCG(seed, 0))}
	accepted := 0
	const cases = 1500
	for range cases {
		token := d.token()
		examine(t, token)
		plain, _ := fuzzed()
		if check(plain, token) == nil {
			accepted++
		}
		if t.Failed() {
			t.Fatalf("the token %s", token)
		}
	}
	if accepted < cases/20 || accepted > cases/2 {
		t.Errorf("%d of %d tokens are accepted: they show too little", accepted, cases)
	}
}

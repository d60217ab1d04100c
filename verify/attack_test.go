package verify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bearerkit/bearer/verify"
)

// published is a Base that answers with a key set, and counts how often.
type published struct {
	set      []byte
	requests atomic.Int64
}

func (p *published) RoundTrip(r *http.Request) (*http.Response, error) {
	p.requests.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(p.set)), Request: r}, nil
}

// attack is a token that must be refused.
type attack struct {
	name  string
	token string
	want  error
	keys  bool // only the keys tell
}

const otherName = "https://other.test"

// The keys of the attacks: authName has the first three, otherName the fourth under the
// kid of the first.
var (
	signer    = func() *authority { return of("ES256") }
	second    = sync.OnceValue(func() *authority { return fresh("second") })
	rsaSigner = func() *authority { return of("RS512") }
	stranger  = sync.OnceValue(func() *authority { return fresh(signer().kid) })
)

// withstand shows that attacks are refused with the right error, that nothing is asked
// for because of them and nothing remembered, by a Verifier that knows nothing yet and by
// one that has seen a good token.
func withstand(t *testing.T, attacks []attack) {
	t.Helper()
	newVerifiers := func(t *testing.T) (*verify.Verifier, *published) {
		base := &published{set: keySet(signer(), second(), rsaSigner())}
		return newVerifier(t, &verify.Options{Base: base},
			verify.Issuer{Name: authName, KeySetURL: keysURL, Algorithms: []string{"ES256", "RS512", "RS256"}},
			verify.Issuer{Name: otherName, KeySet: keySet(stranger()), Algorithms: []string{"ES256"}}), base
	}
	good := signer().good()
	warm, warmBase := newVerifiers(t)
	if err := check(warm, good); err != nil {
		t.Fatal("the good token:", err)
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			cold, coldBase := newVerifiers(t)
			for range 2 { // a second time, which could be remembered
				wantRefusal(t, check(cold, a.token), a.token, a.want)
				wantRefusal(t, check(warm, a.token), a.token, a.want)
			}
			if n := coldBase.requests.Load(); n != 0 && !a.keys || n > 1 {
				t.Errorf("%d requests for a key set", n)
			}
			if n := warmBase.requests.Load(); n != 1 {
				t.Errorf("%d requests for a key set after a good token's", n-1)
			}
			if n := verify.Seen(cold); n != 0 {
				t.Errorf("%d tokens are remembered", n)
			}
			if n := verify.Seen(warm); n != 1 {
				t.Errorf("%d tokens are remembered, want the good one alone", n)
			}
		})
	}
	if err := check(warm, good); err != nil {
		t.Error("the good token, in the end:", err)
	}
	if _, err := warm.Claims(context.Background(), attacks[0].token); err == nil {
		t.Error("Claims accepts the first attack")
	}
}

func TestForgedIssuers(t *testing.T) {
	s := signer()
	claims := func(iss string) string { return fmt.Sprintf(`{%s"exp":99999999999}`, iss) }
	withstand(t, []attack{
		{"of a stranger", s.token(claims(`"iss":"https://evil.test",`)), verify.ErrIssuer, false},
		{"none", s.token(claims("")), verify.ErrMissingClaim, false},
		{"null", s.token(claims(`"iss":null,`)), verify.ErrMissingClaim, false},
		{"empty", s.token(claims(`"iss":"",`)), verify.ErrMissingClaim, false},
		{"another one's, by this key", s.token(claims(`"iss":"` + otherName + `",`)), verify.ErrSignature, false},
		{"this one's, by another one's key of the same kid", stranger().good(), verify.ErrSignature, true},
		{"upper case", s.token(claims(`"iss":"HTTPS://AUTH.TEST",`)), verify.ErrIssuer, false},
		{"slash behind", s.token(claims(`"iss":"` + authName + `/",`)), verify.ErrIssuer, false},
		{"space behind", s.token(claims(`"iss":"` + authName + ` ",`)), verify.ErrIssuer, false},
		{"NUL behind", s.token(claims(`"iss":"` + authName + `\u0000",`)), verify.ErrIssuer, false},
		{"longer", s.token(claims(`"iss":"` + authName + `.evil.test",`)), verify.ErrIssuer, false},
		{"in a list", s.token(claims(`"iss":["` + authName + `"],`)), verify.ErrMalformed, false},
		{"an object", s.token(claims(`"iss":{},`)), verify.ErrMalformed, false},
		{"a number", s.token(claims(`"iss":1,`)), verify.ErrMalformed, false},
		{"in upper case only", s.token(claims(`"ISS":"` + authName + `",`)), verify.ErrMissingClaim, false},
	})
}

func TestForgedAlgorithms(t *testing.T) {
	s := rsaSigner()
	header := func(alg string) string { return fmt.Sprintf(`{"alg":%s,"typ":"JWT","kid":%q}`, alg, s.kid) }
	attacks := []attack{
		{"other RS", s.signAs("RS384", header(`"RS384"`)), verify.ErrAlgorithm, false},
		{"PS by the same key", s.signAs("PS512", header(`"PS512"`)), verify.ErrAlgorithm, false},
		{"PS signature under RS", s.signAs("PS512", header(`"RS512"`)), verify.ErrSignature, true},
		{"RS256 signature under RS512", s.signAs("RS256", header(`"RS512"`)), verify.ErrSignature, true},
		{"one that the issuer has and the key has not", s.signAs("RS256", header(`"RS256"`)), verify.ErrUnknownKey, true},
		{"ES384", of("ES384").signAs("ES384", header(`"ES384"`)), verify.ErrAlgorithm, false},
		{"ES256 signature under RS512", signer().signAs("ES256", header(`"RS512"`)), verify.ErrSignature, true},
		{"ES256 under the kid of an RSA key", signer().signAs("ES256", header(`"ES256"`)), verify.ErrUnknownKey, true},
		{"unknown", s.sign(header(`"XX999"`), goodClaims()), verify.ErrAlgorithm, false},
		{"empty", s.sign(header(`""`), goodClaims()), verify.ErrMalformed, false},
		{"null", s.sign(header(`null`), goodClaims()), verify.ErrMalformed, false},
		{"a list", s.sign(header(`["RS512"]`), goodClaims()), verify.ErrMalformed, false},
		{"a number", s.sign(header(`512`), goodClaims()), verify.ErrMalformed, false},
		{"lower case", s.sign(header(`"rs512"`), goodClaims()), verify.ErrAlgorithm, false},
		{"space behind", s.sign(header(`"RS512 "`), goodClaims()), verify.ErrAlgorithm, false},
		{"none at all", s.sign(`{"typ":"JWT"}`, goodClaims()), verify.ErrMalformed, false},
		{"upper case name", s.sign(`{"ALG":"RS512","kid":"`+s.kid+`"}`, goodClaims()), verify.ErrMalformed, false},
		{"no header", s.sign(`{}`, goodClaims()), verify.ErrMalformed, false},
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", "nonе"} {
		text := b64(header(`"`+none+`"`)) + "." + b64(goodClaims()) + "."
		attacks = append(attacks,
			attack{none + " without signature", text, verify.ErrAlgorithm, false},
			attack{none + " with one", s.sign(header(`"`+none+`"`), goodClaims()), verify.ErrAlgorithm, false})
	}
	withstand(t, attacks)
}

// signAs signs good claims by an algorithm, whatever the header says.
func (a *authority) signAs(alg, header string) string {
	text := b64(header) + "." + b64(goodClaims())
	return text + "." + b64(a.signature(alg, text))
}

// The public key, in all its forms, is no secret.
func TestPublicKeyAsSecret(t *testing.T) {
	s := rsaSigner()
	public := s.key.Public().(*rsa.PublicKey)
	pkix := must(x509.MarshalPKIXPublicKey(public))
	pkcs1 := x509.MarshalPKCS1PublicKey(public)
	inPEM := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	set := keySet(s, signer())
	var parsed struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(set, &parsed); err != nil {
		t.Fatal(err)
	}
	secrets := map[string][]byte{
		"PKIX PEM": inPEM("PUBLIC KEY", pkix), "PKIX PEM, trimmed": bytes.TrimSpace(inPEM("PUBLIC KEY", pkix)), "PKIX DER": pkix,
		"PKCS1 PEM": inPEM("RSA PUBLIC KEY", pkcs1), "PKCS1 DER": pkcs1,
		"JWK": parsed.Keys[0], "JWK Set": set, "modulus": public.N.Bytes(), "modulus in base64": []byte(b64(public.N.Bytes())),
		"nothing": {}, "a zero": {0},
	}
	hashes := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}
	var attacks []attack
	for name, secret := range secrets {
		for alg, hash := range hashes {
			mac := func(said string) string {
				text := b64(fmt.Sprintf(`{"alg":%q,"kid":%q}`, said, s.kid)) + "." + b64(goodClaims())
				m := hmac.New(hash, secret)
				m.Write([]byte(text))
				return text + "." + b64(m.Sum(nil))
			}
			attacks = append(attacks,
				attack{alg + " with " + name, mac(alg), verify.ErrAlgorithm, false},
				attack{alg + " with " + name + ", said to be RS512", mac("RS512"), verify.ErrSignature, true})
		}
	}
	withstand(t, attacks)
}

func TestForgedKeyIDs(t *testing.T) {
	s := signer()
	with := func(kid string) string {
		return s.sign(`{"alg":"ES256","typ":"JWT","kid":`+kid+`}`, goodClaims())
	}
	withstand(t, []attack{
		{"unknown", with(`"nobody"`), verify.ErrUnknownKey, true},
		{"another key's", with(`"second"`), verify.ErrSignature, true},
		{"none, of two keys", s.sign(`{"alg":"ES256"}`, goodClaims()), verify.ErrUnknownKey, true},
		{"null, of two keys", with(`null`), verify.ErrUnknownKey, true},
		{"empty, of two keys", with(`""`), verify.ErrUnknownKey, true},
		{"a path", with(`"../../../../../../dev/null"`), verify.ErrUnknownKey, true},
		{"SQL", with(`"x' UNION SELECT 'secret'; --"`), verify.ErrUnknownKey, true},
		{"an address", with(`"https://evil.test/jwks.json"`), verify.ErrUnknownKey, true},
		{"NUL", with(`"` + s.kid + `\u0000"`), verify.ErrUnknownKey, true},
		{"upper case", with(`"` + strings.ToUpper(s.kid) + `"`), verify.ErrUnknownKey, true},
		{"1 KB", with(`"` + strings.Repeat("k", 1000) + `"`), verify.ErrUnknownKey, true},
		{"a number", with(`1`), verify.ErrMalformed, false},
		{"a list", with(`["` + s.kid + `"]`), verify.ErrMalformed, false},
		{"an object", with(`{"` + s.kid + `":1}`), verify.ErrMalformed, false},
	})
}

// What a header must not have: its signature is right, its key is, and it is refused
// before either is looked at.
func TestForeignHeaders(t *testing.T) {
	s := signer()
	with := func(more string) string {
		return s.sign(fmt.Sprintf(`{"alg":"ES256","typ":"JWT","kid":%q,%s}`, s.kid, more), goodClaims())
	}
	attacks := []attack{
		{"jwk", with(`"jwk":` + second().jwk()), verify.ErrMalformed, false},
		{"jku", with(`"jku":"` + keysURL + `"`), verify.ErrMalformed, false},
		{"x5u", with(`"x5u":"https://evil.test/cert.pem"`), verify.ErrMalformed, false},
		{"x5c", with(`"x5c":["MIIB"]`), verify.ErrMalformed, false},
		{"crit", with(`"crit":["exp"],"exp":1`), verify.ErrMalformed, false},
		{"crit of nothing", with(`"crit":[]`), verify.ErrMalformed, false},
		{"crit of null", with(`"crit":null`), verify.ErrMalformed, false},
		{"b64", with(`"b64":false,"crit":["b64"]`), verify.ErrMalformed, false},
		{"b64 alone", with(`"b64":true`), verify.ErrMalformed, false},
		{"zip", with(`"zip":"DEF"`), verify.ErrMalformed, false},
		{"enc", with(`"enc":"A256GCM"`), verify.ErrMalformed, false},
		{"escaped", with(`"\u006aku":"` + keysURL + `"`), verify.ErrMalformed, false},
		{"empty jwk", with(`"jwk":{}`), verify.ErrMalformed, false},
	}
	header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"jwk":%s}`, s.kid, second().jwk())
	attacks = append(attacks,
		attack{"own key in jwk", second().sign(header, goodClaims()), verify.ErrMalformed, false},
		attack{"own key in jwk, without kid", second().sign(`{"alg":"ES256","jwk":`+second().jwk()+`}`, goodClaims()), verify.ErrMalformed, false},
		attack{"own key of another type in jwk", rsaSigner().sign(fmt.Sprintf(`{"alg":"RS512","kid":%q,"jwk":%s}`, s.kid, rsaSigner().jwk()), goodClaims()), verify.ErrMalformed, false})
	withstand(t, attacks)

	v := newVerifier(t, nil, issuerOf(s))
	if err := check(v, with(`"x5t":"AAAA","x5t#S256":"BBBB","cty":"JWT","JKU":"x","other":{"jwk":1}`)); err != nil {
		t.Error("members that have no effect:", err)
	}
}

func TestTypes(t *testing.T) {
	s := signer()
	with := func(typ string) string {
		return s.sign(fmt.Sprintf(`{"alg":"ES256","kid":%q%s}`, s.kid, typ), goodClaims())
	}
	var attacks []attack
	for _, typ := range []string{"dpop+jwt", "logout+jwt", "secevent+jwt", "JWS", "JWE", "JOSE", "at+jwt ", "text/jwt", "application/application/jwt", "application/dpop+jwt", "at+jwt;x=1", "jwt\u0000", "at jwt"} {
		attacks = append(attacks, attack{typ, with(fmt.Sprintf(`,"typ":%s`, must(json.Marshal(typ)))), verify.ErrMalformed, false})
	}
	for _, typ := range []string{`1`, `["JWT"]`, `{}`, `true`} {
		attacks = append(attacks, attack{typ, with(`,"typ":` + typ), verify.ErrMalformed, false})
	}
	withstand(t, attacks)

	v := newVerifier(t, nil, issuerOf(s))
	for _, typ := range []string{"", `,"typ":null`, `,"typ":""`, `,"typ":"JWT"`, `,"typ":"jwt"`, `,"typ":"jWt"`, `,"typ":"application/JWT"`, `,"typ":"at+jwt"`, `,"typ":"AT+JWT"`, `,"typ":"Application/at+jwt"`} {
		if err := check(v, with(typ)); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
	narrow := issuerOf(s)
	narrow.Types = []string{"application/AT+jwt"}
	v = newVerifier(t, nil, narrow)
	if err := check(v, with(`,"typ":"at+JWT"`)); err != nil {
		t.Error("the only type:", err)
	}
	for _, typ := range []string{"", `,"typ":"JWT"`} {
		token := with(typ)
		wantRefusal(t, check(v, token), token, verify.ErrMalformed)
	}
	narrow.Types = []string{} // which is not the default
	if _, err := verify.New([]verify.Issuer{narrow}, nil); err == nil || !strings.Contains(err.Error(), "leave it nil") {
		t.Errorf("no types at all: %v, want an error that says what to do", err)
	}
}

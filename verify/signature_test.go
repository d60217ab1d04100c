package verify_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"math/big"
	"testing"

	"github.com/bearerkit/bearer/verify"
	"github.com/golang-jwt/jwt/v5"
)

// forms are signatures that are wrong, made of the right one of a text.
type forms map[string][]byte

// refuseForms shows that a key's token is refused with each of them, and good without.
func refuseForms(t *testing.T, a *authority, make func(text string, right []byte) forms) {
	t.Helper()
	v := newVerifier(t, nil, issuerOf(a))
	text, right := split(a.good())
	for name, signature := range make(text, right) {
		t.Run(name, func(t *testing.T) {
			token := text + "." + b64(signature)
			wantRefusal(t, check(v, token), token, verify.ErrSignature)
			if n := verify.Seen(v); n != 0 {
				t.Errorf("%d tokens are remembered", n)
			}
		})
	}
	if err := check(v, text+"."+b64(right)); err != nil {
		t.Error("the right one:", err)
	}
}

// of any form: of another length, of other bytes, of another text.
func (f forms) usual(a *authority, right []byte) forms {
	flipped := bytes.Clone(right)
	flipped[len(flipped)-1] ^= 1
	_, other := split(a.good(`"sub":"another"`))
	f["empty"], f["a zero"], f["zeros"] = []byte{}, []byte{0}, make([]byte, len(right))
	f["ones"] = bytes.Repeat([]byte{0xff}, len(right))
	f["one byte less"], f["one byte more"] = right[:len(right)-1], append(bytes.Clone(right), 0)
	f["a zero before"], f["without the first"] = append([]byte{0}, right...), right[1:]
	f["twice"], f["a bit flipped"], f["another token's"] = append(bytes.Clone(right), right...), flipped, other
	return f
}

func TestECDSASignatures(t *testing.T) {
	for _, alg := range []string{"ES256", "ES384", "ES512"} {
		t.Run(alg, func(t *testing.T) {
			a := of(alg)
			key := a.key.(*ecdsa.PrivateKey)
			refuseForms(t, a, func(text string, right []byte) forms {
				half := len(right) / 2
				n := key.Params().N
				pair := func(r, s *big.Int) []byte {
					return append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...)
				}
				r, s := new(big.Int).SetBytes(right[:half]), new(big.Int).SetBytes(right[half:])
				zero, one := new(big.Int), big.NewInt(1)
				f := forms{
					"DER":         must(ecdsa.SignASN1(rand.Reader, key, digestOf(alg, text))),
					"swapped":     pair(s, r),
					"r is 0":      pair(zero, s),
					"s is 0":      pair(r, zero),
					"r, s is 1":   pair(one, one),
					"r, s is n":   pair(n, n),
					"s is n":      pair(r, n),
					"r is n":      pair(n, s),
					"hexadecimal": []byte(hex.EncodeToString(right)),
				}
				if more := new(big.Int).Add(r, n); more.BitLen() <= 8*half {
					f["r is more than n"] = pair(more, s)
				}
				if more := new(big.Int).Add(s, n); more.BitLen() <= 8*half {
					f["s is more than n"] = pair(r, more)
				}
				return f.usual(a, right)
			})
		})
	}
}

func digestOf(alg, text string) []byte {
	h := jwt.GetSigningMethod(alg).(*jwt.SigningMethodECDSA).Hash.New()
	h.Write([]byte(text))
	return h.Sum(nil)
}

func TestRSASignatures(t *testing.T) {
	for _, alg := range []string{"RS256", "PS256"} {
		t.Run(alg, func(t *testing.T) {
			a := of(alg)
			public := a.key.Public().(*rsa.PublicKey)
			refuseForms(t, a, func(text string, right []byte) forms {
				s := new(big.Int).SetBytes(right)
				f := forms{
					"negative":  new(big.Int).Sub(public.N, s).FillBytes(make([]byte, len(right))),
					"n":         public.N.FillBytes(make([]byte, len(right))),
					"n less 1":  new(big.Int).Sub(public.N, big.NewInt(1)).FillBytes(make([]byte, len(right))),
					"1":         big.NewInt(1).FillBytes(make([]byte, len(right))),
					"RS384":     []byte(a.signature("RS384", text)),
					"PS384":     []byte(a.signature("PS384", text)),
					"ES256":     []byte(of("ES256").signature("ES256", text)),
					"the other": []byte(a.signature(map[string]string{"RS256": "PS256", "PS256": "RS256"}[alg], text)),
				}
				if more := new(big.Int).Add(s, public.N); more.BitLen() <= 8*len(right) {
					f["more than n"] = more.FillBytes(make([]byte, len(right)))
				}
				return f.usual(a, right)
			})
		})
	}
}

// smallOrder are points of Ed25519 of a small order: whatever is signed, some of them
// seem to have signed it, or make a signature seem right.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // not canonical from here on
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

func TestEdDSASignatures(t *testing.T) {
	a := of("EdDSA")
	refuseForms(t, a, func(_ string, right []byte) forms {
		// The order of the group, as it is written there: little-endian.
		order := must(hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))
		f := forms{"s is more than the order": append(bytes.Clone(right[:32]), plus(right[32:], order)...)}
		for _, point := range smallOrder {
			r := must(hex.DecodeString(point))
			f["R is "+point] = append(bytes.Clone(r), right[32:]...)
			f["s is 0, R is "+point] = append(bytes.Clone(r), make([]byte, 32)...)
		}
		return f.usual(a, right)
	})
}

// plus adds little-endian numbers.
func plus(a, b []byte) []byte {
	sum := make([]byte, len(a))
	carry := 0
	for i := range a {
		carry += int(a[i]) + int(b[i])
		sum[i] = byte(carry)
		carry >>= 8
	}
	return sum
}

// Keys that are no good are not taken from a key set. None else is in it, so that New
// says so.
func TestBadKeys(t *testing.T) {
	rsaJWK := func(n, e []byte, more string) string {
		return fmt.Sprintf(`{"kty":"RSA","kid":"k","n":%q,"e":%q%s}`, b64(n), b64(e), more)
	}
	n := rsaKey().Public().(*rsa.PublicKey).N
	even := new(big.Int).Lsh(new(big.Int).Rsh(n, 1), 1)
	e := []byte{1, 0, 1}
	ed := edKey().Public().(ed25519.PublicKey)
	edJWK := func(x []byte, more string) string {
		return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"k","x":%q%s}`, b64(x), more)
	}
	es := of("ES256")
	tests := []struct {
		name, jwk string
		good      bool
	}{
		{"RSA", rsaJWK(n.Bytes(), e, ""), true},
		{"RSA, 2047 bits", rsaJWK(new(big.Int).Rsh(n, 1).SetBit(new(big.Int).Rsh(n, 1), 0, 1).Bytes(), e, ""), false},
		{"RSA, 1024 bits", rsaJWK(new(big.Int).Rsh(n, 1024).SetBit(new(big.Int).Rsh(n, 1024), 0, 1).Bytes(), e, ""), false},
		{"RSA, 16384 bits", rsaJWK(bytes.Repeat(n.Bytes(), 8), e, ""), false},
		{"RSA, even modulus", rsaJWK(even.Bytes(), e, ""), false},
		{"RSA, no modulus", rsaJWK(nil, e, ""), false},
		{"RSA, exponent 1", rsaJWK(n.Bytes(), []byte{1}, ""), false},
		{"RSA, exponent 0", rsaJWK(n.Bytes(), []byte{0}, ""), false},
		{"RSA, exponent 2", rsaJWK(n.Bytes(), []byte{2}, ""), false},
		{"RSA, exponent 3", rsaJWK(n.Bytes(), []byte{3}, ""), true},
		{"RSA, even exponent", rsaJWK(n.Bytes(), []byte{1, 0, 2}, ""), false},
		{"RSA, exponent of 9 bytes", rsaJWK(n.Bytes(), []byte{1, 0, 0, 0, 0, 0, 1, 0, 1}, ""), false},
		{"RSA, no exponent", rsaJWK(n.Bytes(), nil, ""), false},
		{"RSA, alg of another one", rsaJWK(n.Bytes(), e, `,"alg":"RS384"`), false},
		{"RSA, alg of encryption", rsaJWK(n.Bytes(), e, `,"alg":"RSA-OAEP"`), false},
		{"RSA, alg of secrets", rsaJWK(n.Bytes(), e, `,"alg":"HS256"`), false},
		{"RSA, alg none", rsaJWK(n.Bytes(), e, `,"alg":"none"`), false},
		{"RSA, alg", rsaJWK(n.Bytes(), e, `,"alg":"RS256"`), true},
		{"RSA, use=enc", rsaJWK(n.Bytes(), e, `,"use":"enc"`), false},
		{"RSA, use=sig", rsaJWK(n.Bytes(), e, `,"use":"sig"`), true},
		{"RSA, key_ops without verify", rsaJWK(n.Bytes(), e, `,"key_ops":["encrypt","sign"]`), false},
		{"RSA, empty key_ops", rsaJWK(n.Bytes(), e, `,"key_ops":[]`), false},
		{"RSA, key_ops", rsaJWK(n.Bytes(), e, `,"key_ops":["sign","verify"]`), true},
		{"a secret", `{"kty":"oct","kid":"k","k":"` + b64(n.Bytes()) + `","alg":"RS256"}`, false},
		{"a private key", edJWK(ed, `,"d":"`+b64(edKey().(ed25519.PrivateKey).Seed())+`"`), false},
		{"EC", es.jwk(), true},
		{"EC, alg of another curve", es.jwk(`"alg":"ES384"`), false},
		{"EC of P-384", of("ES384").jwk(), false},
		{"EC, not on the curve", fmt.Sprintf(`{"kty":"EC","kid":"k","crv":"P-256","x":%q,"y":%q}`, b64(bytes.Repeat([]byte{1}, 32)), b64(bytes.Repeat([]byte{2}, 32))), false},
		{"EC, the zero", fmt.Sprintf(`{"kty":"EC","kid":"k","crv":"P-256","x":%q,"y":%q}`, b64(make([]byte, 32)), b64(make([]byte, 32))), false},
		{"Ed25519", edJWK(ed, ""), true},
		{"Ed25519, alg", edJWK(ed, `,"alg":"Ed25519"`), true},
		{"Ed25519, alg of Ed448", edJWK(ed, `,"alg":"Ed448"`), false},
		{"Ed25519, one byte less", edJWK(ed[1:], ""), false},
		{"Ed25519, one byte more", edJWK(append([]byte{0}, ed...), ""), false},
		{"X25519", `{"kty":"OKP","crv":"X25519","kid":"k","x":"` + b64(ed) + `"}`, false},
	}
	for _, point := range smallOrder {
		tests = append(tests, struct {
			name, jwk string
			good      bool
		}{"Ed25519, small order " + point, edJWK(must(hex.DecodeString(point)), ""), false})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verify.New([]verify.Issuer{{Name: authName, KeySet: jwks(tt.jwk), Algorithms: []string{"RS256", "ES256", "EdDSA"}}}, nil)
			if good := err == nil; good != tt.good {
				t.Errorf("taken: %v, want %v (%v)", good, tt.good, err)
			}
		})
	}
}

// A key of another algorithm than the token's is none, though the issuer has both.
func TestKeysForOtherAlgorithms(t *testing.T) {
	i := issuerOf(of("ES256"), of("ES384"), of("RS256"), of("PS256"), of("EdDSA"))
	v := newVerifier(t, nil, i)
	for _, tt := range []struct{ alg, kid string }{
		{"ES384", "key-ES256"}, {"ES256", "key-ES384"}, {"PS256", "key-RS256"}, {"RS256", "key-PS256"},
		{"EdDSA", "key-ES256"}, {"ES256", "key-EdDSA"}, {"RS256", "key-ES256"},
	} {
		token := of(tt.alg).sign(fmt.Sprintf(`{"alg":%q,"kid":%q}`, tt.alg, tt.kid), goodClaims())
		wantRefusal(t, check(v, token), token, verify.ErrUnknownKey)
	}
}

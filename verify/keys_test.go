package verify_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/verify"
	"github.com/go-jose/go-jose/v4"
)

// private is a's JWK with its private part; word is a text of that.
func private(a *authority) (jwk, word string) {
	jwk = a.jwk()
	add := func(name string, value []byte) {
		jwk = fmt.Sprintf(`{%q:%q,`, name, b64(value)) + jwk[1:]
	}
	switch k := a.key.(type) {
	case *rsa.PrivateKey:
		add("q", k.Primes[1].Bytes())
		add("p", k.Primes[0].Bytes())
		add("d", k.D.Bytes())
		return jwk, b64(k.D.Bytes())
	case *ecdsa.PrivateKey:
		add("d", must(k.Bytes()))
		return jwk, b64(must(k.Bytes()))
	case ed25519.PrivateKey:
		add("d", k.Seed())
		return jwk, b64(k.Seed())
	}
	panic("no such key")
}

// rsaJWK is one of an RSA key that nobody has.
func rsaJWK(bits uint, e int64) string {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return fmt.Sprintf(`{"kid":"x","kty":"RSA","n":%q,"e":%q}`, b64(n.Add(n, big.NewInt(1)).Bytes()), b64(big.NewInt(e).Bytes()))
}

// with is a JWK with one member set to what it is.
func with(jwk, name, value string) string {
	return strings.TrimSuffix(jwk, "}") + fmt.Sprintf(",%q:%s}", name, value)
}

// foreignKeys are keys that a set may have; each one's kid is x, if it has one.
func foreignKeys() []struct {
	name string
	jwk  string
	algs []string // by which it can verify; nil: it is left out
} {
	ec, ed, rs := fresh("x"), &authority{"x", "EdDSA", edKey()}, &authority{"x", "RS256", rsaKey()}
	all := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	es := []string{"ES256"}
	privateRSA, _ := private(rs)
	privateEC, _ := private(ec)
	privateEd, _ := private(ed)
	x := ec.jwk()
	return []struct {
		name string
		jwk  string
		algs []string
	}{
		{"RSA", rs.jwk(), all},
		{"P-256", x, es},
		{"P-384", (&authority{"x", "", p384Key()}).jwk(), []string{"ES384"}},
		{"P-521", (&authority{"x", "", p521Key()}).jwk(), []string{"ES512"}},
		{"Ed25519", ed.jwk(), []string{"EdDSA"}},

		{"null", `null`, nil},
		{"a number", `1`, nil},
		{"a text", `"key"`, nil},
		{"a list", `[]`, nil},
		{"nothing", `{}`, nil},
		{"depth", strings.Repeat("[", 5000) + strings.Repeat("]", 5000), nil},
		{"garbage", `{"kty":"RSA","kid":"x","n":"@@@","e":"AQAB"}`, nil},

		{"private RSA", privateRSA, nil},
		{"private EC", privateEC, nil},
		{"private Ed25519", privateEd, nil},
		{"half of private", with(rs.jwk(), "p", `"AQAB"`), nil},
		{"another half of private", with(rs.jwk(), "dp", `"AQAB"`), nil},
		{"the second prime", with(rs.jwk(), "q", `"AQAB"`), nil},
		{"the second exponent", with(rs.jwk(), "dq", `"AQAB"`), nil},
		{"the coefficient", with(rs.jwk(), "qi", `"AQAB"`), nil},
		{"private post-quantum", with(x, "priv", `"AQAB"`), nil},
		{"other primes", with(rs.jwk(), "oth", `[{}]`), nil},
		{"a secret beside it", with(x, "k", `"AQAB"`), nil},
		{"no private part", with(x, "d", `null`), es},
		{"symmetric", `{"kty":"oct","kid":"x","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, nil},
		{"symmetric by name", `{"kty":"oct","kid":"x","alg":"HS256","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, nil},

		{"no kty", `{"kid":"x","n":"AQAB","e":"AQAB"}`, nil},
		{"unknown kty", `{"kty":"FOO","kid":"x"}`, nil},
		{"post-quantum", `{"kty":"AKP","kid":"x","alg":"ML-DSA-44","pub":"AAAA"}`, nil},
		{"unknown crv", `{"kty":"EC","kid":"x","crv":"secp256k1","x":"AAAA","y":"AAAA"}`, nil},
		{"X25519", strings.Replace(ed.jwk(), "Ed25519", "X25519", 1), nil},
		{"off the curve", strings.Replace((&authority{"x", "", p256Key()}).jwk(), `"x":"`, `"x":"AAAA`, 1), nil},
		{"off another curve", strings.Replace(x, "P-256", "P-384", 1), nil},
		{"a point of zeros", fmt.Sprintf(`{"kty":"EC","kid":"x","crv":"P-256","x":%q,"y":%q}`, b64(make([]byte, 32)), b64(make([]byte, 32))), nil},
		{"a short Ed25519", fmt.Sprintf(`{"kty":"OKP","kid":"x","crv":"Ed25519","x":%q}`, b64(make([]byte, 31))), nil},

		{"RSA of 1024 bits", rsaJWK(1024, 65537), nil},
		{"RSA of 2047 bits", rsaJWK(2047, 65537), nil},
		{"RSA of 2048 bits", rsaJWK(2048, 65537), all},
		{"RSA of 4096 bits", rsaJWK(4096, 65537), all},
		{"RSA of 4097 bits", rsaJWK(4097, 65537), nil},
		{"RSA of 16384 bits", rsaJWK(16384, 65537), nil},
		{"exponent 1", rsaJWK(2048, 1), nil},
		{"exponent 2", rsaJWK(2048, 2), nil},
		{"exponent 3", rsaJWK(2048, 3), all},
		{"even exponent", rsaJWK(2048, 65536), nil},
		{"exponent of 33 bits", rsaJWK(2048, 1<<32+1), nil},
		{"exponent of 65 bits", strings.Replace(rsaJWK(2048, 65537), "AQAB", "AQAAAAAAAAAB", 1), nil},
		{"even modulus", strings.Replace(rsaJWK(2048, 3), `AQ"`, `Ag"`, 1), nil},

		{"to sign", with(x, "use", `"sig"`), es},
		{"to encrypt", with(x, "use", `"enc"`), nil},
		{"to do what nobody knows", with(x, "use", `"foo"`), nil},
		{"to do a number", with(x, "use", `1`), nil},
		{"to encrypt, and to Sign", with(with(x, "use", `"enc"`), "Use", `"sig"`), nil},
		{"to verify", with(x, "key_ops", `["verify"]`), es},
		{"to verify and sign", with(x, "key_ops", `["sign","verify"]`), es},
		{"to wrap", with(x, "key_ops", `["wrapKey"]`), nil},
		{"for no operation", with(x, "key_ops", `[]`), nil},
		{"for a number", with(x, "key_ops", `[1]`), nil},
		{"for null in a list", with(x, "key_ops", `[null]`), nil},
		{"for null", with(x, "key_ops", `null`), es},

		{"its alg", with(rs.jwk(), "alg", `"PS384"`), []string{"PS384"}},
		{"an alg of others", with(x, "alg", `"RS256"`), nil},
		{"an alg of another curve", with(x, "alg", `"ES384"`), nil},
		{"an alg to encrypt", with(rs.jwk(), "alg", `"RSA-OAEP"`), nil},
		{"an alg with secrets", with(rs.jwk(), "alg", `"HS256"`), nil},
		{"no alg at all", with(rs.jwk(), "alg", `"none"`), nil},
		{"an alg in other letters", with(x, "alg", `"es256"`), nil},
		{"a number for alg", with(x, "alg", `256`), nil},
		{"the new name of EdDSA", with(ed.jwk(), "alg", `"Ed25519"`), []string{"EdDSA"}},
		{"the new name of another", with(x, "alg", `"Ed25519"`), nil},

		{"a number for kid", strings.Replace(x, `"kid":"x"`, `"kid":1`, 1), nil},
		{"a list for kid", strings.Replace(x, `"kid":"x"`, `"kid":["x"]`, 1), nil},
		{"a strange certificate", with(x, "x5c", `["@"]`), es},
		{"a number for certificate", with(x, "x5c", `5`), es},
		{"a strange address", with(x, "x5u", `"::%zz"`), es},
		{"strange thumbprints", with(with(x, "x5t", `"!"`), "x5t#S256", `{}`), es},
		{"more members", with(with(x, "exp", `1`), "foo", `{"bar":[]}`), es},
	}
}

// A set's keys are read one by one: what one of them is does not matter to the others,
// before it or after it.
func TestForeignKeys(t *testing.T) {
	good := must(verify.ParseKeys(keySet(of("ES256")), allAlgorithms...))[0]
	for _, test := range foreignKeys() {
		t.Run(test.name, func(t *testing.T) {
			for _, set := range [][]byte{jwks(test.jwk, keyText(of("ES256"))), jwks(keyText(of("ES256")), test.jwk)} {
				got, err := verify.ParseKeys(set, allAlgorithms...)
				if err != nil {
					t.Fatal(err)
				}
				var algs []string
				found := false
				for _, k := range got {
					if k.ID == good.ID {
						found = good.Public.(*ecdsa.PublicKey).Equal(k.Public)
					} else {
						algs = k.Algs
					}
				}
				if !found {
					t.Error("the good key is lost")
				}
				if !slices.Equal(algs, test.algs) {
					t.Errorf("the other can verify by %v, want %v", algs, test.algs)
				}
			}
		})
	}
}

// The same where the issuer's algorithms are fewer: a key is for those alone.
func TestKeysAreForTheIssuersAlgorithms(t *testing.T) {
	set := jwks((&authority{"x", "", rsaKey()}).jwk(), fresh("y").jwk())
	got := must(verify.ParseKeys(set, "PS256", "RS512", "EdDSA"))
	if len(got) != 1 || got[0].ID != "x" || !slices.Equal(got[0].Algs, []string{"RS512", "PS256"}) {
		t.Errorf("%v, want x for RS512 and PS256 alone", got)
	}
	if _, err := verify.ParseKeys(set, "EdDSA"); err == nil {
		t.Error("a set without a key for the issuer's algorithm is taken")
	}
}

// An application may have another package take larger keys. This one does not.
func TestLargeKeysAreRefused(t *testing.T) {
	usual := jose.MaxRSAModulusBits
	jose.MaxRSAModulusBits = 1 << 20
	defer func() { jose.MaxRSAModulusBits = usual }()
	if got, err := verify.ParseKeys(jwks(rsaJWK(4097, 3)), "RS256"); err == nil {
		t.Errorf("%v", got)
	}
}

// A private key in a set is everybody's: it verifies nothing, its public half neither,
// and nothing shows it.
func TestPublishedPrivateKeys(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := of(alg)
				jwk, word := private(a)
				s := newKeyServer()
				s.set = jwks(jwk)
				logger, log := lines(-100)
				var observed events
				v := s.verifier(t, &verify.Options{Logger: logger, Observer: observed.observe})
				_, err := v.Verify(t.Context(), a.good())
				s.do(func() { s.set = jwks(jwk, keyText(fresh("b"))) })
				pass(fetchInterval)
				wantError(t, v, a.good(), verify.ErrUnknownKey)
				synctest.Wait()
				for _, got := range []string{
					fmt.Sprintf("%v %+v %#v", v, v, v), fmt.Sprintf("%v %+v %#v", observed.all, observed.all, observed.all),
					log.String(), fmt.Sprintf("%v %+v %#v", err, err, err),
				} {
					if strings.Contains(got, word[:20]) {
						t.Errorf("the private key shows: %s", got)
					}
				}
				if got := eventsOf[verify.KeysFetched](&observed); len(got) != 1 || !slices.Equal(got[0].KeyIDs, []string{"b"}) {
					t.Errorf("observed: %v", observed.all)
				}
			})
		})
	}
}

// Keys of one name are tried one after the other, as far as they are for the token's
// algorithm, and not for ever.
func TestKeysOfOneName(t *testing.T) {
	ec, ed, rs := fresh("x"), &authority{"x", "EdDSA", edKey()}, &authority{"x", "RS256", rsaKey()}
	v := newVerifier(t, nil, issuerOf(ec, ed, rs))
	for _, a := range []*authority{ec, ed, rs} {
		if err := check(v, a.good()); err != nil {
			t.Errorf("%s beside keys of other types: %v", a.alg, err)
		}
	}
	var same []*authority
	for range 6 {
		same = append(same, fresh("x"))
	}
	v = newVerifier(t, nil, issuerOf(same...))
	for i, a := range same {
		if err := check(v, a.good()); i < 4 && err != nil || i >= 4 && !errors.Is(err, verify.ErrSignature) {
			t.Errorf("the key number %d of one name: %v", i, err)
		}
	}
	// A key that is there twice counts once.
	v = newVerifier(t, nil, issuerOf(same[0], same[0], same[0], same[0], same[0], same[1]))
	if err := check(v, same[1].good()); err != nil {
		t.Error(err)
	}
}

// FuzzKeySet puts anything beside a good key.
func FuzzKeySet(f *testing.F) {
	for _, test := range foreignKeys() {
		f.Add([]byte(test.jwk))
	}
	f.Add([]byte(`{"keys":[]}`))
	f.Add([]byte(`{},{}`))
	good := fresh("good key")
	f.Fuzz(func(t *testing.T, neighbour []byte) {
		check := func(k verify.Key) {
			t.Helper()
			var fit []string
			switch p := k.Public.(type) {
			case *rsa.PublicKey:
				if n := p.N.BitLen(); n < 2048 || n > 4096 || p.N.Bit(0) == 0 || p.E < 3 || p.E > 1<<31-1 || p.E%2 == 0 {
					t.Errorf("an RSA key of %d bits and exponent %d", n, p.E)
				}
				fit = []string{"RS256"}
			case *ecdsa.PublicKey:
				if _, err := p.ECDH(); err != nil {
					t.Errorf("an EC key: %v", err)
				}
				fit = []string{map[int]string{256: "ES256", 384: "ES384"}[p.Params().BitSize]}
			case ed25519.PublicKey:
				if len(p) != ed25519.PublicKeySize {
					t.Errorf("an Ed25519 key of %d bytes", len(p))
				}
				fit = []string{"EdDSA"}
			default:
				t.Errorf("a key of type %T", k.Public)
			}
			if !slices.Equal(k.Algs, fit) {
				t.Errorf("a key of type %T for %v, want %v", k.Public, k.Algs, fit)
			}
		}
		algorithms := []string{"RS256", "ES256", "ES384", "EdDSA"}
		alone, err := verify.ParseKeys(neighbour, algorithms...)
		if (err == nil) != (len(alone) > 0) {
			t.Errorf("%d keys, and %v", len(alone), err)
		}
		for _, k := range alone {
			check(k)
		}
		set := jwks(keyText(good), string(neighbour))
		both, err := verify.ParseKeys(set, algorithms...)
		if !json.Valid(set) && err == nil {
			t.Errorf("what is no JSON has %d keys", len(both))
		}
		if !json.Valid(set) || !json.Valid(slices.Concat([]byte("["), neighbour, []byte("]"))) {
			return // it is no neighbour, but changes the set
		}
		if err != nil {
			t.Fatalf("the good key is lost: %v", err)
		}
		if both[0].ID != "good key" || !good.key.Public().(*ecdsa.PublicKey).Equal(both[0].Public) {
			t.Errorf("the good key is not the first of %v", both)
		}
		for _, k := range both {
			check(k)
		}
	})
}

// FuzzAge asserts that whatever a server says, its answer is kept within bounds.
func FuzzAge(f *testing.F) {
	f.Add("max-age=600, public", "5")
	f.Add(`max-age="99999999999999999999"`, "-1")
	f.Add("no-store", "")
	f.Fuzz(func(t *testing.T, cache, age string) {
		h := map[string][]string{"Cache-Control": {cache, cache}, "Age": {age}}
		got := verify.AgeOf(h)
		if got < 5*time.Minute || got > 24*time.Hour {
			t.Errorf("%v", got)
		}
		h["Cache-Control"] = append(h["Cache-Control"], "no-store")
		if got := verify.AgeOf(h); got != 5*time.Minute {
			t.Errorf("what is not to be stored is kept for %v", got)
		}
	})
}

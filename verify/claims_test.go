package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/verify"
)

func TestExpiryForms(t *testing.T) {
	s := signer()
	exp := func(value string) string { return s.token(`{"iss":"` + authName + `","exp":` + value + `}`) }
	attacks := []attack{
		{"missing", s.token(`{"iss":"` + authName + `"}`), verify.ErrMissingClaim, false},
		{"null", exp(`null`), verify.ErrMalformed, false},
		{"upper case", s.token(`{"iss":"` + authName + `","EXP":99999999999}`), verify.ErrMissingClaim, false},
		{"further down", s.token(`{"iss":"` + authName + `","x":{"exp":99999999999}}`), verify.ErrMissingClaim, false},
		{"one second ago", exp(fmt.Sprint(time.Now().Unix() - 1)), verify.ErrExpired, true},
		{"now", exp(fmt.Sprint(time.Now().Unix())), verify.ErrExpired, true},
		{"1", exp(`1`), verify.ErrExpired, true},
	}
	for _, value := range []string{
		`"99999999999"`, `""`, `"never"`, `99999999999.0`, `99999999999.5`, `1e11`, `1E11`, `1e9`, `1e400`, `-1e400`, `0`, `-0`, `0.0`, `-1`, `-99999999999`,
		`true`, `false`, `[]`, `[99999999999]`, `{}`, `{"exp":99999999999}`, `253402300800`, `9223372036854775807`, `9223372036854775808`, `18446744073709551616`,
		`-9223372036854775809`, `099999999999`, `+99999999999`, `0x174876E7FF`, `99_999_999_999`, `99999999999n`, `Infinity`, `1` + strings.Repeat("0", 500), `٩٩٩٩٩٩٩٩٩٩٩`,
	} {
		attacks = append(attacks, attack{value, exp(value), verify.ErrMalformed, false})
	}
	withstand(t, attacks)

	v := newVerifier(t, nil, issuerOf(s))
	for value, want := range map[string]int64{"99999999999": 99999999999, "253402300799": 253402300799} {
		c, err := v.Claims(context.Background(), exp(value))
		if err != nil || c.ExpiresAt.Unix() != want {
			t.Errorf("exp %s: got %v and %v", value, c, err)
		}
	}
}

// The other times may be missing, and are read the same way.
func TestOtherTimes(t *testing.T) {
	var attacks []attack
	for _, name := range []string{"nbf", "iat"} {
		for _, value := range []string{`null`, `"1"`, `1.5`, `1.0`, `1e3`, `-1`, `true`, `[1]`, `{}`, `""`, `9223372036854775808`, `253402300800`} {
			attacks = append(attacks, attack{name + " " + value, signer().good(fmt.Sprintf("%q:%s", name, value)), verify.ErrMalformed, false})
		}
		if name == "iat" {
			attacks = append(attacks, attack{"iat 0", signer().good(`"iat":0`), verify.ErrMalformed, false})
		}
		attacks = append(attacks, attack{name + " in the year 9999", signer().good(fmt.Sprintf("%q:253402300799", name)), verify.ErrNotYetValid, true})
	}
	withstand(t, attacks)
	if err := check(newVerifier(t, nil, issuerOf(signer())), signer().good(`"nbf":0`)); err != nil { // as Keycloak's were once
		t.Errorf("nbf 0: %v", err)
	}
}

func TestClaimTypes(t *testing.T) {
	var attacks []attack
	for _, name := range []string{"sub", "jti"} {
		for _, value := range []string{`1`, `true`, `["a"]`, `{"a":1}`} {
			attacks = append(attacks, attack{name + " " + value, signer().good(fmt.Sprintf("%q:%s", name, value)), verify.ErrMalformed, false})
		}
	}
	withstand(t, attacks)
}

func TestClaims(t *testing.T) {
	a := signer()
	i := issuerOf(a)
	i.Audience = []string{"us", "them"}
	v := newVerifier(t, nil, i)
	text := fmt.Sprintf(`{"iss":%q,"exp":99999999999,"nbf":1,"iat":2,"sub":"who","jti":"id","aud":["x","us"],"scope":"a b","n":1.50,"x":{"é":"\u00e9"}}`, authName)
	got, err := v.Claims(context.Background(), a.token(text))
	if err != nil {
		t.Fatal(err)
	}
	want := &verify.Claims{
		Issuer: authName, Subject: "who", ID: "id", Scope: "a b", Audience: []string{"x", "us"},
		ExpiresAt: time.Unix(99999999999, 0), NotBefore: time.Unix(1, 0), IssuedAt: time.Unix(2, 0), Raw: json.RawMessage(text),
	}
	if !reflect.DeepEqual(*got, *want) {
		t.Errorf("got %s of %s, want %s of %s", describe(got), got.Raw, describe(want), want.Raw)
	}

	got, err = v.Claims(context.Background(), a.token(`{"iss":"`+authName+`","exp":99999999999,"aud":"us","sub":null,"jti":null,"scope":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	got.Raw = nil
	want = &verify.Claims{Issuer: authName, Audience: []string{"us"}, ExpiresAt: time.Unix(99999999999, 0)}
	if !reflect.DeepEqual(*got, *want) {
		t.Errorf("got %s, want %s", describe(got), describe(want))
	}
}

// describe is what a Claims does not print by itself.
func describe(c *verify.Claims) string { return string(must(json.Marshal(c))) }

func TestAs(t *testing.T) {
	a := signer()
	c := must(newVerifier(t, nil, issuerOf(a)).Claims(context.Background(), a.good(`"sub":"who","n":"secret text"`)))
	got, err := verify.As[struct {
		Subject string `json:"sub"`
		N       string
	}](c)
	if err != nil || got.Subject != "who" || got.N != "secret text" {
		t.Errorf("got %+v and %v", got, err)
	}
	if _, err := verify.As[struct{ N int }](c); err == nil || strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), "verify: ") {
		t.Errorf("another type: got the error %v", err)
	}
	if _, err := verify.As[map[string]any](&verify.Claims{}); err == nil {
		t.Error("claims that say nothing: no error")
	}
}

// Nothing about anybody is in logs by mistake.
func TestClaimsPrinted(t *testing.T) {
	a := signer()
	c := must(newVerifier(t, nil, issuerOf(a)).Claims(context.Background(), a.good(`"sub":"somebody","jti":"somebody","scope":"somebody"`)))
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "claims", c, "value", *c)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q %d %x", c, c, c, c, c, c, c), fmt.Sprintf("%v %+v %#v", *c, *c, *c), log.String()} {
		if strings.Contains(text, "somebody") || !strings.Contains(text, authName) {
			t.Errorf("printed: %s", text)
		}
	}
}

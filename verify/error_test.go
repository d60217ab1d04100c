package verify_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

func TestError(t *testing.T) {
	strange := errors.New("x")
	for _, tt := range []struct {
		name              string
		err               *verify.Error
		text, description string
	}{
		{"kind", &verify.Error{Kind: verify.ErrExpired}, "verify: the token has expired", "the token has expired"},
		{"detail", &verify.Error{Kind: verify.ErrMalformed, Detail: "the token is odd"}, "verify: the token is odd", "the token is odd"},
		{"another kind", &verify.Error{Kind: strange}, "x", "x"},
		{"zero", &verify.Error{}, "verify: the token is refused", "the token is refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.text {
				t.Errorf("got the text %q, want %q", got, tt.text)
			}
			if got := tt.err.Description(); got != tt.description {
				t.Errorf("got the description %q, want %q", got, tt.description)
			}
			if got := tt.err.LogValue().String(); got != tt.description {
				t.Errorf("got the value for logs %q, want %q", got, tt.description)
			}
			if tt.err.Kind != nil && !errors.Is(tt.err, tt.err.Kind) {
				t.Error("it is not of its kind")
			}
		})
	}
}

// Whoever has sent a token is told what is wrong with it.
func TestDetails(t *testing.T) {
	s := signer()
	v := newVerifier(t, nil, issuerOf(s))
	for want, token := range map[string]string{
		"the token is over 16 KiB":                                                   strings.Repeat("A", 16<<10+1),
		"the token's header is over 2 KiB":                                           s.sign(`{"alg":"ES256"`+strings.Repeat(" ", 2000)+`}`, goodClaims()),
		"the token has not three parts":                                              s.good() + ".",
		"the token has a line break":                                                 s.good() + "\n",
		"the token's header is not base64url":                                        "=" + s.good(),
		"the token has a part that is not a JSON object":                             s.sign("[]", goodClaims()),
		"the token has text that is not UTF-8":                                       s.good("\"x\":\"\xff\""),
		"the token's JSON is nested too deeply":                                      s.good(`"x":` + nested(16)),
		"the token has a member twice, or two that differ in case alone":             s.good(`"x":1,"X":1`),
		"the token has a number that is out of range":                                s.good(`"x":1e400`),
		"the token's header has jku, which is not taken from tokens":                 s.sign(`{"alg":"ES256","jku":1}`, goodClaims()),
		"the token's header has a number that is not a whole one of up to 15 digits": s.sign(`{"alg":"ES256","x":0.5}`, goodClaims()),
		"the token's header has no alg":                                              s.sign(`{}`, goodClaims()),
		"the token's kid is not a text":                                              s.sign(`{"alg":"ES256","kid":1,"typ":1}`, goodClaims()), // the first one
		"the token's typ says that it is none for here":                              s.sign(`{"alg":"ES256","typ":"x"}`, goodClaims()),
		"the token's claims are not a JSON object":                                   s.token("null"),
		"the token has no iss":                                                       s.token(`{}`),
		"the token has no exp":                                                       s.token(`{"iss":"` + authName + `"}`),
		"the token's exp is not a number of whole seconds":                           s.token(`{"exp":"1"}`),
		"the token's aud is not a text or a list of texts":                           s.good(`"aud":{}`),
	} {
		err := check(v, token)
		wantRefusal(t, err, token, verify.ErrMalformed, verify.ErrMissingClaim)
		if own, _ := errors.AsType[*verify.Error](err); own.Description() != want {
			t.Errorf("got the description %q, want %q", own.Description(), want)
		}
	}
	i := issuerOf(s)
	i.Audience = []string{"us"}
	token := s.good()
	if err := check(newVerifier(t, nil, i), token); err == nil || err.Error() != "verify: the token has no aud" {
		t.Errorf("got the error %v", err)
	}
}

// An Authorize that returns a nil *Error as an error has refused the token, for reasons
// that nobody knows.
func TestNilError(t *testing.T) {
	var told []verify.TokenRefused
	v := newVerifier(t, &verify.Options{Observer: refusals(&told), Authorize: func(*verify.Claims) (*bearer.Authorization, error) {
		var none *verify.Error
		return nil, none
	}}, issuerOf(signer()))
	err := check(v, signer().good())
	if err == nil || err.Error() != "verify: the token is refused" || errors.Unwrap(err) != nil || len(told) != 1 {
		t.Errorf("%v, told %v", err, told)
	}
	if _, err := verify.Any(v, v).Verify(t.Context(), signer().good()); err == nil {
		t.Error("Any accepts it")
	}
}

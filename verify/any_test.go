package verify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

// opaque is a verifier of tokens that are no JWTs, and cannot be told anything.
type opaque struct{ err error }

func (o opaque) Verify(_ context.Context, token string) (*bearer.Authorization, error) {
	if token == "opaque" {
		return &bearer.Authorization{Token: &bearer.Token{AccessToken: token}}, nil
	}
	return nil, o.err
}

func TestAny(t *testing.T) {
	ours, theirs := signer(), stranger()
	first := newVerifier(t, nil, issuerOf(ours))
	second := newVerifier(t, nil, verify.Issuer{Name: otherName, KeySet: keySet(theirs), Algorithms: []string{"ES256"}})
	unknown := &verify.Error{Kind: verify.ErrIssuer}
	v := verify.Any(first, opaque{unknown}, second)
	of := func(a *authority, iss string) string {
		return a.token(fmt.Sprintf(`{"iss":%q,"exp":99999999999}`, iss))
	}
	for _, tt := range []struct {
		name, token string
		want        error
	}{
		{"the first one's", ours.good(), nil},
		{"the second one's", "opaque", nil},
		{"the third one's", of(theirs, otherName), nil},
		{"nobody's", of(ours, "https://evil.test"), verify.ErrIssuer},
		{"the first one's, by the third one's key", of(theirs, authName), verify.ErrSignature},
		{"the third one's, by the first one's key", of(ours, otherName), verify.ErrSignature},
		{"no token", "x", verify.ErrMalformed},
	} {
		a, err := v.Verify(t.Context(), tt.token)
		if !errors.Is(err, tt.want) || tt.want == nil && (a == nil || a.Token.AccessToken != tt.token) || tt.want != nil && a != nil {
			t.Errorf("%s: %v, %v, want %v", tt.name, a, err, tt.want)
		}
	}

	old := verify.Issuer{Name: otherName, Aliases: []string{""}, KeySet: keySet(theirs), Algorithms: []string{"ES256"}}
	for _, v := range []bearer.Verifier{verify.Any(first, newVerifier(t, nil, old)), verify.Any(newVerifier(t, nil, old), first)} {
		if _, err := v.Verify(t.Context(), theirs.token(`{"exp":1}`)); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("an old token that names nobody: %v, want %v", err, verify.ErrExpired)
		}
	}

	// What is done to one token's error is not seen in the next one's.
	_, err := first.Verify(t.Context(), theirs.token(`{"exp":1}`))
	if own, ok := errors.AsType[*verify.Error](err); ok {
		own.Detail = "spoilt"
	}
	if _, err := first.Verify(t.Context(), theirs.token(`{"exp":1}`)); err == nil || err.Error() != "verify: the token has no iss" {
		t.Errorf("the next one's error is %v", err)
	}

	passing := &bearer.UnavailableError{}
	if _, err := verify.Any(first, opaque{passing}, second).Verify(t.Context(), of(ours, "https://evil.test")); err != passing {
		t.Errorf("where one cannot tell: %v, want that", err)
	}

	token := of(theirs, otherName)
	v.(bearer.Refuser).Refuse(token, time.Hour)
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, verify.ErrRefused) {
		t.Errorf("after Refuse: %v", err)
	}
}

func TestAnyOfNone(t *testing.T) {
	for name, of := range map[string][]bearer.Verifier{"none": nil, "nil": {opaque{}, nil}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			verify.Any(of...)
		}()
	}
}

// refusals is an observer that keeps what is told of refused tokens.
func refusals(told *[]verify.TokenRefused) bearer.Observer {
	return func(_ context.Context, e bearer.Event) {
		if e, ok := e.(verify.TokenRefused); ok {
			*told = append(*told, e)
		}
	}
}

// What is refused is told, with the issuer that it names and those that there are.
func TestTokenRefused(t *testing.T) {
	var told []verify.TokenRefused
	v := newVerifier(t, &verify.Options{Observer: refusals(&told)}, issuerOf(signer()))
	good := signer().good()
	if err := check(v, good); err != nil || len(told) > 0 {
		t.Fatalf("a good token: %v, told %v", err, told)
	}
	check(v, signer().token(`{"iss":"https://auth.test/","exp":99999999999}`))
	check(v, "x")
	check(v, strings.Repeat("x", 16<<10+1))
	check(v, signer().token(`{"iss":"a\nb","exp":99999999999}`))
	v.Refuse(good, 0)
	check(v, good)
	want := []string{
		"token refused [error=the token's issuer is unknown issuer=\"https://auth.test/\" accepted=[https://auth.test]]",
		"token refused [error=the token has not three parts issuer=\"\"]",
		"token refused [error=the token is over 16 KiB issuer=\"\"]",
		`token refused [error=the token's issuer is unknown issuer="a\nb" accepted=[https://auth.test]]`,
		"token refused [error=the token has been revoked issuer=\"\"]",
	}
	if len(told) != len(want) {
		t.Fatalf("told %v, want %d events", told, len(want))
	}
	for i, e := range told {
		if got := fmt.Sprintf("%+v", e); got != want[i] {
			t.Errorf("event %d = %s, want %s", i, got, want[i])
		}
		if e.Level() >= 0 {
			t.Errorf("event %d has level %v, want Debug", i, e.Level())
		}
	}

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		told = nil
		cold := newVerifier(t, &verify.Options{Observer: refusals(&told), Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			cancel()
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}, fetched)
		if _, err := cold.Verify(ctx, signer().good()); !errors.Is(err, context.Canceled) || len(told) > 0 {
			t.Errorf("a request that has ended: %v, told %v, want nothing told", err, told)
		}
		pass(time.Minute) // the request ends too
	})
}

// Who forgets the kid is told so.
func TestNoKeyID(t *testing.T) {
	v := newVerifier(t, nil, issuerOf(signer(), second()))
	err := check(v, signer().sign(`{"alg":"ES256"}`, goodClaims()))
	if want := "verify: the token names no key, and its issuer has not just one"; !errors.Is(err, verify.ErrUnknownKey) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := check(newVerifier(t, nil, issuerOf(signer())), signer().sign(`{"alg":"ES256"}`, goodClaims())); err != nil {
		t.Errorf("of an issuer with one key: %v", err)
	}
	down := newVerifier(t, &verify.Options{Base: roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.EOF })}, fetched)
	if err := check(down, signer().sign(`{"alg":"ES256"}`, goodClaims())); !errors.As(err, new(*bearer.UnavailableError)) {
		t.Errorf("of an issuer whose keys cannot be had: %v, want an UnavailableError", err)
	}
}

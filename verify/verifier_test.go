package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

var allAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func TestAlgorithms(t *testing.T) {
	for _, alg := range allAlgorithms {
		t.Run(alg, func(t *testing.T) {
			a := of(alg)
			v := newVerifier(t, nil, issuerOf(a))
			if err := check(v, a.good()); err != nil {
				t.Error(err)
			}
			bare := verify.Issuer{Name: authName, KeySet: jwks(a.jwk()), Algorithms: []string{alg}}
			if err := check(newVerifier(t, nil, bare), a.sign(`{"alg":"`+alg+`"}`, goodClaims())); err != nil {
				t.Errorf("without alg in the key, and kid in the token: %v", err)
			}
			others := issuerOf(a)
			others.Algorithms = nil
			for _, other := range allAlgorithms {
				if other != alg {
					others.Algorithms = append(others.Algorithms, other)
				}
			}
			others.KeySet = jwks(a.jwk(), of("ES256").jwk(), of("RS256").jwk()) // some that are of use
			token := a.good()
			wantRefusal(t, check(newVerifier(t, nil, others), token), token, verify.ErrAlgorithm)
		})
	}
}

func TestSeveralIssuers(t *testing.T) {
	one, two := fresh("k"), fresh("k")
	v := newVerifier(t, nil,
		verify.Issuer{Name: "https://one.test", Aliases: []string{"one", ""}, KeySet: keySet(one), Algorithms: []string{"ES256"}},
		verify.Issuer{Name: "https://two.test", Aliases: []string{"two"}, KeySet: keySet(two), Algorithms: []string{"ES256"}, Audience: []string{"a", "b"}})
	for _, tt := range []struct {
		name   string
		by     *authority
		claims string
		want   error
	}{
		{"one", one, `"iss":"https://one.test"`, nil},
		{"one's alias", one, `"iss":"one"`, nil},
		{"one's without iss", one, `"sub":"x"`, nil},
		{"one's with a null", one, `"iss":null`, nil},
		{"one's with nothing", one, `"iss":""`, nil},
		{"two", two, `"iss":"https://two.test","aud":"a"`, nil},
		{"two's alias", two, `"iss":"two","aud":["c","b"]`, nil},
		{"two's key for one", two, `"iss":"https://one.test"`, verify.ErrSignature},
		{"two's key for one's alias", two, `"iss":"one"`, verify.ErrSignature},
		{"two's key without iss", two, `"sub":"x"`, verify.ErrSignature},
		{"one's key for two", one, `"iss":"https://two.test","aud":"a"`, verify.ErrSignature},
		{"two's audience is not one's", one, `"iss":"one","aud":"a"`, verify.ErrAudience},
		{"two's must have one", two, `"iss":"two"`, verify.ErrMissingClaim},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := tt.by.token(`{"exp":99999999999,` + tt.claims + `}`)
			c, err := v.Claims(context.Background(), token)
			if tt.want != nil {
				wantRefusal(t, err, token, tt.want)
			} else if err != nil {
				t.Fatal(err)
			} else if !strings.Contains(tt.claims, c.Issuer) {
				t.Errorf("the issuer is %q", c.Issuer)
			}
		})
	}
}

func TestAudience(t *testing.T) {
	a := signer()
	open, closed := issuerOf(a), issuerOf(a)
	closed.Audience = []string{"us", "them"}
	for _, tt := range []struct {
		name, aud    string
		open, closed error
	}{
		{"none", `"x":1`, nil, verify.ErrMissingClaim},
		{"null", `"aud":null`, nil, verify.ErrMissingClaim},
		{"upper case", `"AUD":"us"`, nil, verify.ErrMissingClaim},
		{"us", `"aud":"us"`, verify.ErrAudience, nil},
		{"them", `"aud":"them"`, verify.ErrAudience, nil},
		{"us in a list", `"aud":["us"]`, verify.ErrAudience, nil},
		{"us among others", `"aud":["x","","us"]`, verify.ErrAudience, nil},
		{"others", `"aud":["x","y"]`, verify.ErrAudience, verify.ErrAudience},
		{"other", `"aud":"x"`, verify.ErrAudience, verify.ErrAudience},
		{"nothing", `"aud":""`, verify.ErrAudience, verify.ErrAudience},
		{"nobody", `"aud":[]`, verify.ErrAudience, verify.ErrAudience},
		{"longer", `"aud":"us "`, verify.ErrAudience, verify.ErrAudience},
		{"by case", `"aud":"US"`, verify.ErrAudience, verify.ErrAudience},
		{"both in one text", `"aud":"us them"`, verify.ErrAudience, verify.ErrAudience},
		{"a null in a list", `"aud":["us",null]`, verify.ErrMalformed, verify.ErrMalformed},
		{"a number in a list", `"aud":["us",1]`, verify.ErrMalformed, verify.ErrMalformed},
		{"a list in a list", `"aud":[["us"]]`, verify.ErrMalformed, verify.ErrMalformed},
		{"a number", `"aud":1`, verify.ErrMalformed, verify.ErrMalformed},
		{"an object", `"aud":{"us":1}`, verify.ErrMalformed, verify.ErrMalformed},
		{"true", `"aud":true`, verify.ErrMalformed, verify.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := a.good(tt.aud)
			for _, c := range []struct {
				issuer verify.Issuer
				want   error
			}{{open, tt.open}, {closed, tt.closed}} {
				err := check(newVerifier(t, nil, c.issuer), token)
				if c.want != nil {
					wantRefusal(t, err, token, c.want)
				} else if err != nil {
					t.Errorf("with the Audience %v: %v", c.issuer.Audience, err)
				}
			}
		})
	}
}

// The times count to the nanosecond: exp without leeway, nbf and iat with it.
func TestEdgesOfTime(t *testing.T) {
	a := signer()
	for _, tt := range []struct {
		name   string
		leeway time.Duration
		want   time.Duration
	}{{"default", 0, time.Minute}, {"none", -1, 0}, {"most", 5 * time.Minute, 5 * time.Minute}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now().Unix() // bubbles begin with a whole second
				opts := &verify.Options{Leeway: tt.leeway, CacheBytes: -1}
				v := newVerifier(t, opts, issuerOf(a))
				token := func(exp, nbf, iat time.Duration) string {
					at := func(d time.Duration) int64 { return now + int64(d/time.Second) }
					return a.token(fmt.Sprintf(`{"iss":%q,"exp":%d,"nbf":%d,"iat":%d}`, authName, at(exp), at(nbf), at(iat)))
				}
				const begin = 10 * time.Minute
				nbf, iat, both := token(begin+tt.want+2*time.Second, begin, 0), token(begin+tt.want+2*time.Second, 0, begin), token(begin+tt.want+2*time.Second, begin, begin)
				pass(begin - tt.want - time.Nanosecond)
				for _, early := range []string{nbf, iat, both} {
					wantRefusal(t, check(v, early), early, verify.ErrNotYetValid)
				}
				pass(time.Nanosecond)
				for _, token := range []string{nbf, iat, both} {
					if err := check(v, token); err != nil {
						t.Errorf("at the edge: %v", err)
					}
				}
				pass(2*tt.want + 2*time.Second - time.Nanosecond)
				if err := check(v, both); err != nil {
					t.Errorf("at the last nanosecond: %v", err)
				}
				pass(time.Nanosecond)
				wantRefusal(t, check(v, both), both, verify.ErrExpired)
			})
		})
	}
}

// An expired token is one in which all else is right.
func TestExpiredIsLast(t *testing.T) {
	a := signer()
	refuse := &verify.Error{Kind: verify.ErrNotAdmitted}
	for _, tt := range []struct {
		name   string
		token  string
		admits bool
		want   error
	}{
		{"not admitted", a.token(`{"iss":"` + authName + `","exp":1}`), false, verify.ErrNotAdmitted},
		{"not valid yet", a.token(`{"iss":"` + authName + `","exp":1,"nbf":99999999999}`), true, verify.ErrNotYetValid},
		{"forged", fresh(a.kid).token(`{"iss":"` + authName + `","exp":1}`), true, verify.ErrSignature},
		{"right", a.token(`{"iss":"` + authName + `","exp":1}`), true, verify.ErrExpired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier(t, &verify.Options{Authorize: func(*verify.Claims) (*bearer.Authorization, error) {
				if !tt.admits {
					return nil, refuse
				}
				return &bearer.Authorization{}, nil
			}}, issuerOf(a))
			wantRefusal(t, check(v, tt.token), tt.token, tt.want)
		})
	}
}

// A token that expires while its keys are fetched is not let in, and one whose time comes
// is.
func TestTimeWhileKeysCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := signer()
		set := keySet(a)
		base := roundTrip(func(r *http.Request) (*http.Response, error) {
			pass(5 * time.Second)
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(set)), Request: r}, nil
		})
		for _, tt := range []struct {
			exp, nbf int64
			want     error
		}{{5, 0, verify.ErrExpired}, {6, 0, nil}, {100, 65, nil}, {100, 66, verify.ErrNotYetValid}} {
			v := newVerifier(t, &verify.Options{Base: base}, verify.Issuer{Name: authName, KeySetURL: keysURL, Algorithms: []string{"ES256"}})
			now := time.Now().Unix()
			token := a.token(fmt.Sprintf(`{"iss":%q,"exp":%d,"nbf":%d}`, authName, now+tt.exp, now+tt.nbf))
			if err := check(v, token); !errors.Is(err, tt.want) {
				t.Errorf("exp %d, nbf %d: got the error %v, want %v", tt.exp, tt.nbf, err, tt.want)
			}
		}
	})
}

func TestAuthorize(t *testing.T) {
	a := signer()
	token := a.good(`"sub":"who","scope":"a b"`)
	exp := func(v *verify.Verifier) time.Time { return must(v.Claims(context.Background(), token)).ExpiresAt }
	t.Run("default", func(t *testing.T) {
		v := newVerifier(t, nil, issuerOf(a))
		got, err := v.Verify(context.Background(), token)
		if err != nil {
			t.Fatal(err)
		}
		want := &bearer.Authorization{Scope: "a b", Token: &bearer.Token{AccessToken: token, TokenType: "Bearer", Expiry: exp(v)}, Claims: must(v.Claims(context.Background(), token))}
		if !reflect.DeepEqual(*got, *want) || *got.Token != *want.Token {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("of its own", func(t *testing.T) {
		calls := 0
		own := bearer.Authorization{Owner: bearer.Owner{Type: "User", ID: "who"}, Scope: "c", Token: &bearer.Token{AccessToken: "another"}, Claims: "mine"}
		given := own
		v := newVerifier(t, &verify.Options{Authorize: func(c *verify.Claims) (*bearer.Authorization, error) {
			if calls++; c.Subject != "who" {
				t.Errorf("the subject is %q", c.Subject)
			}
			return &given, nil
		}}, issuerOf(a))
		for range 3 {
			got, err := v.Verify(context.Background(), token)
			if err != nil || *got != own {
				t.Errorf("got %v and %v", got, err)
			}
			if got == &given {
				t.Error("what Authorize has returned is not copied")
			}
		}
		if calls != 1 || given != own || *given.Token != (bearer.Token{AccessToken: "another"}) {
			t.Errorf("%d calls, and then %v", calls, given)
		}
	})
	t.Run("only owner", func(t *testing.T) {
		given := bearer.Authorization{Owner: bearer.Owner{Type: "User", ID: "who"}}
		v := newVerifier(t, &verify.Options{Authorize: func(*verify.Claims) (*bearer.Authorization, error) { return &given, nil }}, issuerOf(a))
		got, err := v.Verify(context.Background(), token)
		if err != nil || got.Token.AccessToken != token || got.Claims == nil || got.Owner != given.Owner {
			t.Errorf("got %v and %v", got, err)
		}
		if given.Token != nil || given.Claims != nil {
			t.Error("what Authorize has returned is modified")
		}
	})
	foreign := errors.New("of the application")
	for name, tt := range map[string]struct {
		err  error
		want error
	}{
		"nil":           {nil, verify.ErrNotAdmitted},
		"own error":     {&verify.Error{Kind: verify.ErrMissingClaim, Detail: "the token has no owner"}, verify.ErrMissingClaim},
		"foreign error": {foreign, foreign},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			v := newVerifier(t, &verify.Options{Authorize: func(*verify.Claims) (*bearer.Authorization, error) { calls++; return nil, tt.err }}, issuerOf(a))
			for range 2 {
				got, err := v.Verify(context.Background(), token)
				if got != nil || !errors.Is(err, tt.want) || tt.err != nil && err != tt.err {
					t.Errorf("got %v and the error %v, want %v", got, err, tt.want)
				}
			}
			if n := verify.Seen(v); n != 0 || calls != 2 {
				t.Errorf("%d tokens are remembered, %d calls", n, calls)
			}
		})
	}
	t.Run("not for what is refused", func(t *testing.T) {
		v := newVerifier(t, &verify.Options{Authorize: func(*verify.Claims) (*bearer.Authorization, error) {
			t.Error("Authorize is called")
			return nil, nil
		}}, issuerOf(a))
		for _, bad := range []string{fresh(a.kid).good(), a.good(`"nbf":99999999999`), a.token(`{"iss":"x","exp":99999999999}`)} {
			if check(v, bad) == nil {
				t.Error("no error")
			}
		}
	})
}

func TestNewFaults(t *testing.T) {
	a := signer()
	with := func(change func(*verify.Issuer)) []verify.Issuer {
		i := issuerOf(a)
		change(&i)
		return []verify.Issuer{i}
	}
	for _, tt := range []struct {
		name    string
		issuers []verify.Issuer
		opts    *verify.Options
		want    string // in the error
	}{
		{"no issuer", nil, nil, "needs an Issuer"},
		{"no name", with(func(i *verify.Issuer) { i.Name = "" }), nil, "Name"},
		{"no algorithms", with(func(i *verify.Issuer) { i.Algorithms = nil }), nil, "Algorithms"},
		{"none", with(func(i *verify.Issuer) { i.Algorithms = []string{"ES256", "none"} }), nil, `"none"`},
		{"a secret's", with(func(i *verify.Issuer) { i.Algorithms = []string{"HS256"} }), nil, `"HS256"`},
		{"lower case", with(func(i *verify.Issuer) { i.Algorithms = []string{"es256"} }), nil, `"es256"`},
		{"two key sets", with(func(i *verify.Issuer) { i.KeySetURL = keysURL }), nil, "either a KeySetURL or a KeySet"},
		{"no key set", with(func(i *verify.Issuer) { i.KeySet = nil }), nil, "either a KeySetURL or a KeySet"},
		{"twice", append(with(func(*verify.Issuer) {}), issuerOf(a)), nil, "two issuers"},
		{"its own alias", with(func(i *verify.Issuer) { i.Aliases = []string{authName} }), nil, "two issuers"},
		{"another one's alias", append(with(func(*verify.Issuer) {}), with(func(i *verify.Issuer) { i.Name, i.Aliases = "x", []string{authName} })...), nil, "two issuers"},
		{"empty audience", with(func(i *verify.Issuer) { i.Audience = []string{"us", ""} }), nil, "Audience"},
		{"leeway", with(func(*verify.Issuer) {}), &verify.Options{Leeway: 5*time.Minute + 1}, "Leeway"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := verify.New(tt.issuers, tt.opts)
			if err == nil || v != nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "verify: ") {
				t.Errorf("got the error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// What New was given may be used for something else.
func TestNewCopies(t *testing.T) {
	a := signer()
	i := issuerOf(a)
	i.Audience, i.Types, i.Aliases = []string{"us"}, []string{"JWT"}, []string{"x"}
	opts := &verify.Options{}
	v := newVerifier(t, opts, i)
	if i.Types[0] != "JWT" {
		t.Errorf("Types is now %v", i.Types)
	}
	i.Audience[0], i.Types[0], i.Algorithms[0], i.Aliases[0] = "them", "x", "RS256", "y"
	clear(i.KeySet)
	opts.Authorize = func(*verify.Claims) (*bearer.Authorization, error) { return nil, nil }
	if err := check(v, a.good(`"aud":"us"`)); err != nil {
		t.Error(err)
	}
}

func TestVerifierPrinted(t *testing.T) {
	v := newVerifier(t, nil, issuerOf(signer()), verify.Issuer{Name: otherName, KeySet: keySet(signer()), Algorithms: []string{"ES256"}})
	want := `verify.Verifier(["https://auth.test" "https://other.test"])`
	for _, got := range []string{fmt.Sprint(v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), v.LogValue().String()} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

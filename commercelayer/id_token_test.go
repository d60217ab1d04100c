package commercelayer_test

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
	"github.com/golang-jwt/jwt/v5"
)

// What is refused is refused before anybody is asked anything, and spends nothing.
func TestSignOnRefuses(t *testing.T) {
	claim := func(name string, value any) map[string]any { return map[string]any{name: value} }
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	signed := func(changed func() map[string]any) func() string {
		return func() string { return adasToken(changed()) }
	}
	with := func(name string, value any) func() string {
		return signed(func() map[string]any { return claim(name, value) })
	}
	type list = []any
	tests := []struct {
		name  string
		token func() string
		sent  string // the nonce
		want  error
	}{
		{"nothing", func() string { return "" }, nonce, verify.ErrMalformed},
		{"no JWT", func() string { return "an ID token" }, nonce, verify.ErrMalformed},
		{"no signature", func() string {
			return strings.TrimRight(adasToken(nil), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
		}, nonce, verify.ErrSignature},
		{"forged with another key", func() string { return forgersKey.sign(adasClaims(nil), "JWT") }, nonce, verify.ErrSignature},
		{"changed", func() string {
			mine, adas := strings.Split(adasToken(claim("sub", "provider|666")), "."), strings.Split(adasToken(nil), ".")
			return mine[0] + "." + adas[1] + "." + mine[2]
		}, nonce, verify.ErrSignature},
		{"an access token", func() string { return providerKey.sign(adasClaims(nil), "at+jwt") }, nonce, verify.ErrMalformed},
		{"a token of the shop's own", func() string { return jwtOf(map[string]any{"iss": "https://auth.commercelayer.io"}) }, nonce, verify.ErrIssuer},
		{"another issuer", with("iss", "https://id.example.evil.example"), nonce, verify.ErrIssuer},
		{"no issuer", with("iss", nil), nonce, verify.ErrMissingClaim},
		{"expired", signed(func() map[string]any { return map[string]any{"iat": ago(time.Hour), "exp": ago(time.Second)} }), nonce, verify.ErrExpired},
		{"no expiry", with("exp", nil), nonce, verify.ErrMissingClaim},
		{"from the future", signed(func() map[string]any { return claim("iat", ago(-2*time.Minute)) }), nonce, verify.ErrNotYetValid},
		{"without the time of issue", with("iat", nil), nonce, verify.ErrMissingClaim},
		{"nobody", with("sub", nil), nonce, verify.ErrMissingClaim},
		{"nobody by name", with("sub", ""), nonce, verify.ErrMissingClaim},
		{"sub is a number", with("sub", 1815), nonce, verify.ErrMalformed},
		{"another audience", with("aud", "another-shop"), nonce, verify.ErrAudience},
		{"no audience", with("aud", nil), nonce, verify.ErrMissingClaim},
		{"another audience too", signed(func() map[string]any {
			return map[string]any{"aud": list{shopAtProvider, "another-shop"}, "azp": shopAtProvider}
		}), nonce, verify.ErrAudience},
		{"an empty audience too", signed(func() map[string]any { return map[string]any{"aud": list{shopAtProvider, ""}, "azp": shopAtProvider} }), nonce, verify.ErrAudience},
		{"two audiences and no azp", with("aud", list{shopAtProvider, "shop-telephone"}), nonce, verify.ErrMissingClaim},
		{"two audiences and azp null", func() string {
			return adasToken(map[string]any{"aud": list{shopAtProvider, "shop-telephone"}, "azp": json.RawMessage("null")})
		}, nonce, verify.ErrMissingClaim},
		{"two audiences and another azp", signed(func() map[string]any {
			return map[string]any{"aud": list{shopAtProvider, "shop-telephone"}, "azp": "another-shop"}
		}), nonce, verify.ErrAudience},
		{"another azp", with("azp", "another-shop"), nonce, verify.ErrAudience},
		{"an empty azp", with("azp", ""), nonce, verify.ErrAudience},
		{"azp is a list", with("azp", list{shopAtProvider}), nonce, verify.ErrMalformed},
		{"another visitor's nonce", with("nonce", "another"), nonce, verify.ErrNotAdmitted},
		{"a part of the nonce", with("nonce", nonce[:8]), nonce, verify.ErrNotAdmitted},
		{"an empty nonce", with("nonce", ""), nonce, verify.ErrNotAdmitted},
		{"no nonce", with("nonce", nil), nonce, verify.ErrMissingClaim},
		{"the nonce under another name", signed(func() map[string]any { return map[string]any{"nonce": nil, "Nonce": nonce} }), nonce, verify.ErrMissingClaim},
		{"nonce null", func() string { return adasToken(claim("nonce", json.RawMessage("null"))) }, nonce, verify.ErrMissingClaim},
		{"nonce is a number", with("nonce", 7), nonce, verify.ErrMalformed},
		{"a nonce, and none was sent", with("nonce", nonce), "", verify.ErrNotAdmitted},
		{"an empty nonce, and none was sent", with("nonce", ""), "", verify.ErrNotAdmitted},
		{"that somebody has signed out", signed(func() map[string]any {
			return map[string]any{"nonce": nil, "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		}), "", verify.ErrNotAdmitted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openSignOn(t, func(_ *commercelayer.Options, provider *verify.Issuer, _ *commercelayer.SignOnOptions) {
					provider.Audience = append(provider.Audience, "shop-telephone")
				})
				b, token := s.shopper(), tt.token()
				for range 2 { // for the same reason, again
					err := s.login(t, b, token, tt.sent)
					refused, ok := errors.AsType[*verify.Error](err)
					if !ok || !errors.Is(err, tt.want) {
						t.Fatalf("error = %v, want %v", err, tt.want)
					}
					if text := printed(err) + refused.Description(); strings.Contains(text, adaSubject) || strings.Contains(text, nonce) || strings.Contains(text, "ada@") || strings.Contains(text, "another-shop") {
						t.Errorf("the error tells what is in the token: %s", text)
					}
				}
				if n := s.people.count(); n != 0 {
					t.Errorf("%d questions who the customer is, want none", n)
				}
				if n := s.service.Counts().TokenRequests; n != 0 {
					t.Errorf("%d token requests, want none", n)
				}
				b.is(t, s.channel, guest, bearer.StateGuest)
			})
		})
	}
}

func TestSignOnAccepts(t *testing.T) {
	tests := []struct {
		name    string
		changed map[string]any
		typ     string
		sent    string
	}{
		{"as it is", nil, "JWT", nonce},
		{"without a type", nil, "", nonce},
		{"a list of one audience", map[string]any{"aud": []any{shopAtProvider}}, "JWT", nonce},
		{"azp too", map[string]any{"azp": shopAtProvider}, "JWT", nonce},
		{"for the telephone too", map[string]any{"aud": []any{shopAtProvider, "shop-telephone"}, "azp": shopAtProvider}, "JWT", nonce},
		{"issued to the telephone", map[string]any{"azp": "shop-telephone"}, "JWT", nonce},
		{"no nonce, and none was sent", map[string]any{"nonce": nil}, "JWT", ""},
		{"a nonce of any characters", map[string]any{"nonce": "ſ\x00é\""}, "JWT", "ſ\x00é\""},
		{"the provider's clock is ahead", map[string]any{"iat": time.Date(2000, 1, 1, 0, 0, 50, 0, time.UTC).Unix()}, "JWT", nonce},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openSignOn(t, func(_ *commercelayer.Options, provider *verify.Issuer, _ *commercelayer.SignOnOptions) {
					provider.Audience = append(provider.Audience, "shop-telephone")
				})
				b := s.shopper()
				if err := s.login(t, b, providerKey.sign(adasClaims(tt.changed), tt.typ), tt.sent); err != nil {
					t.Fatal(err)
				}
				b.is(t, s.channel, commercelayertest.CustomerID, bearer.StateCustomer)
			})
		})
	}
}

// twin is the same token with the other signature that ECDSA has for it.
func twin(t *testing.T, token string) string {
	t.Helper()
	at := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[at:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return token[:at] + base64.RawURLEncoding.EncodeToString(signature)
}

// Each ID token is good for one login.
func TestSignOnOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSignOn(t, nil)
		token := adasToken(nil)
		if err := s.login(t, s.shopper(), token, nonce); err != nil {
			t.Fatal(err)
		}
		pass(5*time.Minute - time.Second)
		thief := s.shopper()
		for name, again := range map[string]string{"again": token, "with another signature": twin(t, token)} {
			if err := s.login(t, thief, again, nonce); !errors.Is(err, verify.ErrRefused) {
				t.Errorf("%s: error = %v, want ErrRefused", name, err)
			}
		}
		pass(2 * time.Second)
		if err := s.login(t, thief, token, nonce); !errors.Is(err, verify.ErrExpired) {
			t.Errorf("when it has expired: error = %v, want ErrExpired", err)
		}
		thief.is(t, s.channel, guest, bearer.StateGuest)
		if err := s.login(t, thief, adasToken(nil), nonce); err != nil {
			t.Errorf("another token of the same person: %v", err)
		}
		if n := s.people.count(); n != 2 {
			t.Errorf("%d questions who the customer is, want 2", n)
		}
	})
}

// Of two at the same time one signs in, whichever.
func TestSignOnTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSignOn(t, nil)
		s.people.answer = func(context.Context, *verify.Claims) (string, error) {
			pass(time.Second)
			return commercelayertest.CustomerID, nil
		}
		token := adasToken(nil)
		var mu sync.Mutex // guards errs
		var errs []error
		var wg sync.WaitGroup
		for _, token := range []string{token, twin(t, token), token} {
			b := s.shopper()
			wg.Go(func() {
				err := s.login(t, b, token, nonce)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
		wg.Wait()
		in := 0
		for _, err := range errs {
			switch {
			case err == nil:
				in++
			case !errors.Is(err, verify.ErrRefused):
				t.Errorf("error = %v, want ErrRefused", err)
			}
		}
		if in != 1 {
			t.Errorf("%d have signed on with one token, want 1", in)
		}
	})
}

// Whatever the provider signs: who gets in has claims that another reading of the rules
// finds right too.
func FuzzSignOn(f *testing.F) {
	now := time.Now().Unix()
	for _, claims := range []string{
		`"sub":"a","aud":"shop-client","iat":%d,"exp":%d,"nonce":"n"`,
		`"sub":"a","aud":["shop-client","shop-telephone"],"azp":"shop-client","iat":%d,"exp":%d,"nonce":"n"`,
		`"sub":"a","aud":["shop-client","x"],"azp":null,"iat":%d,"exp":%d,"nonce":"n"`,
		`"sub":"","aud":"shop-client","iat":%d,"exp":%d,"Nonce":"n","events":{}`,
		`"sub":"a","aud":"shop-client","iat":%d,"exp":%d,"nonce":null,"azp":["shop-client"]`,
	} {
		f.Add(fmt.Sprintf(`{"iss":"https://id.example",`+claims+`}`, now, now+1<<30), "n")
		f.Add(fmt.Sprintf(`{"iss":"https://id.example",`+claims+`}`, now, now+1<<30), "")
	}
	var asked *verify.Claims
	provider := identityProvider()
	provider.Audience = append(provider.Audience, "shop-telephone")
	channel, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope,
		&commercelayer.Options{ClientSecret: commercelayertest.SalesChannelSecret, Base: &stub{}})
	if err != nil {
		f.Fatal(err)
	}
	signOn, err := commercelayer.NewSignOn(channel, provider, func(_ context.Context, id *verify.Claims) (string, error) {
		asked = id
		return "", nil
	}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, claims, nonce string) {
		first := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"one"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		signature, err := jwt.SigningMethodES256.Sign(first, providerKey.private)
		if err != nil {
			t.Fatal(err)
		}
		asked = nil
		channel.Middleware(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			err = signOn.Login(r.Context(), first+"."+base64.RawURLEncoding.EncodeToString(signature), nonce)
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://shop.example/", nil))
		if asked == nil {
			if _, ok := errors.AsType[*verify.Error](err); !ok {
				t.Errorf("error = %v, want a *verify.Error", err)
			}
			return
		}
		if !errors.Is(err, commercelayer.ErrNoSuchCustomer) {
			t.Errorf("error = %v, want ErrNoSuchCustomer", err)
		}
		var all map[string]any
		if err := json.Unmarshal([]byte(claims), &all); err != nil {
			t.Fatalf("claims that are no JSON: %v", err)
		}
		audiences, several := all["aud"].([]any)
		if !several {
			audiences = []any{all["aud"]}
		}
		for _, a := range audiences {
			if a != shopAtProvider && a != "shop-telephone" {
				t.Errorf("it is for %v", a)
			}
		}
		azp, sub, sent := all["azp"], all["sub"], all["nonce"]
		if azp != shopAtProvider && azp != "shop-telephone" && (azp != nil || len(audiences) != 1) {
			t.Errorf("with %d audiences azp is %v", len(audiences), azp)
		}
		if (nonce != "" || sent != nil) && sent != nonce {
			t.Errorf("nonce = %q, want %q", sent, nonce)
		}
		if iat, ok := all["iat"].(float64); sub != asked.Subject || sub == "" || !ok || iat <= 0 || all["events"] != nil {
			t.Errorf("sub %q, iat %v, events %v", sub, all["iat"], all["events"])
		}
	})
}

package commercelayer_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/verify"
)

// What is a sign of theft is told, like what the verifier refuses by itself.
func TestSignOnTellsWhatItRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []error
		s := openSignOn(t, func(o *commercelayer.Options, _ *verify.Issuer, _ *commercelayer.SignOnOptions) {
			o.Observer = func(_ context.Context, e bearer.Event) {
				if e, ok := e.(verify.TokenRefused); ok {
					if told = append(told, e.Err); e.Issuer != "https://id.example" {
						t.Errorf("told of the issuer %q", e.Issuer)
					}
				}
			}
		})
		token := adasToken(nil)
		if err := s.login(t, s.shopper(), token, nonce); err != nil || len(told) != 0 {
			t.Fatalf("signing on: %v, told %v", err, told)
		}
		for _, tt := range []struct {
			name, token, nonce string
			want               error
		}{
			{"again", token, nonce, verify.ErrRefused},
			{"another's nonce", adasToken(nil), "another", verify.ErrNotAdmitted},
			{"a long subject", adasToken(claimSet{"sub": strings.Repeat("s", 256)}), nonce, verify.ErrMalformed},
			{"for another party", adasToken(claimSet{"azp": "another"}), nonce, verify.ErrAudience},
		} {
			told = nil
			err := s.login(t, s.shopper(), tt.token, tt.nonce)
			if !errors.Is(err, tt.want) || len(told) != 1 || told[0] != err {
				t.Errorf("%s: %v, told %v, want %v", tt.name, err, told, tt.want)
			}
		}
	})
}

// A token is used up by whoever was signed in with it, whatever the application does then.
func TestSignOnWhereOnLoginPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSignOn(t, func(o *commercelayer.Options, _ *verify.Issuer, _ *commercelayer.SignOnOptions) {
			o.OnLogin = func(context.Context, *bearer.Authorization, *bearer.Authorization) { panic("in OnLogin") }
		})
		token := adasToken(nil)
		s.shopper().do(t, func(ctx context.Context) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			s.signOn.Login(ctx, token, nonce)
		})
		if err := s.login(t, s.shopper(), token, nonce); !errors.Is(err, verify.ErrRefused) {
			t.Errorf("the token again: %v, want ErrRefused", err)
		}
	})
}

// Nobody is looked for where nobody can sign in, and the token stays good.
func TestSignOnTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSignOn(t, nil)
		b, token := s.shopper(), adasToken(nil)
		b.visit(t, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			if err := s.signOn.Login(r.Context(), token, nonce); err == nil {
				t.Error("no error")
			}
		})
		if n := s.people.count(); n != 0 {
			t.Errorf("%d questions who the customer is, want none", n)
		}
		if err := s.login(t, b, token, nonce); err != nil {
			t.Errorf("in time: %v", err)
		}
	})
}

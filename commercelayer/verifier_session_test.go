package commercelayer_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/internal/pipe"
	"github.com/bearerkit/bearer/verify"
)

// That a session's access token is refused at the door, since somebody has brought it as
// a bearer after it was revoked, does not lock the session out: it has a refresh token.
func TestRequireOfSessionsWhoseTokenIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		for _, tt := range []struct {
			name    string
			carrier bearer.Carrier
		}{{"in the storage", nil}, {"in js-auth's cookie", commercelayer.NewJSAuthCookie(nil)}} {
			var token string
			o := optionsFor(s)
			o.OnLogin = func(_ context.Context, _, customer *bearer.Authorization) { token = customer.Token.AccessToken }
			b := &backend{channel: newSalesChannel(t, o), verifier: newVerifier(t, s, nil)}
			mux := http.NewServeMux()
			mux.Handle("GET /customer", b.verifier.Require(commercelayer.OfCustomer, nil)(http.HandlerFunc(b.who)))
			mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
				if err := b.channel.Login(r.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
					t.Error(err)
				}
			})
			b.transport = pipe.Serve(t, b.channel.Middleware(&bearer.MiddlewareOptions{Verifier: b.verifier, Carrier: tt.carrier})(mux))
			browser := b.visitor("")
			browser.ask(t, "POST", "/login")
			browser.want(t, tt.name, "/customer "+ada)
			s.Revoke(token)
			b.verifier.Refuse(token, 0)
			b.visitor(token).want(t, tt.name+", as a bearer", "/customer 401 the token has been revoked")
			browser.want(t, tt.name+", again", "/customer "+ada, "/customer "+ada)
		}
		synctest.Wait()
	})
}

// partners admits tokens of two issuers, and says nothing about claims.
type partners struct{ bearer.Verifier }

func (p partners) Verify(ctx context.Context, token string) (*bearer.Authorization, error) {
	if a, err := p.Verifier.Verify(ctx, token); err == nil {
		return &bearer.Authorization{Token: a.Token, Owner: a.Owner}, nil
	}
	return &bearer.Authorization{Token: &bearer.Token{AccessToken: token}}, nil
}

// A token of somebody else's goes to nobody's API but theirs, whatever verifier has
// admitted it.
func TestForeignTokensStayHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v := newVerifier(t, s, nil)
		elsewhere := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet(), Domains: []string{"commercelayer.co"}})
		foreign := ours().sign(saying("sales_channel", claimSet{"iss": "https://auth.commercelayer.co"}))
		for _, tt := range []struct {
			name     string
			verifier bearer.Verifier
			token    string
			goes     bool
		}{
			{"ours", v, customerToken(t, s, ada), true},
			{"ours, by another verifier", partners{v}, customerToken(t, s, ada), true},
			{"of another installation", verify.Any(v, elsewhere), foreign, false},
			{"of another installation, by another verifier", partners{v}, foreign, false},
			{"opaque, by another verifier", partners{v}, "opaque-and-no-token-of-the-service", false},
		} {
			b := &backend{channel: newSalesChannel(t, optionsFor(s))}
			reached := false
			b.transport = pipe.Serve(t, b.channel.Middleware(&bearer.MiddlewareOptions{Verifier: tt.verifier})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reached = true
				before := s.Counts()
				_, err := b.channel.TokenContext(r.Context())
				if (err == nil) != tt.goes {
					t.Errorf("%s: TokenContext says %v, want the token: %v", tt.name, err, tt.goes)
				}
				whoIs(r.Context(), b.channel)
				if after := s.Counts(); tt.goes != (after.APIRequests > before.APIRequests) {
					t.Errorf("%s: %d requests to the API, want some: %v", tt.name, after.APIRequests-before.APIRequests, tt.goes)
				}
			})))
			b.visitor(tt.token).ask(t, "GET", "/")
			if !reached {
				t.Errorf("%s: the handler was not reached", tt.name)
			}
		}
		synctest.Wait()
	})
}

// Whoever comes with a token cannot sign in, and no grant is spent to find that out.
func TestNoLoginWithToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		b := &backend{channel: newSalesChannel(t, optionsFor(s))}
		guest := guestToken(t, s)
		before := s.Counts().TokenRequests
		b.transport = pipe.Serve(t, b.channel.Middleware(&bearer.MiddlewareOptions{Verifier: newVerifier(t, s, nil)})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name, err := range map[string]error{
				"Login":              b.channel.Login(r.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword),
				"LoginWithAssertion": b.channel.LoginWithAssertion(r.Context(), mustAssertion(t, ada)),
			} {
				if !errors.Is(err, bearer.ErrInbound) {
					t.Errorf("%s: %v, want ErrInbound", name, err)
				}
			}
		})))
		if a := b.visitor(guest).ask(t, "POST", "/"); a.status != 200 {
			t.Errorf("answered %d", a.status)
		}
		if n := s.Counts().TokenRequests - before; n != 0 {
			t.Errorf("%d token requests, want none", n)
		}
		synctest.Wait()
	})
}

// Our own tokens do not depend on the clock, nor on what is refused at the door.
func TestClaimsOfOwnTokens(t *testing.T) {
	v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet()})
	now := time.Now().Unix()
	early := ours().sign(saying("sales_channel", claimSet{"iat": now + 600, "nbf": now + 600, "exp": now + 7200}))
	late := ours().sign(saying("sales_channel", claimSet{"iat": now - 7200, "exp": now - 600}))
	other := ours().sign(saying("sales_channel", claimSet{"organization": claimSet{"id": "o", "slug": "another"}}))
	refused := ours().sign(saying("sales_channel", claimSet{"rand": 0.125}))
	v.Refuse(refused, 0)
	for _, tt := range []struct {
		name   string
		token  string
		origin bearer.Origin
		want   error
	}{
		{"guests', from the future", early, bearer.OriginGuest, nil},
		{"a customer's, from the past", late, bearer.OriginStorage, nil},
		{"refused at the door", refused, bearer.OriginGuest, nil},
		{"of another organization", other, bearer.OriginStorage, verify.ErrNotAdmitted},
		{"no JWT", "opaque", bearer.OriginGuest, verify.ErrMalformed},
		{"in a cookie, from the future", early, bearer.OriginCookie, verify.ErrNotYetValid},
		{"in a cookie, without a session", late, bearer.OriginCookie, verify.ErrExpired},
		{"in a cookie, unsigned", rawJWT(saying("sales_channel", nil)), bearer.OriginCookie, verify.ErrSignature},
		{"in the header, from the future", early, bearer.OriginHeader, verify.ErrNotYetValid},
		{"in the header, refused", refused, bearer.OriginHeader, verify.ErrRefused},
		{"from nowhere, unsigned", rawJWT(saying("sales_channel", nil)), "", verify.ErrSignature},
	} {
		c, err := v.ClaimsOf(t.Context(), &bearer.Authorization{Token: &bearer.Token{AccessToken: tt.token}, Origin: tt.origin})
		if !is(err, tt.want) || err == nil && !c.IsSalesChannel() {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func is(err, want error) bool {
	e, ok := err.(*verify.Error)
	return want == nil && err == nil || ok && e.Kind == want
}

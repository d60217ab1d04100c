package commercelayer_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/internal/pipe"
)

// carrying has Ada sign in to a shop whose tokens are in js-auth's cookie, and come back
// to a handler.
func carrying(t *testing.T, s *commercelayertest.Server, handle func(v *commercelayer.Verifier, r *http.Request, a *bearer.Authorization)) {
	t.Helper()
	b := &backend{channel: newSalesChannel(t, optionsFor(s)), verifier: newVerifier(t, s, nil)}
	handled := false
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := b.channel.Login(r.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		session, _ := bearer.FromContext(r.Context())
		a, err := session.Authorization(r.Context())
		if err != nil || a.Origin != bearer.OriginCookie || a.Owner.ID != ada {
			t.Errorf("the session is of %v, %v, want Ada's in the cookie", a, err)
			return
		}
		handle(b.verifier, r, a)
		handled = true
	})
	b.transport = pipe.Serve(t, b.channel.Middleware(&bearer.MiddlewareOptions{Carrier: commercelayer.NewJSAuthCookie(nil)})(mux))
	browser := b.visitor("")
	browser.ask(t, "POST", "/login")
	browser.ask(t, "GET", "/")
	if !handled {
		t.Error("the handler has not come to its end")
	}
	synctest.Wait()
}

// A cookie's token that has been refused, or expires while the request is handled, is
// exchanged for another one.
func TestClaimsOfCookieAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, spoil := range map[string]func(*commercelayer.Verifier, string){
			"refused": func(v *commercelayer.Verifier, token string) { v.Refuse(token, 0) },
			"expired": func(*commercelayer.Verifier, string) { pass(5 * time.Hour) },
		} {
			carrying(t, local(t, nil), func(v *commercelayer.Verifier, r *http.Request, a *bearer.Authorization) {
				spoil(v, a.Token.AccessToken)
				c, err := v.ClaimsOf(r.Context(), a)
				if err != nil || c.Owner.ID != ada || !c.ExpiresAt.After(time.Now()) {
					t.Errorf("%s: %v, %v, want claims of Ada's that are good", name, c, err)
				}
			})
		}
	})
}

// If there is no other one, nothing is known.
func TestClaimsOfCookieThatCannotBeRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		carrying(t, s, func(v *commercelayer.Verifier, r *http.Request, a *bearer.Authorization) {
			s.RevokeAll()
			v.Refuse(a.Token.AccessToken, 0)
			c, err := v.ClaimsOf(r.Context(), a)
			if !errors.Is(err, bearer.ErrCustomerExpired) || c != nil {
				t.Errorf("ClaimsOf = %v, %v, want that the customer has expired", c, err)
			}
		})
	})
}

// What a cookie says in place of a token that is refused is not taken for its successor.
func TestClaimsOfCookieInPlaceOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v := newVerifier(t, s, nil)
		forged := rawJWT(saying("sales_channel", claimSet{"owner": claimSet{"type": "Customer", "id": ada}}))
		refused := customerToken(t, s, ada)
		v.Refuse(refused, 0)
		carrier := commercelayer.NewJSAuthCookie(nil)
		w := httptest.NewRecorder()
		record := []byte(`{"accessToken":"` + forged + `","scope":"` + commercelayertest.MarketScope + `"}`)
		if err := carrier.Save(w, "cl_customer-"+commercelayertest.SalesChannelID+"-"+commercelayertest.MarketScope, record, 0); err != nil {
			t.Fatal(err)
		}
		asked := false
		b := &backend{channel: newSalesChannel(t, optionsFor(s))}
		b.transport = pipe.Serve(t, b.channel.Middleware(&bearer.MiddlewareOptions{Carrier: carrier})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			asked = true
			a := &bearer.Authorization{Token: &bearer.Token{AccessToken: refused}, Origin: bearer.OriginCookie}
			if c, err := v.ClaimsOf(r.Context(), a); err == nil || c != nil || !strings.Contains(err.Error(), "signed in or out meanwhile") {
				t.Errorf("ClaimsOf = %v, %v, want that the visitor is another one", c, err)
			}
		})))
		browser := b.visitor("")
		browser.cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		browser.ask(t, "GET", "/")
		if !asked {
			t.Error("the handler was not reached")
		}
		synctest.Wait()
	})
}

// Require is bearer.Require with its options.
func TestRequireTakesOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		b := &backend{channel: newSalesChannel(t, optionsFor(s)), verifier: newVerifier(t, s, nil)}
		denied := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		require := b.verifier.Require(commercelayer.OfCustomer, &bearer.RequireOptions{Denied: denied})
		b.transport = pipe.Serve(t, b.channel.Middleware(&bearer.MiddlewareOptions{Verifier: b.verifier})(require(http.HandlerFunc(b.who))))
		if a := b.visitor("").ask(t, "GET", "/"); a.status != http.StatusTeapot {
			t.Errorf("a guest is answered %d, want the handler of RequireOptions", a.status)
		}
		synctest.Wait()
	})
}

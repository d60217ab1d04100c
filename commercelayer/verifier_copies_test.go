package commercelayer_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/verify"
)

// spoil changes whatever can be changed.
func spoil(c *commercelayer.Claims) {
	c.Test, c.Application.Kind, c.Organization.Slug, c.Owner.ID, c.User.ID = true, "", "", "", ""
	c.Market.ID = slices.DeleteFunc(c.Market.ID, func(id string) bool { return id == "a" })
	c.Market.StockLocationIDs[0] = "x"
	c.CustomClaim[1], c.Raw[0], c.Unknown["x"][0] = 'x', 'x', 'x'
	clear(c.Unknown)
}

// What a handler does with its claims, other requests with the token are not judged by.
func TestClaimsAreTheCallersOwn(t *testing.T) {
	var admitted *commercelayer.Claims
	v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet(), Admit: func(c *commercelayer.Claims) error {
		admitted = c
		return nil
	}})
	token := ours().sign(saying("sales_channel", claimSet{
		"test": false, "owner": claimSet{"type": "Customer", "id": "ada"}, "user": claimSet{"id": "u"}, "custom_claim": claimSet{"a": 1}, "x": "y",
		"market": claimSet{"id": []string{"a", "b"}, "stock_location_ids": []string{"s"}},
	}))
	wanted := v.Require(commercelayer.All(commercelayer.InMarket("a"), commercelayer.InLiveMode, commercelayer.OfOwner("Customer", "ada"),
		commercelayer.OfKind(commercelayer.KindSalesChannel)), nil)
	h := bearer.Middleware(bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Verifier: v})(wanted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := bearer.FromContext(r.Context())
		a, err := session.Authorization(r.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, get := range []func() (*commercelayer.Claims, error){
			func() (*commercelayer.Claims, error) { return v.ClaimsOf(r.Context(), a) },
			func() (*commercelayer.Claims, error) { return v.Claims(r.Context(), token) },
		} {
			c, err := get()
			if err != nil || c == admitted || c.User.ID != "u" || string(c.CustomClaim) != `{"a":1}` || string(c.Unknown["x"]) != `"y"` || c.Market.StockLocationIDs[0] != "s" {
				t.Errorf("claims %+v, %v", c, err)
				return
			}
			spoil(c)
		}
		w.WriteHeader(http.StatusNoContent)
	})))
	for range 2 {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		if h.ServeHTTP(w, r); w.Code != http.StatusNoContent {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	}
}

// A token that does not tell its mode is not one of the live mode.
func TestModeless(t *testing.T) {
	v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet(), Admit: commercelayer.InLiveMode})
	for mode, want := range map[any]error{nil: verify.ErrNotAdmitted, true: verify.ErrNotAdmitted, false: nil} {
		if _, err := v.Claims(t.Context(), ours().sign(saying("integration", claimSet{"test": mode}))); !errors.Is(err, want) {
			t.Errorf("test %v: %v, want %v", mode, err, want)
		}
	}
}

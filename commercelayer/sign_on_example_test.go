package commercelayer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
)

func ExampleSignOn_Login() {
	service := commercelayertest.NewServer(nil) // leave it out, and Base, for the real one
	defer service.Close()
	channel, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope,
		&commercelayer.Options{ClientSecret: commercelayertest.SalesChannelSecret, Base: service.Transport()})
	if err != nil {
		fmt.Println(err)
		return
	}
	customers := map[string]string{"provider|1815": commercelayertest.CustomerID} // a table of the shop's database
	signOn, err := commercelayer.NewSignOn(channel, verify.Issuer{
		Name:       "https://id.example",
		KeySet:     keySet(providerKey), // KeySetURL: "https://id.example/keys", usually
		Algorithms: []string{"ES256"},
		Audience:   []string{"shop-client"}, // the shop's client id at the provider
	}, func(_ context.Context, id *verify.Claims) (string, error) {
		return customers[id.Subject], nil
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	// Where the provider sends visitors back to, once the state has been compared and the
	// code exchanged: see examples/signon.
	callback := func(idToken, nonce string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			err := signOn.Login(r.Context(), idToken, nonce)
			_, refused := errors.AsType[*verify.Error](err)
			switch {
			case err == nil:
				http.Redirect(w, r, "/account", http.StatusSeeOther)
			case refused:
				http.Error(w, "sign on again", http.StatusForbidden)
			case errors.Is(err, commercelayer.ErrNoSuchCustomer):
				http.Redirect(w, r, "/new-account", http.StatusSeeOther)
			default:
				http.Error(w, "try again in a moment", http.StatusServiceUnavailable)
			}
		}
	}
	ada := adasToken(nil)
	for _, visit := range []http.HandlerFunc{
		callback(ada, nonce),
		callback(ada, nonce), // once more
		callback(adasToken(nil), "another browser's nonce"),
		callback(adasToken(map[string]any{"sub": "provider|2038"}), nonce),
	} {
		w := httptest.NewRecorder()
		channel.Middleware(nil)(visit).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://shop.example/callback", nil))
		fmt.Println(w.Code, w.Header().Get("Location"), len(w.Result().Cookies()))
	}
	// Output:
	// 303 /account 1
	// 403  0
	// 403  0
	// 303 /new-account 0
}

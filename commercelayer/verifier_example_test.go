package commercelayer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
)

func ExampleNewVerifier() {
	service := commercelayertest.NewServer(nil) // leave it out, and Base, for the real one
	defer service.Close()

	verifier, err := commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{Base: service.Transport()})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := bearer.FromContext(r.Context())
		a, _ := session.Inbound()
		fmt.Println(a.Owner, a.Claims.(*commercelayer.Claims).TokenType())
	})
	api := bearer.Middleware(bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Verifier: verifier})(bearer.RequireCustomer(nil)(handler))

	// A storefront in a browser calls, with the token that js-auth has got there; the
	// second time it is too late.
	for _, life := range []time.Duration{time.Hour, -time.Hour} {
		token, err := service.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{
			Scope: commercelayertest.MarketScope, Owner: commercelayertest.Owner{Type: "Customer", ID: commercelayertest.CustomerID}, Life: life})
		if err != nil {
			fmt.Println(err)
			return
		}
		request, answer := httptest.NewRequest("GET", "/orders", nil), httptest.NewRecorder()
		request.Header.Set("Authorization", "Bearer "+token.AccessToken)
		api.ServeHTTP(answer, request)
		fmt.Println(answer.Code, answer.Header()["Www-Authenticate"])
	}
	// Output:
	// {Customer KwRtLhVnYd} sales_channel:customer
	// 200 []
	// 401 [Bearer realm="bearer", error="invalid_token", error_description="the token has expired"]
}

func ExampleCustomClaim() {
	service := commercelayertest.NewServer(nil)
	defer service.Close()
	verifier, err := commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{Base: service.Transport()})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := service.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{
		Scope: commercelayertest.MarketScope, CustomClaim: []byte(`{"tier": "gold", "points": 7}`)})
	if err != nil {
		fmt.Println(err)
		return
	}

	claims, err := verifier.Claims(context.Background(), token.AccessToken)
	if err != nil {
		fmt.Println(err)
		return
	}
	type membership struct {
		Tier   string `json:"tier"`
		Points int    `json:"points"`
	}
	fmt.Println(commercelayer.CustomClaim[membership](claims))
	fmt.Println(commercelayer.CustomClaim[membership](&commercelayer.Claims{}))
	// Output:
	// {gold 7} <nil>
	// { 0} commercelayer: the token has no custom claim
}

func ExampleAll() {
	// The application's own word on who may refund: an integration that is not one of
	// the test mode, if the token's custom claim does not say otherwise.
	mayRefund := commercelayer.All(
		commercelayer.OfKind(commercelayer.KindIntegration),
		commercelayer.InLiveMode,
		func(c *commercelayer.Claims) error {
			rights, err := commercelayer.CustomClaim[struct{ ReadOnly bool }](c)
			if errors.Is(err, commercelayer.ErrNoCustomClaim) || err == nil && !rights.ReadOnly {
				return nil
			}
			return commercelayer.Unmet("the token is for reading")
		})

	integration := commercelayer.Claims{Application: commercelayer.Application{Kind: commercelayer.KindIntegration}}
	fmt.Println(mayRefund(&integration))
	integration.CustomClaim = []byte(`{"readOnly": true}`)
	err := mayRefund(&integration)
	fmt.Println(err, errors.Is(err, verify.ErrNotAdmitted))
	fmt.Println(mayRefund(&commercelayer.Claims{}))
	// Output:
	// <nil>
	// verify: the token is for reading true
	// verify: the token is of another kind of application
}

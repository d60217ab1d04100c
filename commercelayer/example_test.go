package commercelayer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func ExampleNewIntegration() {
	service := commercelayertest.NewServer(nil) // leave it out, and Base, for the real one
	defer service.Close()

	integration, err := commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret,
		&commercelayer.Options{Base: service.Transport()})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := integration.Client()

	api, err := integration.CoreAPIURL(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequest(http.MethodGet, api+"/api/skus", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(req.URL, resp.StatusCode)
	// Output:
	// https://local-shop.commercelayer.io/api/skus 200
}

func ExampleIntegration_RevokeAuthorization() {
	service := commercelayertest.NewServer(nil)
	defer service.Close()
	integration, err := commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret,
		&commercelayer.Options{Base: service.Transport()})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := integration.Token()
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(integration.RevokeAuthorization(context.Background()))
	fmt.Println(service.Revoke(token.AccessToken)) // is it still alive?
	// Output:
	// <nil>
	// false
}

func ExampleNewWebapp() {
	service := commercelayertest.NewServer(nil)
	defer service.Close()

	webapp, err := commercelayer.NewWebapp(commercelayertest.WebappID, commercelayertest.WebappSecret, &commercelayer.Options{
		Base: service.Transport(),
		OnChange: func(ctx context.Context, t *bearer.Token) error {
			fmt.Println("saved, with a refresh token:", t.RefreshToken != "")
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = webapp.Token()
	fmt.Println(errors.Is(err, commercelayer.ErrNotAuthorized))

	// Send a user to webapp.AuthCodeURL(state, redirectURI). They come back with a code:
	code, err := service.AuthorizationCode(commercelayertest.WebappID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(webapp.Exchange(context.Background(), code, commercelayertest.WebappRedirectURI))
	_, err = webapp.Token()
	fmt.Println(err)
	// Output:
	// true
	// saved, with a refresh token: true
	// <nil>
	// <nil>
}

func ExampleNewCredentials() {
	service := commercelayertest.NewServer(nil)
	defer service.Close()

	channel, err := commercelayer.NewCredentials(commercelayertest.SalesChannelID, "",
		&commercelayer.Options{Base: service.Transport(), Scope: commercelayertest.MarketScope})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	token, err := channel.Password(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Extra("owner_type"), token.Extra("scope"))

	token, err = channel.RefreshToken(ctx, token.RefreshToken, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(channel.Revoke(ctx, token.RefreshToken, nil))
	// Output:
	// customer market:code:europe
	// <nil>
}

func ExampleAssertion() {
	service := commercelayertest.NewServer(nil)
	defer service.Close()

	assertion, err := commercelayer.Assertion(commercelayer.AssertionClaims{
		Owner:       commercelayer.Owner{Type: "Customer", ID: commercelayertest.CustomerID},
		CustomClaim: map[string]any{"tier": "gold"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	channel, err := commercelayer.NewCredentials(commercelayertest.SalesChannelID, commercelayertest.SalesChannelSecret,
		&commercelayer.Options{Base: service.Transport(), Scope: commercelayertest.MarketScope})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := channel.JWTBearer(context.Background(), assertion, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := commercelayer.DecodeUnverified(token.AccessToken)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(claims.TokenType(), claims.Owner.ID == commercelayertest.CustomerID, string(claims.CustomClaim))
	// Output:
	// sales_channel:customer true {"tier":"gold"}
}

func ExampleDecodeUnverified() {
	service := commercelayertest.NewServer(nil)
	defer service.Close()
	integration, err := commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret,
		&commercelayer.Options{Base: service.Transport()})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := integration.Token()
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := commercelayer.DecodeUnverified(token.AccessToken)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(claims.TokenType(), claims.IsIntegration(), claims.Organization.Slug)
	fmt.Println(claims.CoreAPIURL())
	// Output:
	// integration:guest true local-shop
	// https://local-shop.commercelayer.io <nil>
}

func ExampleScope() {
	fmt.Println(commercelayer.Scope(commercelayer.MarketCode("europe"), commercelayer.StockLocationCode("warehouse")))
	_, err := commercelayer.Scope(commercelayer.StockLocationCode("warehouse"))
	fmt.Println(err)
	// Output:
	// market:code:europe stock_location:code:warehouse <nil>
	// commercelayer: the scope has a stock location without its market, which the service refuses: add MarketID or MarketCode
}

func ExampleWithClientIP() {
	channel, err := commercelayer.NewCredentials("my-sales-channel", "", &commercelayer.Options{
		Scope:       "market:code:europe",
		BackendAuth: "my-backend-secret",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// In a handler, with the shopper's address from a proxy that can be trusted:
	ctx := commercelayer.WithClientIP(context.Background(), netip.MustParseAddr("192.0.2.7"))
	_, err = channel.Password(ctx, "", "", nil)
	fmt.Println(err)
	// Output:
	// commercelayer: the password grant needs an email address and a password
}

package tokenendpoint_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/bearerkit/bearer/tokenendpoint"
	"golang.org/x/oauth2"
)

func ExampleNew() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"access_token":"abc","token_type":"bearer","expires_in":7200}`)
	}))
	defer srv.Close()

	client, err := tokenendpoint.New(srv.URL+"/oauth/token", &tokenendpoint.Options{
		ClientID:     "my-client",
		ClientSecret: "my-secret",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.Token(context.Background(), tokenendpoint.Grant{
		Type:   tokenendpoint.ClientCredentials,
		Params: url.Values{"scope": {"read"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Token.AccessToken, answer.ExpiresIn)
	fmt.Println(client.Token(context.Background(), tokenendpoint.Grant{}))
	// Output:
	// abc 2h0m0s
	// <nil> tokenendpoint: Grant.Type is empty: set the grant_type, such as ClientCredentials
}

func ExampleClient_Token_error() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"The refresh token is spent."}`)
	}))
	defer srv.Close()

	client, err := tokenendpoint.New(srv.URL, &tokenendpoint.Options{ClientID: "my-client"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Token(context.Background(), tokenendpoint.Grant{
		Type:   tokenendpoint.RefreshToken,
		Params: url.Values{"refresh_token": {"spent"}},
	})

	var failed *tokenendpoint.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Status, failed.Code, failed.MayHaveActed)
	}
	var oauth *oauth2.RetrieveError // as code written for x/oauth2 has it
	if errors.As(err, &oauth) {
		fmt.Println(oauth.ErrorCode)
	}
	// Output:
	// 400 invalid_grant false
	// invalid_grant
}

func ExampleClient_Revoke() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.URL.Path, r.FormValue("token"))
		fmt.Fprint(w, `{}`)
	}))
	defer srv.Close()

	client, err := tokenendpoint.New(srv.URL+"/oauth/token", &tokenendpoint.Options{
		ClientID:  "my-client",
		RevokeURL: srv.URL + "/oauth/revoke",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Revoke(context.Background(), "abc", nil))
	// Output:
	// /oauth/revoke abc
	// <nil>
}

func ExampleRateLimit() {
	// Two clients of one endpoint: a 429 for one pauses both.
	var limit tokenendpoint.RateLimit
	for _, id := range []string{"storefront", "back-office"} {
		client, err := tokenendpoint.New("https://auth.example.com/oauth/token", &tokenendpoint.Options{
			ClientID:  id,
			RateLimit: &limit,
		})
		fmt.Println(client, err)
	}
	// Output:
	// tokenendpoint.Client{Host: "auth.example.com", ClientID: "storefront"} <nil>
	// tokenendpoint.Client{Host: "auth.example.com", ClientID: "back-office"} <nil>
}

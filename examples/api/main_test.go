package main

import (
	"bytes"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer/internal/pipe"
)

const transcript = `bearer api: a backend that receives tokens of https://auth.commercelayer.io

GET  /health   nobody               200 fine
GET  /whoami   nobody               401 UNAUTHORIZED
       Bearer realm="shop"
GET  /whoami   a guest              200 sales_channel:guest
GET  /orders   a guest              403 FORBIDDEN
       Bearer realm="shop", error="insufficient_scope", error_description="the token is not a customer's"
GET  /orders   a forger             401 INVALID_TOKEN
       Bearer realm="shop", error="invalid_token", error_description="the token's signature is wrong"
GET  /orders   Ada                  200 2 orders
GET  /offers   Ada                  200 two for one
GET  /offers   Ada in the USA       403 FORBIDDEN
       Bearer realm="shop", error="insufficient_scope", error_description="the token is for another market"
POST /restock  Ada                  403 FORBIDDEN
       Bearer realm="shop", error="insufficient_scope", error_description="the token is of another kind of application"
POST /restock  a partner's program  200 restocked

Ada's token is revoked: the API notices, and then the backend knows.
GET  /orders   Ada                  401 INVALID_TOKEN
       Bearer realm="shop", error="invalid_token"
GET  /whoami   Ada                  401 INVALID_TOKEN
       Bearer realm="shop", error="invalid_token", error_description="the token has been revoked"

Requests for the key set: 1. Refused by the API: 1.
`

func TestTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		err := local(t.Context(), &out, func(h http.Handler) (*http.Client, string, func()) {
			return &http.Client{Transport: pipe.Serve(t, h)}, "https://backend.example", func() {}
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != transcript {
			t.Errorf("printed\n%s\nwant\n%s", got, transcript)
		}
	})
}

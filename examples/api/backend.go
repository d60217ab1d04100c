package main

import (
	"context"
	"io"
	"net/http"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
)

const realm = "shop"

// backend is all of it: it has no cookies, no client secret and no token of its own.
func backend(verifier *commercelayer.Verifier, api, market string, base http.RoundTripper) http.Handler {
	callers := bearer.NewStorefront(nil, nil)
	client := &http.Client{Transport: &bearer.Transport{ // with the token of whoever calls, to the API alone
		Source: callers, Base: base, Origins: []string{api},
	}}

	customers := bearer.RequireCustomer(nil)
	inMarket := verifier.Require(commercelayer.InMarket(market), nil)
	integrations := verifier.Require(commercelayer.OfKind(commercelayer.KindIntegration), nil)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "fine") })
	mux.Handle("GET /whoami", bearer.RequireBearer(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := bearer.FromContext(r.Context())
		caller, _ := session.Inbound()
		io.WriteString(w, caller.Claims.(*commercelayer.Claims).TokenType())
	})))
	mux.Handle("GET /orders", customers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), "GET", api+"/api/orders", nil)
		req.Header.Set("Accept", "application/vnd.api+json")
		resp, err := client.Do(req)
		if err != nil {
			http.Error(w, "the shop is closed for a moment", http.StatusServiceUnavailable)
			return
		}
		defer resp.Body.Close()
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if resp.StatusCode == http.StatusUnauthorized { // has to have a challenge (RFC 9110 §15.5.2), and the API's has none
			w.Header().Set("WWW-Authenticate", challenge(r.Context()))
		}
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	})))
	mux.Handle("GET /offers", inMarket(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "two for one") })))
	mux.Handle("POST /restock", integrations(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "restocked") })))
	return bearer.Middleware(callers, &bearer.MiddlewareOptions{Verifier: verifier, Realm: realm})(mux)
}

// challenge is what the middleware would say (RFC 6750 §3). The API refuses the token
// itself, of which the session knows then, or only what was asked for: a token that is
// called invalid for that would be thrown away for nothing.
func challenge(ctx context.Context) string {
	session, _ := bearer.FromContext(ctx)
	if state, _ := session.State(ctx); state == bearer.StateExpired {
		return `Bearer realm="` + realm + `", error="invalid_token"`
	}
	return `Bearer realm="` + realm + `"`
}

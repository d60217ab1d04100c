package main

import (
	"errors"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/tokenendpoint"
)

func main() {
	shop, err := commercelayer.NewSalesChannel(
		os.Getenv("COMMERCELAYER_SALES_CHANNEL_CLIENT_ID"),
		os.Getenv("COMMERCELAYER_SCOPE"),                                     // market:id:…
		&commercelayer.Options{AuthURL: os.Getenv("COMMERCELAYER_AUTH_URL")}) // empty: the public service
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("localhost:8080", handler(shop)))
}

// handler is the whole shop: no token is passed about in it.
func handler(shop *commercelayer.SalesChannel) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /skus", func(w http.ResponseWriter, r *http.Request) { proxy(w, r, shop) }) // for guests and customers
	mux.Handle("GET /orders", bearer.RequireCustomer(nil)(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { proxy(w, r, shop) })))
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		err := shop.Login(r.Context(), r.PostFormValue("email"), r.PostFormValue("password"))
		if refused, ok := errors.AsType[*tokenendpoint.Error](err); ok && refused.Code == "invalid_grant" {
			http.Error(w, "check your email and password", http.StatusUnauthorized)
		} else if err != nil {
			log.Print(err)
			http.Error(w, "nobody can sign in for a moment", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := shop.LogoutCustomer(r.Context()); err != nil {
			log.Print(err) // signed out here all the same
		}
	})
	return http.NewCrossOriginProtection().Handler(shop.Middleware(nil)(mux))
}

// proxy passes on what the API answers the visitor, whoever that is.
func proxy(w http.ResponseWriter, r *http.Request, shop *commercelayer.SalesChannel) {
	api, err := shop.CoreAPIURL(r.Context())
	if err != nil {
		http.Error(w, "the shop is closed for a moment", http.StatusServiceUnavailable)
		return
	}
	req, _ := http.NewRequestWithContext(r.Context(), "GET", api+"/api"+r.URL.Path, nil)
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := shop.Client().Do(req)
	switch {
	case errors.Is(err, bearer.ErrCustomerExpired):
		http.Error(w, "your session has ended: sign in again", http.StatusUnauthorized)
		return
	case err != nil:
		http.Error(w, "the shop is closed for a moment", http.StatusServiceUnavailable)
		return
	}
	defer resp.Body.Close()
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.Header().Set("X-Content-Type-Options", "nosniff") // what shoppers have written is no page of the shop's
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/bearerkit/bearer/commercelayer"
)

func main() {
	integration, err := commercelayer.NewIntegration(
		os.Getenv("COMMERCELAYER_CLIENT_ID"),
		os.Getenv("COMMERCELAYER_CLIENT_SECRET"),
		&commercelayer.Options{AuthURL: os.Getenv("COMMERCELAYER_AUTH_URL")}) // empty: the public service
	if err != nil {
		log.Fatal(err)
	}
	api, err := integration.CoreAPIURL(context.Background()) // https://<your organization>.commercelayer.io
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest("GET", api+"/api/organization", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := integration.Client().Do(req) // any number of calls: one token
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
}

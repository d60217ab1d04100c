package main

import (
	"context"
	"io"
	"log"
	"os"

	"github.com/bearerkit/bearer/commercelayer"
)

func main() {
	integration, err := commercelayer.NewIntegration(os.Getenv("COMMERCELAYER_CLIENT_ID"), os.Getenv("COMMERCELAYER_CLIENT_SECRET"), nil)
	if err != nil {
		log.Fatal(err)
	}
	api, err := integration.CoreAPIURL(context.Background()) // https://<your organization>.commercelayer.io
	if err != nil {
		log.Fatal(err)
	}
	resp, err := integration.Client().Get(api + "/api/organization") // any number of calls: one token
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(os.Stdout, resp.Body)
}

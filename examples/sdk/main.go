// Sdk lists SKUs through the Commerce Layer SDK for Go, whose http.Client is
// bearer's: go run ./examples/sdk (the SDK takes a minute to compile).
//
// It uses a Commerce Layer in this process, or the real service if
// COMMERCELAYER_CLIENT_ID, COMMERCELAYER_CLIENT_SECRET and, if it is not the
// public one, COMMERCELAYER_DOMAIN are those of an integration.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	sdk "github.com/labd/go-commercelayer-sdk/api"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sdk:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	id, secret := os.Getenv("COMMERCELAYER_CLIENT_ID"), os.Getenv("COMMERCELAYER_CLIENT_SECRET")
	opts := &commercelayer.Options{
		Domain: os.Getenv("COMMERCELAYER_DOMAIN"), AuthURL: os.Getenv("COMMERCELAYER_AUTH_URL"),
	}
	if id == "" || secret == "" {
		server, err := commercelayertest.New(nil)
		if err != nil {
			return err
		}
		defer server.Close()
		id, secret = commercelayertest.IntegrationID, commercelayertest.IntegrationSecret
		opts = &commercelayer.Options{Base: server.Transport()}
	}
	integration, err := commercelayer.NewIntegration(id, secret, opts)
	if err != nil {
		return err
	}
	return list(ctx, out, integration)
}

// list writes the code and name of each SKU on the first page.
func list(ctx context.Context, out io.Writer, integration *commercelayer.Integration) error {
	api, err := integration.CoreAPIURL(ctx)
	if err != nil {
		return err
	}
	cfg := sdk.NewConfiguration()
	cfg.HTTPClient = integration.Client()
	cfg.Servers = sdk.ServerConfigurations{{URL: api + "/api"}}
	answer, _, err := sdk.NewAPIClient(cfg).SkusApi.GETSkus(ctx).Execute()
	if err != nil {
		return err
	}
	list, ok := answer.Data.([]any)
	if !ok {
		return fmt.Errorf("the SDK's answer is a %T, want a list", answer.Data)
	}
	for _, entry := range list {
		sku, _ := entry.(map[string]any)
		attributes, _ := sku["attributes"].(map[string]any)
		fmt.Fprintf(out, "%-10v %v\n", attributes["code"], attributes["name"])
	}
	return nil
}

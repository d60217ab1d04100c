// Quickstart shows what bearer does, in a few seconds: go run ./examples/quickstart
//
// It starts a Commerce Layer of its own in this process, and reads what happened
// off that server's counters. With COMMERCELAYER_CLIENT_ID,
// COMMERCELAYER_CLIENT_SECRET and, if it is not the public one,
// COMMERCELAYER_DOMAIN set to those of an integration, it does the harmless part
// against the real service.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/bearerkit/bearer/commercelayer"
)

func main() {
	id, secret := os.Getenv("COMMERCELAYER_CLIENT_ID"), os.Getenv("COMMERCELAYER_CLIENT_SECRET")
	var err error
	if id != "" && secret != "" {
		err = real(context.Background(), os.Stdout, id, secret, &commercelayer.Options{
			Domain: os.Getenv("COMMERCELAYER_DOMAIN"), AuthURL: os.Getenv("COMMERCELAYER_AUTH_URL"),
		})
	} else {
		err = local(context.Background(), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// real uses the organization's own service, and changes nothing there.
func real(ctx context.Context, out io.Writer, id, secret string, opts *commercelayer.Options) error {
	integration, err := commercelayer.NewIntegration(id, secret, opts)
	if err != nil {
		return err
	}
	t, err := newTour(ctx, out, integration)
	if err != nil {
		return err
	}
	if err := t.list(ctx); err != nil {
		return err
	}
	token, err := integration.TokenContext(ctx)
	if err != nil {
		return err
	}
	t.line("the token", "expires at %s, and is refreshed before", token.Expiry.Format("15:04:05"))
	r := t.traffic(ctx, 10, 2, 0)
	t.line("20 concurrent calls", "%d failed", r.failed)
	if err := integration.RemoveAuthorization(ctx); err != nil {
		return err
	}
	t.line("forgotten", "here; it was not revoked, since others may be using it")
	return r.err
}

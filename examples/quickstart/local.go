package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// local shows the whole, on a Commerce Layer in this process whose tokens live
// for 6 seconds instead of 2 hours.
func local(ctx context.Context, out io.Writer) error {
	server, err := commercelayertest.New(&commercelayertest.Options{
		Applications: []commercelayertest.Application{{
			Kind:         commercelayertest.Integration,
			ClientID:     commercelayertest.IntegrationID,
			ClientSecret: commercelayertest.IntegrationSecret,
			TokenLife:    6 * time.Second,
		}},
		RenewWithin: 2 * time.Second,
	})
	if err != nil {
		return err
	}
	defer server.Close()

	integration, err := commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret,
		&commercelayer.Options{Base: server.Transport()})
	if err != nil {
		return err
	}
	t, err := newTour(ctx, out, integration)
	if err != nil {
		return err
	}
	t.requests = func() int { return server.ResetCounts().TokenRequests }

	if err := t.list(ctx); err != nil {
		return err
	}

	integration.RemoveAuthorization(ctx)
	r := t.traffic(ctx, 500, 1, 0)
	t.counted("500 callers at once, no token", "%d failed", r.failed)
	if r.err != nil {
		return r.err
	}

	revoked := time.AfterFunc(100*time.Millisecond, func() { server.RevokeAll() })
	r = t.traffic(ctx, 64, 20, 10*time.Millisecond)
	revoked.Stop()
	t.counted("token revoked under 64 callers", "%d of 1,280 failed", r.failed)
	if r.err != nil {
		return r.err
	}

	server.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Delay: 200 * time.Millisecond})
	r = t.traffic(ctx, 64, 60, 100*time.Millisecond)
	server.ClearFaults()
	t.counted("token expired under 64 callers", "%d of 3,840 failed; new ones take 200 ms, the slowest call took %v", r.failed, r.slowest.Round(time.Millisecond))
	if r.err != nil {
		return r.err
	}

	old, err := integration.TokenContext(ctx)
	if err != nil {
		return err
	}
	if err := integration.RevokeAuthorization(ctx); err != nil {
		return err
	}
	status, err := try(ctx, server.Client(), t.api, old.AccessToken)
	if err != nil {
		return err
	}
	t.counted("logged out", "the old token now gets %d %s", status, http.StatusText(status))
	fmt.Fprintln(out, "\nNext: README.md, or go doc github.com/bearerkit/bearer")
	return nil
}

// try uses a token by itself, past bearer.
func try(ctx context.Context, client *http.Client, api, token string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/api/skus", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

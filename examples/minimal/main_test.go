package main

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// An application's own test: eight hours of calls, on a token that lives for two.
func TestThroughTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := commercelayertest.NewServer(nil)
		defer server.Close()
		integration, err := commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret,
			&commercelayer.Options{Base: server.Transport()})
		if err != nil {
			t.Fatal(err)
		}

		for range 8 * 60 {
			req, _ := http.NewRequest("GET", server.APIURL()+"/api/organization", nil)
			req.Header.Set("Accept", "application/vnd.api+json")
			resp, err := integration.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("the API answered %s", resp.Status)
			}
			time.Sleep(time.Minute) // in the bubble, which takes no time
		}
		if n := server.Counts().TokenRequests; n != 5 {
			t.Errorf("%d token requests, want 5", n)
		}
	})
}

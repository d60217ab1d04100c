package main

import (
	"bytes"
	"testing"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestList(t *testing.T) {
	server := commercelayertest.NewServer(nil)
	defer server.Close()
	integration, err := commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret,
		&commercelayer.Options{Base: server.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var out bytes.Buffer
		if err := list(t.Context(), &out, integration); err != nil {
			t.Fatal(err)
		}
		if want := []byte("MUG-WHITE  Mug, white\n"); !bytes.HasPrefix(out.Bytes(), want) || bytes.Count(out.Bytes(), []byte("\n")) != 10 {
			t.Errorf("got\n%swant 10 SKUs, beginning with %s", out.String(), want)
		}
		server.RevokeAll() // the second time round the SDK notices nothing
	}
	if n := server.Counts().TokenRequests; n != 2 {
		t.Errorf("%d token requests, want 2", n)
	}
}

package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// The README's transcript is what the program prints, but for times.
func TestTranscript(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "<!-- transcript -->\n```\n")
	want, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the README has no transcript")
	}
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := local(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		times := regexp.MustCompile(`took \S+`)
		got, _, _ := strings.Cut(out.String(), "\nNext:")
		if got, want := times.ReplaceAllString(got, "took T"), times.ReplaceAllString(want, "took T"); got != want {
			t.Errorf("printed\n%s\nthe README has\n%s", got, want)
		}
	})
}

// What is done to the real service, done to the local one.
func TestReal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := commercelayertest.NewServer(nil)
		defer server.Close()
		var out bytes.Buffer
		err := real(t.Context(), &out, commercelayertest.IntegrationID, commercelayertest.IntegrationSecret, &commercelayer.Options{Base: server.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		if n := server.Counts(); n.TokenRequests != 1 || n.RevokeRequests != 0 {
			t.Errorf("%d token requests and %d revocations, want 1 and none", n.TokenRequests, n.RevokeRequests)
		}
		if !strings.Contains(out.String(), "20 concurrent calls             0 failed\n") {
			t.Errorf("printed\n%s", out.String())
		}
	})
}

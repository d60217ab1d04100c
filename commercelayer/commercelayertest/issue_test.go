package commercelayertest_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestIssue(t *testing.T) {
	k := newKit(t, nil)
	tests := []struct {
		name      string
		client    string
		opts      *clt.IssueOptions
		good      bool
		refreshes bool
		claims    map[string]string
	}{
		{"plain", clt.IntegrationID, nil, true, false, map[string]string{"scope": `"market:all"`}},
		{"customer", clt.SalesChannelID, &clt.IssueOptions{Scope: clt.MarketScope, Owner: clt.Owner{Type: "Customer", ID: "c"}, CustomClaim: json.RawMessage(`{"a":1}`), WithoutSecret: true},
			true, true, map[string]string{"owner": `{"type":"Customer","id":"c"}`, "custom_claim": `{"a":1}`}},
		{"expired", clt.IntegrationID, &clt.IssueOptions{Life: -time.Minute}, false, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			issued, err := k.server.Issue(tt.client, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "good", k.good(issued.AccessToken), tt.good)
			equal(t, "refresh token", issued.RefreshToken != "", tt.refreshes)
			for name, want := range tt.claims {
				equal(t, name, claimsOf(t, issued.AccessToken)[name], want)
			}
		})
	}
	// It is its owner's alone.
	issued, _ := k.server.Issue(clt.IntegrationID, nil)
	if k.token(integration).Access == issued.AccessToken {
		t.Error("an issued token was given to somebody else")
	}
}

func TestIssueErrors(t *testing.T) {
	server := clt.NewServer(nil)
	for name, call := range map[string]func() (clt.Issued, error){
		"client": func() (clt.Issued, error) { return server.Issue("x", nil) },
		"scope":  func() (clt.Issued, error) { return server.Issue(clt.SalesChannelID, &clt.IssueOptions{Scope: "x"}) },
		"owner": func() (clt.Issued, error) {
			return server.Issue(clt.SalesChannelID, &clt.IssueOptions{Owner: clt.Owner{Type: "customer", ID: "c"}})
		},
		"claim": func() (clt.Issued, error) {
			return server.Issue(clt.SalesChannelID, &clt.IssueOptions{CustomClaim: json.RawMessage(`[]`)})
		},
	} {
		if issued, err := call(); err == nil || issued.AccessToken != "" {
			t.Errorf("%s: no error", name)
		}
	}
}

// A token for a test of what verifies tokens.
func ExampleServer_Issue() {
	server := clt.NewServer(nil)
	defer server.Close()
	issued, err := server.Issue(clt.SalesChannelID, &clt.IssueOptions{
		Scope: clt.MarketScope,
		Owner: clt.Owner{Type: "Customer", ID: clt.CustomerID},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(issued.AccessToken != "", issued.RefreshToken != "")
	// Output: true true
}

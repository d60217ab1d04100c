package commercelayertest_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// A server in memory, with nothing to configure.
func ExampleNewServer() {
	server := commercelayertest.NewServer(nil)
	defer server.Close()

	resp, err := server.Client().Post(server.TokenURL(), "application/json", strings.NewReader(`{
		"grant_type": "client_credentials",
		"client_id":  "`+commercelayertest.SalesChannelID+`",
		"scope":      "market:code:europe"
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var token struct {
		Scope     string `json:"scope"`
		ExpiresIn int    `json:"expires_in"`
	}
	json.NewDecoder(resp.Body).Decode(&token)
	fmt.Println(token.Scope, token.ExpiresIn)
	fmt.Println(server.Counts().Issued, "token issued")
	// Output:
	// market:code:europe 14400
	// 1 token issued
}

// The next two token requests fail, and the API says that every token is
// revoked.
func ExampleServer_Inject() {
	server := commercelayertest.NewServer(nil)
	defer server.Close()
	client := server.Client()

	server.Inject(commercelayertest.Fault{
		Endpoint: commercelayertest.TokenEndpoint,
		Status:   http.StatusServiceUnavailable,
		Times:    2,
	})
	for range 3 {
		resp, err := client.Post(server.TokenURL(), "application/json", strings.NewReader(`{
			"grant_type":    "client_credentials",
			"client_id":     "`+commercelayertest.IntegrationID+`",
			"client_secret": "`+commercelayertest.IntegrationSecret+`"
		}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode)
	}
	server.RevokeAll()
	// Output:
	// 503
	// 503
	// 200
}

// Over TLS on a real port, as clients find it that are programs of their own.
func ExampleServer_NewCA() {
	server := commercelayertest.NewServer(nil)
	ca, err := server.NewCA()
	if err != nil {
		fmt.Println(err)
		return
	}
	listener := httptest.NewUnstartedServer(server)
	listener.TLS = ca.TLSConfig()
	listener.StartTLS()
	defer listener.Close()

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.CertPool()}}}
	defer client.CloseIdleConnections()
	// By IP address, the first segment of the path stands for the host.
	resp, err := client.Get(listener.URL + "/auth/.well-known/jwks.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

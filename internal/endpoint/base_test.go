package endpoint_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/internal/endpoint"
)

func TestLoopbackOnly(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	elsewhere, err := url.Parse("http://192.0.2.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	tr := endpoint.LoopbackOnly(&http.Transport{Proxy: http.ProxyURL(elsewhere)})
	t.Cleanup(tr.CloseIdleConnections)
	resp, err := (&http.Client{Transport: tr}).Get(srv.URL)
	if err != nil {
		t.Fatalf("to the loopback host, past the proxy: %v", err)
	}
	resp.Body.Close()
	for _, address := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "[::ffff:192.0.2.1]:80", "0.0.0.0:80"} {
		if c, err := tr.DialContext(t.Context(), "tcp", address); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("dialing %s: %v, %v, want a refusal", address, c, err)
		}
	}
}

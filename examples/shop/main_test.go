package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestShop(t *testing.T) {
	server := commercelayertest.NewServer(nil)
	defer server.Close()
	shop, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope,
		&commercelayer.Options{Base: server.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewTLSServer(handler(shop))
	defer web.Close()
	client := web.Client()
	client.Jar, _ = cookiejar.New(nil)
	form := url.Values{"email": {commercelayertest.CustomerEmail}, "password": {commercelayertest.CustomerPassword}}
	wrong := url.Values{"email": {commercelayertest.CustomerEmail}, "password": {"wrong"}}

	for _, tt := range []struct {
		method, path string
		form         url.Values
		header       string // Sec-Fetch-Site
		status       int
		text         string
	}{
		{"GET", "/skus", nil, "", http.StatusOK, `"type":"skus"`},
		{"GET", "/orders", nil, "", http.StatusUnauthorized, ""},
		{"POST", "/login", form, "cross-site", http.StatusForbidden, ""},
		{"POST", "/login", wrong, "same-origin", http.StatusUnauthorized, "check your email"},
		{"POST", "/login", form, "same-origin", http.StatusOK, ""},
		{"GET", "/orders", nil, "", http.StatusOK, `"data":[`},
		{"POST", "/logout", nil, "same-origin", http.StatusOK, ""},
		{"GET", "/orders", nil, "", http.StatusUnauthorized, ""},
		{"GET", "/skus", nil, "", http.StatusOK, `"type":"skus"`},
	} {
		req, err := http.NewRequest(tt.method, web.URL+tt.path, strings.NewReader(tt.form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if tt.header != "" {
			req.Header.Set("Sec-Fetch-Site", tt.header)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.text) {
			t.Errorf("%s %s: %s, %.200s; want %d with %q", tt.method, tt.path, resp.Status, body, tt.status, tt.text)
		}
		kind, sniff := resp.Header.Get("Content-Type"), resp.Header.Get("X-Content-Type-Options")
		if tt.method == "GET" && tt.status == http.StatusOK && (kind != "application/vnd.api+json" || sniff != "nosniff") {
			t.Errorf("%s %s: Content-Type %q, X-Content-Type-Options %q, want the API's and nosniff", tt.method, tt.path, kind, sniff)
		}
	}
	if n := server.Counts().ClientCredentials; n != 1 {
		t.Errorf("%d token requests for guests, want 1", n)
	}
}

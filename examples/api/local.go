package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// local calls a backend of a Commerce Layer in this process, and writes down what comes
// of it. How the backend is reached, serve says.
func local(ctx context.Context, out io.Writer, serve func(http.Handler) (client *http.Client, address string, stop func())) error {
	service := commercelayertest.NewServer(nil)
	defer service.Close()
	verifier, err := commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{Base: service.Transport()})
	if err != nil {
		return err
	}
	client, address, stop := serve(backend(verifier, service.APIURL(), service.Options().Markets[0].ID, service.Transport()))
	defer stop()

	// These come from js-auth in a browser, and from a partner's program.
	owner := commercelayertest.Owner{Type: "Customer", ID: commercelayertest.CustomerID}
	guest, err1 := service.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{Scope: commercelayertest.MarketScope})
	ada, err2 := service.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{Scope: commercelayertest.MarketScope, Owner: owner})
	usa, err3 := service.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{Scope: commercelayertest.OtherMarketScope, Owner: owner})
	partner, err4 := service.Issue(commercelayertest.IntegrationID, nil)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	forged := strings.Split(guest.AccessToken, ".")
	forged[1] = strings.Split(ada.AccessToken, ".")[1] // Ada's claims under a guest's signature

	fmt.Fprintf(out, "bearer api: a backend that receives tokens of %s\n\n", service.AuthURL())
	c := caller{ctx, out, client, address}
	for _, call := range []struct{ method, path, who, token string }{
		{"GET", "/health", "nobody", ""},
		{"GET", "/whoami", "nobody", ""},
		{"GET", "/whoami", "a guest", guest.AccessToken},
		{"GET", "/orders", "a guest", guest.AccessToken},
		{"GET", "/orders", "a forger", strings.Join(forged, ".")},
		{"GET", "/orders", "Ada", ada.AccessToken},
		{"GET", "/offers", "Ada", ada.AccessToken},
		{"GET", "/offers", "Ada in the USA", usa.AccessToken},
		{"POST", "/restock", "Ada", ada.AccessToken},
		{"POST", "/restock", "a partner's program", partner.AccessToken},
	} {
		if err := c.call(call.method, call.path, call.who, call.token); err != nil {
			return err
		}
	}

	fmt.Fprintln(out, "\nAda's token is revoked: the API notices, and then the backend knows.")
	service.Revoke(ada.AccessToken)
	for _, path := range []string{"/orders", "/whoami"} {
		if err := c.call("GET", path, "Ada", ada.AccessToken); err != nil {
			return err
		}
	}
	n := service.Counts()
	fmt.Fprintf(out, "\nRequests for the key set: %d. Refused by the API: %d.\n", n.KeySetRequests, n.APIInvalidToken)
	return nil
}

// caller calls the backend.
type caller struct {
	ctx     context.Context
	out     io.Writer
	client  *http.Client
	address string
}

// call writes down a request and its answer.
func (c caller) call(method, path, who, token string) error {
	req, err := http.NewRequestWithContext(c.ctx, method, c.address+path, nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%-4s %-8s  %-19s  %d %s\n", method, path, who, resp.StatusCode, short(resp.Header.Get("Content-Type"), body))
	if challenge := resp.Header.Get("WWW-Authenticate"); challenge != "" {
		fmt.Fprintf(c.out, "%7s%s\n", "", challenge)
	}
	return nil
}

// short is what an answer comes down to.
func short(contentType string, body []byte) string {
	if contentType != "application/vnd.api+json" {
		return strings.TrimSpace(string(body))
	}
	var doc struct {
		Data []struct {
			Type string `json:"type"`
		} `json:"data"`
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	switch err := json.Unmarshal(body, &doc); {
	case err == nil && len(doc.Errors) > 0:
		return doc.Errors[0].Code
	case err == nil && len(doc.Data) > 0:
		return fmt.Sprintf("%d %s", len(doc.Data), doc.Data[0].Type)
	}
	return "something else"
}

package commercelayer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/tokenendpoint"
)

// local is the service itself, in a bubble.
func local(t *testing.T, o *commercelayertest.Options) *commercelayertest.Server {
	t.Helper()
	s := commercelayertest.NewServer(o)
	t.Cleanup(s.Close)
	return s
}

func optionsFor(s *commercelayertest.Server) *commercelayer.Options {
	return &commercelayer.Options{Base: s.Transport()}
}

// list asks the API for something and returns the status.
func list(t *testing.T, c *http.Client, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// as is the API as the holder of token sees it.
func as(s *commercelayertest.Server, token *bearer.Token) *http.Client {
	return &http.Client{Transport: &bearer.Transport{Source: onlyToken{token}, Base: s.Transport()}}
}

type onlyToken struct{ t *bearer.Token }

func (s onlyToken) Token() (*bearer.Token, error) { return s.t, nil }

func mustAssertion(t *testing.T, owner string) string {
	t.Helper()
	a, err := commercelayer.Assertion(commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "Customer", ID: owner}, CustomClaim: map[string]any{"tier": 1}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAllGrants(t *testing.T) {
	tests := []struct {
		name, id, secret, scope string
		ask                     func(context.Context, *commercelayertest.Server, *commercelayer.Credentials) (*bearer.Token, error)
		tokenType               string
		life                    time.Duration
		refresh                 bool
		ownerType               any
	}{
		{"guest", commercelayertest.SalesChannelID, commercelayertest.SalesChannelSecret, commercelayertest.MarketScope,
			func(ctx context.Context, _ *commercelayertest.Server, c *commercelayer.Credentials) (*bearer.Token, error) {
				return c.ClientCredentials(ctx, nil)
			}, "sales_channel:guest", 4 * time.Hour, false, nil},
		{"integration", commercelayertest.IntegrationID, commercelayertest.IntegrationSecret, "",
			func(ctx context.Context, _ *commercelayertest.Server, c *commercelayer.Credentials) (*bearer.Token, error) {
				return c.ClientCredentials(ctx, nil)
			}, "integration:guest", 2 * time.Hour, false, nil},
		{"password", commercelayertest.SalesChannelID, "", commercelayertest.MarketScope,
			func(ctx context.Context, _ *commercelayertest.Server, c *commercelayer.Credentials) (*bearer.Token, error) {
				return c.Password(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword, nil)
			}, "sales_channel:customer", 4 * time.Hour, true, "customer"},
		{"password and refresh, of a client with a secret", commercelayertest.SalesChannelID, commercelayertest.SalesChannelSecret, commercelayertest.MarketScope,
			func(ctx context.Context, _ *commercelayertest.Server, c *commercelayer.Credentials) (*bearer.Token, error) {
				first, err := c.Password(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword, nil)
				if err != nil {
					return nil, err
				}
				return c.RefreshToken(ctx, first.RefreshToken, &commercelayer.GrantOptions{Public: true})
			}, "sales_channel:customer", 4 * time.Hour, true, "customer"},
		{"code and refresh", commercelayertest.WebappID, commercelayertest.WebappSecret, "",
			func(ctx context.Context, s *commercelayertest.Server, c *commercelayer.Credentials) (*bearer.Token, error) {
				code, err := s.AuthorizationCode(commercelayertest.WebappID, nil)
				if err != nil {
					return nil, err
				}
				first, err := c.AuthorizationCode(ctx, code, commercelayertest.WebappRedirectURI, nil)
				if err != nil {
					return nil, err
				}
				return c.RefreshToken(ctx, first.RefreshToken, nil)
			}, "webapp:user", 2 * time.Hour, true, "user"},
		{"assertion", commercelayertest.SalesChannelID, commercelayertest.SalesChannelSecret, commercelayertest.MarketScope,
			func(ctx context.Context, _ *commercelayertest.Server, c *commercelayer.Credentials) (*bearer.Token, error) {
				return c.JWTBearer(ctx, mustAssertion(t, commercelayertest.CustomerID), nil)
			}, "sales_channel:customer", 4 * time.Hour, true, "customer"},
		{"provisioning", commercelayertest.UserClientID, commercelayertest.UserClientSecret, "",
			func(ctx context.Context, _ *commercelayertest.Server, c *commercelayer.Credentials) (*bearer.Token, error) {
				return c.ClientCredentials(ctx, nil)
			}, "user:guest", 2 * time.Hour, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				o := optionsFor(s)
				o.Scope = tt.scope
				c, err := commercelayer.NewCredentials(tt.id, tt.secret, o)
				if err != nil {
					t.Fatal(err)
				}
				token, err := tt.ask(t.Context(), s, c)
				if err != nil {
					t.Fatal(err)
				}
				if got := time.Until(token.Expiry); got != tt.life {
					t.Errorf("Expiry in %v, want %v", got, tt.life)
				}
				if got := token.RefreshToken != ""; got != tt.refresh {
					t.Errorf("has a refresh token: %v, want %v", got, tt.refresh)
				}
				if got := token.Extra("owner_type"); got != tt.ownerType {
					t.Errorf("owner_type = %v, want %v", got, tt.ownerType)
				}
				claims, err := commercelayer.DecodeUnverified(token.AccessToken)
				if err != nil {
					t.Fatal(err)
				}
				if got := claims.TokenType(); got != tt.tokenType {
					t.Errorf("TokenType = %q, want %q", got, tt.tokenType)
				}
				if tt.name == "provisioning" {
					if got, err := claims.ProvisioningAPIURL(); got != "https://provisioning.commercelayer.io" {
						t.Errorf("ProvisioningAPIURL = %q, %v", got, err)
					}
					return
				}
				if got, err := claims.CoreAPIURL(); got != s.APIURL() {
					t.Errorf("CoreAPIURL = %q, %v, want %q", got, err, s.APIURL())
				}
				if got := list(t, as(s, token), s.APIURL()+"/api/skus"); got != 200 {
					t.Fatalf("the API answers %d", got)
				}
				if tt.name == "assertion" && string(claims.CustomClaim) != `{"tier":1}` {
					t.Errorf("CustomClaim = %s", claims.CustomClaim)
				}
				// Twice is no harm.
				for range 2 {
					if err := c.Revoke(t.Context(), token.AccessToken, &commercelayer.RevokeOptions{Public: tt.ownerType == "customer"}); err != nil {
						t.Fatalf("Revoke: %v", err)
					}
				}
				if got := list(t, as(s, token), s.APIURL()+"/api/skus"); got != 401 {
					t.Errorf("after the revocation the API answers %d, want 401", got)
				}
				if tt.refresh {
					if err := c.Revoke(t.Context(), token.RefreshToken, &commercelayer.RevokeOptions{Public: tt.ownerType == "customer"}); err != nil {
						t.Fatalf("Revoke: %v", err)
					}
					_, err := c.RefreshToken(t.Context(), token.RefreshToken, &commercelayer.GrantOptions{Public: tt.ownerType == "customer"})
					var e *tokenendpoint.Error
					if !errors.As(err, &e) || e.Code != "invalid_grant" {
						t.Errorf("refresh after the revocation: %v, want invalid_grant", err)
					}
				}
			})
		})
	}
}

func TestTheSameTokenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c, err := commercelayer.NewCredentials(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret, optionsFor(s))
		if err != nil {
			t.Fatal(err)
		}
		first, err := c.ClientCredentials(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		again, err := c.ClientCredentials(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if again.AccessToken != first.AccessToken || !again.Expiry.Equal(first.Expiry) {
			t.Errorf("given again, the token expires at %v, want %v", again.Expiry, first.Expiry)
		}
	})
}

func TestLocalErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		for name, tt := range map[string]struct {
			id, secret, code string
			ask              func(*commercelayer.Credentials) error
		}{
			"unknown client": {"nobody", "s3cr3t", "invalid_client", func(c *commercelayer.Credentials) error { _, err := c.ClientCredentials(t.Context(), nil); return err }},
			"wrong password": {commercelayertest.SalesChannelID, "", "invalid_grant", func(c *commercelayer.Credentials) error {
				_, err := c.Password(t.Context(), commercelayertest.CustomerEmail, "s3cr3t", nil)
				return err
			}},
			"bad assertion": {commercelayertest.SalesChannelID, commercelayertest.SalesChannelSecret, "invalid_assertion", func(c *commercelayer.Credentials) error {
				_, err := c.JWTBearer(t.Context(), "s3cr3t", nil)
				return err
			}},
			"foreign token": {commercelayertest.SalesChannelID, "", "unauthorized_client", func(c *commercelayer.Credentials) error {
				i, err := commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret, optionsFor(s))
				if err != nil {
					return err
				}
				token, err := i.Token()
				if err != nil {
					return err
				}
				return c.Revoke(t.Context(), token.AccessToken, nil)
			}},
		} {
			o := optionsFor(s)
			o.Scope = commercelayertest.MarketScope
			c, err := commercelayer.NewCredentials(tt.id, tt.secret, o)
			if err != nil {
				t.Fatal(err)
			}
			err = tt.ask(c)
			var e *tokenendpoint.Error
			if !errors.As(err, &e) || e.Code != tt.code || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%s: error = %v, want code %s", name, err, tt.code)
			}
		}
	})
}

// On real sockets, addressed by IP: all hosts are paths of one.
func TestByIP(t *testing.T) {
	s := local(t, nil)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	i := newIntegration(t, &commercelayer.Options{AuthURL: srv.URL + "/auth", Base: srv.Client().Transport})
	api, err := i.CoreAPIURL(t.Context())
	if want := srv.URL + "/" + commercelayertest.Slug; err != nil || api != want {
		t.Fatalf("CoreAPIURL = %q, %v, want %q", api, err, want)
	}
	if got := list(t, i.Client(), api+"/api/skus"); got != 200 {
		t.Errorf("the API answers %d", got)
	}
	if err := i.RevokeAuthorization(t.Context()); err != nil {
		t.Error(err)
	}
}

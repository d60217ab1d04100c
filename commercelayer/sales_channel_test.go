package commercelayer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestNewSalesChannel(t *testing.T) {
	id, scope := commercelayertest.SalesChannelID, commercelayertest.MarketScope
	tests := []struct {
		name, id, scope string
		opts            *commercelayer.Options
		want            string // in the error; "": none
	}{
		{"plain", id, scope, nil, ""},
		{"two parts", id, scope + " store:code:milan", nil, ""},
		{"scope twice", id, scope, &commercelayer.Options{Scope: scope}, ""},
		{"not ASCII", "ünï", scope, nil, ""},
		{"no id", "", scope, nil, "client id"},
		{"no scope", id, "", nil, "scope"},
		{"other scope", id, scope, &commercelayer.Options{Scope: "market:code:usa"}, "Options.Scope"},
		{"slash", "a/b", scope, nil, "client id"},
		{"backslash", `a\b`, scope, nil, "client id"},
		{"colons", "a::b", scope, nil, "client id"},
		{"question mark", "a?b", scope, nil, "client id"},
		{"slash in scope", id, "market:code:a/b", nil, "scope"},
		{"question mark in scope", id, "market:code:a?b", nil, "scope"},
		{"colons in scope", id, "market::a", nil, "scope"},
		{"space before scope", id, " " + scope, nil, "Scope"},
		{"bad option", id, scope, &commercelayer.Options{Timeout: -1}, "Timeout"},
		{"secret with a line break", id, scope, &commercelayer.Options{ClientSecret: "s3cr3t\n"}, "secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := commercelayer.NewSalesChannel(tt.id, tt.scope, tt.opts)
			switch {
			case tt.want == "" && (err != nil || c == nil):
				t.Errorf("error = %v", err)
			case tt.want != "" && (err == nil || c != nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t")):
				t.Errorf("error = %v, want one about %q", err, tt.want)
			}
		})
	}
}

func TestGuestsShareOneToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		shop := openChannel(t, c)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				resp := shop.shopper().do(t, func(ctx context.Context) {
					if status, _, err := ask(ctx, c.Client(), "skus"); status != 200 {
						t.Errorf("the API answers %d, %v", status, err)
					}
				})
				if got := resp.Header; got["Set-Cookie"] != nil || got["Cache-Control"] != nil {
					t.Errorf("a guest's answer has the header %v", got)
				}
			})
		}
		all.Wait()
		if got := s.Counts(); got.TokenRequests != 1 || got.ClientCredentials != 1 || got.APIRequests != 1000 {
			t.Errorf("%d token requests for %d visitors' requests, want 1 for 1000", got.TokenRequests, got.APIRequests)
		}
	})
}

func TestSetCustomer(t *testing.T) {
	customer := commercelayertest.Owner{Type: "Customer", ID: commercelayertest.CustomerID}
	channel, scope := commercelayertest.SalesChannelID, commercelayertest.MarketScope
	tests := []struct {
		name   string
		client string
		issue  commercelayertest.IssueOptions
		change func(*bearer.Token)
		want   string // "": it is taken
	}{
		{"customer", channel, commercelayertest.IssueOptions{Scope: scope, Owner: customer}, nil, ""},
		{"without expiry", channel, commercelayertest.IssueOptions{Scope: scope, Owner: customer}, func(t *bearer.Token) { t.Expiry = time.Time{} }, ""},
		{"without refresh token", channel, commercelayertest.IssueOptions{Scope: scope, Owner: customer}, func(t *bearer.Token) { t.RefreshToken = "" }, ""},
		{"guest", channel, commercelayertest.IssueOptions{Scope: scope}, nil, "owner"},
		{"integration", commercelayertest.IntegrationID, commercelayertest.IssueOptions{}, nil, "another client"},
		{"integration on behalf of a customer", commercelayertest.IntegrationID, commercelayertest.IssueOptions{Owner: customer}, nil, "another client"},
		{"user", commercelayertest.WebappID, commercelayertest.IssueOptions{Owner: commercelayertest.Owner{Type: "User", ID: commercelayertest.UserID}}, nil, "another client"},
		{"user of the channel", channel, commercelayertest.IssueOptions{Scope: scope, Owner: commercelayertest.Owner{Type: "User", ID: commercelayertest.UserID}}, nil, "owner"},
		{"expired", channel, commercelayertest.IssueOptions{Scope: scope, Owner: customer, Life: -time.Hour}, nil, "expired"},
		{"expired, without expiry", channel, commercelayertest.IssueOptions{Scope: scope, Owner: customer, Life: -time.Hour}, func(t *bearer.Token) { t.Expiry = time.Time{} }, "expired"},
		{"garbage", channel, commercelayertest.IssueOptions{Scope: scope, Owner: customer}, func(t *bearer.Token) { t.AccessToken = "s3cr3t" }, "not one of the service's"},
		{"empty", channel, commercelayertest.IssueOptions{}, func(t *bearer.Token) { t.AccessToken = "" }, "not one of the service's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				c := newSalesChannel(t, optionsFor(s))
				b := openChannel(t, c).shopper()
				issued, err := s.Issue(tt.client, &tt.issue)
				if err != nil {
					t.Fatal(err)
				}
				token := &bearer.Token{AccessToken: issued.AccessToken, RefreshToken: issued.RefreshToken, Expiry: issued.Expiry}
				if tt.change != nil {
					tt.change(token)
				}
				before := *token
				resp := b.do(t, func(ctx context.Context) {
					err := c.SetCustomer(ctx, token)
					if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), token.AccessToken) && token.AccessToken != "") {
						t.Errorf("error = %v, want one about %q", err, tt.want)
					}
				})
				if *token != before {
					t.Error("the caller's token was changed")
				}
				if got := s.Counts().RevokeRequests; got != 0 {
					t.Errorf("%d revocations of a token that is not ours", got)
				}
				if tt.want != "" {
					if got := resp.Header.Get("Set-Cookie"); got != "" {
						t.Errorf("Set-Cookie = %q", got)
					}
					b.is(t, c, guest, bearer.StateGuest)
					return
				}
				b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
				pass(4*time.Hour + time.Minute)
				if token.RefreshToken == "" {
					b.is(t, c, guest, bearer.StateExpired)
					b.is(t, c, guest, bearer.StateGuest)
					return
				}
				b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
				if got := s.Counts(); got.APIInvalidToken != 0 || got.RefreshToken != 1 {
					t.Errorf("%d refused tokens and %d refreshes, want 0 and 1", got.APIInvalidToken, got.RefreshToken)
				}
			})
		})
	}
}

func TestSetCustomerNil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		openChannel(t, c).shopper().do(t, func(ctx context.Context) {
			if err := c.SetCustomer(ctx, nil); err == nil {
				t.Error("no error for no token")
			}
		})
	})
}

// Whoever calls from outside of a request hears it from all that need one.
func TestWithoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		for name, f := range map[string]func(context.Context) error{
			"Login": func(ctx context.Context) error {
				return c.Login(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword)
			},
			"LoginWithAssertion": func(ctx context.Context) error { return c.LoginWithAssertion(ctx, "assertion") },
			"SetCustomer": func(ctx context.Context) error {
				return c.SetCustomer(ctx, &bearer.Token{AccessToken: "token"})
			},
			"LogoutCustomer": c.LogoutCustomer,
		} {
			if err := f(t.Context()); err == nil || !strings.Contains(err.Error(), "Middleware") {
				t.Errorf("%s: error = %v, want one about the Middleware", name, err)
			}
		}
		if got := s.Counts().TokenRequests; got != 0 {
			t.Errorf("%d token requests", got)
		}
		a, err := c.GetAuthorization(t.Context())
		if err != nil || a.Origin != bearer.OriginGuest || a.Scope != commercelayertest.MarketScope {
			t.Errorf("GetAuthorization = %v, %v, want the guests'", a, err)
		}
		if got := whoIs(t.Context(), c); got != guest {
			t.Errorf("the API sees %s", got)
		}
		if token, err := c.Token(); err != nil || token.AccessToken != a.Token.AccessToken {
			t.Errorf("Token: another one, or %v", err)
		}
		if got, err := c.CoreAPIURL(t.Context()); err != nil || got != s.APIURL() {
			t.Errorf("CoreAPIURL = %q, %v", got, err)
		}
		if err := c.RemoveAuthorization(t.Context()); err != nil {
			t.Error(err)
		}
		if got := whoIs(t.Context(), c); got != guest || s.Counts().SameAgain != 1 {
			t.Errorf("after RemoveAuthorization the API sees %s, and %d tokens were given again, want 1", got, s.Counts().SameAgain)
		}
		if err := c.Evict(t.Context(), a.Token); err != nil {
			t.Error(err)
		}
		if _, err := c.TokenContext(t.Context()); err != nil || s.Counts().SameAgain != 2 {
			t.Errorf("after Evict: %v, and %d tokens were given again, want 2", err, s.Counts().SameAgain)
		}
	})
}

// The token goes to the service's hosts and nowhere else, a customer's too.
func TestCustomersTokenStaysAtHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		elsewhere := &stub{}
		o := optionsFor(s)
		own := o.Base
		o.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Host, commercelayertest.Domain) {
				return own.RoundTrip(r)
			}
			return elsewhere.RoundTrip(r)
		})
		c := newSalesChannel(t, o)
		b := openChannel(t, c).shopper()
		b.login(t, c)
		b.do(t, func(ctx context.Context) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://evil.example/", nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := c.Client().Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
		if got := elsewhere.last(t).Header.Get("Authorization"); got != "" {
			t.Errorf("another host got %q", got)
		}
	})
}

// A secret is for assertions alone: guests, refreshes and logouts need none, and
// would be another kind of client's with it.
func TestWhereTheSecretGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		o.ClientSecret = commercelayertest.SalesChannelSecret
		own := o.Base
		var with, without []string
		o.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Body == nil {
				return own.RoundTrip(r)
			}
			body, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil {
				return nil, err
			}
			var sent struct {
				Grant  string `json:"grant_type"`
				Secret string `json:"client_secret"`
			}
			if err := json.Unmarshal(body, &sent); err != nil {
				return nil, err
			}
			what := path.Base(r.URL.Path) + " " + sent.Grant
			if sent.Secret != "" {
				with = append(with, what)
			} else {
				without = append(without, what)
			}
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(bytes.NewReader(body))
			return own.RoundTrip(r)
		})
		c := newSalesChannel(t, o)
		b := openChannel(t, c).shopper()
		b.is(t, c, guest, bearer.StateGuest)
		b.do(t, func(ctx context.Context) {
			if err := c.LoginWithAssertion(ctx, mustAssertion(t, commercelayertest.CustomerID)); err != nil {
				t.Error(err)
			}
		})
		pass(5 * time.Hour)
		b.do(t, func(ctx context.Context) { ask(ctx, c.Client(), "customers") })
		b.logout(t, c)
		if got, want := with, []string{"token urn:ietf:params:oauth:grant-type:jwt-bearer"}; !slices.Equal(got, want) {
			t.Errorf("the secret went with %q, want %q", got, want)
		}
		if got, want := without, []string{"token client_credentials", "token refresh_token", "revoke ", "revoke "}; !slices.Equal(got, want) {
			t.Errorf("no secret went with %q, want %q", got, want)
		}
	})
}

func TestShopEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		var out *syncBuffer
		o.Logger, out = logs()
		var events []string
		o.Observer = func(_ context.Context, e bearer.Event) { events = append(events, e.Message()) }
		c := newSalesChannel(t, o)
		b := openChannel(t, c).shopper()
		b.is(t, c, guest, bearer.StateGuest)
		b.login(t, c)
		pass(time.Hour)
		s.Revoke(b.tokens(t, c).AccessToken)
		b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
		b.logout(t, c)
		want := []string{"token requested", "customer signed in", "token evicted", "token requested", "request replayed with a new token", "customer signed out"}
		if !slices.Equal(events, want) {
			t.Errorf("events: %q, want %q", events, want)
		}
		for _, message := range want {
			if !strings.Contains(out.String(), message) {
				t.Errorf("%q is not in the log:\n%s", message, out)
			}
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

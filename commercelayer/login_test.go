package commercelayer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/tokenendpoint"
)

func TestLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		var met string
		o.OnLogin = func(_ context.Context, guest, customer *bearer.Authorization) {
			met = fmt.Sprint(guest, " and ", customer)
		}
		c := newSalesChannel(t, o)
		shop := openChannel(t, c)
		ada, other := shop.shopper(), shop.shopper()
		resp := ada.visit(t, func(_ http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			if got := whoIs(ctx, c); got != guest {
				t.Errorf("before the login the visitor is %s", got)
			}
			if err := c.Login(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
				t.Fatal(err)
			}
			if got := whoIs(ctx, c); got != commercelayertest.CustomerID {
				t.Errorf("within the request that signs in the visitor is %s", got)
			}
		})
		if got := resp.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-session=") || !strings.Contains(got, "; Max-Age=1209600; HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("Set-Cookie = %q", got)
		}
		ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
		other.is(t, c, guest, bearer.StateGuest)
		ada.do(t, func(ctx context.Context) {
			a, err := c.GetAuthorization(ctx)
			if err != nil || a.Owner != (bearer.Owner{Type: "Customer", ID: commercelayertest.CustomerID}) || a.Scope != commercelayertest.MarketScope || a.Origin != bearer.OriginStorage {
				t.Errorf("GetAuthorization = %v, %v", a, err)
			}
			if token, err := c.TokenContext(ctx); err != nil || token.AccessToken != a.Token.AccessToken {
				t.Errorf("TokenContext has another token, or %v", err)
			}
		})
		if want := `bearer.Authorization(guest, from guest) and bearer.Authorization(Customer "` + commercelayertest.CustomerID + `", from storage)`; met != want {
			t.Errorf("OnLogin saw %s, want %s", met, want)
		}
		if got := s.Counts(); got.Password != 1 || got.ClientCredentials != 1 || got.TokenRequests != 2 || got.RevokeRequests != 0 {
			t.Errorf("%d requests for tokens, %d by password, want 2 and 1", got.TokenRequests, got.Password)
		}
	})
}

// A login that fails leaves the visitor as before, guest or customer.
func TestLoginFails(t *testing.T) {
	password := func(email, password string) func(context.Context, *commercelayer.SalesChannel) error {
		return func(ctx context.Context, c *commercelayer.SalesChannel) error { return c.Login(ctx, email, password) }
	}
	right := password(commercelayertest.OtherCustomerEmail, commercelayertest.OtherCustomerPassword)
	tests := []struct {
		name     string
		fault    *commercelayertest.Fault
		login    func(context.Context, *commercelayer.SalesChannel) error
		status   int
		code     string
		attempts int // at the token endpoint
	}{
		{"wrong password", nil, password(commercelayertest.OtherCustomerEmail, "s3cr3t"), 401, "invalid_grant", 1},
		{"unknown email", nil, password("nobody@example.com", "s3cr3t"), 401, "invalid_grant", 1},
		{"no password", nil, password(commercelayertest.OtherCustomerEmail, ""), 0, "", 0},
		{"failing", &commercelayertest.Fault{Status: 503}, right, 503, "", 3},
		{"rate limited", &commercelayertest.Fault{Status: 429, RetryAfter: time.Hour}, right, 429, "TOO_MANY_REQUESTS", 1},
		{"answer lost", &commercelayertest.Fault{Drop: commercelayertest.DropAfter}, right, 0, "", 1},
		{"bad assertion", nil, func(ctx context.Context, c *commercelayer.SalesChannel) error {
			return c.LoginWithAssertion(ctx, "s3cr3t")
		}, 400, "invalid_assertion", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				o := optionsFor(s)
				o.ClientSecret = commercelayertest.SalesChannelSecret
				c := newSalesChannel(t, o)
				shop := openChannel(t, c)
				ada, visitor := shop.shopper(), shop.shopper()
				ada.login(t, c)
				visitor.is(t, c, guest, bearer.StateGuest)
				if tt.fault != nil {
					f := *tt.fault
					f.Endpoint = commercelayertest.TokenEndpoint
					s.Inject(f)
				}
				for _, b := range []*shopper{ada, visitor} {
					if tt.code == "TOO_MANY_REQUESTS" && b == visitor {
						break // is not asked any more
					}
					s.ResetCounts()
					resp := b.do(t, func(ctx context.Context) {
						err := tt.login(ctx, c)
						var e *tokenendpoint.Error
						switch {
						case err == nil || strings.Contains(err.Error(), "s3cr3t"):
							t.Errorf("error = %v", err)
						case tt.attempts == 0:
						case !errors.As(err, &e) || e.Status != tt.status || tt.code != "" && e.Code != tt.code:
							t.Errorf("error = %v, want status %d, code %q", err, tt.status, tt.code)
						}
					})
					if got := resp.Header.Get("Set-Cookie"); got != "" {
						t.Errorf("Set-Cookie = %q", got)
					}
					if got := s.Counts().TokenRequests; got > tt.attempts {
						t.Errorf("%d token requests, want at most %d", got, tt.attempts)
					}
				}
				ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
				visitor.is(t, c, guest, bearer.StateGuest)
			})
		})
	}
}

// What a login could not keep is not asked for.
func TestLoginTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		visitor := openChannel(t, c).shopper()
		visitor.visit(t, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			if err := c.Login(r.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err == nil {
				t.Error("no error")
			}
		})
		if got := s.Counts().Password; got != 0 {
			t.Errorf("%d requests by password, want none", got)
		}
		visitor.is(t, c, guest, bearer.StateGuest)
	})
}

func TestLoginWithAssertion(t *testing.T) {
	assertion := func(o commercelayer.Owner) string {
		a, err := commercelayer.Assertion(commercelayer.AssertionClaims{Owner: o, CustomClaim: map[string]any{"tier": 1}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ada := commercelayer.Owner{Type: "Customer", ID: commercelayertest.CustomerID}
	tests := []struct {
		name, secret string
		owner        commercelayer.Owner
		signs        bool
		asked        int
	}{
		{"customer", commercelayertest.SalesChannelSecret, ada, true, 1},
		{"without a secret", "", ada, false, 0},
		{"user", commercelayertest.SalesChannelSecret, commercelayer.Owner{Type: "User", ID: commercelayertest.UserID}, false, 1},
		{"nobody", commercelayertest.SalesChannelSecret, commercelayer.Owner{}, false, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				o := optionsFor(s)
				o.ClientSecret = tt.secret
				c := newSalesChannel(t, o)
				b := openChannel(t, c).shopper()
				b.do(t, func(ctx context.Context) {
					if err := c.LoginWithAssertion(ctx, assertion(tt.owner)); (err == nil) != tt.signs {
						t.Errorf("error = %v, want none: %v", err, tt.signs)
					}
				})
				if got := s.Counts().JWTBearer; got != tt.asked {
					t.Errorf("%d token requests, want %d", got, tt.asked)
				}
				if !tt.signs {
					b.is(t, c, guest, bearer.StateGuest)
					return
				}
				b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
				pass(4*time.Hour + time.Minute) // it is refreshed without the secret
				b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
				if got := s.Counts(); got.RefreshToken != 1 || got.JWTBearer != 1 {
					t.Errorf("%d refreshes, want 1", got.RefreshToken)
				}
			})
		})
	}
}

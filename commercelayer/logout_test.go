package commercelayer_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/tokenendpoint"
)

// tokens returns copies of what the visitor is signed in with.
func (b *shopper) tokens(t *testing.T, c *commercelayer.SalesChannel) bearer.Token {
	t.Helper()
	var token bearer.Token
	b.do(t, func(ctx context.Context) {
		a, err := c.GetAuthorization(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		token = *a.Token
	})
	return token
}

// logout signs the visitor out.
func (b *shopper) logout(t *testing.T, c *commercelayer.SalesChannel) {
	t.Helper()
	b.do(t, func(ctx context.Context) {
		if err := c.LogoutCustomer(ctx); err != nil {
			t.Errorf("LogoutCustomer: %v", err)
		}
	})
}

// Both tokens are good for nothing after it, whoever has them, and neither was
// refreshed first, however old it is.
func TestLogoutCustomer(t *testing.T) {
	for name, age := range map[string]time.Duration{
		"fresh":   0,
		"aging":   3*time.Hour + 59*time.Minute,
		"expired": 5 * time.Hour,
		"old":     13 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				o := optionsFor(s)
				var out *syncBuffer
				o.Logger, out = logs()
				c := newSalesChannel(t, o)
				b := openChannel(t, c).shopper()
				b.login(t, c)
				token := b.tokens(t, c)
				pass(age)
				s.ResetCounts()
				resp := b.do(t, func(ctx context.Context) {
					if err := c.LogoutCustomer(ctx); err != nil {
						t.Errorf("LogoutCustomer: %v", err)
					}
					if got := stateOf(ctx); got != "guest" {
						t.Errorf("State = %s", got)
					}
					if err := c.LogoutCustomer(ctx); err != nil {
						t.Errorf("LogoutCustomer again: %v", err)
					}
				})
				if got := resp.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-session=;") || !strings.Contains(got, "Max-Age=0") {
					t.Errorf("Set-Cookie = %q, want the cookie removed", got)
				}
				if got := s.Counts(); got.RevokeRequests != 2 || got.Revoked+got.RevokeRefused < 1 || got.RevokeRefused != 0 || got.TokenRequests != 0 {
					t.Errorf("%d revocations and %d token requests, want 2 and none", got.RevokeRequests, got.TokenRequests)
				}
				for name, token := range map[string]string{"access": token.AccessToken, "refresh": token.RefreshToken} {
					if s.Revoke(token) {
						t.Errorf("the %s token was still alive", name)
					}
				}
				b.is(t, c, guest, bearer.StateGuest)
				if got := strings.Count(out.String(), "customer signed out"); got != 1 {
					t.Errorf("the log tells %d times of the logout, want once:\n%s", got, out)
				}
			})
		})
	}
}

func TestLogoutWithoutRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		b := openChannel(t, c).shopper()
		b.login(t, c)
		token := b.tokens(t, c)
		s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.RevokeEndpoint, Status: 503})
		b.do(t, func(ctx context.Context) {
			err := c.LogoutCustomer(ctx)
			var e *tokenendpoint.Error
			if !errors.As(err, &e) || e.Status != 503 || strings.Contains(err.Error(), token.AccessToken) || strings.Contains(err.Error(), token.RefreshToken) {
				t.Errorf("error = %v, want the 503", err)
			}
		})
		b.is(t, c, guest, bearer.StateGuest)
		if !s.Revoke(token.AccessToken) || !s.Revoke(token.RefreshToken) {
			t.Error("a token was revoked after all")
		}
	})
}

// The customer who leaves on one device may share the access token with another
// one.
func TestLogoutOnOneOfTwoDevices(t *testing.T) {
	t.Run("refresh token of its own", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, c, phone, laptop, shared := twoDevices(t, nil)
			own := laptop.tokens(t, c).RefreshToken
			laptop.do(t, func(ctx context.Context) {
				if err := c.SetCustomer(ctx, &bearer.Token{AccessToken: shared.AccessToken, RefreshToken: own}); err != nil {
					t.Error(err)
				}
			})
			s.ResetCounts()
			phone.logout(t, c)
			phone.is(t, c, guest, bearer.StateGuest)
			laptop.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
			if got := s.Counts(); got.RefreshToken != 1 || got.RefreshReused != 0 || got.APIInvalidToken != 1 {
				t.Errorf("%d refreshes, want 1", got.RefreshToken)
			}
		})
	})
	t.Run("no refresh token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, c, phone, laptop, shared := twoDevices(t, nil)
			laptop.do(t, func(ctx context.Context) {
				if err := c.SetCustomer(ctx, &bearer.Token{AccessToken: shared.AccessToken}); err != nil {
					t.Error(err)
				}
			})
			laptop.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
			phone.logout(t, c)
			expiresOnce(t, c, laptop)
		})
	})
	t.Run("the same refresh token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, c, phone, laptop, shared := twoDevices(t, &commercelayertest.Options{ReusePasswordToken: true})
			if got := laptop.tokens(t, c); got.AccessToken != shared.AccessToken || got.RefreshToken != shared.RefreshToken {
				t.Fatal("the server gave the other device tokens of its own")
			}
			phone.logout(t, c)
			expiresOnce(t, c, laptop)
		})
	})
}

// twoDevices has Ada signed in on two devices, and returns the tokens of the
// first.
func twoDevices(t *testing.T, o *commercelayertest.Options) (*commercelayertest.Server, *commercelayer.SalesChannel, *shopper, *shopper, bearer.Token) {
	t.Helper()
	s := local(t, o)
	c := newSalesChannel(t, optionsFor(s))
	shop := openChannel(t, c)
	phone, laptop := shop.shopper(), shop.shopper()
	phone.login(t, c)
	laptop.login(t, c)
	return s, c, phone, laptop, phone.tokens(t, c)
}

// expiresOnce has a call fail within the request in which the customer's end
// shows, and then a guest's succeed.
func expiresOnce(t *testing.T, c *commercelayer.SalesChannel, b *shopper) {
	t.Helper()
	b.do(t, func(ctx context.Context) {
		if status, _, err := ask(ctx, c.Client(), "customers"); status != 401 {
			t.Errorf("the API answers %d, %v, want the 401", status, err)
		}
		if status, _, err := ask(ctx, c.Client(), "skus"); !errors.Is(err, bearer.ErrCustomerExpired) {
			t.Errorf("the next call: %d, %v, want ErrCustomerExpired", status, err)
		}
		if got := stateOf(ctx); got != "customer expired" {
			t.Errorf("State = %s, want customer expired", got)
		}
		if got := whoIs(ctx, c); got != guest {
			t.Errorf("once told, the visitor is %s", got)
		}
	})
	b.is(t, c, guest, bearer.StateGuest)
}

// A refresh that is under way when the customer leaves brings nobody back, and
// what it gets is good for nobody.
func TestLogoutDuringRefresh(t *testing.T) {
	for name, tt := range map[string]struct{ issued, revoked int }{
		"refresh token revoked in time": {0, 2},
		"revocation failed":             {1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				c := newSalesChannel(t, optionsFor(s))
				b := openChannel(t, c).shopper()
				b.is(t, c, guest, bearer.StateGuest)
				b.login(t, c)
				pass(3*time.Hour + 51*time.Minute)
				s.ExpireAll() // at the server, so that the guests' token is still held
				s.ResetCounts()
				s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Grant: "refresh_token", Delay: 20 * time.Second})
				if tt.issued > 0 {
					s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.RevokeEndpoint, Status: 503})
				}
				var all sync.WaitGroup
				all.Go(func() {
					b.do(t, func(ctx context.Context) {
						status, ids, err := ask(ctx, c.Client(), "customers")
						if status != 401 {
							t.Errorf("the slow call: %d %v, %v, want the 401", status, ids, err)
						}
					})
				})
				pass(time.Second)
				b.do(t, func(ctx context.Context) {
					if err := c.LogoutCustomer(ctx); (err == nil) != (tt.issued == 0) {
						t.Errorf("LogoutCustomer: %v", err)
					}
				})
				s.ClearFaults()
				all.Wait()
				synctest.Wait()
				if got := s.Counts(); got.RefreshToken != 1 || got.Issued != tt.issued || got.Revoked != tt.revoked {
					t.Errorf("%d refreshes, %d tokens issued, %d revoked, want 1, %d and %d", got.RefreshToken, got.Issued, got.Revoked, tt.issued, tt.revoked)
				}
				b.is(t, c, guest, bearer.StateGuest)
			})
		})
	}
}

func TestRemoveAuthorization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSalesChannel(t, optionsFor(s))
		shop := openChannel(t, c)
		b, other := shop.shopper(), shop.shopper()
		other.is(t, c, guest, bearer.StateGuest)
		b.login(t, c)
		token := b.tokens(t, c)
		s.ResetCounts()
		b.do(t, func(ctx context.Context) {
			if err := c.RemoveAuthorization(ctx); err != nil {
				t.Error(err)
			}
		})
		b.is(t, c, guest, bearer.StateGuest)
		b.do(t, func(ctx context.Context) {
			if err := c.RemoveAuthorization(ctx); err != nil {
				t.Errorf("as a guest: %v", err)
			}
		})
		other.is(t, c, guest, bearer.StateGuest)
		if got := s.Counts(); got.TokenRequests != 0 || got.RevokeRequests != 0 {
			t.Errorf("%d token requests and %d revocations on account of one visitor, want none", got.TokenRequests, got.RevokeRequests)
		}
		if !s.Revoke(token.AccessToken) || !s.Revoke(token.RefreshToken) {
			t.Error("a token was revoked")
		}
	})
}

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
	"github.com/bearerkit/bearer/memstore"
)

// threeMethods hides what else a storage can do.
type threeMethods struct{ bearer.Storage }

const (
	integrationKey = "cl_guest-" + commercelayertest.IntegrationID + "-market:all"
	guestKey       = "cl_guest-" + commercelayertest.SalesChannelID + "-" + commercelayertest.MarketScope
)

// wantValue checks what a storage holds. An empty want: nothing.
func wantValue(t *testing.T, s bearer.Storage, key, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if errors.Is(err, bearer.ErrNotFound) {
		err = nil
	}
	if err != nil || string(got) != want {
		t.Errorf("under %s is %q, %v, want %q", key, got, err, want)
	}
}

// The token of an integration is kept as js-auth keeps it, byte for byte, and is
// there for a later run.
func TestIntegrationIsKept(t *testing.T) {
	for scope, answered := range map[string]string{"": "market:all", "market:all": "market:all", commercelayertest.MarketScope: commercelayertest.MarketScope} {
		t.Run("scope "+scope, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				store := newWatched()
				o := optionsFor(s)
				o.Storage, o.Scope = store, scope
				first, err := newIntegration(t, o).Token()
				if err != nil {
					t.Fatal(err)
				}
				life := time.Until(first.Expiry)
				key := "cl_guest-" + commercelayertest.IntegrationID + "-" + answered
				wantValue(t, store, key, `{"accessToken":"`+first.AccessToken+`","scope":"`+answered+`"}`)
				pass(time.Minute)
				second, err := newIntegration(t, o).Token()
				if err != nil || second.AccessToken != first.AccessToken || !second.Expiry.Equal(first.Expiry) {
					t.Errorf("a later run has another token (%v), or another end of it: %v, want %v", err, second.Expiry, first.Expiry)
				}
				if got := s.Counts().TokenRequests; got != 1 {
					t.Errorf("%d token requests, want 1", got)
				}
				pass(life - time.Minute)
				wantValue(t, store, key, "")
			})
		})
	}
}

// What js-auth or somebody else has left under the key is used or overwritten, and
// never in the way.
func TestForeignValues(t *testing.T) {
	type issuer func(commercelayertest.IssueOptions) string
	tests := []struct {
		name string
		raw  func(issue issuer) string
		used bool
	}{
		{"js-auth's", func(i issuer) string {
			return `{"accessToken":"` + i(commercelayertest.IssueOptions{}) + `","scope":"market:all"}`
		}, true},
		{"by a composite, in another order", func(i issuer) string {
			return ` { "storageName":"redis", "scope":"x", "accessToken":"` + i(commercelayertest.IssueOptions{}) + `" } `
		}, true},
		{"an empty refresh token", func(i issuer) string {
			return `{"accessToken":"` + i(commercelayertest.IssueOptions{}) + `","scope":"market:all","refreshToken":""}`
		}, true},
		{"no refresh token", func(i issuer) string {
			return `{"accessToken":"` + i(commercelayertest.IssueOptions{}) + `","refreshToken":null}`
		}, true},
		{"a customer's", func(i issuer) string {
			return `{"accessToken":"` + i(commercelayertest.IssueOptions{Owner: commercelayertest.Owner{Type: "Customer", ID: commercelayertest.CustomerID}}) + `","scope":"market:all"}`
		}, false},
		{"a user's", func(i issuer) string {
			return `{"accessToken":"` + i(commercelayertest.IssueOptions{Owner: commercelayertest.Owner{Type: "User", ID: "u"}}) + `","scope":"market:all"}`
		}, false},
		{"expired", func(i issuer) string {
			return `{"accessToken":"` + i(commercelayertest.IssueOptions{Life: -time.Second}) + `","scope":"market:all"}`
		}, false},
		{"a bare token", func(i issuer) string { return i(commercelayertest.IssueOptions{}) }, false},
		{"another name", func(i issuer) string { return `{"access_token":"` + i(commercelayertest.IssueOptions{}) + `"}` }, false},
		{"in a string", func(i issuer) string {
			return `"{\"accessToken\":\"` + i(commercelayertest.IssueOptions{}) + `\"}"`
		}, false},
		{"no JWT", func(issuer) string { return `{"accessToken":"abc","scope":"market:all"}` }, false},
		{"null", func(issuer) string { return "null" }, false},
		{"undefined", func(issuer) string { return "undefined" }, false},
		{"empty", func(issuer) string { return "" }, false},
		{"a number", func(issuer) string { return "7" }, false},
		{"cut off", func(issuer) string { return `{"accessToken":"` }, false},
	}
	kinds := []struct {
		name, id, key string
		token         func(t *testing.T, o *commercelayer.Options) (string, error)
	}{
		{"integration", commercelayertest.IntegrationID, integrationKey, func(t *testing.T, o *commercelayer.Options) (string, error) {
			tok, err := newIntegration(t, o).Token()
			if err != nil {
				return "", err
			}
			return tok.AccessToken, nil
		}},
		{"guests", commercelayertest.SalesChannelID, guestKey, func(t *testing.T, o *commercelayer.Options) (string, error) {
			tok, err := newSalesChannel(t, o).Token()
			if err != nil {
				return "", err
			}
			return tok.AccessToken, nil
		}},
	}
	for _, kind := range kinds {
		for _, tt := range tests {
			t.Run(kind.name+", "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := local(t, nil)
					var issued string
					raw := tt.raw(func(o commercelayertest.IssueOptions) string {
						if kind.id == commercelayertest.SalesChannelID {
							o.Scope = commercelayertest.MarketScope
						}
						i, err := s.Issue(kind.id, &o)
						if err != nil {
							t.Fatal(err)
						}
						issued = i.AccessToken
						return issued
					})
					store := memstore.New(nil)
					if err := store.Set(t.Context(), kind.key, []byte(raw), 0); err != nil {
						t.Fatal(err)
					}
					o := optionsFor(s)
					o.Storage = store
					got, err := kind.token(t, o)
					if err != nil || (got == issued) != tt.used {
						t.Fatalf("the token that was there is used: %v (%v), want %v", got == issued, err, tt.used)
					}
					s.ResetCounts()
					if again, err := kind.token(t, o); err != nil || again != got || s.Counts().TokenRequests != 0 {
						t.Errorf("the next run asks %d times (%v), want that it finds the token", s.Counts().TokenRequests, err)
					}
				})
			})
		}
	}
}

func TestFleetOfIntegrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		o.Storage = memstore.New(nil)
		var fleet []*commercelayer.Integration
		for range 20 {
			fleet = append(fleet, newIntegration(t, o))
		}
		hours := 0
		for range 30 {
			var all sync.WaitGroup
			for _, i := range fleet {
				all.Go(func() {
					if got := list(t, i.Client(), s.APIURL()+"/api/skus"); got != 200 {
						t.Errorf("after %d hours the API answers %d", hours, got)
					}
				})
			}
			all.Wait()
			pass(time.Hour)
			hours++
		}
		if got := s.Counts(); got.TokenRequests > 16 || got.APIInvalidToken != 0 {
			t.Errorf("%d token requests in 30 hours, want at most one per token: 16", got.TokenRequests)
		}
	})
}

func TestIntegrationIsRemoved(t *testing.T) {
	for _, revoke := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			store := newWatched()
			o := optionsFor(s)
			o.Storage = store
			tok, err := newIntegration(t, o).Token()
			if err != nil {
				t.Fatal(err)
			}
			i := newIntegration(t, o) // has never used it
			if revoke {
				err = i.RevokeAuthorization(t.Context())
			} else {
				err = i.RemoveAuthorization(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			wantValue(t, store, integrationKey, "")
			status := list(t, as(s, tok), s.APIURL()+"/api/skus")
			if want := map[bool]int{false: 200, true: 401}[revoke]; status != want {
				t.Errorf("revoked %v: the API answers %d, want %d", revoke, status, want)
			}
			if _, err := i.Token(); err != nil {
				t.Error(err)
			}
		})
	}
}

// That the storage fails is told, and does not keep a token from being revoked.
func TestRemovedWithoutStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		store := &failingDelete{Storage: memstore.New(nil)}
		o := optionsFor(s)
		o.Storage = store
		i := newIntegration(t, o)
		tok, err := i.Token()
		if err != nil {
			t.Fatal(err)
		}
		if err := i.RevokeAuthorization(t.Context()); !errors.Is(err, errDelete) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("RevokeAuthorization: %v, want the storage's error, without its text", err)
		}
		if status := list(t, as(s, tok), s.APIURL()+"/api/skus"); status != 401 {
			t.Errorf("the API answers %d, want 401", status)
		}
		if err := i.RemoveAuthorization(t.Context()); !errors.Is(err, errDelete) {
			t.Errorf("RemoveAuthorization: %v, want the storage's error", err)
		}
	})
}

var errDelete = errors.New("down, s3cr3t")

type failingDelete struct{ bearer.Storage }

func (*failingDelete) Delete(context.Context, string) error { return errDelete }

// Guests and customers of a sales channel are in one storage, or in two.
func TestSalesChannelIsKept(t *testing.T) {
	for _, apart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			store, customers := newWatched(), newWatched()
			o := optionsFor(s)
			o.Storage = store
			if apart {
				o.Customers = customers
			} else {
				customers = store
			}
			c := newSalesChannel(t, o)
			b := openChannel(t, c).shopper()
			b.is(t, c, guest, bearer.StateGuest)
			b.login(t, c)
			guests, err := c.Token()
			if err != nil {
				t.Fatal(err)
			}
			wantValue(t, store, guestKey, `{"accessToken":"`+guests.AccessToken+`","scope":"`+commercelayertest.MarketScope+`"}`)
			wantValue(t, customers, b.key(), recordOf(b.tokens(t, c)))
			if apart {
				wantValue(t, store, b.key(), "")
				wantValue(t, customers, guestKey, "")
			}
			s.ResetCounts()
			c, b = restart(t, b, o)
			b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
			if again, err := c.Token(); err != nil || again.AccessToken != guests.AccessToken || s.Counts().TokenRequests != 0 {
				t.Errorf("another process asks %d times (%v), want that it finds the guests' token", s.Counts().TokenRequests, err)
			}
			b.do(t, func(ctx context.Context) {
				if err := c.RemoveAuthorization(ctx); err != nil {
					t.Error(err)
				}
			})
			wantValue(t, store, guestKey, `{"accessToken":"`+guests.AccessToken+`","scope":"`+commercelayertest.MarketScope+`"}`)
			if err := c.RemoveAuthorization(t.Context()); err != nil {
				t.Error(err)
			}
			wantValue(t, store, guestKey, "")
		})
	}
}

// A guests' token in a customer's place, and a customer's in the guests', are
// nobody's.
func TestKeptInTheWrongPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		store := newWatched()
		o := optionsFor(s)
		o.Storage = store
		c := newSalesChannel(t, o)
		b := openChannel(t, c).shopper()
		b.is(t, c, guest, bearer.StateGuest)
		b.login(t, c)
		guests, err := store.Get(t.Context(), guestKey)
		if err != nil {
			t.Fatal(err)
		}
		customer, err := store.Get(t.Context(), b.key())
		if err != nil {
			t.Fatal(err)
		}
		store.Set(t.Context(), guestKey, customer, 0)
		store.Set(t.Context(), b.key(), guests, 0)
		c, b = restart(t, b, o)
		b.is(t, c, guest, bearer.StateGuest)
	})
}

// Two clients can have one key, if a scope begins where the other's id ends.
func TestForeignClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store := local(t, nil), memstore.New(nil)
		other, err := s.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{Scope: commercelayertest.MarketScope})
		if err != nil {
			t.Fatal(err)
		}
		raw := `{"accessToken":"` + other.AccessToken + `","scope":"market:all"}`
		if err := store.Set(t.Context(), integrationKey, []byte(raw), 0); err != nil {
			t.Fatal(err)
		}
		o := optionsFor(s)
		o.Storage = store
		tok, err := newIntegration(t, o).Token()
		if err != nil || tok.AccessToken == other.AccessToken {
			t.Errorf("the integration uses another client's token (%v)", err)
		}
	})
}

func TestStorageIsRefused(t *testing.T) {
	s := threeMethods{memstore.New(nil)}
	for name, err := range map[string]error{
		"cannot compare":           errOf(commercelayer.NewSalesChannel("id", "market:id:x", &commercelayer.Options{Storage: s})),
		"an integration's id":      errOf(commercelayer.NewIntegration("a/b", "secret", &commercelayer.Options{Storage: s})),
		"an integration's scope":   errOf(commercelayer.NewIntegration("id", "secret", &commercelayer.Options{Storage: s, Scope: "market:"})),
		"an integration's ?":       errOf(commercelayer.NewIntegration("a?b", "secret", &commercelayer.Options{Storage: s})),
		"a webapp's id":            errOf(commercelayer.NewWebapp("a::b", "secret", &commercelayer.Options{Storage: s})),
		"a sales channel's market": errOf(commercelayer.NewSalesChannel("id", "market:", &commercelayer.Options{Storage: memstore.New(nil)})),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "commercelayer: ") {
			t.Errorf("%s: %v, want an error", name, err)
		}
	}
	for name, err := range map[string]error{
		"customers apart": errOf(commercelayer.NewSalesChannel("id", "market:id:x", &commercelayer.Options{Storage: s, Customers: memstore.New(nil)})),
		"no storage":      errOf(commercelayer.NewIntegration("a/b", "secret", nil)),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

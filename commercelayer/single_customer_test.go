package commercelayer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/filestore"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/tokenendpoint"
)

const customerKey = "cl_customer-" + commercelayertest.SalesChannelID + "-" + commercelayertest.MarketScope

func newSingleCustomer(t *testing.T, o *commercelayer.Options) *commercelayer.SingleCustomer {
	t.Helper()
	c, err := commercelayer.NewSingleCustomer(commercelayertest.SalesChannelID, commercelayertest.MarketScope, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func loginSingle(t *testing.T, c *commercelayer.SingleCustomer) bearer.Token {
	t.Helper()
	if err := c.Login(t.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
		t.Fatal(err)
	}
	tok, err := c.Token()
	if err != nil {
		t.Fatal(err)
	}
	return *tok
}

// wantCustomer checks who the API takes the customer for.
func wantCustomer(t *testing.T, c *commercelayer.SingleCustomer, want string) {
	t.Helper()
	status, ids, err := ask(t.Context(), c.Client(), "customers")
	if err != nil || status != http.StatusOK || len(ids) != 1 || ids[0] != want {
		t.Errorf("the API answers %d %v, %v, want customer %s", status, ids, err, want)
	}
}

func wantNobody(t *testing.T, c *commercelayer.SingleCustomer) {
	t.Helper()
	if _, _, err := ask(t.Context(), c.Client(), "skus"); !errors.Is(err, bearer.ErrNoCustomer) {
		t.Errorf("a request without a customer: %v, want ErrNoCustomer", err)
	}
	if a, err := c.GetAuthorization(t.Context()); !errors.Is(err, bearer.ErrNoCustomer) {
		t.Errorf("GetAuthorization = %v, %v, want ErrNoCustomer", a, err)
	}
}

// The record is js-auth's, under its default key, and guests of the same storage
// are guests still.
func TestSingleCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		store := memstore.New(nil)
		o := optionsFor(s)
		o.Storage = store
		c := newSingleCustomer(t, o)
		wantNobody(t, c)
		tok := loginSingle(t, c)
		wantValue(t, store, customerKey, recordOf(tok))
		wantCustomer(t, c, commercelayertest.CustomerID)
		a, err := c.GetAuthorization(t.Context())
		if err != nil || a.Owner != (bearer.Owner{Type: "Customer", ID: commercelayertest.CustomerID}) || a.Scope != commercelayertest.MarketScope {
			t.Errorf("GetAuthorization = %v with scope %q, %v", a, a.Scope, err)
		}
		if api, err := c.CoreAPIURL(t.Context()); err != nil || api != s.APIURL() {
			t.Errorf("CoreAPIURL = %s, %v", api, err)
		}

		guests := newSalesChannel(t, o)
		if got := whoIs(t.Context(), guests); got != guest {
			t.Errorf("without a session the sales channel acts as %s", got)
		}
		b := openChannel(t, guests).shopper()
		b.is(t, guests, guest, bearer.StateGuest)

		s.ResetCounts()
		pass(20 * time.Hour)
		var all sync.WaitGroup
		for range 20 {
			c := newSingleCustomer(t, o) // each a run of a tool
			all.Go(func() { wantCustomer(t, c, commercelayertest.CustomerID) })
		}
		all.Wait()
		if got := s.Counts(); got.RefreshToken != 1 || got.TokenRequests != 1 || got.RefreshReused != 0 {
			t.Errorf("%d token requests, %d of them refreshes, %d tokens used twice, want one refresh", got.TokenRequests, got.RefreshToken, got.RefreshReused)
		}

		if err := newSingleCustomer(t, o).LogoutCustomer(t.Context()); err != nil {
			t.Error(err)
		}
		wantValue(t, store, customerKey, "null")
		if got := s.Counts().Revoked; got != 2 {
			t.Errorf("%d tokens revoked, want 2", got)
		}
		pass(time.Second)
		wantNobody(t, c)
	})
}

// A token that the API rejects is refreshed, and the request sent again.
func TestSingleCustomerIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		c := newSingleCustomer(t, optionsFor(s)) // which keeps it in memory
		tok := loginSingle(t, c)
		pass(20 * time.Minute)
		s.Revoke(tok.AccessToken)
		wantCustomer(t, c, commercelayertest.CustomerID)
		s.RevokeAll()
		pass(20 * time.Minute)
		if got := list(t, c.Client(), s.APIURL()+"/api/skus"); got != 401 {
			t.Errorf("the API answers %d, want 401", got)
		}
		wantNobody(t, c)
		if err := c.LoginWithAssertion(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "secret") {
			t.Errorf("an assertion without a secret: %v", err)
		}
		loginSingle(t, c)
		if err := c.RemoveAuthorization(t.Context()); err != nil {
			t.Error(err)
		}
		wantNobody(t, c)
	})
}

func TestSingleCustomerIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		store := newWatched()
		o := optionsFor(s)
		o.Storage = store
		c := newSingleCustomer(t, o)
		err := c.Login(t.Context(), commercelayertest.CustomerEmail, "a guess")
		if e, ok := errors.AsType[*tokenendpoint.Error](err); !ok || e.Code != "invalid_grant" {
			t.Errorf("a wrong password: %v, want invalid_grant", err)
		}
		guests, err := newSalesChannel(t, o).Token()
		if err != nil {
			t.Fatal(err)
		}
		other, err := s.Issue(commercelayertest.IntegrationID, &commercelayertest.IssueOptions{Owner: commercelayertest.Owner{Type: "Customer", ID: "x"}})
		if err != nil {
			t.Fatal(err)
		}
		for name, tok := range map[string]*bearer.Token{
			"none":             nil,
			"no JWT":           {AccessToken: "x"},
			"the guests'":      guests,
			"another client's": {AccessToken: other.AccessToken},
		} {
			if err := c.SetCustomer(t.Context(), tok); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		wantValue(t, store, customerKey, "")
		store.Set(t.Context(), customerKey, []byte(`{"accessToken":"`+guests.AccessToken+`","scope":"x"}`), 0)
		pass(time.Second)
		wantNobody(t, c) // a guest's is nobody's
	})
	for name, err := range map[string]error{
		"no id":          errOf(commercelayer.NewSingleCustomer("", "market:id:x", nil)),
		"no scope":       errOf(commercelayer.NewSingleCustomer("id", "", nil)),
		"two scopes":     errOf(commercelayer.NewSingleCustomer("id", "market:id:x", &commercelayer.Options{Scope: "market:id:y"})),
		"id of others":   errOf(commercelayer.NewSingleCustomer("a?b", "market:id:x", nil)),
		"cannot compare": errOf(commercelayer.NewSingleCustomer("id", "market:id:x", &commercelayer.Options{Storage: threeMethods{memstore.New(nil)}})),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "commercelayer: ") {
			t.Errorf("%s: %v, want an error", name, err)
		}
	}
}

// No secret is in what is printed, logged or told.
func TestSingleCustomerTellsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		all := collect(s)
		all.opts.ClientSecret = "s3cr3t-client"
		store := newWatched()
		all.opts.Storage = store
		c := newSingleCustomer(t, all.opts)
		tok := loginSingle(t, c)
		a, err := c.GetAuthorization(t.Context())
		all.add(c, a, err)
		store.fail(errors.New("s3cr3t-store"))
		pass(5 * time.Hour)
		_, err = c.TokenContext(t.Context())
		all.add(err, c.SetCustomer(t.Context(), &tok), c.LogoutCustomer(t.Context()), c.Evict(context.Background(), &tok))
		for _, secret := range []string{"s3cr3t", tok.AccessToken, tok.RefreshToken, commercelayertest.CustomerPassword} {
			if strings.Contains(all.out.String(), secret) {
				t.Errorf("a secret is told: %s", all.out)
			}
		}
		if !strings.Contains(all.out.String(), "SingleCustomer{ClientID") {
			t.Error("the customer is not described")
		}
	})
}

func ExampleNewSingleCustomer() {
	service := commercelayertest.NewServer(nil) // leave it out, and Base, for the real one
	defer service.Close()
	dir, err := os.MkdirTemp("", "tool") // better a directory below os.UserCacheDir
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := filestore.New(filepath.Join(dir, "customer"))
	if err != nil {
		fmt.Println(err)
		return
	}
	options := &commercelayer.Options{Base: service.Transport(), Storage: store}

	ctx := context.Background()
	for _, command := range []string{"whoami", "login", "whoami", "logout", "whoami"} {
		// Each is a run of a command-line tool.
		customer, err := commercelayer.NewSingleCustomer(commercelayertest.SalesChannelID, commercelayertest.MarketScope, options)
		if err != nil {
			fmt.Println(err)
			return
		}
		switch command {
		case "login":
			fmt.Println("login:", customer.Login(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword))
		case "logout":
			fmt.Println("logout:", customer.LogoutCustomer(ctx))
		default:
			a, err := customer.GetAuthorization(ctx)
			if errors.Is(err, bearer.ErrNoCustomer) {
				fmt.Println("nobody is signed in")
			} else {
				fmt.Println(a, err)
			}
		}
	}
	// Output:
	// nobody is signed in
	// login: <nil>
	// bearer.Authorization(Customer "KwRtLhVnYd", from storage) <nil>
	// logout: <nil>
	// nobody is signed in
}

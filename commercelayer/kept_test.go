package commercelayer_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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

// watched is a storage that notes what is written, and can fail.
type watched struct {
	bearer.CompareAndSwapper

	mu     sync.Mutex // guards what follows
	writes []written
	err    error // of each call
}

type written struct {
	key, value string // of no value: "-"
	ttl        time.Duration
}

func newWatched() *watched { return &watched{CompareAndSwapper: memstore.New(nil)} }

func (w *watched) failing() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *watched) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *watched) Get(ctx context.Context, key string) ([]byte, error) {
	if err := w.failing(); err != nil {
		return nil, err
	}
	return w.CompareAndSwapper.Get(ctx, key)
}

func (w *watched) CompareAndSwap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	if err := w.failing(); err != nil {
		return false, err
	}
	ok, err := w.CompareAndSwapper.CompareAndSwap(ctx, key, old, next, ttl)
	if ok {
		value := "-"
		if next != nil {
			value = string(next)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.writes = append(w.writes, written{key, value, ttl})
	}
	return ok, err
}

// taken returns what has been written since it was last asked.
func (w *watched) taken() []written {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.writes
	w.writes = nil
	return all
}

// sessionID is the id in the browser's cookie.
func (b *shopper) sessionID() string {
	for _, c := range b.jar.Cookies(&url.URL{Scheme: "https", Host: "shop.example", Path: "/"}) {
		if c.Name == "__Host-session" {
			id, _, _ := strings.Cut(c.Value, ".")
			return id
		}
	}
	return ""
}

func (b *shopper) key() string {
	sum := sha256.Sum256([]byte(b.sessionID()))
	return "cl_customer-" + commercelayertest.SalesChannelID + "-" + commercelayertest.MarketScope + "-" + hex.EncodeToString(sum[:])
}

// recordOf is what js-auth would have written for the token.
func recordOf(token bearer.Token) string {
	return fmt.Sprintf(`{"accessToken":"%s","scope":"%s","refreshToken":"%s"}`, token.AccessToken, commercelayertest.MarketScope, token.RefreshToken)
}

// What is kept is what js-auth keeps, byte for byte.
func TestWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		store := newWatched()
		o := optionsFor(s)
		o.Customers = store
		c := newSalesChannel(t, o)
		shop := openChannel(t, c)
		b := shop.shopper()
		const life = 14 * 24 * time.Hour
		expect := func(what string, want ...written) {
			t.Helper()
			got := store.taken()
			if len(got) != len(want) {
				t.Fatalf("%s: %d writes, want %d", what, len(got), len(want))
			}
			for i, w := range want {
				if got[i] != w {
					t.Errorf("%s: write %d is %v, want %v", what, i, got[i], w)
				}
			}
		}
		b.is(t, c, guest, bearer.StateGuest)
		expect("as a guest")
		b.login(t, c)
		key := b.key()
		expect("at the login", written{key, recordOf(b.tokens(t, c)), life})
		pass(3*time.Hour + 59*time.Minute)
		b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
		synctest.Wait()
		expect("at the refresh", written{key, recordOf(b.tokens(t, c)), life})
		b.do(t, func(ctx context.Context) {
			if err := c.SetCustomer(ctx, &bearer.Token{AccessToken: issue(t, s, commercelayertest.OtherCustomerID).AccessToken}); err != nil {
				t.Error(err)
			}
		})
		next := b.key()
		expect("at another's login",
			written{next, `{"accessToken":"` + b.tokens(t, c).AccessToken + `","scope":"` + commercelayertest.MarketScope + `"}`, 28 * time.Hour},
			written{key, "null", time.Hour})
		b.logout(t, c)
		expect("at the logout", written{next, "null", time.Hour})
		if b.sessionID() != "" {
			t.Error("the cookie is still there")
		}
	})
}

// issue makes a customer's token by no grant.
func issue(t *testing.T, s *commercelayertest.Server, customer string) commercelayertest.Issued {
	t.Helper()
	issued, err := s.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{
		Scope: commercelayertest.MarketScope, Owner: commercelayertest.Owner{Type: "Customer", ID: customer},
	})
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// A customer whom js-auth has signed in, with our session id in its key, is one.
func TestWhatJSAuthKeeps(t *testing.T) {
	for name, form := range map[string]string{
		"as written":          `{"accessToken":"%s","scope":"` + commercelayertest.MarketScope + `","refreshToken":"%s"}`,
		"by a composite":      `{"accessToken":"%s","scope":"` + commercelayertest.MarketScope + `","refreshToken":"%s","storageName":"redis"}`,
		"in another order":    ` { "refreshToken" : "%[2]s", "accessToken" : "%[1]s" } `,
		"with escaped quotes": `{"accessToken":"%s","scope":"\u003cx\u003e","refreshToken":"%s"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				store := newWatched()
				o := optionsFor(s)
				o.Customers = store
				c := newSalesChannel(t, o)
				b := openChannel(t, c).shopper()
				b.login(t, c)
				issued := issue(t, s, commercelayertest.OtherCustomerID)
				if err := store.Set(t.Context(), b.key(), fmt.Appendf(nil, form, issued.AccessToken, issued.RefreshToken), 0); err != nil {
					t.Fatal(err)
				}
				b.is(t, c, commercelayertest.OtherCustomerID, bearer.StateCustomer)
				pass(5 * time.Hour)
				b.is(t, c, commercelayertest.OtherCustomerID, bearer.StateCustomer)
				if err := store.Delete(t.Context(), b.key()); err != nil {
					t.Fatal(err)
				}
				b.is(t, c, guest, bearer.StateGuest)
			})
		})
	}
}

// restart ends the program and starts another one on the same storage, which the
// browser then talks to.
func restart(t *testing.T, b *shopper, o *commercelayer.Options) (*commercelayer.SalesChannel, *shopper) {
	t.Helper()
	c := newSalesChannel(t, o)
	return c, &shopper{openChannel(t, c), b.jar, http.Header{}}
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		o.Customers = newWatched()
		c := newSalesChannel(t, o)
		b := openChannel(t, c).shopper()
		b.login(t, c)
		c, b = restart(t, b, o)
		b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
		pass(3*time.Hour + 59*time.Minute)
		c, b = restart(t, b, o) // a token that it has not got itself is refreshed ahead all the same
		s.ResetCounts()
		b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
		synctest.Wait()
		if got := s.Counts().RefreshToken; got != 1 {
			t.Errorf("%d refreshes, want 1", got)
		}
		pass(24 * time.Hour)
		c, b = restart(t, b, o)
		b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
		b.logout(t, c)
		c, b = restart(t, b, o)
		b.is(t, c, guest, bearer.StateGuest)
	})
}

// However far a login had come when the process was killed, its customer is there
// after it or is not, and can sign in.
func TestKilledDuringLogin(t *testing.T) {
	killed := errors.New("killed")
	tests := []struct {
		name  string
		fault commercelayertest.Fault // at the token endpoint
		store bool                    // the storage was reached
		later bool                    // the browser's cookie was not set
	}{
		{"before the token request", commercelayertest.Fault{Drop: commercelayertest.DropBefore}, true, true},
		{"before its answer", commercelayertest.Fault{Drop: commercelayertest.DropAfter}, true, true},
		{"before the record was written", commercelayertest.Fault{}, false, true},
		{"before the answer was sent", commercelayertest.Fault{}, true, true},
	}
	for _, tt := range tests {
		for _, before := range []string{guest, commercelayertest.OtherCustomerID} {
			t.Run(tt.name+", after "+before, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := local(t, nil)
					store := newWatched()
					o := optionsFor(s)
					o.Customers = store
					c := newSalesChannel(t, o)
					b := openChannel(t, c).shopper()
					if before != guest {
						b.do(t, func(ctx context.Context) {
							if err := c.Login(ctx, commercelayertest.OtherCustomerEmail, commercelayertest.OtherCustomerPassword); err != nil {
								t.Error(err)
							}
						})
					}
					tt.fault.Endpoint = commercelayertest.TokenEndpoint
					s.Inject(tt.fault)
					gone := make(chan bool)
					aborted(t, b, func(ctx context.Context) {
						if !tt.store {
							store.fail(killed)
						}
						c.Login(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword)
						close(gone)
					})
					<-gone
					store.fail(nil)
					s.ClearFaults()
					c, b = restart(t, b, o)
					b.do(t, func(ctx context.Context) {
						switch got := whoIs(ctx, c); got {
						case before:
						case guest: // the old session has ended, the new one nobody has
							if tt.name != "before the answer was sent" {
								t.Errorf("the customer is gone")
							}
						default:
							t.Errorf("the visitor is %s, want %s", got, before)
						}
					})
					b.login(t, c)
					b.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
				})
			})
		}
	}
}

// aborted runs f in a request whose connection breaks before it is answered.
func aborted(t *testing.T, b *shopper, f func(ctx context.Context)) {
	t.Helper()
	s := b.shop
	s.mu.Lock()
	s.visits["aborted"] = func(_ http.ResponseWriter, r *http.Request) {
		f(r.Context())
		panic(http.ErrAbortHandler)
	}
	s.mu.Unlock()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://shop.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Visit", "aborted")
	if resp, err := (&http.Client{Transport: s.transport, Jar: b.jar}).Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("the request was answered: %v", resp.Status)
	}
}

// A storage that is down keeps nobody from the shop whom the process knows, and
// makes no customer a guest.
func TestStorageDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		store := newWatched()
		o := optionsFor(s)
		o.Customers = store
		c := newSalesChannel(t, o)
		shop := openChannel(t, c)
		ada, visitor := shop.shopper(), shop.shopper()
		ada.login(t, c)
		stranger, elsewhere := restart(t, ada, o)
		store.fail(errors.New("down"))
		visitor.is(t, c, guest, bearer.StateGuest)
		s.ResetCounts()
		visitor.do(t, func(ctx context.Context) {
			if err := c.Login(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err == nil {
				t.Error("somebody is signed in who cannot be kept")
			}
		})
		if got := s.Counts(); got.RevokeRequests != 0 {
			t.Errorf("%d tokens revoked, which Ada may have on another device", got.RevokeRequests)
		}
		elsewhere.do(t, func(ctx context.Context) {
			if status, _, err := ask(ctx, stranger.Client(), "skus"); err == nil {
				t.Errorf("a process that cannot know the customer: %d, want an error", status)
			}
		})
		store.fail(nil)
		ada.is(t, c, commercelayertest.CustomerID, bearer.StateCustomer)
		elsewhere.is(t, stranger, commercelayertest.CustomerID, bearer.StateCustomer)
		visitor.is(t, c, guest, bearer.StateGuest)
	})
}

// Two processes serve one shop: what one of them refreshes or ends, the other one
// knows.
func TestTwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		o.Customers = memstore.New(nil)
		one := newSalesChannel(t, o)
		b := openChannel(t, one).shopper()
		b.login(t, one)
		two, b2 := restart(t, b, o)
		for range 10 {
			b.is(t, one, commercelayertest.CustomerID, bearer.StateCustomer)
			b2.is(t, two, commercelayertest.CustomerID, bearer.StateCustomer)
			pass(5 * time.Hour)
		}
		if got := s.Counts(); got.RefreshToken != 9 || got.RefreshReused != 0 || got.APIInvalidToken != 0 {
			t.Errorf("%d refreshes, %d refresh tokens used twice, want 9 and none", got.RefreshToken, got.RefreshReused)
		}
		pass(2 * time.Second)
		b2.logout(t, two)
		b.is(t, one, guest, bearer.StateGuest)
	})
}

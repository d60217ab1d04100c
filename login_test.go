package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// cookie is the value of the browser's one cookie, "" if it has none.
func (v *visitor) cookie() string {
	req, _ := http.NewRequest("GET", "https://shop.test/", nil)
	for _, c := range v.client.Jar.Cookies(req.URL) {
		return c.Value
	}
	return ""
}

// thief is a browser with v's cookie, as it is now.
func (v *visitor) thief() *visitor {
	t := v.site.visitor("thief")
	req, _ := http.NewRequest("GET", "https://shop.test/", nil)
	var all []*http.Cookie
	for _, c := range v.client.Jar.Cookies(req.URL) {
		all = append(all, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true})
	}
	t.client.Jar.SetCookies(req.URL, all)
	return t
}

// The session id changes at each sign-in, and the old one is worth nothing.
func TestSessionFixation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		if v.wantWho("guest"); v.cookie() != "" {
			t.Errorf("a guest has the cookie %s", v.cookie())
		}
		first := v.signIn("ada")
		before, old := v.cookie(), v.thief()
		old.wantWho("ada")
		v.signIn("bob") // as somebody else, without signing out
		if before == "" || v.cookie() == before {
			t.Errorf("the cookie is %q as before", before)
		}
		old.wantWho("guest")
		v.wantWho("bob")
		if got, want := s.p.takenBack(), []string{first.RefreshToken, first.AccessToken}; !slices.Equal(got, want) {
			t.Errorf("revoked %q, want %q", got, want)
		}
		tombs := 0
		for _, text := range s.shelf.texts() {
			if text == "null" {
				tombs++
			}
		}
		if tombs != 1 || len(s.shelf.texts()) != 2 {
			t.Errorf("the storage has %v", s.shelf.texts())
		}
		in := eventsOf[bearer.SignedIn](s.events)
		if len(in) != 2 || in[0].Again || !in[1].Again || in[1].Owner.ID != "bob" {
			t.Errorf("events %v", in)
		}
	})
}

// Two sign-ins of one customer may be given the same tokens: those are not revoked.
func TestSignInAgainWithTheSameTokens(t *testing.T) {
	for _, same := range []string{"both", "access", "refresh"} {
		t.Run(same, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				first, again := v.signIn("ada"), s.p.signIn("ada")
				want := []string{first.RefreshToken, first.AccessToken}
				switch same {
				case "both":
					again, want = first, nil
				case "access":
					again.AccessToken, want = first.AccessToken, want[:1]
				case "refresh":
					again.RefreshToken, want = first.RefreshToken, want[1:]
				}
				if err := v.setCustomer(again); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if got := s.p.takenBack(); !slices.Equal(got, want) {
					t.Errorf("revoked %q, want %q", got, want)
				}
				v.wantWho("ada")
				pass(2 * time.Hour)
				v.wantWho("ada")
			})
		})
	}
}

func TestSetCustomerRefuses(t *testing.T) {
	tests := []struct {
		name string
		t    func(p *provider, good *bearer.Token) *bearer.Token
	}{
		{"nil", func(*provider, *bearer.Token) *bearer.Token { return nil }},
		{"empty", func(_ *provider, good *bearer.Token) *bearer.Token { good.AccessToken = ""; return good }},
		{"a guest's", func(p *provider, _ *bearer.Token) *bearer.Token { t, _ := p.guest(context.Background()); return t }},
		{"of nobody known", func(_ *provider, good *bearer.Token) *bearer.Token { good.AccessToken += "x"; return good }},
		{"expired", func(_ *provider, good *bearer.Token) *bearer.Token {
			good.Expiry = time.Now().Add(-time.Second)
			return good
		}},
		{"over at once", func(_ *provider, good *bearer.Token) *bearer.Token {
			return (&bearer.Token{AccessToken: good.AccessToken}).WithExtra(map[string]any{"expires_in": 0})
		}},
		{"too large", func(_ *provider, good *bearer.Token) *bearer.Token {
			good.RefreshToken = strings.Repeat("s3cr3t", 11000)
			return good
		}},
		{"not UTF-8", func(_ *provider, good *bearer.Token) *bearer.Token { good.RefreshToken += "\xff"; return good }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				bad := tt.t(s.p, s.p.signIn("ada"))
				err := v.setCustomer(bad)
				if err == nil || contains(err.Error(), "s3cr3t") || contains(fmt.Sprintf("%#v", err), "s3cr3t") {
					t.Errorf("SetCustomer: %v, want an error without the token", err)
				}
				v.wantWho("guest")
				if v.cookie() != "" || len(s.shelf.texts()) != 0 {
					t.Errorf("something has changed: cookie %q, storage %v", v.cookie(), s.shelf.texts())
				}
				v.signIn("ada")
				before := v.cookie()
				if v.setCustomer(bad) == nil {
					t.Error("SetCustomer gave no error to a customer")
				}
				if v.wantWho("ada"); v.cookie() != before {
					t.Error("a sign-in that failed has changed the cookie")
				}
			})
		})
	}
}

func TestSetCustomerWithoutStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *bearer.StorefrontOptions) { o.Customers = nil })
		v := s.visitor("ada")
		if err := v.setCustomer(s.p.signIn("ada")); err == nil || !contains(err.Error(), "StorefrontOptions.Customers") {
			t.Errorf("SetCustomer: %v, want an error that names the way out", err)
		}
		v.wantWho("guest")
		v.wantState(bearer.StateGuest)
		if err := v.signOut(); err != nil {
			t.Errorf("Logout: %v", err)
		}
	})
}

// Nobody is signed in if the record cannot be written, and whoever was stays.
func TestSignInFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		s.shelf.failing(errDown, "swap")
		if err := v.setCustomer(s.p.signIn("bob")); !errors.Is(err, errDown) || contains(err.Error(), "s3cr3t") {
			t.Errorf("SetCustomer: %v, want the storage's error", err)
		}
		v.wantWho("ada")
		s.shelf.failing(nil)
		v.wantWho("ada")
		if got := s.p.takenBack(); len(got) != 0 {
			t.Errorf("revoked %q", got)
		}
		wantEvents[bearer.SignedIn](t, s.events, 1)
	})
}

// After the header it is too late to sign in, not to sign out.
func TestSignInTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		v.get(func(w http.ResponseWriter, r *http.Request, session *bearer.Session) {
			w.(http.Flusher).Flush()
			if err := session.SetCustomer(r.Context(), s.p.signIn("bob")); err == nil {
				t.Error("SetCustomer gave no error after the header")
			}
			if owner, err := s.call(r.Context(), "ada"); err != nil || owner != "ada" {
				t.Errorf("acts as %q, %v, want ada", owner, err)
			}
			if n := len(s.shelf.texts()); n != 1 {
				t.Errorf("%d records, want 1", n)
			}
			if err := session.Logout(r.Context()); err != nil {
				t.Error(err)
			}
		})
		v.wantWho("guest")
	})
}

// The header goes out while the record is being written: nobody is signed in, and
// the record goes.
func TestSignInOvertakenByTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		s.shelf.faults(nil, func(context.Context, string, string) error { pass(time.Second); return nil })
		v.get(func(w http.ResponseWriter, r *http.Request, session *bearer.Session) {
			failed := make(chan error)
			go func() { failed <- session.SetCustomer(r.Context(), s.p.signIn("ada")) }()
			synctest.Wait()
			w.(http.Flusher).Flush()
			if err := <-failed; err == nil {
				t.Error("SetCustomer gave no error")
			}
			if state, err := session.State(r.Context()); err != nil || state != bearer.StateGuest {
				t.Errorf("State is %v, %v, want guest", state, err)
			}
		})
		if all := s.shelf.texts(); len(all) != 0 {
			t.Errorf("the storage has %v", all)
		}
	})
}

// Of two sign-ins at the same time in one request, one is an error.
func TestSignInTwiceAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		s.shelf.faults(func(context.Context, string, string) error { pass(time.Second); return nil }, nil)
		v.in(func(ctx context.Context, session *bearer.Session) {
			var wg sync.WaitGroup
			var failed int
			var mu sync.Mutex
			for range 2 {
				wg.Go(func() {
					if session.SetCustomer(ctx, s.p.signIn("ada")) != nil {
						mu.Lock()
						failed++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			if failed != 1 {
				t.Errorf("%d of two failed, want 1", failed)
			}
		})
		v.wantWho("ada")
		if n := len(s.shelf.texts()); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
	})
}

// The record of a customer with a refresh token lasts for 14 days from each write,
// else as long as the token.
func TestRecordLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fortnight = 14 * 24 * time.Hour
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		if _, _, ttl := s.shelf.only(); ttl != fortnight {
			t.Errorf("the record lasts %v, want 14 days", ttl)
		}
		for range 4 { // weeks
			pass(fortnight - time.Hour)
			v.wantWho("ada")
			if _, _, ttl := s.shelf.only(); ttl != fortnight {
				t.Errorf("the refreshed record lasts %v, want 14 days", ttl)
			}
		}
		pass(fortnight)
		v.wantWho("guest")

		tok := s.p.signIn("ada")
		tok.RefreshToken = ""
		pass(20 * time.Minute)
		if err := v.setCustomer(tok); err != nil {
			t.Error(err)
		}
		if _, _, ttl := s.shelf.only(); ttl != 40*time.Minute+24*time.Hour {
			t.Errorf("the record lasts %v, want 40 minutes, as the token does, and a day to tell of it", ttl)
		}
		pass(10 * time.Hour)
		v.wantState(bearer.StateExpired)
		v.wantState(bearer.StateGuest)
	})
}

// A process that is killed in the midst of a sign-in leaves the visitor as before,
// or cleanly gone, for the one that is started in its place.
func TestSignInIsCutOff(t *testing.T) {
	for done := range 6 { // uses of the storage
		t.Run(fmt.Sprint("after ", done), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, customers := newProvider(), newShelf()
				v := p.site(t, customers, nil, nil).visitor("ada")
				v.signIn("ada")
				var uses atomic.Int32
				customers.faults(func(context.Context, string, string) error {
					if int(uses.Add(1)) > done {
						return errDown
					}
					return nil
				}, nil)
				p.failing = func(string) error { return errDown }
				v.thief().setCustomer(p.signIn("ada again")) // the answer does not reach v
				synctest.Wait()
				customers.failing(nil)
				p.failing = nil

				v = v.at(p.site(t, customers, nil, nil))
				owner, err := v.whoami()
				if err != nil || owner != "ada" && owner != "guest" {
					t.Errorf("acts as %q, %v, want ada or guest", owner, err)
				}
				if state, err := v.state(); err != nil || (state == bearer.StateCustomer) != (owner == "ada") {
					t.Errorf("State is %v, %v, and acts as %q", state, err, owner)
				}
				v.signIn("bob")
				v.wantWho("bob")
			})
		})
	}
}

// A sign-in takes the record for another market along while that is being refreshed,
// which goes wrong.
func TestSignInWhileAnotherMarketsRefreshPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, customers := newProvider(), newShelf()
		other := bearer.NewStorefront(p.guest, &bearer.StorefrontOptions{
			Name: "other", Customers: customers, Owner: p.owner,
			Refresh: func(context.Context, *bearer.Token) (*bearer.Token, error) { pass(time.Second); panic("oh") },
		})
		s := p.site(t, customers, nil, &bearer.MiddlewareOptions{Storefronts: []*bearer.Storefront{other}})
		v := s.visitor("ada")
		v.in(func(ctx context.Context, session *bearer.Session) {
			there, err := session.For(other)
			if err != nil {
				t.Fatal(err)
			}
			if err := there.SetCustomer(ctx, p.signIn("ada")); err != nil {
				t.Error(err)
			}
			pass(2 * time.Hour)
			done := make(chan struct{})
			go func() {
				defer close(done)
				if _, err := there.Customer(ctx); err == nil {
					t.Error("a panic was no error")
				}
			}()
			synctest.Wait()
			if err := session.SetCustomer(ctx, p.signIn("ada")); err != nil {
				t.Error(err)
			}
			<-done
			if state, err := there.State(ctx); err != nil || state != bearer.StateCustomer {
				t.Errorf("State at the other market is %v, %v, want customer", state, err)
			}
		})
		v.wantWho("ada")
	})
}

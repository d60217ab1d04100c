package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/bearerkit/bearer"
)

// Where guests' tokens are kept, there have to be some.
func TestNewStorefrontNeedsGuests(t *testing.T) {
	tests := []struct {
		name  string
		guest bearer.TokenFunc
		opts  bearer.StorefrontOptions
	}{
		{"no TokenFunc", nil, bearer.StorefrontOptions{Guests: newShelf(), GuestKey: "guest"}},
		{"no GuestKey", guestToken("shop"), bearer.StorefrontOptions{Guests: newShelf()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("NewStorefront did not panic")
				}
			}()
			bearer.NewStorefront(tt.guest, &tt.opts)
		})
	}
}

// Asked without a session it supplies the guests' token, and never a customer's.
func TestStorefrontWithoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		if owner, err := s.call(t.Context(), ""); err != nil || owner != "guest" {
			t.Errorf("acts as %q, %v, want guest", owner, err)
		}
		tok, err := s.front.Token()
		shared, err2 := s.front.TokenContext(t.Context())
		if err != nil || err2 != nil || tok == shared || tok.AccessToken != shared.AccessToken {
			t.Errorf("Token: %v, %v, want a copy of the guests'", tok, err)
		}
		a, err := s.front.Guest(t.Context())
		if err != nil || a.Token != shared || a.Origin != bearer.OriginGuest {
			t.Errorf("Guest: %v, %v", a, err)
		}
		s.p.kill(tok.AccessToken)
		if owner, err := s.call(t.Context(), ""); err != nil || owner != "guest" {
			t.Errorf("acts as %q, %v, want guest, with a new token", owner, err)
		}
		if old := s.front.ForgetGuest(); old == nil || old.AccessToken == tok.AccessToken {
			t.Errorf("ForgetGuest returned %v", old)
		}
		if guests, _, _ := s.p.counts(); guests != 2 {
			t.Errorf("%d token requests for guests, want 2", guests)
		}
	})
}

// A session of another Storefront is an error, for whatever is asked of this one.
func TestStorefrontOfAnotherSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		other := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		v.in(func(ctx context.Context, session *bearer.Session) {
			if owner, err := other.call(ctx, "ada"); err == nil {
				t.Errorf("acts as %q at the other storefront, want an error", owner)
			}
			if _, err := other.front.CustomerOnly().TokenContext(ctx); err == nil || errors.Is(err, bearer.ErrNoCustomer) {
				t.Errorf("CustomerOnly: %v, want that the session is another's", err)
			}
			if err := other.front.Evict(ctx, &bearer.Token{AccessToken: "x"}); err == nil {
				t.Error("Evict gave no error")
			}
			if _, err := session.For(other.front); err == nil {
				t.Error("For gave no error")
			}
			if own, err := session.For(s.front); err != nil || own != session || session.Storefront() != s.front {
				t.Errorf("For: %v, %v, want the session itself", own, err)
			}
		})
		if guests, _, _ := other.p.counts(); guests != 0 {
			t.Errorf("%d token requests for the other's guests, want none", guests)
		}
	})
}

func TestCustomerOnlyAndGuestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		base := s.client.Transport.(*bearer.Transport).Base
		customers := &http.Client{Transport: &bearer.Transport{Source: s.front.CustomerOnly(), Base: base}}
		guests := &http.Client{Transport: &bearer.Transport{Source: s.front.GuestOnly(), Base: base}}
		only := func(ctx context.Context, asCustomer string) {
			t.Helper()
			owner, err := call(ctx, customers, "ada")
			if asCustomer == "" && !errors.Is(err, bearer.ErrNoCustomer) || owner != asCustomer {
				t.Errorf("CustomerOnly acts as %q, %v, want %q", owner, err, asCustomer)
			}
			if owner, err := call(ctx, guests, "ada"); err != nil || owner != "guest" {
				t.Errorf("GuestOnly acts as %q, %v, want guest", owner, err)
			}
		}
		only(t.Context(), "")
		if _, err := s.front.CustomerOnly().Token(); !errors.Is(err, bearer.ErrNoCustomer) {
			t.Errorf("Token of CustomerOnly: %v, want ErrNoCustomer", err)
		}
		v := s.visitor("ada")
		v.in(func(ctx context.Context, _ *bearer.Session) { only(ctx, "") })
		tok := v.signIn("ada")
		v.in(func(ctx context.Context, _ *bearer.Session) { only(ctx, "ada") })
		guest, _ := s.front.Token()
		s.p.kill(tok.AccessToken)
		s.p.kill(guest.AccessToken)
		v.in(func(ctx context.Context, _ *bearer.Session) { only(ctx, "ada") }) // both are replayed
		s.p.wantRefreshes(t, 1)
		if n, _, _ := s.p.counts(); n != 2 {
			t.Errorf("%d token requests for guests, want 2", n)
		}
		s.p.endFamilyOf(v.signIn("ada"))
		pass(2 * time.Hour)
		v.in(func(ctx context.Context, session *bearer.Session) {
			only(ctx, "")
			session.State(ctx)
			only(ctx, "")
		})
	})
}

// Customers whom nobody uses cost no memory here.
func TestStorefrontForgetsCustomers(t *testing.T) {
	tests := []struct {
		name string
		do   func(s *site, v *visitor, tok *bearer.Token)
	}{
		{"signed in", func(*site, *visitor, *bearer.Token) {}},
		{"served", func(_ *site, v *visitor, _ *bearer.Token) { v.wantWho("ada") }},
		{"signed out", func(_ *site, v *visitor, _ *bearer.Token) { v.signOut() }},
		{"rejected and refreshed", func(s *site, v *visitor, tok *bearer.Token) {
			s.p.kill(tok.AccessToken)
			v.wantWho("ada")
		}},
		{"expired", func(s *site, v *visitor, tok *bearer.Token) {
			s.p.endFamilyOf(tok)
			s.p.kill(tok.AccessToken)
			v.whoami()
		}},
		{"failed", func(s *site, v *visitor, tok *bearer.Token) {
			s.p.kill(tok.AccessToken)
			s.p.set(func() { s.p.failing = func(string) error { return errDown } })
			v.whoami()
			s.p.set(func() { s.p.failing = nil })
		}},
		{"not saved for some time", func(s *site, v *visitor, tok *bearer.Token) {
			s.p.kill(tok.AccessToken)
			s.shelf.failing(errDown, "swap")
			v.wantWho("ada")
			s.shelf.failing(nil)
			pass(time.Second)
			v.wantWho("ada")
			synctest.Wait() // it is saved in the background
		}},
		{"never saved", func(s *site, v *visitor, tok *bearer.Token) {
			s.p.kill(tok.AccessToken)
			s.shelf.failing(errDown, "swap")
			v.wantWho("ada")
			s.shelf.failing(nil)
			pass(14 * 24 * time.Hour)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				for range 100 {
					v := s.visitor("ada")
					tt.do(s, v, v.signIn("ada"))
				}
				synctest.Wait()
				pass(time.Hour)
				last := s.visitor("ada") // nothing runs while nobody calls
				last.signIn("ada")
				synctest.Wait()
				s.web.CloseIdleConnections()
				synctest.Wait()
				live, pinned := -1, -1
				for range 1000 { // cleanups run when they run
					runtime.GC()
					if live, pinned = bearer.Remembered(s.front); live <= 1 && pinned == 0 {
						return
					}
				}
				t.Errorf("%d customers are known and %d pinned, want at most 1 and 0", live, pinned)
			})
		})
	}
}

// A storefront that nobody uses any more goes, with the customers that it holds.
func TestStorefrontGoes(t *testing.T) {
	front := bearer.NewStorefront(guestToken("shop"), &bearer.StorefrontOptions{Customers: newShelf()})
	bearer.PinCustomer(front)
	if live, pinned := bearer.Remembered(front); live != 1 || pinned != 1 {
		t.Fatalf("%d customers are known and %d pinned, want 1 and 1", live, pinned)
	}
	there := weak.Make(front)
	for range 100 {
		if runtime.GC(); there.Value() == nil {
			return
		}
	}
	t.Error("the storefront stays in memory")
}

// Until a page that has used the customer ends, others share what is known.
func TestStorefrontSharesCustomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		var mu sync.Mutex
		seen := map[*bearer.Token]bool{}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				v.in(func(ctx context.Context, _ *bearer.Session) {
					tok, err := s.front.TokenContext(ctx)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					seen[tok] = true
					mu.Unlock()
					pass(time.Second)
				})
			})
		}
		wg.Wait()
		if len(seen) != 1 {
			t.Errorf("%d tokens of one customer in memory, want 1", len(seen))
		}
	})
}

// What a source prints as is its storefront's name, never what is within.
func TestCustomerOnlyPrintsItsName(t *testing.T) {
	f := bearer.NewStorefront(guestToken("shop"), &bearer.StorefrontOptions{Name: "shop"})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		if got, want := fmt.Sprintf(verb, f.CustomerOnly()), `bearer.Storefront("shop").CustomerOnly()`; got != want {
			t.Errorf("%s prints %s, want %s", verb, got, want)
		}
	}
}

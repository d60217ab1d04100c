package bearer_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// The cookie is sent again once a day. An answer that has taken longer than a sign-in
// does not bring the old id back by that, whichever process that was with.
func TestLateAnswerKeepsOldIDToItself(t *testing.T) {
	for _, there := range []string{"same process", "other process"} {
		t.Run(there, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, customers := newProvider(), newShelf()
				s := p.site(t, customers, nil, nil)
				other := s
				if there == "other process" {
					other = p.site(t, customers, nil, nil)
				}
				v := s.visitor("ada")
				v.signIn("ada")
				pass(24 * time.Hour) // from now on the cookie is due
				var wg sync.WaitGroup
				wg.Go(func() {
					resp := v.get(func(_ http.ResponseWriter, r *http.Request, session *bearer.Session) {
						if _, err := session.Customer(r.Context()); err != nil {
							t.Error(err)
						}
						pass(time.Second)
					})
					if got := resp.Header.Get("Set-Cookie"); got != "" {
						t.Errorf("the late answer sets %.20s…, want no cookie", got)
					}
				})
				pass(time.Millisecond)
				v.at(other).signIn("bob")
				wg.Wait()
				v.wantWho("bob")
			})
		})
	}
}

// Another writer puts somebody else's record under the visitor's key: what has begun
// as the one does not go on as the other.
func TestRecordOfSomebodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		key, _, _ := s.shelf.only()
		raw, err := bearer.NewRecord(s.front, s.p.signIn("bob"), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		v.in(func(ctx context.Context, _ *bearer.Session) {
			if owner, err := s.call(ctx, "ada"); owner != "ada" || err != nil {
				t.Errorf("acts as %q, %v, want ada", owner, err)
			}
			s.shelf.replace(key, string(raw))
			pass(2 * time.Second)
			if owner, err := s.call(ctx, "ada"); !errors.Is(err, bearer.ErrCustomerExpired) {
				t.Errorf("goes on as %q, %v, want ErrCustomerExpired", owner, err)
			}
		})
		v.wantWho("bob")
	})
}

func TestTokenOfUnknownLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		for _, refresh := range []bool{false, true} {
			tok := s.p.signIn("ada")
			tok.Expiry = time.Time{}
			if !refresh {
				tok.RefreshToken = ""
			}
			if err := v.setCustomer(tok); err == nil {
				t.Errorf("a token whose end nobody knows signs in (refresh token: %v)", refresh)
			}
			v.wantState(bearer.StateGuest)
		}
	})
}

// However many strangers come with records that cannot be refreshed, a bounded number
// of them is remembered.
func TestRememberedIsBounded(t *testing.T) {
	if n := bearer.PinStrangers(newSite(t, nil).front, 10_000); n > 4096 {
		t.Errorf("%d customers are remembered, want at most 4096", n)
	}
}

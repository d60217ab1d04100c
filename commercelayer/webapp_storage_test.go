package commercelayer_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/memstore"
)

const webappKey = "cl_webapp-" + commercelayertest.WebappID + "-market:all"

// twoWebapps are two processes of one webapp.
func twoWebapps(t *testing.T, o *commercelayer.Options) (one, two *commercelayer.Webapp) {
	t.Helper()
	if o.Storage == nil {
		o.Storage = memstore.New(nil)
	}
	return newWebapp(t, o), newWebapp(t, o)
}

func wantAuthorized(t *testing.T, s *commercelayertest.Server, w *commercelayer.Webapp) {
	t.Helper()
	if got := list(t, w.Client(), s.APIURL()+"/api/skus"); got != 200 {
		t.Errorf("the API answers %d", got)
	}
}

// What a user allows one process all have, and they refresh it once for all.
func TestWebappIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		saved := &store{}
		o.OnChange = saved.save
		one, two := twoWebapps(t, o)
		notAuthorized(t, one)
		notAuthorized(t, two)
		exchange(t, s, one)
		wantAuthorized(t, s, one)
		pass(6 * time.Second) // the longest pause after an error
		wantAuthorized(t, s, two)
		if _, n := saved.latest(); n != 1 {
			t.Errorf("saved %d times, want once", n)
		}
		for range 20 {
			pass(5 * time.Hour)
			var all sync.WaitGroup
			all.Go(func() { wantAuthorized(t, s, two) })
			all.Go(func() { wantAuthorized(t, s, one) })
			all.Wait()
		}
		wantAuthorized(t, s, newWebapp(t, o)) // a later run
		if got := s.Counts(); got.RefreshToken != 20 || got.RefreshReused != 0 || got.APIInvalidToken != 0 {
			t.Errorf("%d refreshes, %d tokens used twice, want 20 and none", got.RefreshToken, got.RefreshReused)
		}
		if _, n := saved.latest(); n != 21 {
			t.Errorf("saved %d times, want 21", n)
		}
	})
}

// Removed or revoked by one process, the authorization is over for all, as soon as
// they need another token.
func TestWebappIsRemovedForAll(t *testing.T) {
	for _, revoke := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			o := optionsFor(s)
			one, two := twoWebapps(t, o)
			exchange(t, s, one)
			wantAuthorized(t, s, two)
			three := newWebapp(t, o) // knows nothing yet
			if revoke {
				if err := three.RevokeAuthorization(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := s.Counts().Revoked; got != 2 {
					t.Errorf("%d tokens revoked, want 2", got)
				}
			} else if err := three.RemoveAuthorization(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantValue(t, o.Storage, webappKey, "null")
			notAuthorized(t, three)
			notAuthorized(t, newWebapp(t, o))
			pass(5 * time.Hour)
			s.ResetCounts()
			for _, w := range []*commercelayer.Webapp{one, two} {
				if _, err := w.Token(); !errors.Is(err, commercelayer.ErrNotAuthorized) {
					t.Errorf("revoked %v: error = %v, want ErrNotAuthorized", revoke, err)
				}
			}
			if got := s.Counts().TokenRequests; got != 0 {
				t.Errorf("%d token requests with what was removed", got)
			}
			wantValue(t, o.Storage, webappKey, "null")
		})
	}
}

// Authorized anew, what the storage has does not come back.
func TestWebappIsAuthorizedAgain(t *testing.T) {
	for _, before := range []string{"good", "expired", "removed", "revoked"} {
		t.Run(before, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				o := optionsFor(s)
				one, two := twoWebapps(t, o)
				exchange(t, s, one)
				wantAuthorized(t, s, two)
				old, err := one.Token()
				if err != nil {
					t.Fatal(err)
				}
				switch before {
				case "expired":
					pass(5 * time.Hour)
				case "removed":
					err = one.RemoveAuthorization(t.Context())
				case "revoked":
					err = one.RevokeAuthorization(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				exchange(t, s, one)
				tok, err := one.Token()
				if err != nil || tok.RefreshToken == old.RefreshToken {
					t.Fatalf("the webapp has the former authorization (%v)", err)
				}
				again, err := newWebapp(t, o).Token()
				if err != nil || again.AccessToken != tok.AccessToken || again.RefreshToken != tok.RefreshToken {
					t.Errorf("a later run has another token (%v)", err)
				}
				pass(5 * time.Hour)
				wantAuthorized(t, s, one)
				wantAuthorized(t, s, two)
				if got := s.Counts().RefreshReused; got != 0 {
					t.Errorf("%d refresh tokens used twice", got)
				}
			})
		})
	}
}

// A refresh token that is dead is spent once for all processes, and the end of the
// authorization is told.
func TestWebappEndsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		one, two := twoWebapps(t, o)
		exchange(t, s, one)
		wantAuthorized(t, s, two)
		tok, err := one.Token()
		if err != nil {
			t.Fatal(err)
		}
		c, err := commercelayer.NewCredentials(commercelayertest.WebappID, commercelayertest.WebappSecret, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Revoke(t.Context(), tok.RefreshToken, nil); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Hour)
		s.ResetCounts()
		for _, w := range []*commercelayer.Webapp{one, two} {
			if _, err := w.Token(); !errors.Is(err, commercelayer.ErrNotAuthorized) {
				t.Errorf("error = %v, want ErrNotAuthorized", err)
			}
			pass(time.Minute)
			notAuthorized(t, w)
		}
		notAuthorized(t, newWebapp(t, o))
		if got := s.Counts().RefreshToken; got != 1 {
			t.Errorf("%d refreshes, want 1", got)
		}
		exchange(t, s, two)
		pass(6 * time.Second)
		wantAuthorized(t, s, one)
	})
}

// A storage that is down does not end an authorization, nor keep one from being
// given.
func TestWebappWithoutItsStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		store := newWatched()
		o.Storage = struct{ bearer.CompareAndSwapper }{store}
		one, two := twoWebapps(t, o)
		store.fail(errors.New("down"))
		exchange(t, s, one)
		for range 5 {
			wantAuthorized(t, s, one)
			notAuthorized(t, two)
			pass(5 * time.Hour)
		}
		store.fail(nil)
		wantAuthorized(t, s, one)
		pass(6 * time.Second)
		wantAuthorized(t, s, two)
		if got := s.Counts().RefreshReused; got != 0 {
			t.Errorf("%d refresh tokens used twice", got)
		}
	})
}

package commercelayer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/tokenendpoint"
)

func TestExchange(t *testing.T) {
	t.Run("refused, the old token stays", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			w := newWebapp(t, optionsFor(s))
			exchange(t, s, w)
			before, _ := w.Token()
			var e *tokenendpoint.Error
			if err := w.Exchange(t.Context(), "wrong", commercelayertest.WebappRedirectURI); !errors.As(err, &e) || e.Code != "invalid_grant" {
				t.Errorf("error = %v, want invalid_grant", err)
			}
			if after, err := w.Token(); err != nil || after.AccessToken != before.AccessToken {
				t.Errorf("the token changed, or %v", err)
			}
		})
	})
	t.Run("replaces the old token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			var store store
			o := optionsFor(s)
			o.OnChange = store.save
			w := newWebapp(t, o)
			exchange(t, s, w)
			before, _ := w.Token()
			exchange(t, s, w)
			if _, n := store.latest(); n != 2 {
				t.Errorf("%d tokens were saved, want 2", n)
			}
			if after, err := w.Token(); err != nil || after.RefreshToken == before.RefreshToken {
				t.Errorf("the token is the old one, or %v", err)
			}
		})
	})
	t.Run("replaces an Initial", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			o := optionsFor(s)
			o.Initial = &bearer.Token{AccessToken: "of old", RefreshToken: "of old", Expiry: time.Now().Add(time.Hour)}
			w := newWebapp(t, o)
			exchange(t, s, w)
			if got, err := w.Token(); err != nil || got.AccessToken == "of old" {
				t.Errorf("the token is the old one, or %v", err)
			}
		})
	})
	t.Run("a refresh under way comes too late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			o := optionsFor(s)
			var store store
			o.OnChange = store.save
			w := newWebapp(t, o)
			exchange(t, s, w)
			pass(3 * time.Hour)
			s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Grant: "refresh_token", Delay: 5 * time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			w.TokenContext(ctx)
			exchange(t, s, w)
			want, err := w.Token()
			if err != nil {
				t.Fatal(err)
			}
			pass(time.Minute)
			if got, n := store.latest(); got.RefreshToken != want.RefreshToken || n != 2 {
				t.Errorf("%d tokens saved, the last of them the old one's", n)
			}
		})
	})
	t.Run("a storage that is down", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			o := optionsFor(s)
			var store store
			store.down.Store(true)
			o.OnChange = store.save
			w := newWebapp(t, o)
			exchange(t, s, w)
			if _, err := w.Token(); err != nil {
				t.Fatal(err)
			}
			store.down.Store(false)
			pass(2 * time.Second)
			if _, err := w.Token(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if _, n := store.latest(); n != 1 {
				t.Errorf("saved %d times once the storage was up, want 1", n)
			}
		})
	})
	t.Run("caller who leaves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			o := optionsFor(s)
			ctx, cancel := context.WithCancel(t.Context())
			o.OnChange = func(context.Context, *bearer.Token) error { cancel(); return nil }
			w := newWebapp(t, o)
			code, err := s.AuthorizationCode(commercelayertest.WebappID, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Exchange(ctx, code, commercelayertest.WebappRedirectURI); err != nil {
				t.Error(err)
			}
			if _, err := w.Token(); err != nil {
				t.Errorf("the code was spent for nothing: %v", err)
			}
		})
	})
}

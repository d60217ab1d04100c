package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// Nothing in the storage helps anybody who has not got the cookie.
func TestCarriedResultsAreSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		for range 3 {
			pass(2 * time.Hour)
			b.get("/token")
		}
		b.get("/logout")
		dump := s.stored()
		if n := strings.Count(dump, "customer-shop-spent-"); n != 4 {
			t.Errorf("the storage has %d results, want one for each of 3 refreshes and a logout", n)
		}
		for _, secret := range []string{"access-", "refresh-", "ann", "null"} {
			if strings.Contains(dump, secret) {
				t.Errorf("the storage has %q in it", secret)
			}
		}
		s.shelf.mu.Lock()
		defer s.shelf.mu.Unlock()
		for key, v := range s.shelf.values {
			if until := time.Until(v.end); until < 13*24*time.Hour || until > 14*24*time.Hour {
				t.Errorf("%s… is kept for %v, want as long as the refresh token", key[:20], until)
			}
		}
	})
}

func TestCarriedTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		before := s.stored()
		s.idp.long = strings.Repeat("x", 5000)
		if r := b.get("/login/bob"); r.status != http.StatusConflict || len(r.cookie) > 0 {
			t.Errorf("a login with 5,000 bytes was answered %d, %q", r.status, r.body)
		}
		if got := s.stored(); got != before {
			t.Errorf("the storage has %q, want %q", got, before)
		}
		b.want("/token", "access-ann-1")
		s.idp.wantRevoked(t)

		// A refreshed one that does not fit is served, and told of.
		pass(2 * time.Hour)
		for range 2 {
			if r := b.get("/token"); r.status != http.StatusOK || !strings.HasPrefix(r.body, "access-ann-3xxx") || len(r.cookie) > 0 {
				t.Errorf("GET /token = %d %.20q, want the new token", r.status, r.body)
			}
		}
		if got := len(eventsOf[bearer.SaveFailed](&s.events)); got != 2 {
			t.Errorf("%d SaveFailed events, want one for each answer", got)
		}
		s.idp.wantRefreshes(t, 1)
	})
}

func TestCarriedForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		good := b.cookies()
		name, value, _ := strings.Cut(good, "=")
		carrier := carrying().Carrier
		carry := func(record string) string {
			w := &recorded{header: http.Header{}}
			if err := carrier.Save(w, "customer-shop", []byte(record), 0); err != nil {
				t.Fatal(err)
			}
			line, _, _ := strings.Cut(w.header.Get("Set-Cookie"), ";")
			return line
		}
		tests := []struct {
			name, cookie string
			want         string
			events       int
		}{
			{"its own", good, "access-ann-1", 0},
			{"empty", name + "=", "guest-shop", 1},
			{"cut off", good[:len(good)-5], "guest-shop", 1},
			{"changed", name + "=AAAA" + value[4:], "guest-shop", 1},
			{"twice", good + "; " + good, "guest-shop", 1},
			{"long", name + "=" + strings.Repeat("A", 100_000), "guest-shop", 1},
			{"nobody's token", carry(`{"accessToken":"access-nobody","scope":""}`), "guest-shop", 1},
			{"no record", carry(`[1]`), "guest-shop", 1},
			{"no token", carry(`{"scope":""}`), "guest-shop", 1},
			{"tombstone", carry(`null`), "guest-shop", 0},
		}
		for _, tt := range tests {
			pass(10 * time.Second) // it is told no more often
			before := len(eventsOf[bearer.SessionRefused](&s.events))
			r := tabTo(t, s.server).get("/token", "Cookie", tt.cookie)
			if r.status != http.StatusOK || r.body != tt.want || len(r.cookie) > 0 {
				t.Errorf("%s: answered %d %q with the cookies %v, want %q and none", tt.name, r.status, r.body, r.cookie, tt.want)
			}
			if got := len(eventsOf[bearer.SessionRefused](&s.events)) - before; got != tt.events {
				t.Errorf("%s: %d SessionRefused events, want %d", tt.name, got, tt.events)
			}
			// A logout removes what is of no use.
			if r := tabTo(t, s.server).get("/logout", "Cookie", tt.cookie); len(r.cookie) != 1 || r.cookie[0].MaxAge >= 0 {
				t.Errorf("%s: logout sets the cookies %v, want it removed", tt.name, r.cookie)
			}
		}
		s.tab(t).get("/logout").wantNoCookie(t)
	})
}

// The end of a session is told once, to somebody who asks.
func TestCarriedRefreshTokenDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		pass(2 * time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(400, "invalid_grant") })
		b.want("/plain", "plain").wantNoCookie(t) // which does not ask
		b.want("/plain", "plain").wantNoCookie(t)
		r := b.want("/state", "customer expired")
		if c := r.oneCookie(t); c.MaxAge >= 0 {
			t.Errorf("Set-Cookie = %q, want it removed", c.Raw)
		}
		r.wantCache(t, private, "Cookie")
		b.want("/state", "guest").wantNoCookie(t)
		b.want("/token", "guest-shop")
		if got := len(eventsOf[bearer.CustomerExpired](&s.events)); got != 1 {
			t.Errorf("%d CustomerExpired events, want 1", got)
		}
		s.idp.wantRefreshes(t, 1)

		b.want("/login/ann", "access-ann-2").oneCookie(t)
		b.want("/token", "access-ann-2")
	})
}

func TestCarriedEndpointDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return errDown })
		pass(57 * time.Minute)
		b.want("/token", "access-ann-1").wantNoCookie(t)
		pass(3 * time.Minute)
		for range 10 {
			if r := b.get("/token"); r.status != http.StatusBadGateway {
				t.Errorf("GET /token = %d %q, want an error", r.status, r.body)
			}
			b.want("/state", "customer").wantNoCookie(t)
		}
		s.idp.onRefresh(nil)
		pass(time.Minute)
		b.want("/token", "access-ann-2").oneCookie(t)
	})
}

// While the old token serves, an endpoint that does not answer costs one request
// two seconds and the others nothing.
func TestCarriedEndpointHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		pass(57 * time.Minute)
		hang := make(chan struct{})
		s.idp.onRefresh(func(ctx context.Context, _ *bearer.Token) error {
			select {
			case <-hang:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		for _, want := range []time.Duration{2 * time.Second, 0, 0} {
			start := time.Now()
			b.want("/plain", "plain").wantNoCookie(t)
			if took := time.Since(start); took != want {
				t.Errorf("the request took %v, want %v", took, want)
			}
		}
		b.want("/token", "access-ann-1").wantNoCookie(t)
		close(hang)
		synctest.Wait()
		b.want("/token", "access-ann-2").oneCookie(t)
		s.idp.wantRefreshes(t, 1)

		// A visitor who leaves has not waited in vain for others.
		pass(57 * time.Minute)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { pass(time.Second); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://shop.test/plain", nil)
		req.Header.Set("Cookie", b.cookies())
		if _, err := s.server.RoundTrip(req); err == nil {
			t.Error("the visitor who leaves got an answer")
		}
		b.want("/token", "access-ann-3").oneCookie(t)
	})
}

// Some providers give the same refresh token for ever.
func TestCarriedFixedRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		s.idp.fixed = true
		b := s.tab(t)
		b.get("/login/ann")
		old := b.old()
		for i := range 5 {
			pass(2 * time.Hour)
			want := fmt.Sprintf("access-ann-%d", i+2)
			old.want("/token", want).oneCookie(t)
			b.want("/token", want).oneCookie(t)
			s.idp.wantRefreshes(t, i+1)
		}
		b.get("/logout")
		old.want("/token", "guest-shop")
	})
}

// Some give the same tokens again, to be good for longer.
func TestCarriedSameTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refreshes := 0
		s := newShop(t, &bearer.StorefrontOptions{Refresh: func(_ context.Context, old *bearer.Token) (*bearer.Token, error) {
			refreshes++
			return &bearer.Token{AccessToken: old.AccessToken, RefreshToken: old.RefreshToken, Expiry: time.Now().Add(time.Hour)}, nil
		}}, carrying())
		b := s.tab(t)
		b.get("/login/ann")
		for i := range 3 {
			pass(2 * time.Hour)
			b.want("/token", "access-ann-1").oneCookie(t)
			b.want("/token", "access-ann-1").wantNoCookie(t)
			if refreshes != i+1 {
				t.Errorf("%d refreshes, want %d", refreshes, i+1)
			}
		}
		old := b.old()
		b.get("/logout")
		old.want("/token", "guest-shop")
	})
}

// The storage is for parallel requests: without it the cookie says who it is.
func TestCarriedStorageDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, carrying())
		s.shelf.failing(errDown, "get", "set", "delete", "swap")
		b := s.tab(t)
		b.want("/token", "guest-shop")
		b.want("/login/ann", "access-ann-1").oneCookie(t)
		b.want("/token", "access-ann-1")
		for i := range 3 {
			pass(2 * time.Hour)
			b.want("/token", fmt.Sprintf("access-ann-%d", i+2)).oneCookie(t)
		}
		s.idp.wantRefreshes(t, 3)
		if len(eventsOf[bearer.StorageFailed](&s.events)) == 0 {
			t.Error("nobody was told that the storage fails")
		}
		if r := b.get("/logout"); r.status != http.StatusBadGateway || len(r.cookie) != 1 || r.cookie[0].MaxAge >= 0 {
			t.Errorf("logout = %d %q with the cookies %v, want an error, and the cookie removed", r.status, r.body, r.cookie)
		}
		b.want("/token", "guest-shop")
		s.shelf.faults(nil, nil)
		b.want("/login/ann", "access-ann-5")
		b.want("/token", "access-ann-5")
	})
}

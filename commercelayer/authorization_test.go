package commercelayer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// The answer to an early refresh is lost. A second use of the refresh token would
// end the access token too, so it waits until there is nothing to lose.
func TestWebappRefreshAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		w := newWebapp(t, optionsFor(s))
		exchange(t, s, w)
		token, err := w.Token()
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Until(token.Expiry) - 9*time.Minute)
		s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Grant: "refresh_token", Drop: commercelayertest.DropAfter, Times: 1})
		for time.Until(token.Expiry) > 11*time.Second {
			if got := list(t, w.Client(), s.APIURL()+"/api/skus"); got != 200 {
				t.Fatalf("%v before its end the API answers %d, want 200", time.Until(token.Expiry), got)
			}
			synctest.Wait()
			pass(time.Second)
		}
		if got := s.Counts().RefreshToken; got != 1 {
			t.Errorf("%d refreshes while the access token served, want 1", got)
		}
		pass(time.Minute)
		if _, err := w.Token(); !errors.Is(err, commercelayer.ErrAuthorizationEnded) {
			t.Errorf("error = %v, want ErrAuthorizationEnded", err)
		}
		if got := s.Counts().RefreshToken; got != 2 {
			t.Errorf("%d refreshes, want a second one at the end", got)
		}
	})
}

func TestWebappRefreshRepeatsTheScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		w := newWebapp(t, optionsFor(s))
		code, err := s.AuthorizationCode(commercelayertest.WebappID, &commercelayertest.AuthorizationCodeOptions{Scope: commercelayertest.MarketScope})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Exchange(t.Context(), code, commercelayertest.WebappRedirectURI); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Hour)
		token, err := w.Token()
		if err != nil {
			t.Fatal(err)
		}
		claims, err := commercelayer.DecodeUnverified(token.AccessToken)
		if err != nil || claims.Scope != commercelayertest.MarketScope {
			t.Errorf("scope = %q, %v, want %q", claims.Scope, err, commercelayertest.MarketScope)
		}
	})
	for _, tt := range []struct{ name, access, option, want string }{
		{"of the token", jwtOf(map[string]any{"scope": "market:id:a"}), "market:id:b", "market:id:a"},
		{"of the token alone", jwtOf(map[string]any{"scope": "market:id:a"}), "", "market:id:a"},
		{"widest", jwtOf(map[string]any{"scope": "market:all"}), "market:id:b", "market:id:b"},
		{"none", jwtOf(map[string]any{}), "market:id:b", "market:id:b"},
		{"unreadable", "opaque", "market:id:b", "market:id:b"},
		{"no access token", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &stub{}
			w := newWebapp(t, &commercelayer.Options{
				Base: s, Scope: tt.option,
				Initial: &bearer.Token{AccessToken: tt.access, RefreshToken: "r", Expiry: time.Now().Add(-time.Hour)},
			})
			if _, err := w.Token(); err != nil {
				t.Fatal(err)
			}
			if got := s.last(t).Body["scope"]; got != tt.want {
				t.Errorf("scope = %q, want %q", got, tt.want)
			}
		})
	}
}

// slowStore takes 3 s for one of its writes, and notes those that overlap.
type slowStore struct {
	slow    int // which write
	mu      sync.Mutex
	writes  int // guarded by mu, as are the following
	running int
	overlap bool
	last    string // refresh token
}

func (s *slowStore) save(_ context.Context, t *bearer.Token) error {
	s.mu.Lock()
	s.writes++
	s.running++
	s.overlap = s.overlap || s.running > 1
	slow := s.writes == s.slow
	s.mu.Unlock()
	if slow {
		pass(3 * time.Second)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.last = t.RefreshToken
	return nil
}

// check tells whether what is saved is what w holds.
func (s *slowStore) check(t *testing.T, w *commercelayer.Webapp, writes int) {
	t.Helper()
	token, err := w.Token()
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.overlap || s.last != token.RefreshToken || s.writes != writes {
		t.Errorf("%d writes, overlapping: %v, the token held is saved: %v; want %d, false, true", s.writes, s.overlap, s.last == token.RefreshToken, writes)
	}
}

func TestWebappSavesInOrder(t *testing.T) {
	start := func(t *testing.T, slow int) (*commercelayertest.Server, *commercelayer.Webapp, *slowStore) {
		s := local(t, nil)
		store := &slowStore{slow: slow}
		o := optionsFor(s)
		o.OnChange = store.save
		return s, newWebapp(t, o), store
	}
	t.Run("two exchanges", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, w, store := start(t, 1)
			go exchangeOrEnd(t, s, w)
			pass(time.Second)
			exchange(t, s, w)
			pass(time.Minute)
			store.check(t, w, 2)
		})
	})
	t.Run("a refresh and an exchange", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, w, store := start(t, 2)
			exchange(t, s, w)
			pass(3 * time.Hour)
			go w.Token()
			pass(time.Second)
			exchange(t, s, w)
			pass(time.Minute)
			store.check(t, w, 3)
		})
	})
	t.Run("one that is overtaken while it waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, w, store := start(t, 1)
			for range 2 {
				go exchangeOrEnd(t, s, w)
				pass(time.Second)
			}
			exchange(t, s, w)
			pass(time.Minute)
			store.check(t, w, 2)
		})
	})
	t.Run("removed while it waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, w, store := start(t, 1)
			for range 2 {
				go exchangeOrEnd(t, s, w)
				pass(time.Second)
			}
			w.RemoveAuthorization(t.Context())
			pass(time.Minute)
			store.mu.Lock()
			defer store.mu.Unlock()
			if store.writes != 1 {
				t.Errorf("%d writes, want 1: the second began after the removal", store.writes)
			}
		})
	})
}

// lateAnswers is a Base whose answers to refreshes arrive 5 s late.
type lateAnswers struct {
	http.RoundTripper
	latest atomic.Pointer[bearer.Token]
}

func (b *lateAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := b.RoundTripper.RoundTrip(r)
	if err != nil || !strings.Contains(string(sent), `"grant_type":"refresh_token"`) {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	var t bearer.Token
	json.Unmarshal(body, &t)
	b.latest.Store(&t)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	pass(5 * time.Second)
	return resp, err
}

func TestWebappRevokeDuringARefresh(t *testing.T) {
	for _, tt := range []struct {
		name  string
		left  time.Duration // of the old token's life when the refresh begins
		after time.Duration // from there to the revocation
	}{
		{"no token, answer under way", -time.Hour, time.Second},
		{"no token, being saved", -time.Hour, 6 * time.Second},
		{"old token, answer under way", 9 * time.Minute, time.Second},
		{"old token, being saved", 9 * time.Minute, 6 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				o := optionsFor(s)
				base := &lateAnswers{RoundTripper: s.Transport()}
				store := &slowStore{slow: 2}
				o.Base, o.OnChange = base, store.save
				w := newWebapp(t, o)
				exchange(t, s, w)
				old, err := w.Token()
				if err != nil {
					t.Fatal(err)
				}
				pass(time.Until(old.Expiry) - tt.left)
				go w.Token()
				pass(tt.after)
				if err := w.RevokeAuthorization(t.Context()); err != nil {
					t.Error(err)
				}
				pass(time.Minute)
				for name, token := range map[string]*bearer.Token{"old": old, "new": base.latest.Load()} {
					if s.Revoke(token.RefreshToken) || list(t, as(s, token), s.APIURL()+"/api/skus") != 401 {
						t.Errorf("a token of the %s ones was still alive", name)
					}
				}
				notAuthorized(t, w)
			})
		})
	}
}

// An Exchange that is saving its first token has brought tokens too.
func TestWebappRevokeDuringAnExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		var first *bearer.Token
		o.OnChange = func(_ context.Context, t *bearer.Token) error { first = t; pass(3 * time.Second); return nil }
		w := newWebapp(t, o)
		go exchangeOrEnd(t, s, w)
		pass(time.Second)
		if err := w.RevokeAuthorization(t.Context()); err != nil {
			t.Error(err)
		}
		pass(time.Minute)
		if s.Revoke(first.RefreshToken) || s.Revoke(first.AccessToken) {
			t.Error("a token was still alive")
		}
		notAuthorized(t, w)
	})
}

// The refresh token can bring back the access token, not the other way round.
func TestWebappRevokesTheRefreshTokenFirst(t *testing.T) {
	s := &stub{answer: func(stubRequest) (int, string, http.Header) { return 200, "{}", nil }}
	w := newWebapp(t, &commercelayer.Options{Base: s, Initial: &bearer.Token{AccessToken: "a", RefreshToken: "r", Expiry: time.Now().Add(time.Hour)}})
	if err := w.RevokeAuthorization(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.count() != 2 || s.requests[0].Body["token"] != "r" || s.requests[1].Body["token"] != "a" {
		t.Errorf("%d revocations, want the refresh token's before the access token's", s.count())
	}
}

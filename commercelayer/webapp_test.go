package commercelayer_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/tokenendpoint"
)

func newWebapp(t *testing.T, o *commercelayer.Options) *commercelayer.Webapp {
	t.Helper()
	w, err := commercelayer.NewWebapp(commercelayertest.WebappID, commercelayertest.WebappSecret, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// notAuthorized checks that w has no token, and does not take that for the end of
// one.
func notAuthorized(t *testing.T, w *commercelayer.Webapp) {
	t.Helper()
	if _, err := w.Token(); !errors.Is(err, commercelayer.ErrNotAuthorized) || errors.Is(err, commercelayer.ErrAuthorizationEnded) {
		t.Errorf("error = %v, want ErrNotAuthorized alone", err)
	}
}

// store is where OnChange saves.
type store struct {
	down  atomic.Bool
	mu    sync.Mutex // guards saved
	saved []*bearer.Token
}

func (s *store) save(_ context.Context, t *bearer.Token) error {
	if s.down.Load() {
		return errors.New("the storage is down")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved = append(s.saved, t)
	return nil
}

// latest is what was saved last, and how often something was.
func (s *store) latest() (*bearer.Token, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.saved) == 0 {
		return nil, 0
	}
	return s.saved[len(s.saved)-1], len(s.saved)
}

// exchange authorizes w as its user would.
func exchange(t *testing.T, s *commercelayertest.Server, w *commercelayer.Webapp) {
	t.Helper()
	code, err := s.AuthorizationCode(commercelayertest.WebappID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Exchange(t.Context(), code, commercelayertest.WebappRedirectURI); err != nil {
		t.Fatal(err)
	}
}

func TestWebappWithoutAuthorization(t *testing.T) {
	s := &stub{}
	w := newWebapp(t, &commercelayer.Options{Base: s})
	check := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, commercelayer.ErrNotAuthorized) || errors.Is(err, commercelayer.ErrAuthorizationEnded) {
			t.Errorf("%s: error = %v, want ErrNotAuthorized", name, err)
		}
	}
	_, err := w.TokenContext(t.Context())
	check("TokenContext", err)
	_, err = w.Token()
	check("Token", err)
	_, err = w.CoreAPIURL(t.Context())
	check("CoreAPIURL", err)
	_, err = w.Client().Get("https://my-brand.commercelayer.io/api/skus")
	check("Client", err)
	for name, err := range map[string]error{
		"RemoveAuthorization": w.RemoveAuthorization(t.Context()),
		"RevokeAuthorization": w.RevokeAuthorization(t.Context()),
		"Evict":               w.Evict(t.Context(), &bearer.Token{AccessToken: "a"}),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.count() != 0 {
		t.Errorf("%d requests, want none", s.count())
	}
}

func TestWebappFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		o.AuthURL = s.AuthURL() // where the local service lets users authorize
		var store store
		o.OnChange = store.save
		w := newWebapp(t, o)

		// The user, who agrees at once.
		user := s.Client()
		user.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := user.Get(w.AuthCodeURL("state 1", commercelayertest.WebappRedirectURI))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		back, err := resp.Location()
		if err != nil {
			t.Fatalf("status %d: %v", resp.StatusCode, err)
		}
		if got := back.Query().Get("state"); got != "state 1" || !strings.HasPrefix(back.String(), commercelayertest.WebappRedirectURI) {
			t.Errorf("the user came back to %s", back)
		}
		if err := w.Exchange(t.Context(), back.Query().Get("code"), commercelayertest.WebappRedirectURI); err != nil {
			t.Fatal(err)
		}
		if saved, n := store.latest(); n != 1 || saved.RefreshToken == "" {
			t.Fatalf("%d tokens saved, want the one with its refresh token", n)
		}
		if got := list(t, w.Client(), s.APIURL()+"/api/skus"); got != 200 {
			t.Errorf("the API answers %d", got)
		}
		if got, err := w.CoreAPIURL(t.Context()); err != nil || got != s.APIURL() {
			t.Errorf("CoreAPIURL = %q, %v, want %q", got, err, s.APIURL())
		}

		// It lives on through its refresh token, each of which is saved.
		for range 6 * 60 {
			pass(time.Minute)
			if got := list(t, w.Client(), s.APIURL()+"/api/skus"); got != 200 {
				t.Fatalf("the API answers %d", got)
			}
		}
		saved, n := store.latest()
		if got := s.Counts(); got.RefreshToken != 3 || got.AuthorizationCode != 1 || got.RefreshReused != 0 || n != 4 {
			t.Errorf("%d refreshes, %d reused, %d tokens saved, want 3, 0 and 4", got.RefreshToken, got.RefreshReused, n)
		}

		// Another run begins where this one ended, even a week later.
		pass(7 * 24 * time.Hour)
		o.Initial = saved
		again := newWebapp(t, o)
		if got := list(t, again.Client(), s.APIURL()+"/api/skus"); got != 200 {
			t.Errorf("started again, the API answers %d", got)
		}
		if latest, _ := store.latest(); latest.RefreshToken == saved.RefreshToken {
			t.Error("the rotated refresh token was not saved")
		}
	})
}

func TestAuthCodeURL(t *testing.T) {
	tests := []struct {
		name string
		opts commercelayer.Options
		want string
	}{
		{"default", commercelayer.Options{}, "https://dashboard.commercelayer.io/oauth/authorize?client_id=" + commercelayertest.WebappID + "&redirect_uri=https%3A%2F%2Fapp.example%2Fback%3Fa%3Db&response_type=code&state=x%26y"},
		{"scope", commercelayer.Options{Domain: "commercelayer.co", Scope: "market:id:m"}, "https://dashboard.commercelayer.co/oauth/authorize?client_id=" + commercelayertest.WebappID + "&redirect_uri=https%3A%2F%2Fapp.example%2Fback%3Fa%3Db&response_type=code&scope=market%3Aid%3Am&state=x%26y"},
		{"auth host", commercelayer.Options{AuthURL: "http://127.0.0.1:8080/auth"}, "http://127.0.0.1:8080/auth/oauth/authorize?client_id=" + commercelayertest.WebappID + "&redirect_uri=https%3A%2F%2Fapp.example%2Fback%3Fa%3Db&response_type=code&state=x%26y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := newWebapp(t, &tt.opts).AuthCodeURL("x&y", "https://app.example/back?a=b")
			if got != tt.want {
				t.Errorf("AuthCodeURL = %s, want %s", got, tt.want)
			}
			if u, err := url.Parse(got); err != nil || strings.Contains(u.RawQuery, commercelayertest.WebappSecret) {
				t.Errorf("%v, or the secret is in it", err)
			}
		})
	}
}

// A refresh token that is dead ends the authorization: the access token serves
// to its end, then those who wait are told once, and nothing more is asked for.
func TestWebappEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		var out *syncBuffer
		o.Logger, out = logs()
		w := newWebapp(t, o)
		exchange(t, s, w)
		token, err := w.Token()
		if err != nil {
			t.Fatal(err)
		}
		if !s.Revoke(token.RefreshToken) {
			t.Fatal("the refresh token was not alive")
		}
		for time.Until(token.Expiry) > time.Minute {
			if _, err := w.TokenContext(t.Context()); err != nil {
				t.Fatalf("%v before its end: %v", time.Until(token.Expiry), err)
			}
			pass(time.Minute)
		}
		pass(time.Minute)
		if got := s.Counts().RefreshToken; got != 1 {
			t.Errorf("the dead refresh token was sent %d times, want 1", got)
		}
		_, err = w.TokenContext(t.Context())
		if !errors.Is(err, commercelayer.ErrAuthorizationEnded) || !errors.Is(err, commercelayer.ErrNotAuthorized) {
			t.Errorf("error = %v, want ErrAuthorizationEnded, which is an ErrNotAuthorized", err)
		}
		logged := out.String()
		for range 10 {
			_, err = w.TokenContext(t.Context())
			if !errors.Is(err, commercelayer.ErrNotAuthorized) || errors.Is(err, commercelayer.ErrAuthorizationEnded) {
				t.Errorf("then: error = %v, want ErrNotAuthorized alone", err)
			}
			pass(time.Second)
		}
		if got := s.Counts(); got.TokenRequests != 2 || out.String() != logged {
			t.Errorf("%d token requests, want 2, and no word more in the log", got.TokenRequests)
		}
		exchange(t, s, w)
		if got := list(t, w.Client(), s.APIURL()+"/api/skus"); got != 200 {
			t.Errorf("authorized again, the API answers %d", got)
		}
	})
}

// Started from a dead record, it says so at once.
func TestWebappInitialIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, initial := range map[string]*bearer.Token{
			"refresh token unknown":    {RefreshToken: "unknown"},
			"expired, without refresh": {AccessToken: "opaque", Expiry: time.Now().Add(-time.Hour)},
			"of unknown life":          {AccessToken: "opaque"},
		} {
			s := local(t, nil)
			o := optionsFor(s)
			o.Initial = initial
			w := newWebapp(t, o)
			if _, err := w.TokenContext(t.Context()); !errors.Is(err, commercelayer.ErrAuthorizationEnded) {
				t.Errorf("%s: error = %v, want ErrAuthorizationEnded", name, err)
			}
			if _, err := w.TokenContext(t.Context()); !errors.Is(err, commercelayer.ErrNotAuthorized) {
				t.Errorf("%s: then error = %v, want ErrNotAuthorized", name, err)
			}
			if got := s.Counts().TokenRequests; got > 1 {
				t.Errorf("%s: %d token requests, want 1 at most", name, got)
			}
		}
		o := &commercelayer.Options{Base: &stub{}, Initial: &bearer.Token{}}
		if _, err := newWebapp(t, o).Token(); errors.Is(err, commercelayer.ErrAuthorizationEnded) || !errors.Is(err, commercelayer.ErrNotAuthorized) {
			t.Errorf("an empty Initial: error = %v, want ErrNotAuthorized", err)
		}
	})
}

func TestWebappSurvivesRevocationOfItsAccessToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		w := newWebapp(t, optionsFor(s))
		exchange(t, s, w)
		pass(time.Hour)
		s.ExpireAll()
		if got := list(t, w.Client(), s.APIURL()+"/api/skus"); got != 200 {
			t.Errorf("the API answers %d", got)
		}
		if got := s.Counts(); got.RefreshToken != 1 || got.APIInvalidToken != 1 {
			t.Errorf("%d refreshes and %d tokens refused, want 1 and 1", got.RefreshToken, got.APIInvalidToken)
		}
	})
}

// An outage is not an end.
func TestWebappSurvivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		w := newWebapp(t, optionsFor(s))
		exchange(t, s, w)
		pass(3 * time.Hour)
		s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Status: 503})
		_, err := w.TokenContext(t.Context())
		var e *tokenendpoint.Error
		if !errors.As(err, &e) || e.Status != 503 || errors.Is(err, commercelayer.ErrNotAuthorized) {
			t.Errorf("error = %v, want the 503", err)
		}
		if got := s.Counts().TokenRequests; got != 2 {
			t.Errorf("%d token requests, want 2: a refresh token is not sent again", got)
		}
		s.ClearFaults()
		pass(time.Minute)
		if _, err := w.TokenContext(t.Context()); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

func TestWebappRevokeAuthorization(t *testing.T) {
	t.Run("both tokens", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			w := newWebapp(t, optionsFor(s))
			exchange(t, s, w)
			token, err := w.Token()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := w.RevokeAuthorization(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := list(t, as(s, token), s.APIURL()+"/api/skus"); got != 401 {
				t.Errorf("the API answers %d, want 401", got)
			}
			if s.Revoke(token.RefreshToken) {
				t.Error("the refresh token was still alive")
			}
			if got := s.Counts(); got.RevokeRequests != 2 || got.RefreshToken != 0 {
				t.Errorf("%d revocations and %d refreshes, want 2 and none", got.RevokeRequests, got.RefreshToken)
			}
			notAuthorized(t, w)
		})
	})
	t.Run("fails", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, nil)
			w := newWebapp(t, optionsFor(s))
			exchange(t, s, w)
			s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.RevokeEndpoint, Status: 400, Times: 1})
			var e *tokenendpoint.Error
			if err := w.RevokeAuthorization(t.Context()); !errors.As(err, &e) || e.Status != 400 {
				t.Errorf("error = %v, want the 400", err)
			}
			if got := s.Counts().RevokeRequests; got != 2 {
				t.Errorf("%d revocations, want the other token's too", got)
			}
			notAuthorized(t, w)
		})
	})
}

func TestWebappRemoveAuthorization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		w := newWebapp(t, optionsFor(s))
		exchange(t, s, w)
		if err := w.RemoveAuthorization(t.Context()); err != nil {
			t.Fatal(err)
		}
		notAuthorized(t, w)
		if got := s.Counts().RevokeRequests; got != 0 {
			t.Errorf("%d revocations, want none", got)
		}
	})
}

func TestWebappSendsNoClientIP(t *testing.T) {
	s := &stub{}
	w := newWebapp(t, &commercelayer.Options{Base: s, BackendAuth: "s3cr3t", Initial: &bearer.Token{RefreshToken: "r"}})
	ctx := commercelayer.WithClientIP(t.Context(), netip.MustParseAddr("192.0.2.1"))
	if _, err := w.TokenContext(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.RevokeAuthorization(ctx); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.requests {
		if got := r.Header.Get("X-True-Client-Ip"); got != "" {
			t.Errorf("%s: x-true-client-ip = %q, want none", r.URL, got)
		}
	}
	if s.count() != 3 {
		t.Errorf("%d requests, want a refresh and two revocations", s.count())
	}
}

func TestNewWebappNeedsASecret(t *testing.T) {
	if _, err := commercelayer.NewWebapp("id", "", nil); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("error = %v, want one about the secret", err)
	}
	if _, err := commercelayer.NewWebapp("", "secret", nil); err == nil {
		t.Error("no error without an id")
	}
}

func TestWebappConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, &commercelayertest.Options{RateLimit: commercelayertest.NoRateLimit})
		var store store
		o := optionsFor(s)
		o.OnChange = store.save
		w := newWebapp(t, o)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { exchangeOrEnd(t, s, w) })
			all.Go(func() {
				token, err := w.TokenContext(t.Context())
				if err != nil && !errors.Is(err, commercelayer.ErrNotAuthorized) {
					t.Errorf("TokenContext: %v", err)
				}
				w.Evict(t.Context(), token)
			})
			all.Go(func() { w.RemoveAuthorization(t.Context()) })
		}
		all.Wait()
		exchange(t, s, w)
		if got := list(t, w.Client(), s.APIURL()+"/api/skus"); got != 200 {
			t.Errorf("the API answers %d", got)
		}
	})
}

// exchangeOrEnd authorizes w while somebody else may be ending it.
func exchangeOrEnd(t *testing.T, s *commercelayertest.Server, w *commercelayer.Webapp) {
	code, err := s.AuthorizationCode(commercelayertest.WebappID, nil)
	if err != nil {
		t.Error(err)
		return
	}
	if err := w.Exchange(t.Context(), code, commercelayertest.WebappRedirectURI); err != nil && !errors.Is(err, commercelayer.ErrAuthorizationEnded) {
		t.Errorf("Exchange: %v", err)
	}
}

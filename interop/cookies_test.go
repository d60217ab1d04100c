package interop_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// site is our side of a shop.
type site struct {
	*world
	scope   string
	channel *commercelayer.SalesChannel
	handler http.Handler
	page    func(ctx context.Context)
}

func newSite(w *world, scope string, opts *bearer.MiddlewareOptions) *site {
	w.t.Helper()
	return newSiteOf(w, scope, w.goChannel(scope), opts)
}

// newSiteOf is newSite for another sales channel than the usual.
func newSiteOf(w *world, scope string, c *commercelayer.SalesChannel, opts *bearer.MiddlewareOptions) *site {
	w.t.Helper()
	s := &site{world: w, scope: scope, channel: c}
	s.handler = s.channel.Middleware(opts)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.page(r.Context()) }))
	return s
}

// inCookies keeps customers in js-auth's cookie.
func inCookies() *bearer.MiddlewareOptions {
	return &bearer.MiddlewareOptions{Carrier: commercelayer.NewJSAuthCookie(nil)}
}

// visit is a request with a Cookie header, and returns the cookies that are set.
func (s *site) visit(cookie string, page func(ctx context.Context)) []string {
	s.t.Helper()
	s.page = page
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "https://shop.test/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Header().Values("Set-Cookie")
}

// authorize is whom a request with the cookie speaks for.
func (s *site) authorize(cookie string) (a *bearer.Authorization, set []string, err error) {
	s.t.Helper()
	set = s.visit(cookie, func(ctx context.Context) { a, err = s.channel.GetAuthorization(ctx) })
	return a, set, err
}

// withCookies calls js-auth on one of its sides, which has these cookies, and returns
// what it sets.
func (s *site) withCookies(side, cookies, method string, args ...any) (a authorization, set []string, err error) {
	s.t.Helper()
	var r struct {
		Result  authorization `json:"result"`
		Cookies []string      `json:"cookies"`
	}
	err = s.js.try("withCookies", fields{
		"where": side, "cookies": cookies, "storage": "redis", "options": s.channelOptions(s.scope),
		"method": method, "args": append([]any{}, args...),
	}, &r)
	return r.Result, r.Cookies, err
}

// pair is what a browser sends back of a cookie that was set.
func pair(t *testing.T, set []string) string {
	t.Helper()
	if len(set) != 1 {
		t.Fatalf("%d cookies are set, want 1: %q", len(set), set)
	}
	name, _, _ := strings.Cut(set[0], ";")
	return name
}

var sides = []string{"server", "browser"}

// cookieName is the cookie's, for every writer.
var cookieName = strings.ReplaceAll(customerKey, ":", "%3A")

// escaped is a record as the server's side writes it in a cookie.
func escaped(record string) string {
	return strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22", ":", "%3A", ",", "%2C").Replace(record)
}

// halfEscaped is a record as the browser's side writes it.
func halfEscaped(record string) string {
	return strings.NewReplacer(`"`, "%22", ",", "%2C").Replace(record)
}

func TestCookieOfBoth(t *testing.T) {
	w := newWorld(t)
	s := newSite(w, market, inCookies())
	for name, remember := range map[string]bool{"with a refresh token": true, "without": false} {
		i := w.issue(channelID, market, ada, 4*time.Hour)
		customer := fields{"accessToken": i.AccessToken, "scope": market}
		if remember {
			customer["refreshToken"] = i.RefreshToken
		} else {
			i.RefreshToken = ""
		}
		text := record(i.AccessToken, market, i.RefreshToken)
		w.service.ResetCounts()
		for _, side := range sides {
			t.Run(name+", set by the "+side, func(t *testing.T) {
				w.t = t
				_, set, err := s.withCookies(side, "", "setCustomer", customer)
				if err != nil {
					t.Fatal(err)
				}
				want := cookieName + "=" + escaped(text) + "; Path=/; Secure"
				if side == "browser" {
					want = cookieName + "=" + halfEscaped(text) + "; path=/; secure"
				}
				cookie := pair(t, set)
				if set[0] != want {
					t.Errorf("the %s sets\n%s, want\n%s", side, set[0], want)
				}
				a, ours, err := s.authorize(cookie)
				if err != nil || a.Owner.ID != ada || a.Token.AccessToken != i.AccessToken || a.Token.RefreshToken != i.RefreshToken || len(ours) != 0 {
					t.Errorf("we read %v (%v), and set %q", a, err, ours)
				}
				w.wantRequests(asked(0))
			})
		}
		t.Run(name+", set by us", func(t *testing.T) {
			w.t = t
			set := s.visit("", func(ctx context.Context) {
				if err := s.channel.SetCustomer(ctx, &bearer.Token{AccessToken: i.AccessToken, RefreshToken: i.RefreshToken}); err != nil {
					t.Error(err)
				}
			})
			want := cookieName + "=" + escaped(text) + "; Path=/; Secure"
			if remember {
				want = cookieName + "=" + escaped(text) + "; Path=/; Max-Age=1209600; Secure"
			}
			cookie := pair(t, set)
			if set[0] != want {
				t.Errorf("we set\n%s, want\n%s", set[0], want)
			}
			for _, side := range sides {
				a, changed, err := s.withCookies(side, cookie, "getAuthorization")
				if err != nil || a.OwnerID != ada || a.AccessToken != i.AccessToken || a.RefreshToken != i.RefreshToken || len(changed) != 0 {
					t.Errorf("the %s reads %v (%v), and sets %q", side, a, err, changed)
				}
			}
			w.wantRequests(asked(0))
		})
	}
}

// Whoever refreshes the customer gives the browser what the others read.
func TestCookieIsRefreshedByEither(t *testing.T) {
	w := newWorld(t)
	s := newSite(w, market, inCookies())
	once := commercelayertest.Counts{TokenRequests: 1, RefreshToken: 1}
	expired := func() string {
		i := w.issue(channelID, market, ada, -time.Minute)
		w.service.ResetCounts()
		return cookieName + "=" + escaped(record(i.AccessToken, market, i.RefreshToken))
	}
	for _, side := range sides {
		t.Run("by the "+side, func(t *testing.T) {
			w.t = t
			a, set, err := s.withCookies(side, expired(), "getAuthorization")
			if err != nil || a.OwnerID != ada {
				t.Fatalf("the %s has %v: %v", side, a, err)
			}
			got, _, err := s.authorize(pair(t, set))
			if err != nil || got.Token.AccessToken != a.AccessToken || got.Token.RefreshToken != a.RefreshToken {
				t.Errorf("we read %v (%v)", got, err)
			}
			w.wantRequests(once)
		})
	}
	t.Run("by us", func(t *testing.T) {
		w.t = t
		old := expired()
		a, set, err := s.authorize(old)
		if err != nil || a.Owner.ID != ada {
			t.Fatalf("we have %v: %v", a, err)
		}
		for _, side := range sides {
			got, _, err := s.withCookies(side, pair(t, set), "getAuthorization")
			if err != nil || got.AccessToken != a.Token.AccessToken || got.RefreshToken != a.Token.RefreshToken {
				t.Errorf("the %s reads %v (%v)", side, got, err)
			}
		}
		again, _, err := s.authorize(old) // a request that was sent before the answer came
		if err != nil || again.Token.AccessToken != a.Token.AccessToken {
			t.Errorf("with the old cookie we have %v (%v)", again, err)
		}
		w.wantRequests(once)
	})
}

// Removed by either, the cookie is nobody's.
func TestCookieIsRemovedByEither(t *testing.T) {
	w := newWorld(t)
	s := newSite(w, market, inCookies())
	guest := func(cookie string) {
		t.Helper()
		if a, _, err := s.authorize(cookie); err != nil || a.Owner != (bearer.Owner{}) {
			t.Errorf("with %q we have %v (%v), want a guest", cookie, a, err)
		}
		for _, side := range sides {
			if side == "server" && strings.HasSuffix(cookie, "=") {
				continue // where nothing is no JSON; a browser does not send what has ended
			}
			if a, _, err := s.withCookies(side, cookie, "getAuthorization"); err != nil || a.OwnerType != "guest" {
				t.Errorf("with %q the %s has %v (%v), want a guest", cookie, side, a, err)
			}
		}
	}
	signedIn := func() string {
		i := w.issue(channelID, market, ada, 4*time.Hour)
		return cookieName + "=" + escaped(record(i.AccessToken, market, i.RefreshToken))
	}
	_, server, err := s.withCookies("server", signedIn(), "logoutCustomer")
	if err != nil {
		t.Fatal(err)
	}
	_, browser, err := s.withCookies("browser", signedIn(), "removeAuthorization", "customer")
	if err != nil {
		t.Fatal(err)
	}
	cookie := signedIn()
	ours := s.visit(cookie, func(ctx context.Context) {
		if err := s.channel.LogoutCustomer(ctx); err != nil {
			t.Error(err)
		}
	})
	guest(pair(t, server))
	guest(pair(t, browser))
	guest(pair(t, ours))
	if ours[0] != server[0] {
		t.Errorf("we remove it with\n%s, js-auth with\n%s", ours[0], server[0])
	}
	if a, _, err := s.authorize(cookie); err != nil || a.Owner != (bearer.Owner{}) {
		t.Errorf("with the cookie of before we have %v (%v), want a guest", a, err)
	}
}

// What is in a Cookie header is read, or not, as the two sides of js-auth read it;
// where they differ we are as tolerant as either, and never throw.
func TestCookieHeaders(t *testing.T) {
	const (
		reads = "customer"
		none  = "guest"
		fails = "throws"
	)
	w := newWorld(t)
	s := newSite(w, market, inCookies())
	text := record(w.issue(channelID, market, ada, 4*time.Hour).AccessToken, market, "")
	other := record(w.issue(channelID, market, commercelayertest.OtherCustomerID, 4*time.Hour).AccessToken, market, "")
	lower := strings.NewReplacer("%7B", "%7b", "%3A", "%3a", "%2C", "%2c", "%7D", "%7d")
	for _, test := range []struct {
		name, header          string
		server, browser, ours string
	}{
		{"the server's form", cookieName + "=" + escaped(text), reads, reads, reads},
		{"the browser's form", cookieName + "=" + halfEscaped(text), reads, reads, reads},
		{"lower-case hex in the value", cookieName + "=" + lower.Replace(escaped(text)), reads, reads, reads},
		{"raw JSON", cookieName + "=" + text, reads, reads, reads},
		{"among others", "a=b; " + cookieName + "=" + escaped(text) + "; c=d", reads, reads, reads},
		{"no space between", "a=b;" + cookieName + "=" + escaped(text) + ";c=d", reads, none, reads},
		{"lower-case hex in the name", lower.Replace(cookieName) + "=" + escaped(text), none, reads, reads},
		{"a name that is not encoded", customerKey + "=" + escaped(text), none, reads, reads},
		{"in quotes", cookieName + `="` + escaped(text) + `"`, fails, reads, reads},
		{"broken encoding", cookieName + "=" + strings.Replace(escaped(text), "%22scope", "%2scope", 1), none, fails, none},
		{"the text null", cookieName + "=null", none, none, none},
		{"nothing", cookieName + "=", fails, none, none},
		{"no equals sign", cookieName, fails, none, none},
		{"cut off", cookieName + "=" + escaped(text[:len(text)-9]), fails, fails, none},
		{"another market's", strings.Replace(cookieName, "europe", "usa", 1) + "=" + escaped(text), none, none, none},
		{"absent", "", none, none, none},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			for _, side := range sides {
				a, _, err := s.withCookies(side, test.header, "getAuthorization")
				got := a.OwnerType
				if threw(t, err) != "" {
					got = fails
				}
				if want := map[string]string{"server": test.server, "browser": test.browser}[side]; got != want {
					t.Errorf("the %s: %s (%v), want %s", side, got, err, want)
				}
			}
			a, _, err := s.authorize(test.header)
			got := none
			if err != nil {
				got = err.Error()
			} else if a.Owner.ID == ada {
				got = reads
			}
			if got != test.ours {
				t.Errorf("we: %s, want %s", got, test.ours)
			}
		})
	}
	t.Run("two of the name", func(t *testing.T) { // of which each side takes another one
		w.t = t
		header := cookieName + "=" + escaped(text) + "; " + cookieName + "=" + escaped(other)
		for side, want := range map[string]string{"server": commercelayertest.OtherCustomerID, "browser": ada} {
			if a, _, err := s.withCookies(side, header, "getAuthorization"); err != nil || a.OwnerID != want {
				t.Errorf("the %s has %v (%v), want %s", side, a, err, want)
			}
		}
		if a, _, err := s.authorize(header); err != nil || a.Owner != (bearer.Owner{}) {
			t.Errorf("we have %v (%v), want a guest", a, err)
		}
	})
}

// Characters that one of the writers encodes, or not, in names.
func TestCookieNames(t *testing.T) {
	w := newWorld(t)
	for _, scope := range []string{market, market + " stock_location:code:x", "market:code:a+b&c=d", "market:code:(x)~*'!", "market:code:#$^`|", "market:code:<>@[]{},;\"%25"} {
		t.Run(scope, func(t *testing.T) {
			w.t = t
			s := newSite(w, scope, inCookies())
			i := w.issue(channelID, market, ada, 4*time.Hour) // whatever its own scope
			ours := pair(t, s.visit("", func(ctx context.Context) {
				if err := s.channel.SetCustomer(ctx, &bearer.Token{AccessToken: i.AccessToken}); err != nil {
					t.Error(err)
				}
			}))
			for _, side := range sides {
				_, set, err := s.withCookies(side, "", "setCustomer", fields{"accessToken": i.AccessToken, "scope": scope})
				if err != nil {
					t.Fatal(err)
				}
				if a, _, err := s.authorize(pair(t, set)); err != nil || a.Owner.ID != ada {
					t.Errorf("we do not read the %s's %q: %v", side, set, err)
				}
				if side == "server" && pair(t, set) != ours {
					t.Errorf("we write\n%s, the server\n%s", ours, pair(t, set))
				}
				if a, _, err := s.withCookies(side, ours, "getAuthorization"); err != nil || a.OwnerID != ada {
					t.Errorf("the %s does not read %q: %v", side, ours, err)
				}
			}
		})
	}
}

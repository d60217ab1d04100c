package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

// idp is a provider of customers' tokens. Its refresh tokens are good for one use,
// and one that comes twice ends all that came of it. Its tokens tell whose they
// are, to be read in tests.
type idp struct {
	life  time.Duration // of access tokens; an hour if 0
	fixed bool          // refresh tokens stay as they are
	long  string        // is part of each access token

	mu        sync.Mutex // guards what follows
	n         int        // tokens issued
	families  map[string]*lineage
	refreshes int
	reused    int // refresh tokens that came again
	revoked   []string
	refresh   func(ctx context.Context, old *bearer.Token) error // runs before each refresh
	revoking  func(token string) error
}

// lineage is what came of one sign-in.
type lineage struct {
	owner string
	fresh string // the refresh token that is good
	dead  bool
}

// login is what a token endpoint answers to a customer's password.
func (p *idp) login(owner string, remember bool) *bearer.Token {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &lineage{owner: owner}
	return p.issue(f, remember)
}

// issue is called with p.mu held.
func (p *idp) issue(f *lineage, remember bool) *bearer.Token {
	if p.families == nil {
		p.families = map[string]*lineage{}
	}
	p.n++
	t := &bearer.Token{
		AccessToken: fmt.Sprintf("access-%s-%d%s", f.owner, p.n, p.long),
		TokenType:   "bearer", Expiry: time.Now().Add(p.lifetime()),
	}
	p.families[t.AccessToken] = f
	switch {
	case p.fixed && f.fresh != "":
		t.RefreshToken = f.fresh
	case remember:
		f.fresh = fmt.Sprintf("refresh-%s-%d", f.owner, p.n)
		p.families[f.fresh] = f
		t.RefreshToken = f.fresh
	}
	return t
}

func (p *idp) lifetime() time.Duration {
	if p.life == 0 {
		return time.Hour
	}
	return p.life
}

// renew is StorefrontOptions.Refresh.
func (p *idp) renew(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
	p.mu.Lock()
	p.refreshes++
	before := p.refresh
	p.mu.Unlock()
	if before != nil {
		if err := before(ctx, old); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.families[old.RefreshToken]
	switch {
	case f == nil || f.dead:
		return nil, answered(400, "invalid_grant")
	case f.fresh != old.RefreshToken:
		p.reused++
		f.dead = true
		return nil, answered(400, "invalid_grant")
	}
	return p.issue(f, true), nil
}

// revoke is StorefrontOptions.Revoke.
func (p *idp) revoke(_ context.Context, token string) error {
	p.mu.Lock()
	p.revoked = append(p.revoked, token)
	revoking := p.revoking
	p.mu.Unlock()
	if revoking != nil {
		if err := revoking(token); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.families[token]; f != nil && strings.HasPrefix(token, "refresh-") {
		f.dead = true
	}
	return nil
}

// owner is StorefrontOptions.Owner.
func (p *idp) owner(t *bearer.Token) (bearer.Owner, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.families[t.AccessToken]
	if f == nil {
		return bearer.Owner{}, nil
	}
	return bearer.Owner{Type: "Customer", ID: f.owner}, nil
}

func (p *idp) onRefresh(f func(ctx context.Context, old *bearer.Token) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refresh = f
}

func (p *idp) wantRefreshes(t *testing.T, want int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refreshes != want || p.reused != 0 {
		t.Errorf("%d refreshes, %d of them with a spent token, want %d and 0", p.refreshes, p.reused, want)
	}
}

// wantRevoked checks what was revoked, in this order as far as it came of one
// sign-in.
func (p *idp) wantRevoked(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait() // some is done in the background
	p.mu.Lock()
	defer p.mu.Unlock()
	got := map[*lineage][]string{}
	for _, token := range p.revoked {
		got[p.families[token]] = append(got[p.families[token]], token)
	}
	wanted := map[*lineage][]string{}
	for _, token := range want {
		wanted[p.families[token]] = append(wanted[p.families[token]], token)
	}
	if !maps.EqualFunc(got, wanted, slices.Equal) {
		t.Errorf("revoked %q, want %q", p.revoked, want)
	}
}

// guestToken is the TokenFunc of a market's guests.
func guestToken(market string) bearer.TokenFunc {
	return func(context.Context) (*bearer.Token, error) {
		return &bearer.Token{AccessToken: "guest-" + market, Expiry: time.Now().Add(1000 * time.Hour)}, nil
	}
}

// shop is one under Middleware, with handlers for what tests do.
type shop struct {
	*http.ServeMux
	idp    *idp
	front  *bearer.Storefront
	fronts map[string]*bearer.Storefront // of several markets
	shelf  *shelf
	events events
	outer  func(http.Handler) http.Handler // round Middleware; nil: nothing
	server *http.Transport
}

// newShop serves a shop. Both may be nil.
func newShop(t *testing.T, storefront *bearer.StorefrontOptions, middleware *bearer.MiddlewareOptions) *shop {
	t.Helper()
	s := emptyShop()
	s.front = s.storefront("shop", storefront)
	s.open(t, middleware)
	return s
}

func emptyShop() *shop { return &shop{ServeMux: http.NewServeMux(), idp: &idp{}, shelf: newShelf()} }

// storefront makes one that shares what the site has.
func (s *shop) storefront(name string, opts *bearer.StorefrontOptions) *bearer.Storefront {
	var o bearer.StorefrontOptions
	if opts != nil {
		o = *opts
	}
	o.Name, o.Observer = name, s.events.observe
	if o.Customers == nil {
		o.Customers = s.shelf
	}
	if o.Refresh == nil {
		o.Refresh = s.idp.renew
	}
	o.Revoke, o.Owner = s.idp.revoke, s.idp.owner
	return bearer.NewStorefront(guestToken(name), &o)
}

// open begins to serve.
func (s *shop) open(t *testing.T, opts *bearer.MiddlewareOptions) {
	h := bearer.Middleware(s.front, opts)(s)
	if s.outer != nil {
		h = s.outer(h)
	}
	s.server = pipe.Serve(t, h)
	s.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "plain") })
	s.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) { s.token(w, r) })
	s.HandleFunc("/state", func(w http.ResponseWriter, r *http.Request) {
		sess, _ := bearer.FromContext(r.Context())
		state, err := sess.State(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		io.WriteString(w, state.String())
	})
	s.HandleFunc("/login/{who}", func(w http.ResponseWriter, r *http.Request) {
		s.login(w, r, s.idp.login(r.PathValue("who"), r.URL.Query().Get("for") != "session"))
	})
	s.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		sess, _ := bearer.FromContext(r.Context())
		if err := sess.Logout(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})
}

// token answers with the access token that the session gives.
func (s *shop) token(w http.ResponseWriter, r *http.Request) {
	sess, _ := bearer.FromContext(r.Context())
	tok, err := sess.Storefront().TokenContext(r.Context())
	switch {
	case errors.Is(err, bearer.ErrCustomerExpired):
		http.Error(w, "expired", http.StatusUnauthorized)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
	default:
		io.WriteString(w, tok.AccessToken)
	}
}

// login signs the visitor in by tok.
func (s *shop) login(w http.ResponseWriter, r *http.Request, tok *bearer.Token) {
	sess, _ := bearer.FromContext(r.Context())
	if err := sess.SetCustomer(r.Context(), tok); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	io.WriteString(w, tok.AccessToken)
}

// tab is a browser that shows the shop.
type tab struct {
	t      *testing.T
	client *http.Client
}

func (s *shop) tab(t *testing.T) *tab { return tabTo(t, s.server) }

func tabTo(t *testing.T, server http.RoundTripper) *tab {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &tab{t, &http.Client{Transport: server, Jar: jar}}
}

// reply is an answer, read to its end.
type reply struct {
	status int
	body   string
	header http.Header
	cookie []*http.Cookie
}

// get asks for a path, with header fields in pairs.
func (b *tab) get(path string, header ...string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "GET", "https://shop.test"+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Errorf("GET %s: %v", path, err)
		return reply{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Errorf("GET %s: %v", path, err)
	}
	return reply{resp.StatusCode, strings.TrimSpace(string(body)), resp.Header, resp.Cookies()}
}

// want is get, with what is to be answered.
func (b *tab) want(path, want string, header ...string) reply {
	b.t.Helper()
	r := b.get(path, header...)
	if r.body != want {
		b.t.Errorf("GET %s = %d %q, want %q", path, r.status, r.body, want)
	}
	return r
}

// cookies is what the browser would send.
func (b *tab) cookies() string {
	req, _ := http.NewRequest("GET", "https://shop.test/", nil)
	for _, c := range b.client.Jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	return req.Header.Get("Cookie")
}

// old is a browser that has the cookies of now and drops all it is sent: one that
// sent its requests before.
func (b *tab) old() *tab {
	cookies := b.cookies()
	base := b.client.Transport
	return &tab{b.t, &http.Client{Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		if cookies != "" {
			r.Header.Set("Cookie", cookies)
		}
		return base.RoundTrip(r)
	})}}
}

// uses is how often the storage was used.
func (s *shop) uses() int {
	return s.shelf.count("get") + s.shelf.count("set") + s.shelf.count("delete") + s.shelf.count("swap")
}

// stored is all that is in the storage.
func (s *shop) stored() string { return fmt.Sprint(s.shelf.texts()) }

// beside is another process of the same shop.
func (s *shop) beside(t *testing.T, opts *bearer.MiddlewareOptions) *shop {
	t.Helper()
	other := &shop{ServeMux: http.NewServeMux(), idp: s.idp, shelf: s.shelf}
	other.front = other.storefront("shop", nil)
	other.open(t, opts)
	return other
}

package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

// site is a shop: a process with a storefront, whose handlers call the provider's
// API.
type site struct {
	t      *testing.T
	p      *provider
	shelf  *shelf
	front  *bearer.Storefront
	events *events
	client *http.Client    // the handlers', to the API
	web    *http.Transport // the visitors', to the handlers
	pages  sync.Map        // string → func(http.ResponseWriter, *http.Request, *bearer.Session)
	number atomic.Int64    // of the latest page
}

// newSite opens one, which change may alter.
func newSite(t *testing.T, change func(*bearer.StorefrontOptions)) *site {
	return newProvider().site(t, newShelf(), change, nil)
}

// site opens one that has its customers in a storage which is perhaps shared.
func (p *provider) site(t *testing.T, customers *shelf, change func(*bearer.StorefrontOptions), opts *bearer.MiddlewareOptions) *site {
	t.Helper()
	s := &site{t: t, p: p, shelf: customers, events: &events{}}
	o := &bearer.StorefrontOptions{
		Name: "shop", Customers: customers, Owner: p.owner, Refresh: p.spend, Revoke: p.revoke, Observer: s.events.observe,
	}
	if change != nil {
		change(o)
	}
	s.front = bearer.NewStorefront(p.guest, o)
	s.client = &http.Client{Transport: &bearer.Transport{Source: s.front, Base: pipe.Serve(t, p), Observer: s.events.observe}}
	s.web = pipe.Serve(t, bearer.Middleware(s.front, opts)(http.HandlerFunc(s.serve)))
	s.web.MaxIdleConnsPerHost = 100
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	page, ok := s.pages.LoadAndDelete(r.URL.Query().Get("page"))
	session, found := bearer.FromContext(r.Context())
	if !ok || !found {
		s.t.Errorf("no page, or no session, for %s", r.URL)
		return
	}
	page.(func(http.ResponseWriter, *http.Request, *bearer.Session))(w, r, session)
}

// call is what a handler does: it calls the API for the visitor.
func (s *site) call(ctx context.Context, visitor string) (owner string, err error) {
	return call(ctx, s.client, visitor)
}

func call(ctx context.Context, client *http.Client, visitor string) (owner string, err error) {
	req, _ := http.NewRequestWithContext(ctx, "GET", "https://api.test/", nil)
	req.Header.Set("X-Visitor", visitor)
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: %d", errAPI, resp.StatusCode)
	}
	return string(body), err
}

var errAPI = errors.New("the API refused")

// visitor is a browser.
type visitor struct {
	*site
	name   string
	client *http.Client
}

func (s *site) visitor(name string) *visitor {
	jar, _ := cookiejar.New(nil)
	return &visitor{site: s, name: name, client: &http.Client{Transport: s.web, Jar: jar}}
}

// at is the same browser at another site under the same host name, such as another
// process of the shop.
func (v *visitor) at(s *site) *visitor {
	return &visitor{site: s, name: v.name, client: &http.Client{Transport: s.web, Jar: v.client.Jar}}
}

// get visits a page.
func (v *visitor) get(page func(w http.ResponseWriter, r *http.Request, s *bearer.Session)) *http.Response {
	v.t.Helper()
	n := strconv.FormatInt(v.number.Add(1), 10)
	v.pages.Store(n, page)
	resp, err := v.client.Get("https://shop.test/?page=" + n)
	if err != nil {
		v.t.Errorf("visiting a page: %v", err)
		return nil
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp
}

// in visits a page that only looks at the session.
func (v *visitor) in(page func(ctx context.Context, s *bearer.Session)) {
	v.t.Helper()
	v.get(func(_ http.ResponseWriter, r *http.Request, s *bearer.Session) { page(r.Context(), s) })
}

// whoami visits a page that calls the API.
func (v *visitor) whoami() (owner string, err error) {
	v.t.Helper()
	v.in(func(ctx context.Context, _ *bearer.Session) { owner, err = v.call(ctx, v.name) })
	return owner, err
}

// wantWho visits a page whose call of the API is to be made for owner.
func (v *visitor) wantWho(owner string) {
	v.t.Helper()
	got, err := v.whoami()
	if err != nil || got != owner {
		v.t.Errorf("%s acts as %q, %v, want %q", v.name, got, err, owner)
	}
}

// state visits a page that asks who it is for.
func (v *visitor) state() (state bearer.State, err error) {
	v.t.Helper()
	v.in(func(ctx context.Context, s *bearer.Session) { state, err = s.State(ctx) })
	return state, err
}

func (v *visitor) wantState(want bearer.State) {
	v.t.Helper()
	if got, err := v.state(); err != nil || got != want {
		v.t.Errorf("the state of %s is %v, %v, want %v", v.name, got, err, want)
	}
}

// signIn visits the page that signs in, and returns the token that was issued.
func (v *visitor) signIn(owner string) *bearer.Token {
	v.t.Helper()
	t := v.p.signIn(owner)
	if err := v.setCustomer(t); err != nil {
		v.t.Errorf("signing in as %s: %v", owner, err)
	}
	return t
}

func (v *visitor) setCustomer(t *bearer.Token) (err error) {
	v.t.Helper()
	v.in(func(ctx context.Context, s *bearer.Session) { err = s.SetCustomer(ctx, t) })
	return err
}

func (v *visitor) signOut() (err error) {
	v.t.Helper()
	v.in(func(ctx context.Context, s *bearer.Session) { err = s.Logout(ctx) })
	return err
}

// bystander is a customer whose visits give the storefront occasion to tidy up.
func (s *site) bystander() *visitor {
	v := s.visitor("bob")
	t := s.p.signIn("bob")
	t.RefreshToken, t.Expiry = "", time.Now().Add(1000*time.Hour)
	if err := v.setCustomer(t); err != nil {
		s.t.Error(err)
	}
	return v
}

// wantRefreshes checks how often refresh tokens were spent.
func (p *provider) wantRefreshes(t *testing.T, want int) {
	t.Helper()
	if _, got, _ := p.counts(); got != want {
		t.Errorf("%d refreshes, want %d", got, want)
	}
}

// wantEvents checks how many events of a kind there have been.
func wantEvents[E bearer.Event](t *testing.T, e *events, want int) {
	t.Helper()
	if got := eventsOf[E](e); len(got) != want {
		t.Errorf("%d events of type %T, want %d: %v", len(got), *new(E), want, got)
	}
}

func contains(text, part string) bool { return strings.Contains(text, part) }

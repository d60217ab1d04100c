package bearer_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/sealed"
)

// plainCarrier stands for one whose cookies anybody can make up.
type plainCarrier struct {
	*sealed.Cookie
	plain bool
}

func (c plainCarrier) Plain() bool { return c.plain }

// mass is a shop that does not know its customers' owners, and what strangers bring.
type mass struct {
	*site
	carrier plainCarrier
	n       int
}

func newMass(t *testing.T, p *provider, plain bool) *mass {
	m := &mass{carrier: plainCarrier{sealed.NewCookie(cookieKeys, nil), plain}}
	m.site = p.site(t, newShelf(), func(o *bearer.StorefrontOptions) { o.Owner = nil }, &bearer.MiddlewareOptions{Carrier: m.carrier})
	return m
}

// stranger is a visitor with a record of an expired token that is made up.
func (m *mass) stranger() *visitor {
	m.n++
	return m.bringing(fmt.Sprintf(`{"accessToken":"a%d","refreshToken":"r%[1]d"}`, m.n))
}

func (m *mass) bringing(record string) *visitor {
	m.t.Helper()
	v, w := m.visitor("stranger"), &recorded{header: http.Header{}}
	if err := m.carrier.Save(w, "customer-shop", []byte(record), 0); err != nil {
		m.t.Fatal(err)
	}
	c, err := http.ParseSetCookie(w.header.Get("Set-Cookie"))
	if err != nil {
		m.t.Fatal(err)
	}
	v.client.Jar.SetCookies(&url.URL{Scheme: "https", Host: "shop.test"}, []*http.Cookie{c})
	return v
}

// come has n strangers visit at once. None of them acts as anybody.
func (m *mass) come(n int) {
	m.t.Helper()
	var all sync.WaitGroup
	for range n {
		v := m.stranger()
		all.Go(func() {
			if owner, err := v.whoami(); err == nil {
				m.t.Errorf("a stranger acts as %s", owner)
			}
		})
	}
	all.Wait()
}

// Strangers cannot use up the token requests of all, nor fill the storage, and those
// whom this process knows are served meanwhile.
func TestStrangersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.took = 100 * time.Millisecond
		m := newMass(t, p, true)
		ada, bob := m.visitor("ada"), m.visitor("bob")
		ada.signIn("ada")
		bob.signIn("bob")
		pass(2 * time.Hour)
		ada.wantWho("ada") // has been refreshed here
		pass(2 * time.Hour)

		_, before, _ := p.counts()
		for range 4 {
			m.come(50)
			pass(5 * time.Second)
		}
		if _, after, _ := p.counts(); after-before > 15 {
			t.Errorf("200 strangers made %d token requests, want at most 15", after-before)
		}
		failures := 0
		for _, e := range eventsOf[bearer.TokenFailed](m.events) {
			failures++
			if contains(fmt.Sprint(e), `"a1"`) {
				t.Errorf("event %v", e)
			}
		}
		if failures > 20 {
			t.Errorf("%d TokenFailed events, want a few", failures)
		}
		ada.wantWho("ada")
		bob.wantWho("bob") // has signed in here

		// Whoever is not known here has to wait, and is no guest.
		known := p.signIn("cid")
		record := fmt.Sprintf(`{"accessToken":%q,"refreshToken":%q}`, known.AccessToken, known.RefreshToken)
		cid := m.bringing(record)
		var failed *bearer.TokenError
		if owner, err := cid.whoami(); !errors.As(err, &failed) {
			t.Errorf("acts as %q, %v, want a *TokenError", owner, err)
		}
		cid.wantState(bearer.StateCustomer)
		pass(time.Minute)
		cid.wantWho("cid")
		m.come(10)
		cid.wantWho("cid")

		if n := len(m.shelf.texts()); n > 40 {
			t.Errorf("the storage holds %d values, want a few", n)
		}
		pass(2 * time.Hour) // notes of lost holders live for one
		if n := len(m.shelf.texts()); n > 6 {
			t.Errorf("two hours later the storage holds %d values, want the customers'", n)
		}
	})
}

// Those whom nobody knows yet are served, however many come at once, if nothing speaks
// against them: a shop has restarted.
func TestStrangersMayBeCustomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.took = 100 * time.Millisecond
		m := newMass(t, p, true)
		var all sync.WaitGroup
		for i := range 60 {
			name := fmt.Sprint("customer ", i)
			tok := p.signIn(name)
			v := m.bringing(fmt.Sprintf(`{"accessToken":%q,"refreshToken":%q}`, tok.AccessToken, tok.RefreshToken))
			all.Go(func() { v.wantWho(name) })
		}
		all.Wait()
		p.wantRefreshes(t, 60)
	})
}

// Who has sealed a record knows it: the customers of a provider that has ended all
// sessions are told so, all of them.
func TestStrangersAreNotBoundedBySeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		m := newMass(t, p, false)
		m.come(100)
		p.wantRefreshes(t, 100)
		wantEvents[bearer.CustomerExpired](t, m.events, 100)
	})
}

// A logout of what was made up is not remembered for weeks.
func TestStrangersLogout(t *testing.T) {
	for _, plain := range []bool{true, false} {
		t.Run(fmt.Sprint("plain ", plain), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMass(t, newProvider(), plain)
				record := fmt.Sprintf(`{"accessToken":"a","expiry":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
				if err := m.bringing(record).signOut(); err != nil {
					t.Error(err)
				}
				want := 14 * 24 * time.Hour
				if plain {
					want = time.Hour
				}
				if _, _, ttl := m.shelf.only(); ttl != want {
					t.Errorf("the tombstone is kept for %v, want %v", ttl, want)
				}
			})
		})
	}
}

// Strangers do not fill the log.
func TestStrangersAreToldOfOnceInAWhile(t *testing.T) {
	for name, cookie := range map[string]func(*mass) *visitor{
		"no record": func(m *mass) *visitor { return m.bringing("[]") },
		"forged": func(m *mass) *visitor {
			m.carrier.Cookie = sealed.NewCookie(strangersKeys, nil)
			return m.bringing("{}")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMass(t, newProvider(), true)
				for range 100 {
					cookie(m).wantWho("guest")
				}
				wantEvents[bearer.SessionRefused](t, m.events, 1)
				pass(10 * time.Second)
				cookie(m).wantWho("guest")
				wantEvents[bearer.SessionRefused](t, m.events, 2)
			})
		})
	}
}

var strangersKeys, _ = sealed.NewKeys(sealed.GenerateKey())

package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// cookie is the value of the browser's one cookie, "" if it has none.
func (v *visitor) cookie() string {
	req, _ := http.NewRequest("GET", "https://shop.test/", nil)
	for _, c := range v.client.Jar.Cookies(req.URL) {
		return c.Value
	}
	return ""
}

// thief is a browser with v's cookie, as it is now.
func (v *visitor) thief() *visitor {
	t := v.site.visitor("thief")
	req, _ := http.NewRequest("GET", "https://shop.test/", nil)
	var all []*http.Cookie
	for _, c := range v.client.Jar.Cookies(req.URL) {
		all = append(all, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true})
	}
	t.client.Jar.SetCookies(req.URL, all)
	return t
}

// The session id changes at each sign-in, and the old one is worth nothing.
func TestSessionFixation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		if v.wantWho("guest"); v.cookie() != "" {
			t.Errorf("a guest has the cookie %s", v.cookie())
		}
		first := v.signIn("ada")
		before, old := v.cookie(), v.thief()
		old.wantWho("ada")
		v.signIn("bob") // as somebody else, without signing out
		if before == "" || v.cookie() == before {
			t.Errorf("the cookie is %q as before", before)
		}
		old.wantWho("guest")
		v.wantWho("bob")
		if got, want := s.p.takenBack(), []string{first.RefreshToken, first.AccessToken}; !slices.Equal(got, want) {
			t.Errorf("revoked %q, want %q", got, want)
		}
		tombs := 0
		for _, text := range s.shelf.texts() {
			if text == "null" {
				tombs++
			}
		}
		if tombs != 1 || len(s.shelf.texts()) != 2 {
			t.Errorf("the storage has %v", s.shelf.texts())
		}
		in := eventsOf[bearer.SignedIn](s.events)
		if len(in) != 2 || in[0].Again || !in[1].Again || in[1].Owner.ID != "bob" {
			t.Errorf("events %v", in)
		}
	})
}

// Two sign-ins of one customer may be given the same tokens: those are not revoked.
func TestSignInAgainWithTheSameTokens(t *testing.T) {
	for _, same := range []string{"both", "access", "refresh"} {
		t.Run(same, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				first, again := v.signIn("ada"), s.p.signIn("ada")
				want := []string{first.RefreshToken, first.AccessToken}
				switch same {
				case "both":
					again, want = first, nil
				case "access":
					again.AccessToken, want = first.AccessToken, want[:1]
				case "refresh":
					again.RefreshToken, want = first.RefreshToken, want[1:]
				}
				if err := v.setCustomer(again); err != nil {
					t.Error(err)
				}
				if got := s.p.takenBack(); !slices.Equal(got, want) {
					t.Errorf("revoked %q, want %q", got, want)
				}
				v.wantWho("ada")
				pass(2 * time.Hour)
				v.wantWho("ada")
			})
		})
	}
}

func TestSetCustomerRefuses(t *testing.T) {
	tests := []struct {
		name string
		t    func(p *provider, good *bearer.Token) *bearer.Token
	}{
		{"nil", func(*provider, *bearer.Token) *bearer.Token { return nil }},
		{"empty", func(_ *provider, good *bearer.Token) *bearer.Token { good.AccessToken = ""; return good }},
		{"a guest's", func(p *provider, _ *bearer.Token) *bearer.Token { t, _ := p.guest(context.Background()); return t }},
		{"of nobody known", func(_ *provider, good *bearer.Token) *bearer.Token { good.AccessToken += "x"; return good }},
		{"expired", func(_ *provider, good *bearer.Token) *bearer.Token {
			good.Expiry = time.Now().Add(-time.Second)
			return good
		}},
		{"over at once", func(_ *provider, good *bearer.Token) *bearer.Token {
			return (&bearer.Token{AccessToken: good.AccessToken}).WithExtra(map[string]any{"expires_in": 0})
		}},
		{"too large", func(_ *provider, good *bearer.Token) *bearer.Token {
			good.RefreshToken = strings.Repeat("s3cr3t", 11000)
			return good
		}},
		{"not UTF-8", func(_ *provider, good *bearer.Token) *bearer.Token { good.RefreshToken += "\xff"; return good }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				bad := tt.t(s.p, s.p.signIn("ada"))
				err := v.setCustomer(bad)
				if err == nil || contains(err.Error(), "s3cr3t") || contains(fmt.Sprintf("%#v", err), "s3cr3t") {
					t.Errorf("SetCustomer: %v, want an error without the token", err)
				}
				v.wantWho("guest")
				if v.cookie() != "" || len(s.shelf.texts()) != 0 {
					t.Errorf("something has changed: cookie %q, storage %v", v.cookie(), s.shelf.texts())
				}
				v.signIn("ada")
				before := v.cookie()
				if v.setCustomer(bad) == nil {
					t.Error("SetCustomer gave no error to a customer")
				}
				if v.wantWho("ada"); v.cookie() != before {
					t.Error("a sign-in that failed has changed the cookie")
				}
			})
		})
	}
}

func TestSetCustomerWithoutStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *bearer.StorefrontOptions) { o.Customers = nil })
		v := s.visitor("ada")
		if err := v.setCustomer(s.p.signIn("ada")); err == nil || !contains(err.Error(), "StorefrontOptions.Customers") {
			t.Errorf("SetCustomer: %v, want an error that names the way out", err)
		}
		v.wantWho("guest")
		v.wantState(bearer.StateGuest)
		if err := v.signOut(); err != nil {
			t.Errorf("Logout: %v", err)
		}
	})
}

// Nobody is signed in if the record cannot be written, and whoever was stays.
func TestSignInFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		s.shelf.failing(errDown, "swap")
		if err := v.setCustomer(s.p.signIn("bob")); !errors.Is(err, errDown) || contains(err.Error(), "s3cr3t") {
			t.Errorf("SetCustomer: %v, want the storage's error", err)
		}
		v.wantWho("ada")
		s.shelf.failing(nil)
		v.wantWho("ada")
		if got := s.p.takenBack(); len(got) != 0 {
			t.Errorf("revoked %q", got)
		}
		wantEvents[bearer.SignedIn](t, s.events, 1)
	})
}

// After the header it is too late to sign in, not to sign out.
func TestSignInTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		v.get(func(w http.ResponseWriter, r *http.Request, session *bearer.Session) {
			w.(http.Flusher).Flush()
			if err := session.SetCustomer(r.Context(), s.p.signIn("bob")); err == nil {
				t.Error("SetCustomer gave no error after the header")
			}
			if owner, err := s.call(r.Context(), "ada"); err != nil || owner != "ada" {
				t.Errorf("acts as %q, %v, want ada", owner, err)
			}
			if n := len(s.shelf.texts()); n != 1 {
				t.Errorf("%d records, want 1", n)
			}
			if err := session.Logout(r.Context()); err != nil {
				t.Error(err)
			}
		})
		v.wantWho("guest")
	})
}

// A logout removes the record, revokes the refresh token first, refreshes nothing,
// and leaves a tombstone for an hour.
func TestLogout(t *testing.T) {
	for _, when := range []string{"known", "not looked at", "expired"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				tok := v.signIn("ada")
				if when == "expired" {
					pass(2 * time.Hour)
				}
				thief := v.thief()
				v.in(func(ctx context.Context, session *bearer.Session) {
					if when == "known" {
						session.State(ctx)
					}
					if err := session.Logout(ctx); err != nil {
						t.Error(err)
					}
					if err := session.Logout(ctx); err != nil { // for a guest it does nothing
						t.Error(err)
					}
					if state, err := session.State(ctx); err != nil || state != bearer.StateGuest {
						t.Errorf("State is %v, %v, want guest", state, err)
					}
					if owner, err := s.call(ctx, "ada"); err != nil || owner != "guest" {
						t.Errorf("acts as %q, %v, want guest", owner, err)
					}
				})
				if got, want := s.p.takenBack(), []string{tok.RefreshToken, tok.AccessToken}; !slices.Equal(got, want) {
					t.Errorf("revoked %q, want %q", got, want)
				}
				s.p.wantRefreshes(t, 0)
				if key, text, ttl := s.shelf.only(); text != "null" || ttl != time.Hour {
					t.Errorf("%s holds %s for %v, want null for an hour", key, text, ttl)
				}
				if v.cookie() != "" {
					t.Errorf("the browser still has %s", v.cookie())
				}
				thief.wantWho("guest")
				thief.wantState(bearer.StateGuest)
				wantEvents[bearer.SignedOut](t, s.events, 1)
			})
		})
	}
}

func TestLogoutOfAGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("eve")
		if err := v.signOut(); err != nil {
			t.Error(err)
		}
		if got := s.shelf.count("get") + s.shelf.count("swap"); got != 0 || len(s.p.takenBack()) != 0 {
			t.Errorf("%d uses of the storage, %q revoked, want none", got, s.p.takenBack())
		}
		wantEvents[bearer.SignedOut](t, s.events, 0)
	})
}

// On two devices, with the same access token: who has a refresh token stays signed
// in, else expires.
func TestLogoutOnOneOfTwoDevices(t *testing.T) {
	for _, other := range []string{"with a refresh token", "without"} {
		t.Run(other, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				phone, desk := s.visitor("ada"), s.visitor("ada at her desk")
				first, second := phone.signIn("ada"), s.p.signIn("ada")
				second.AccessToken = first.AccessToken
				if other == "without" {
					second.RefreshToken = ""
				}
				if err := desk.setCustomer(second); err != nil {
					t.Error(err)
				}
				if err := phone.signOut(); err != nil {
					t.Error(err)
				}
				phone.wantWho("guest")
				if other == "without" {
					desk.in(func(ctx context.Context, session *bearer.Session) {
						if owner, err := s.call(ctx, "ada"); !errors.Is(err, errAPI) {
							t.Errorf("acts as %q, %v, want the API's 401", owner, err)
						}
						if state, err := session.State(ctx); err != nil || state != bearer.StateExpired {
							t.Errorf("State is %v, %v, want expired", state, err)
						}
					})
					desk.wantWho("guest")
					return
				}
				desk.wantWho("ada")
				desk.wantState(bearer.StateCustomer)
			})
		})
	}
}

// A revocation that fails is an error after the session has gone, and keeps nothing
// else from being revoked.
func TestLogoutCannotRevoke(t *testing.T) {
	tests := map[string]func() error{
		"error":  func() error { return fmt.Errorf("of s3cr3t: %w", errDown) },
		"panic":  func() error { panic("s3cr3t") },
		"Goexit": func() error { runtime.Goexit(); return nil },
		"hangs":  func() error { pass(time.Hour); return nil },
	}
	for name, misbehave := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var asked []string
				s := newSite(t, func(o *bearer.StorefrontOptions) {
					o.Revoke = func(_ context.Context, token string) error {
						mu.Lock()
						asked = append(asked, token)
						mu.Unlock()
						return misbehave()
					}
				})
				v := s.visitor("ada")
				v.signIn("ada")
				start := time.Now()
				err := v.signOut()
				if err == nil || contains(fmt.Sprintf("%v %#v", err, err), "s3cr3t") {
					t.Errorf("Logout: %v, want an error without the token", err)
				}
				if name == "error" && !errors.Is(err, errDown) {
					t.Errorf("Logout: %v does not wrap its cause", err)
				}
				if took := time.Since(start); took > 30*time.Second {
					t.Errorf("it took %v, want 30 s at most", took)
				}
				synctest.Wait()
				mu.Lock()
				n := len(asked)
				mu.Unlock()
				if n != 2 {
					t.Errorf("asked to revoke %q, want both", asked)
				}
				v.wantWho("guest")
				pass(2 * time.Hour)
			})
		})
	}
}

func TestLogoutWithoutRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *bearer.StorefrontOptions) { o.Revoke = nil })
		v := s.visitor("ada")
		v.signIn("ada")
		if err := v.signOut(); err != nil {
			t.Error(err)
		}
		v.wantWho("guest")
	})
}

func TestForgetCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		tok := v.signIn("ada")
		v.in(func(ctx context.Context, session *bearer.Session) {
			if err := session.Forget(ctx); err != nil {
				t.Error(err)
			}
		})
		v.wantWho("guest")
		if owner, ok := s.p.good(tok.AccessToken); !ok || owner != "ada" || len(s.p.takenBack()) != 0 {
			t.Errorf("revoked %q, want nothing", s.p.takenBack())
		}
	})
}

// A logout that cannot reach the storage says so; the browser forgets the session,
// and what is known is revoked.
func TestLogoutWithoutStorage(t *testing.T) {
	for _, op := range []string{"get", "swap"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				tok := v.signIn("ada")
				v.in(func(ctx context.Context, session *bearer.Session) {
					session.State(ctx)
					s.shelf.failing(errDown, op)
					if err := session.Logout(ctx); !errors.Is(err, errDown) {
						t.Errorf("Logout: %v, want the storage's error", err)
					}
					if owner, err := s.call(ctx, "ada"); err != nil || owner != "guest" {
						t.Errorf("acts as %q, %v, want guest", owner, err)
					}
				})
				s.shelf.failing(nil)
				if v.wantWho("guest"); v.cookie() != "" {
					t.Errorf("the browser still has %s", v.cookie())
				}
				if got, want := s.p.takenBack(), []string{tok.RefreshToken, tok.AccessToken}; !slices.Equal(got, want) {
					t.Errorf("revoked %q, want %q", got, want)
				}
			})
		})
	}
}

// The storage fails at the logout, and is back by the time that a refresh ends which
// began before: it brings nobody back.
func TestLogoutWithoutStorageDuringARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		thief := v.thief()
		pass(2 * time.Hour)
		s.p.set(func() {
			s.p.within = func(_ context.Context, kind, _ string) {
				if kind == "refresh" {
					pass(10 * time.Second)
				}
			}
			s.p.failing = func(kind string) error {
				if kind == "revoke" && len(s.shelf.texts()) > 0 && s.shelf.count("swap") == 1 {
					return errDown
				}
				return nil
			}
		})
		go thief.whoami()
		pass(time.Second)
		s.shelf.failing(errDown, "get", "swap")
		v.in(func(ctx context.Context, session *bearer.Session) {
			if err := session.Logout(ctx); err == nil {
				t.Error("Logout gave no error")
			}
		})
		s.shelf.failing(nil)
		pass(time.Minute)
		thief.wantWho("guest")
		if _, text, _ := s.shelf.only(); text != "null" {
			t.Errorf("the storage has %s, want a tombstone", text)
		}
	})
}

// Records change while they are being removed.
func TestLogoutAgainstOtherWriters(t *testing.T) {
	for _, changes := range []int{3, 1000} {
		t.Run(fmt.Sprint(changes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				n := 0
				key, text, _ := s.shelf.only()
				s.shelf.faults(func(_ context.Context, op, _ string) error {
					if op == "swap" && n < changes {
						n++
						s.shelf.replace(key, fmt.Sprintf("%s%*s", text, n, ""))
					}
					return nil
				}, nil)
				err := v.signOut()
				if few := changes == 3; few != (err == nil) {
					t.Errorf("Logout: %v", err)
				}
				v.wantWho("guest")
			})
		})
	}
}

// A look at the storage that began before the logout, or the sign-in, ends after it.
func TestSlowLookAtTheStorage(t *testing.T) {
	for _, what := range []string{"logout", "sign-in"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				v.in(func(ctx context.Context, session *bearer.Session) {
					s.shelf.faults(nil, func(_ context.Context, op, _ string) error {
						if op == "get" {
							s.shelf.faults(nil, nil)
							pass(2 * time.Second)
						}
						return nil
					})
					var wg sync.WaitGroup
					wg.Go(func() { session.State(ctx) })
					pass(time.Second)
					want := "guest"
					var err error
					if what == "logout" {
						err = session.Logout(ctx)
					} else {
						want = "bob"
						err = session.SetCustomer(ctx, s.p.signIn("bob"))
					}
					if err != nil {
						t.Error(err)
					}
					wg.Wait()
					if owner, err := s.call(ctx, "ada"); err != nil || owner != want {
						t.Errorf("acts as %q, %v, want %s", owner, err, want)
					}
				})
			})
		})
	}
}

// OnLogin sees who the visitor was and is, with the session in its context, and may
// sign the customer out again.
func TestOnLogin(t *testing.T) {
	for _, logout := range []bool{false, true} {
		t.Run(fmt.Sprint("logout ", logout), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s *site
				calls := 0
				s = newSite(t, func(o *bearer.StorefrontOptions) {
					o.OnLogin = func(ctx context.Context, guest, customer *bearer.Authorization) {
						calls++
						if owner, ok := s.p.good(guest.Token.AccessToken); !ok || owner != "" || guest.Owner.ID != "" {
							t.Errorf("the guest is %q, %v", owner, guest)
						}
						if owner, ok := s.p.good(customer.Token.AccessToken); !ok || owner != "ada" || customer.Owner.ID != "ada" {
							t.Errorf("the customer is %q, %v", owner, customer)
						}
						session, ok := bearer.FromContext(ctx)
						if !ok {
							t.Fatal("no session in the context")
						}
						if owner, err := s.call(ctx, "ada"); err != nil || owner != "ada" {
							t.Errorf("acts as %q, %v, want ada", owner, err)
						}
						if logout {
							if err := session.Logout(ctx); err != nil {
								t.Error(err)
							}
						}
					}
				})
				v := s.visitor("ada")
				v.signIn("ada")
				if calls != 1 {
					t.Errorf("%d calls, want 1", calls)
				}
				if logout {
					v.wantWho("guest")
				} else {
					v.wantWho("ada")
				}
			})
		})
	}
}

func TestOnLoginWithoutGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called := false
		s := newSite(t, func(o *bearer.StorefrontOptions) {
			o.OnLogin = func(_ context.Context, guest, customer *bearer.Authorization) {
				called = guest == nil && customer != nil
			}
		})
		s.p.failing = func(string) error { return errDown }
		v := s.visitor("ada")
		v.signIn("ada")
		if v.wantWho("ada"); !called {
			t.Error("OnLogin was not called with a nil guest")
		}
	})
}

// A function of the application that panics leaves the customer signed in, and the
// session usable.
func TestOnLoginPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *bearer.StorefrontOptions) {
			o.OnLogin = func(context.Context, *bearer.Authorization, *bearer.Authorization) { panic("oh") }
		})
		v := s.visitor("ada")
		v.in(func(ctx context.Context, session *bearer.Session) {
			func() {
				defer func() {
					if recover() != "oh" {
						t.Error("the panic did not reach the handler")
					}
				}()
				session.SetCustomer(ctx, s.p.signIn("ada"))
			}()
			if owner, err := s.call(ctx, "ada"); err != nil || owner != "ada" {
				t.Errorf("acts as %q, %v, want ada", owner, err)
			}
		})
		v.wantWho("ada")
		if err := v.signOut(); err != nil {
			t.Error(err)
		}
	})
}

// An Owner that panics, perhaps over what a visitor made up, harms nobody.
func TestOwnerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := false
		p, customers := newProvider(), newShelf()
		s := p.site(t, customers, func(o *bearer.StorefrontOptions) {
			o.Owner = func(t *bearer.Token) (bearer.Owner, error) {
				if bad {
					panic("s3cr3t")
				}
				return p.owner(t)
			}
		}, nil)
		v := p.site(t, customers, nil, nil).visitor("ada")
		v.signIn("ada")
		v = v.at(s) // who has to read the record
		bad = true
		v.wantWho("guest")
		wantEvents[bearer.SessionRefused](t, s.events, 1)
		if err := v.setCustomer(p.signIn("ada")); err == nil || contains(fmt.Sprintf("%v %#v", err, err), "s3cr3t") {
			t.Errorf("SetCustomer: %v, want an error without the value", err)
		}
		bad = false
		v.wantWho("ada")
	})
}

// Of two sign-ins at the same time in one request, one is an error.
func TestSignInTwiceAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		v := s.visitor("ada")
		s.shelf.faults(func(context.Context, string, string) error { pass(time.Second); return nil }, nil)
		v.in(func(ctx context.Context, session *bearer.Session) {
			var wg sync.WaitGroup
			var failed int
			var mu sync.Mutex
			for range 2 {
				wg.Go(func() {
					if session.SetCustomer(ctx, s.p.signIn("ada")) != nil {
						mu.Lock()
						failed++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			if failed != 1 {
				t.Errorf("%d of two failed, want 1", failed)
			}
		})
		v.wantWho("ada")
		if n := len(s.shelf.texts()); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
	})
}

// The record of a customer with a refresh token lasts for 14 days from each write,
// else as long as the token.
func TestRecordLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fortnight = 14 * 24 * time.Hour
		s := newSite(t, nil)
		v := s.visitor("ada")
		v.signIn("ada")
		if _, _, ttl := s.shelf.only(); ttl != fortnight {
			t.Errorf("the record lasts %v, want 14 days", ttl)
		}
		for range 4 { // weeks
			pass(fortnight - time.Hour)
			v.wantWho("ada")
			if _, _, ttl := s.shelf.only(); ttl != fortnight {
				t.Errorf("the refreshed record lasts %v, want 14 days", ttl)
			}
		}
		pass(fortnight)
		v.wantWho("guest")

		tok := s.p.signIn("ada")
		tok.RefreshToken = ""
		pass(20 * time.Minute)
		if err := v.setCustomer(tok); err != nil {
			t.Error(err)
		}
		if _, _, ttl := s.shelf.only(); ttl != 40*time.Minute {
			t.Errorf("the record lasts %v, want 40 minutes, as the token does", ttl)
		}
	})
}

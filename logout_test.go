package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

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
		s.shelf.failing(errDown, "get", "swap", "delete")
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
		if got := fmt.Sprint(s.p.takenBack()); !contains(got, "s3cr3t-refresh-2 s3cr3t-access-2") {
			t.Errorf("revoked %s, want what the refresh brought too", got)
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
				_, _, one, s := twoProcesses(t)
				v := one.visitor("ada")
				v.signIn("ada")
				v = v.at(s) // which does not know her
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

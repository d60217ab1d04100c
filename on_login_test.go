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
	"github.com/bearerkit/bearer/internal/pipe"
)

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
				v.in(func(ctx context.Context, session *bearer.Session) {
					if !logout {
						ctx = context.Background() // nothing says that it must hold the session
					}
					if err := session.SetCustomer(ctx, s.p.signIn("ada")); err != nil {
						t.Error(err)
					}
				})
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

// A sign-in does not wait for guests whose token hangs.
func TestOnLoginGuestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *site
		calls := 0
		s = newSite(t, func(o *bearer.StorefrontOptions) {
			o.OnLogin = func(_ context.Context, guest, customer *bearer.Authorization) {
				if calls++; guest != nil || customer.Owner.ID != "ada" {
					t.Errorf("OnLogin was told %v and %v, want no guest and ada", guest, customer)
				}
			}
		})
		over := make(chan struct{})
		s.p.set(func() {
			s.p.within = func(_ context.Context, kind, _ string) {
				if kind == "guest" {
					<-over
				}
			}
		})
		start := time.Now()
		s.visitor("ada").signIn("ada")
		if took := time.Since(start); took > 2*time.Second || calls != 1 {
			t.Errorf("signing in took %v with %d calls of OnLogin, want 2s at most and 1", took, calls)
		}
		close(over)
	})
}

// The request of a visitor who has gone signs nobody in: its answer reaches nobody.
func TestSignInAfterTheRequestHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		var failed error
		tooLate := make(chan struct{})
		s.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
			defer close(tooLate)
			<-r.Context().Done()
			sess, _ := bearer.FromContext(r.Context())
			failed = sess.SetCustomer(context.WithoutCancel(r.Context()), s.idp.login("ann", true))
		})
		b := tabTo(t, pipe.Serve(t, http.TimeoutHandler(bearer.Middleware(s.front, nil)(s), time.Second, "too slow")))
		b.get("/login/ann")
		b.want("/slow", "too slow")
		<-tooLate
		if failed == nil || !strings.Contains(failed.Error(), "the request has ended") {
			t.Errorf("SetCustomer: %v, want that the request has ended", failed)
		}
		b.want("/token", "access-ann-1")
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

package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/sealed"
)

// porter is a Verifier of customers' tokens that does as it is told.
type porter struct {
	mu      sync.Mutex // guards what follows
	calls   int
	told    []string
	err     error // if there is one, nothing else counts
	refused map[string]bool
	panics  bool
}

func (p *porter) Verify(_ context.Context, token string) (*bearer.Authorization, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	switch {
	case p.err != nil:
		return nil, p.err
	case p.refused[token]:
		return nil, errDown
	}
	a := &bearer.Authorization{Token: &bearer.Token{AccessToken: token}}
	if strings.HasPrefix(token, "access-") {
		a.Owner = bearer.Owner{Type: "Customer", ID: token}
	}
	return a, nil
}

func (p *porter) Refuse(token string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.panics {
		panic("in Refuse")
	}
	p.told = append(p.told, fmt.Sprint(token, " ", d))
	if p.refused == nil {
		p.refused = map[string]bool{}
	}
	p.refused[token] = true
}

func (p *porter) answer(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// wantTold checks what it was told to refuse since it was last asked, in any order.
func (p *porter) wantTold(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait() // some is done in the background
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Sort(p.told); !slices.Equal(p.told, want) {
		t.Errorf("the Verifier was told to refuse %q, want %q", p.told, want)
	}
	p.told = nil
}

// An access token that is taken back gets nobody in any more, whoever brings it.
func TestLogoutBarsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &porter{}
		s := newShop(t, nil, &bearer.MiddlewareOptions{Verifier: p})
		s.HandleFunc("/forget", func(_ http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			if err := sess.Forget(r.Context()); err != nil {
				t.Errorf("Forget: %v", err)
			}
		})
		b, other := s.tab(t), s.tab(t)
		b.get("/login/ann")
		other.want("/state", "customer", "Authorization", "Bearer access-ann-1")
		b.get("/logout")
		p.wantTold(t, "access-ann-1 0s")
		if r := other.get("/state", "Authorization", "Bearer access-ann-1"); r.status != 401 {
			t.Errorf("the token of who has signed out is answered with %d, want 401", r.status)
		}
		b.get("/login/bob")
		b.get("/login/cid") // over bob
		p.wantTold(t, "access-bob-2 0s")
		b.get("/forget") // cid's tokens stay good for whoever has them
		p.wantTold(t)
		b.get("/logout") // nobody
		p.wantTold(t)
	})
}

// It is so if the revocation fails or hangs, or there is none, and if the Verifier is
// that of another Middleware with the storefront.
func TestLogoutBarsTokenWhatever(t *testing.T) {
	tests := []struct {
		name   string
		revoke func(context.Context, string) error
	}{
		{"none", nil},
		{"fails", func(context.Context, string) error { return errDown }},
		{"panics", func(context.Context, string) error { panic("in Revoke") }},
		{"hangs", func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := emptyShop(), &porter{}
				s.front = bearer.NewStorefront(guestToken("shop"), &bearer.StorefrontOptions{Customers: s.shelf, Owner: s.idp.owner, Revoke: tt.revoke})
				opts := &bearer.MiddlewareOptions{Verifier: p}
				for range 2 { // it is told once
					bearer.Middleware(s.front, opts)
				}
				s.open(t, nil)
				b := s.tab(t)
				b.get("/login/ann")
				out := make(chan reply)
				go func() { out <- b.get("/logout") }()
				pass(time.Second)
				p.wantTold(t, "access-ann-1 0s")
				<-out
			})
		})
	}
}

// A Refuse that panics is an error of Logout's, which goes on.
func TestLogoutRefusePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, &bearer.MiddlewareOptions{Verifier: &porter{panics: true}})
		b := s.tab(t)
		b.get("/login/ann")
		if r := b.get("/logout"); r.status != http.StatusBadGateway || strings.Contains(r.body, "in Refuse") {
			t.Errorf("the logout is answered with %d %q, want an error that does not tell the panic's value", r.status, r.body)
		}
		s.idp.wantRevoked(t, "refresh-ann-1", "access-ann-1")
		b.want("/state", "guest")
	})
}

// Who makes up a cookie and signs out has nobody else's token refused, nor fills the
// list with what would be refused anyway.
func TestLogoutOfMadeUpCustomer(t *testing.T) {
	tests := []struct {
		name, token string
		plain       bool
		err         error
		want        []string
	}{
		{"customer", "access-ann", true, nil, []string{"access-ann 0s"}},
		{"guest", "guest-shop", true, nil, nil},
		{"made up", "access-eve", true, errDown, nil},
		{"nobody can tell", "access-ann", true, &bearer.UnavailableError{}, nil},
		{"nobody can tell, but it is ours", "access-ann", false, &bearer.UnavailableError{}, []string{"access-ann 0s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := emptyShop(), &porter{}
				s.front = bearer.NewStorefront(guestToken("shop"), &bearer.StorefrontOptions{Customers: s.shelf})
				s.open(t, &bearer.MiddlewareOptions{Verifier: p, Carrier: plainCarrier{sealed.NewCookie(cookieKeys, nil), tt.plain}})
				s.HandleFunc("/carry", func(w http.ResponseWriter, r *http.Request) {
					s.login(w, r, &bearer.Token{AccessToken: tt.token, Expiry: time.Now().Add(time.Hour)})
				})
				b := s.tab(t)
				b.get("/carry")
				p.answer(tt.err)
				b.get("/logout")
				p.wantTold(t, tt.want...)
			})
		})
	}
}

// Middlewares that come and go are not remembered for ever.
func TestStorefrontDoors(t *testing.T) {
	f := bearer.NewStorefront(nil, nil)
	for range 100 {
		bearer.Middleware(f, &bearer.MiddlewareOptions{Verifier: slicePorter{&porter{}}})
	}
	if n := bearer.Doors(f); n > 16 {
		t.Errorf("%d Verifiers are remembered, want at most 16", n)
	}
}

// slicePorter cannot be compared.
type slicePorter []*porter

func (p slicePorter) Verify(ctx context.Context, token string) (*bearer.Authorization, error) {
	return p[0].Verify(ctx, token)
}
func (p slicePorter) Refuse(token string, d time.Duration) { p[0].Refuse(token, d) }

// A long request learns within a second that its token is refused by now, and asks no
// more often than that. An answer that says nothing about the token changes nothing.
func TestInboundLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &porter{}
		s := newShop(t, nil, &bearer.MiddlewareOptions{Verifier: p})
		s.HandleFunc("/long", func(_ http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			want := func(when string, want bearer.State, calls int) {
				t.Helper()
				for range 10 {
					state, err := sess.State(r.Context())
					if state != want || err != nil {
						t.Errorf("%s: the state is %v, %v, want %v", when, state, err, want)
					}
					_, authorization := sess.Authorization(r.Context())
					_, token := s.front.TokenContext(r.Context())
					_, only := s.front.CustomerOnly().TokenContext(r.Context())
					for _, err := range []error{authorization, token, only} {
						if errors.Is(err, bearer.ErrCustomerExpired) != (want == bearer.StateExpired) || err != nil && want != bearer.StateExpired {
							t.Errorf("%s: the error is %v, want a %v", when, err, want)
						}
					}
				}
				p.mu.Lock()
				defer p.mu.Unlock()
				if p.calls != calls {
					t.Errorf("%s: the Verifier was asked %d times, want %d", when, p.calls, calls)
				}
			}
			want("at once", bearer.StateCustomer, 1)
			pass(999 * time.Millisecond)
			want("just before a second", bearer.StateCustomer, 1)
			pass(time.Millisecond)
			want("after a second", bearer.StateCustomer, 2)
			pass(time.Hour)
			want("after an hour", bearer.StateCustomer, 3)
			pass(time.Second)
			p.answer(&bearer.UnavailableError{})
			want("while nobody can tell", bearer.StateCustomer, 4)
			pass(time.Second)
			p.answer(errDown)
			ended, cancel := context.WithCancel(r.Context())
			cancel()
			if state, err := sess.State(ended); state != bearer.StateCustomer || err != nil {
				t.Errorf("with a context that has ended the state is %v, %v, want a customer's", state, err)
			}
			p.answer(nil)
			pass(time.Second)
			want("when it is over", bearer.StateCustomer, 6)
			p.Refuse("access-ann", 0)
			want("at once after Refuse", bearer.StateCustomer, 6)
			pass(time.Second)
			want("a second after Refuse", bearer.StateExpired, 7)
			pass(time.Hour)
			want("an hour after Refuse", bearer.StateExpired, 7)
			if a, ok := sess.Inbound(); !ok || a.Token.AccessToken != "access-ann" {
				t.Errorf("Inbound = %v, %v, want what the request has brought", a, ok)
			}
		})
		s.tab(t).get("/long", "Authorization", "Bearer access-ann")
	})
}

package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

func TestMiddlewarePanicsAtConstruction(t *testing.T) {
	guests := func(name string) *bearer.Storefront {
		return bearer.NewStorefront(guestToken(name), &bearer.StorefrontOptions{Name: name})
	}
	customers := func(name string) *bearer.Storefront {
		return bearer.NewStorefront(guestToken(name), &bearer.StorefrontOptions{Name: name, Customers: newShelf()})
	}
	shelf := newShelf()
	in := func(name, key, guestKey string, storage bearer.CompareAndSwapper) *bearer.Storefront {
		return bearer.NewStorefront(guestToken(name), &bearer.StorefrontOptions{Name: name, Customers: storage, Key: key, Guests: storage, GuestKey: guestKey})
	}
	and := func(other *bearer.Storefront) *bearer.MiddlewareOptions {
		return &bearer.MiddlewareOptions{Storefronts: []*bearer.Storefront{other}}
	}
	id := func(*http.Request) string { return "" }
	tests := []struct {
		name  string
		front *bearer.Storefront
		opts  *bearer.MiddlewareOptions
		want  string // "": it does not
	}{
		{"guests alone", guests("a"), nil, ""},
		{"guests and a Verifier", guests("a"), &bearer.MiddlewareOptions{Verifier: &checker{}}, ""},
		{"two markets", customers("a"), &bearer.MiddlewareOptions{Storefronts: []*bearer.Storefront{customers("b")}}, ""},
		{"nobody", bearer.NewStorefront(nil, nil), nil, "MiddlewareOptions.Verifier"},
		{"nobody, with a realm", bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Realm: "shop"}, "MiddlewareOptions.Verifier"},
		{"customers alone", bearer.NewStorefront(nil, &bearer.StorefrontOptions{Customers: newShelf()}), nil, ""},
		{"a Verifier alone", bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Verifier: &checker{}}, ""},
		{"no storefront", nil, nil, "NewStorefront"},
		{"no second storefront", customers("a"), &bearer.MiddlewareOptions{Storefronts: []*bearer.Storefront{nil}}, "NewStorefront"},
		{"carrier without a storage", guests("a"), carrying(), "memstore.New(nil)"},
		{"session id without a storage", guests("a"), &bearer.MiddlewareOptions{SessionID: id}, "memstore.New(nil)"},
		{"market without a storage", customers("a"), &bearer.MiddlewareOptions{Storefronts: []*bearer.Storefront{guests("b")}}, "memstore.New(nil)"},
		{"two markets in one storage", in("a", "a", "guest-a", shelf), and(in("b", "b", "guest-b", shelf)), ""},
		{"the same key", in("a", "a", "guest-a", shelf), and(in("b", "a", "guest-b", shelf)), "StorefrontOptions.Key"},
		{"the same key in another storage", in("a", "a", "guest-a", shelf), and(in("b", "a", "guest-b", newShelf())), ""},
		{"the same key in one that cannot be compared", in("a", "a", "guest-a", incomparable{shelf, nil}), and(in("b", "a", "guest-b", incomparable{shelf, nil})), "StorefrontOptions.Key"},
		{"the same key in the browser", in("a", "a", "guest-a", shelf), &bearer.MiddlewareOptions{Carrier: carrying().Carrier, Storefronts: []*bearer.Storefront{in("b", "a", "guest-b", newShelf())}}, "StorefrontOptions.Key"},
		{"the same guests", in("a", "a", "guest-a", shelf), and(in("b", "b", "guest-a", shelf)), "StorefrontOptions.GuestKey"},
		{"the same guests in another storage", in("a", "a", "guest-a", shelf), and(in("b", "b", "guest-a", newShelf())), ""},
		{"the same storefront", in("a", "a", "guest-a", shelf), and(in("a", "a", "guest-a", shelf)), "StorefrontOptions.Key"},
		{"carrier and session id", customers("a"), &bearer.MiddlewareOptions{Carrier: carrying().Carrier, SessionID: id}, "leave one of them out"},
		{"cookie with a space", customers("a"), &bearer.MiddlewareOptions{Cookie: "my session"}, "letters"},
		{"cookie with a prefix", customers("a"), &bearer.MiddlewareOptions{Cookie: "__Host-session"}, "leave it out"},
		{"cookie with another prefix", customers("a"), &bearer.MiddlewareOptions{Cookie: "__secure-session", InsecureCookie: true}, "leave it out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				if tt.want == "" && text != "" || !strings.Contains(text, tt.want) || tt.want != "" && !strings.HasPrefix(text, "bearer: ") {
					t.Errorf("panic with %q, want %q in it", text, tt.want)
				}
			}()
			bearer.Middleware(tt.front, tt.opts)
		})
	}
}

// incomparable is a storage that is no pointer.
type incomparable struct {
	*shelf
	_ []int
}

// What a request does not need is not done.
func TestMiddlewareIsLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guests := 0
		customers := newShelf()
		f := bearer.NewStorefront(func(ctx context.Context) (*bearer.Token, error) {
			guests++
			return guestToken("shop")(ctx)
		}, &bearer.StorefrontOptions{Customers: customers, Refresh: (&idp{}).renew})
		b := tabTo(t, pipe.Serve(t, bearer.Middleware(f, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s, ok := bearer.FromContext(r.Context()); !ok || s.Storefront() != f {
				t.Errorf("FromContext = %v, %v, want the session", s, ok)
			}
			io.WriteString(w, "plain")
		}))))
		b.want("/", "plain", "Cookie", idCookie+"="+strings.Repeat("A", 43)+".20000").wantCache(t, "")
		if got := customers.count("get") + customers.count("swap") + guests; got != 0 {
			t.Errorf("%d uses of the storage and token requests, want none", got)
		}
	})
}

// Without the middleware there are guests, and no panic.
func TestFromContextWithoutMiddleware(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newShop(t, nil, nil).front
		for _, ctx := range []context.Context{t.Context(), bearer.NewContext(t.Context(), nil)} {
			if s, ok := bearer.FromContext(ctx); s != nil || ok {
				t.Errorf("FromContext = %v, %v, want none", s, ok)
			}
			tok, err := f.TokenContext(ctx)
			if err != nil || tok.AccessToken != "guest-shop" {
				t.Errorf("TokenContext = %v, %v, want the guests'", tok, err)
			}
			if _, err := f.CustomerOnly().TokenContext(ctx); !errors.Is(err, bearer.ErrNoCustomer) {
				t.Errorf("CustomerOnly: %v, want ErrNoCustomer", err)
			}
		}
	})
}

// The session is in whatever is derived from the request's context, and one for
// all of the request.
func TestFromContextDerived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.HandleFunc("/derived", func(w http.ResponseWriter, r *http.Request) {
			type key struct{}
			first, _ := bearer.FromContext(r.Context())
			ctx, cancel := context.WithCancel(context.WithValue(r.Context(), key{}, 1))
			defer cancel()
			for _, ctx := range []context.Context{ctx, context.WithoutCancel(ctx)} {
				if got, ok := bearer.FromContext(ctx); got != first || !ok {
					t.Errorf("FromContext = %v, %v, want the request's session", got, ok)
				}
			}
			if r.Context().Value(http.ServerContextKey) == nil || r.Context().Value(key{}) != nil {
				t.Error("other values of the context are not what they were")
			}
			io.WriteString(w, "done")
		})
		s.tab(t).want("/derived", "done")
	})
}

// One request may ask for its session from many goroutines, the first time too.
func TestSessionConcurrently(t *testing.T) {
	for name, opts := range map[string]*bearer.MiddlewareOptions{"default": nil, "carrier": carrying()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShop(t, nil, opts)
				s.HandleFunc("/many", func(w http.ResponseWriter, r *http.Request) {
					var wg sync.WaitGroup
					sessions := make([]*bearer.Session, 20)
					for i := range sessions {
						wg.Go(func() {
							sessions[i], _ = bearer.FromContext(r.Context())
							if tok, err := s.front.TokenContext(r.Context()); err != nil || tok.AccessToken != "access-ann-1" {
								t.Errorf("TokenContext = %v, %v, want the customer's", tok, err)
							}
							if state, err := sessions[i].State(r.Context()); state != bearer.StateCustomer || err != nil {
								t.Errorf("State = %v, %v, want customer", state, err)
							}
							if i == 0 {
								io.WriteString(w, "done") // which looks at the session too
							}
						})
					}
					wg.Wait()
					for _, other := range sessions {
						if other != sessions[0] {
							t.Error("the request has several sessions, want one")
						}
					}
				})
				b := s.tab(t)
				b.get("/login/ann")
				b.want("/many", "done")
			})
		})
	}
}

// A session that nobody asked for before the header was out cannot set a cookie.
func TestSessionFirstAskedForAfterTheHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			sess, _ := bearer.FromContext(r.Context())
			fmt.Fprint(w, sess.SetCustomer(r.Context(), s.idp.login("ann", true)) != nil)
		})
		b := s.tab(t)
		b.want("/late", "true").wantNoCookie(t)
		if got := s.stored(); got != "map[]" {
			t.Errorf("the storage has %s, want nothing", got)
		}
	})
}

// http.ErrAbortHandler and other panics go on to whom they are for.
func TestMiddlewareLetsPanicsPass(t *testing.T) {
	s := emptyShop()
	h := bearer.Middleware(s.storefront("shop", nil), nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panic with %v, want http.ErrAbortHandler", p)
		}
	}()
	h.ServeHTTP(&recorded{header: http.Header{}}, requestOnServer())
}

package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// shops are a fleet of processes that serve one customer.
type shops struct {
	t     *testing.T
	p     *provider
	store *memstore.Store
	taps  []*tap
	ask   []func() (string, error) // each process for the customer's access token

	mu    sync.Mutex // guards what follows
	spent map[string]int
}

func newWorld(t *testing.T) *shops {
	w := &shops{t: t, p: newProvider(), store: memstore.New(nil), spent: map[string]int{}}
	w.taps = taps(3, w.store)
	w.p.within = func(_ context.Context, kind, token string) {
		if kind == "refresh" {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.spent[token]++
		}
	}
	w.p.took = 100 * time.Millisecond
	return w
}

// worlds are the ways of using a storage that have a refresh token to lose.
var worlds = []struct {
	name string
	make func(*testing.T) *shops
}{
	{"sources", worldOfSources},
	{"customers", func(t *testing.T) *shops { return worldOfCustomers(t, nil) }},
	{"carried customers", func(t *testing.T) *shops { return worldOfCustomers(t, carrying()) }},
}

func worldOfSources(t *testing.T) *shops {
	w := newWorld(t)
	first := w.p.signIn("ada")
	for i := range w.taps {
		src := bearer.NewSource(func(context.Context) (*bearer.Token, error) { return nil, errSignIn }, &bearer.SourceOptions{
			Name: fmt.Sprint("process ", i), Storage: w.taps[i], Key: "token", Refresh: w.p.spend, Initial: first,
		})
		w.ask = append(w.ask, func() (string, error) { return access(t, src) })
	}
	return w
}

func worldOfCustomers(t *testing.T, opts *bearer.MiddlewareOptions) *shops {
	w := newWorld(t)
	b := &pane{cookies: map[string]string{}}
	for i := range w.taps {
		front := bearer.NewStorefront(w.p.guest, &bearer.StorefrontOptions{
			Name: "shop", Customers: w.taps[i], Owner: w.p.owner, Refresh: w.p.spend, Revoke: w.p.revoke,
		})
		page := bearer.Middleware(front, opts)
		if i == 0 {
			b.visit(t, page, func(ctx context.Context, s *bearer.Session) {
				if err := s.SetCustomer(ctx, w.p.signIn("ada")); err != nil {
					t.Error(err)
				}
			})
		}
		b.visit(t, page, func(ctx context.Context, s *bearer.Session) { // knows her from now on, whatever is collected
			if _, err := s.Customer(ctx); err != nil {
				t.Error(err)
			}
			t.Cleanup(func() { _ = s.String() })
		})
		w.ask = append(w.ask, func() (token string, err error) {
			b.visit(t, page, func(ctx context.Context, s *bearer.Session) {
				var a *bearer.Authorization
				if a, err = s.Customer(ctx); err == nil {
					token = a.Token.AccessToken
				}
			})
			return token, err
		})
	}
	return w
}

// pane is a browser, without a network.
type pane struct {
	mu      sync.Mutex // guards cookies
	cookies map[string]string
}

func (b *pane) visit(t *testing.T, middleware func(http.Handler) http.Handler, page func(context.Context, *bearer.Session)) {
	r := httptest.NewRequestWithContext(t.Context(), "GET", "https://shop.test/", nil)
	b.mu.Lock()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	b.mu.Unlock()
	rec := httptest.NewRecorder()
	middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := bearer.FromContext(r.Context())
		page(r.Context(), s)
	})).ServeHTTP(rec, r)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range rec.Result().Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
}

// want asks process i, and checks the answer.
func (w *shops) want(i int, when string) {
	start := time.Now()
	token, err := w.ask[i]()
	if err != nil {
		w.t.Errorf("%s, process %d: %v", when, i, err)
		return
	}
	if owner, ok := w.p.good(token); !ok || owner != "ada" {
		w.t.Errorf("%s, process %d: %s is not good", when, i, token)
	}
	if took := time.Since(start); took > 25*time.Second {
		w.t.Errorf("%s, process %d waited %v", when, i, took)
	}
}

func (w *shops) wantAtOnce(when string) {
	var wg sync.WaitGroup
	for i := range w.ask {
		wg.Go(func() { w.want(i, when) })
	}
	wg.Wait()
}

// day is one in which tokens age while they are used, and expire while they are not.
func (w *shops) day() {
	start := time.Now()
	pass(50 * time.Minute)
	for range 10 {
		for i := range w.ask {
			w.want(i, "in use")
		}
		pass(time.Minute)
	}
	for n := range 2 {
		pass(2 * time.Hour)
		w.wantAtOnce(fmt.Sprint("after a break, ", n))
		pass(10 * time.Second)
		w.wantAtOnce(fmt.Sprint("10 seconds later, ", n))
	}
	for time.Since(start) < 24*time.Hour {
		pass(4 * time.Hour)
		w.wantAtOnce(fmt.Sprint("after ", time.Since(start)))
	}
	pass(time.Minute) // in which all ends
}

// wantOnce checks that no refresh token was spent twice.
func (w *shops) wantOnce() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for token, n := range w.spent {
		if n != 1 {
			w.t.Errorf("%s was spent %d times", token, n)
		}
	}
	if n := len(w.spent); n < 7 || n > 10 {
		w.t.Errorf("%d refreshes, want one every time that a token was needed", n)
	}
}

// What may happen to an operation on a storage.
var faults = []struct {
	name string
	act  func(ctx context.Context, do action) (any, error)
}{
	{"fails", func(context.Context, action) (any, error) { return nil, errDown }},
	{"seems to fail", func(ctx context.Context, do action) (any, error) {
		do(ctx)
		return nil, errDown
	}},
	{"hangs", func(ctx context.Context, _ action) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}},
	{"is done after ten seconds", func(ctx context.Context, do action) (any, error) {
		go func() {
			pass(10 * time.Second)
			do(context.WithoutCancel(ctx))
		}()
		<-ctx.Done()
		return nil, ctx.Err()
	}},
	{"is answered after four seconds", func(ctx context.Context, do action) (any, error) {
		v, err := do(ctx)
		select {
		case <-time.After(4 * time.Second):
			return v, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}},
}

// Whichever operation on the storage fails, and however: no caller notices, no
// refresh token is spent twice, and the customer stays signed in. The first six hours'
// are tried, which have all that a day has.
func TestAnyOperationFails(t *testing.T) {
	for _, world := range worlds {
		for _, fault := range faults {
			t.Run(world.name+"/"+fault.name, func(t *testing.T) {
				n := 0
				for reached := true; reached && !t.Failed(); {
					reached = false
					n++
					synctest.Test(t, func(t *testing.T) {
						w := world.make(t)
						var mu sync.Mutex // guards reached and what
						var what op
						first, end := int(w.taps[0].all.Load()), time.Now().Add(6*time.Hour)
						for _, tap := range w.taps {
							tap.use(func(ctx context.Context, o op, do action) (any, error) {
								if o.n != first+n || time.Now().After(end) {
									return do(ctx)
								}
								mu.Lock()
								reached, what = true, o
								mu.Unlock()
								return fault.act(ctx, do)
							})
						}
						w.day()
						w.wantOnce()
						if t.Failed() {
							t.Logf("it was operation %d that %s: %s of %s", n, fault.name, what.kind, what.key)
						}
					})
				}
				if n < 50 {
					t.Errorf("%d operations were tried, want some more", n)
				}
			})
		}
	}
}

package bearer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
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
	dead  []chan struct{}          // closed when the process is
	most  time.Duration            // for how long a caller may wait

	mayFail func() bool // whether a caller may get an error now; nil: never

	mu     sync.Mutex // guards what follows
	spent  map[string]int
	unkept []bool        // each process has spent a token for one that the storage has not got
	asked  [][]time.Time // when each has answered
}

func newWorld(t *testing.T) *shops {
	w := &shops{t: t, most: 25 * time.Second, p: newProvider(), store: memstore.New(nil), spent: map[string]int{}, unkept: make([]bool, 3), asked: make([][]time.Time, 3)}
	w.taps = taps(3, w.store)
	for i, tap := range w.taps {
		w.dead = append(w.dead, make(chan struct{}))
		tap.use(func(ctx context.Context, o op, do action) (any, error) {
			v, err := do(ctx)
			if o.kind == "swap" && !strings.HasSuffix(o.key, "-spending") && err == nil && v.(bool) {
				w.set(func() { w.unkept[i] = false })
			}
			return v, err
		})
	}
	w.p.within = func(_ context.Context, kind, token string) {
		if kind == "refresh" {
			w.set(func() { w.spent[token]++ })
		}
	}
	w.p.took = 100 * time.Millisecond
	return w
}

func (w *shops) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// spend is process i's way to spend a refresh token.
func (w *shops) spend(i int) func(context.Context, *bearer.Token) (*bearer.Token, error) {
	return func(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
		w.set(func() { w.unkept[i] = true })
		return w.p.spend(ctx, old)
	}
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
			Name: fmt.Sprint("process ", i), Storage: w.taps[i], Key: "token", Refresh: w.spend(i), Initial: first,
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
			Name: "shop", Customers: w.taps[i], Owner: w.p.owner, Refresh: w.spend(i), Revoke: w.p.revoke,
		})
		page := bearer.Middleware(front, opts)
		if i == 0 {
			b.signIn(t, w.p, page)
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

// want asks process i, unless it is dead, and checks the answer.
func (w *shops) want(i int, when string) {
	start := time.Now()
	token, err, alive := w.get(i)
	if !alive {
		return
	}
	if took := time.Since(start); took > w.most {
		w.t.Errorf("%s, process %d waited %v", when, i, took)
	}
	if err != nil {
		if w.mayFail == nil || !w.mayFail() {
			w.t.Errorf("%s, process %d: %v", when, i, err)
		}
		return
	}
	if owner, ok := w.p.good(token); !ok || owner != "ada" {
		w.t.Errorf("%s, process %d: %s is not good", when, i, token)
	}
}

func (w *shops) get(i int) (token string, err error, alive bool) {
	select {
	case <-w.dead[i]:
		return "", nil, false
	default:
	}
	type answer struct {
		token string
		err   error
	}
	answers := make(chan answer, 1) // for one that nobody waits for any more
	go func() {
		token, err := w.ask[i]()
		answers <- answer{token, err}
	}()
	select {
	case <-w.dead[i]:
		return "", nil, false
	case a := <-answers:
		w.set(func() { w.asked[i] = append(w.asked[i], time.Now()) })
		return a.token, a.err, true
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
	pass(54 * time.Minute)
	for range 4 {
		for i := range w.ask {
			w.want(i, "in use")
		}
		pass(time.Minute)
	}
	pass(2 * time.Hour)
	w.wantAtOnce("after a break")
	for range 3 {
		pass(10 * time.Second)
		w.wantAtOnce("seconds later")
	}
	for range 3 {
		pass(7 * time.Hour)
		w.wantAtOnce("hours later")
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
	if n := len(w.spent); n < 5 || n > 8 {
		w.t.Errorf("%d refreshes, want one every time that a token was needed", n)
	}
}

// stride is how far the next operation to try is from the last one. Each run tries about
// a third of them, which is a third of the time; in a few runs none is left out.
func stride() int { return 1 + rand.N(5) }

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
// refresh token is spent twice, and the customer stays signed in. Those of the first four
// hours are tried, which have all that a day has.
func TestAnyOperationFails(t *testing.T) {
	for _, world := range worlds {
		for _, fault := range faults {
			t.Run(world.name+"/"+fault.name, func(t *testing.T) {
				n := 0
				for reached := true; reached && !t.Failed(); {
					reached = false
					n += stride()
					synctest.Test(t, func(t *testing.T) {
						w := world.make(t)
						var mu sync.Mutex // guards reached and what
						var what op
						first, end := int(w.taps[0].all.Load()), time.Now().Add(4*time.Hour)
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
				if n < 30 {
					t.Errorf("%d operations were tried, want some more", n)
				}
			})
		}
	}
}

package bearer_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// outage is what happens to a fleet from one operation on a storage on.
type outage struct {
	name  string
	all   bool          // to all processes, else to the one whose operation it is
	d     time.Duration // for how long; 0: for ever
	first hindrance     // of that operation
	then  hindrance     // of the others
}

// hindrance is what becomes of an operation, until over is closed.
type hindrance func(ctx context.Context, over <-chan struct{}, do action) (any, error)

func fails(context.Context, <-chan struct{}, action) (any, error) { return nil, errDown }

func failsAfter(ctx context.Context, _ <-chan struct{}, do action) (any, error) {
	do(ctx)
	return nil, errDown
}

func hangs(ctx context.Context, _ <-chan struct{}, _ action) (any, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func stops(ctx context.Context, over <-chan struct{}, do action) (any, error) {
	<-over
	return do(ctx)
}

func stopsAfter(ctx context.Context, over <-chan struct{}, do action) (any, error) {
	v, err := do(ctx)
	<-over
	return v, err
}

func dies(_ context.Context, over <-chan struct{}, _ action) (any, error) {
	<-over
	return nil, errDown
}

func diesAfter(ctx context.Context, over <-chan struct{}, do action) (any, error) {
	do(ctx)
	<-over
	return nil, errDown
}

// ongoing is an outage that has begun, or is going to.
type ongoing struct {
	*shops
	over chan struct{}

	mu    sync.Mutex // guards what follows
	began time.Time  // zero: not yet
	by    int        // the process that it began with
	what  op
}

// begin has the outage begin with the n-th operation from now on, if that comes
// within the next four hours.
func (out outage) begin(w *shops, n int) *ongoing {
	o := &ongoing{shops: w, over: make(chan struct{})}
	n += int(w.taps[0].all.Load())
	end := time.Now().Add(4 * time.Hour)
	for i, tap := range w.taps {
		tap.use(func(ctx context.Context, which op, do action) (any, error) {
			o.mu.Lock()
			begins := which.n == n && time.Now().Before(end)
			if begins {
				o.by, o.what, o.began = i, which, time.Now()
			}
			on := !o.began.IsZero() && (out.d == 0 || time.Since(o.began) < out.d) && (out.all || o.by == i)
			o.mu.Unlock()
			switch {
			case begins && out.d > 0:
				time.AfterFunc(out.d, func() { close(o.over) })
				return out.first(ctx, o.over, do)
			case begins:
				close(w.dead[i])
				return out.first(ctx, o.over, do)
			case on:
				return out.then(ctx, o.over, do)
			}
			return do(ctx)
		})
	}
	return o
}

// each calls run with an outage at one operation after another, see stride.
func (out outage) each(t *testing.T, world func(*testing.T) *shops, run func(o *ongoing)) {
	n := 0
	for reached := true; reached && !t.Failed(); {
		n += stride()
		synctest.Test(t, func(t *testing.T) {
			o := out.begin(world(t), n)
			run(o)
			if out.d == 0 {
				close(o.over)
				pass(time.Minute)
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			reached = !o.began.IsZero()
			if t.Failed() {
				t.Logf("it began with operation %d, %s of %s by process %d", n, o.what.kind, o.what.key, o.by)
			}
		})
	}
	if n < 30 {
		t.Errorf("%d operations were tried, want some more", n)
	}
}

// Outages that are shorter than what a storage gets to come back, and processes that
// stand still for less than a lease and the wait for their result, are noticed by
// nobody.
func TestShortOutages(t *testing.T) {
	for _, out := range []outage{
		{"storage is down for all", true, 700 * time.Millisecond, fails, fails},
		{"storage is down for one", false, 700 * time.Millisecond, failsAfter, fails},
		{"process stands still", false, 4 * time.Second, stops, stops},
		{"process stands still after an operation", false, 4 * time.Second, stopsAfter, stops},
	} {
		for _, world := range worlds {
			t.Run(world.name+"/"+out.name, func(t *testing.T) {
				out.each(t, world.make, func(o *ongoing) {
					o.day()
					o.wantOnce()
				})
			})
		}
	}
}

// After longer ones the customer is still signed in, with a service that only refuses
// a spent refresh token.
func TestLongOutages(t *testing.T) {
	for _, out := range []outage{
		{"storage is down for all", true, 30 * time.Second, fails, fails},
		{"storage is down for one", false, 30 * time.Second, failsAfter, fails},
		{"storage hangs for all", true, 30 * time.Second, hangs, hangs},
		{"process stands still", false, 30 * time.Second, stops, stops},
		{"process stands still after an operation", false, 30 * time.Second, stopsAfter, stops},
	} {
		for _, world := range worlds {
			t.Run(world.name+"/"+out.name, func(t *testing.T) {
				out.each(t, world.make, func(o *ongoing) {
					o.p.lenient, o.most = true, out.d+10*time.Second
					o.mayFail = func() bool {
						o.mu.Lock()
						defer o.mu.Unlock()
						// Until each process has been asked twice again, and had time to
						// write what it had got.
						o.shops.mu.Lock()
						defer o.shops.mu.Unlock()
						end, soon := o.began.Add(out.d), time.Now().Add(-5*time.Second)
						return !o.began.IsZero() && slices.ContainsFunc(o.asked, func(at []time.Time) bool {
							n := len(at)
							return n < 2 || at[n-2].Before(end) || at[n-2].After(soon)
						})
					}
					o.day()
				})
			})
		}
	}
}

// A process that dies keeps the others for no longer than 5 seconds, and takes the
// session along only if it had spent the token for one that it could not write.
func TestDeaths(t *testing.T) {
	for _, out := range []outage{
		{"before", false, 0, dies, dies},
		{"after", false, 0, diesAfter, dies},
	} {
		for _, world := range worlds {
			t.Run(world.name+"/"+out.name, func(t *testing.T) {
				out.each(t, world.make, func(o *ongoing) {
					o.p.took, o.most = 1500*time.Millisecond, 5*time.Second+2*1500*time.Millisecond
					o.mayFail = func() bool {
						o.mu.Lock()
						defer o.mu.Unlock()
						lost := false
						o.set(func() { lost = !o.began.IsZero() && o.unkept[o.by] })
						return lost
					}
					o.day()
					for token, n := range o.spent {
						if n > 2 {
							t.Errorf("%s was spent %d times, want twice at most", token, n)
						}
					}
				})
			})
		}
	}
}

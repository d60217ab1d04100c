package bearer

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxUnsaved bounds the customers whose tokens wait for the storage.
const maxUnsaved = 1 << 16

// unsaved are a storefront's customers whose homes have failed to take what their
// refresh tokens have brought, whether somebody uses them or not. Nobody else has
// those tokens, and a customer's next request may go to another process: each use of
// the storefront has all of them written again.
type unsaved struct {
	some atomic.Bool // there are any, for those in a hurry

	mu    sync.Mutex // guards what follows
	all   map[*customer]struct{}
	max   int
	busy  bool      // somebody goes through them
	dueAt time.Time // nobody does so again before
}

var errTooManyUnsaved = &safeError{"too many customers' tokens wait for the storage: this one may be lost, and its customer have to sign in again", nil}

// add notes c. It reports whether another one has made way for it, who may be lost.
func (u *unsaved) add(c *customer) (lost bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all[c] = struct{}{}
	u.some.Store(true)
	for other := range u.all { // any
		if len(u.all) <= u.max {
			break
		}
		if other != c {
			delete(u.all, other)
			lost = true
		}
	}
	return lost
}

// begin returns all of them to who is to write them, none if it is not the time.
func (u *unsaved) begin(now time.Time) []*customer {
	if !u.some.Load() {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.busy || now.Before(u.dueAt) {
		return nil
	}
	u.busy, u.dueAt = true, now.Add(saveInterval)
	return slices.Collect(maps.Keys(u.all))
}

// end says that they have been gone through.
func (u *unsaved) end() {
	u.mu.Lock()
	u.busy = false
	u.mu.Unlock()
	u.tidy(time.Now())
}

// tidy lets go of those whose homes have got what they lacked, or are not to get it.
func (u *unsaved) tidy(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.all, func(c *customer, _ struct{}) bool { return !c.unsaved(now) })
	u.some.Store(len(u.all) > 0)
}

// saveAll writes the unsaved in the background, one after the other, at most once a
// second. It gives up at the first failure, to begin with any other the next time.
func (f *Storefront) saveAll(ctx context.Context) {
	all := f.unsaved.begin(time.Now())
	if all == nil {
		return
	}
	ctx = detached(ctx)
	go func() {
		defer f.unsaved.end()
		for _, c := range all {
			if c.maySave(time.Now()) && c.save(ctx) != nil {
				return
			}
		}
	}()
}

// remember keeps c in memory for as long as its home lacks its record.
func (f *Storefront) remember(ctx context.Context, c *customer) {
	if f.unsaved.add(c) {
		f.opts.Observer(ctx, SaveFailed{Source: f.opts.Name + " customer", Err: errTooManyUnsaved})
	}
}

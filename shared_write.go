package bearer

import (
	"bytes"
	"context"
	"slices"
	"time"
)

// pending is a record that is to be written.
type pending struct {
	record
	end       time.Time // of its use
	refreshed bool      // it is the result of a refresh, and no new beginning
}

// write puts a token into the storage: one that a refresh has brought, or a new one.
func (sh *shared) write(ctx context.Context, t *Token, refreshed bool, now time.Time) error {
	life := refreshLife
	switch {
	case t.RefreshToken != "":
	case t.Expiry.IsZero():
		return nil // nobody could tell whether it is still good
	default:
		life = max(t.Expiry.Sub(now), time.Second)
	}
	r, err := encodeRecord(new(*t), "", now)
	if err != nil {
		return err
	}
	sh.mu.Lock()
	sh.pending = &pending{r, now.Add(life), refreshed}
	sh.mu.Unlock()
	return sh.catchUp(ctx)
}

// catchUp writes what is to be written, if anything is. It does not replace what
// another process has written meanwhile: that is the later.
func (sh *shared) catchUp(ctx context.Context) error {
	sh.mu.Lock()
	p, old := sh.pending, sh.kept
	if p != nil {
		sh.tried = alsoTried(sh.tried, p.raw)
	}
	sh.mu.Unlock()
	if p == nil {
		return nil
	}
	life := time.Until(p.end)
	if life <= 0 {
		sh.settle(p, old)
		return nil
	}
	storage, ok := sh.storage.(CompareAndSwapper)
	if !ok {
		err := set(ctx, sh.storage, sh.key, p.raw, life)
		if err == nil {
			sh.settle(p, p.raw)
		}
		return err
	}
	home := stored{storage, sh.key}
	for range 4 {
		ok, err := home.swap(ctx, old, p.raw, life)
		if err != nil {
			return sh.overwrite(ctx, p, life, err)
		}
		if ok {
			sh.settle(p, p.raw)
			return nil
		}
		if old, err = home.load(Uncached(ctx)); err != nil {
			return err
		}
		yields, err := sh.yields(ctx, old, p)
		if err != nil {
			return err
		}
		if !yields {
			sh.settle(p, old)
			return nil
		}
	}
	return errTooLate
}

// overwrite puts p in the place of what can be neither swapped nor read, though the
// storage takes writes: something of another type. It might be a refresh token that
// this process lacks the key for, so only a token that was no refresh's takes its place.
func (sh *shared) overwrite(ctx context.Context, p *pending, life time.Duration, failed error) error {
	if p.refreshed || p.token.RefreshToken != "" {
		return failed
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := load(Uncached(ctx), sh.storage, sh.key); err == nil {
		return failed
	}
	if err := set(ctx, sh.storage, sh.key, p.raw, life); err != nil {
		return err
	}
	sh.settle(p, p.raw)
	return nil
}

// settle notes that p need not be written any more, and what the storage holds.
func (sh *shared) settle(p *pending, holds []byte) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.pending == p {
		sh.pending, sh.tried, sh.kept, sh.met = nil, nil, holds, true
	}
}

// drop gives up what is to be written, and returns what the storage may hold that was
// this source's.
func (sh *shared) drop() (own [][]byte) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	own = append(sh.tried, sh.kept)
	sh.pending, sh.tried = nil, nil
	return own
}

// yields reports whether what the storage holds makes way for p.
func (sh *shared) yields(ctx context.Context, raw []byte, p *pending) (bool, error) {
	r := sh.decode(raw)
	switch {
	case !p.refreshed:
		return p.token.RefreshToken != "" || !r.serves(nil), nil
	case sh.knows(raw, p):
		return true, nil
	case r.state == StateExpired: // since what p was got with was refused, or p itself
		itself, err := refused(ctx, sh.storage, sh.key, p.token.RefreshToken)
		return !itself, err
	}
	return r.state != StateCustomer && !isTombstone(raw), nil
}

// knows reports whether raw is what the storage has held before, or no later than
// p, which it has failed to take.
func (sh *shared) knows(raw []byte, p *pending) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.pending == p && (bytes.Equal(raw, sh.kept) || contains(sh.tried, raw))
}

// maxTried bounds how many records in a row are remembered that could not be written.
const maxTried = 64

// alsoTried adds a record to those that were tried to be written.
func alsoTried(tried [][]byte, raw []byte) [][]byte {
	if contains(tried, raw) {
		return tried
	}
	return append(tried[max(0, len(tried)+1-maxTried):], raw)
}

func contains(all [][]byte, one []byte) bool {
	return slices.ContainsFunc(all, func(b []byte) bool { return bytes.Equal(b, one) })
}

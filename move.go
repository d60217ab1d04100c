package bearer

import (
	"bytes"
	"context"
	"sync"
	"time"
)

const (
	// moveWait is for how long a sign-in waits for another storefront's record to be
	// moved: a token endpoint that hangs must not keep the visitor out of this one.
	moveWait = 5 * time.Second

	// moveTime is for how long moving a record is tried. A refresh of it that is under
	// way ends first, in whichever process.
	moveTime = time.Minute
)

// moveOthers takes the browser's records for storefronts other than f along to its
// new id, if they are the same owner's, and returns for how long that is to be
// remembered. Anybody else's end, with their tokens. What takes too long goes on in
// the background.
func (b *browser) moveOthers(ctx context.Context, f *Storefront, owner Owner, oldID, newID string) (life time.Duration) {
	wait, cancel := context.WithTimeout(ctx, moveWait)
	defer cancel()
	var moves []chan time.Duration
	for _, other := range b.fronts {
		if other == f {
			continue
		}
		moved := make(chan time.Duration, 1)
		moves = append(moves, moved)
		m := &move{front: other, owner: owner,
			from: stored{other.opts.Customers, other.customerKey(oldID)},
			to:   stored{other.opts.Customers, other.customerKey(newID)}}
		go func() { moved <- m.run(ctx) }()
	}
	for _, moved := range moves {
		select {
		case l := <-moved:
			life = max(life, l)
		case <-wait.Done():
		}
	}
	for _, other := range b.fronts {
		if other != f {
			b.session(other).reset()
		}
	}
	return life
}

// endOthers ends what the browser carries of anybody but owner for storefronts other
// than f.
func (b *browser) endOthers(ctx context.Context, f *Storefront, owner Owner) {
	var ends sync.WaitGroup
	for _, other := range b.fronts {
		if other == f {
			continue
		}
		s := b.session(other)
		ends.Go(func() {
			if r, err := other.readRecord(s.load()); err != nil || r.state != StateCustomer || sameOwner(r.owner, owner) {
				return
			}
			var gone []*Token
			ended := <-contain(ctx, func(ctx context.Context) (_ *Token, err error) { gone, err = s.end(ctx); return nil, err })
			if ended.err != nil {
				other.down(ctx, ended.err)
			}
			other.dismiss(ctx, gone)
		})
	}
	ends.Wait()
}

// sameOwner reports whether two records may be one person's. Who they are is unknown
// without StorefrontOptions.Owner.
func sameOwner(a, b Owner) bool { return a == b || a == Owner{} || b == Owner{} }

// move takes a storefront's record along to the browser's new id.
type move struct {
	front    *Storefront
	owner    Owner
	from, to stored

	seen record
	raw  []byte // as from holds it: that which seen is from, or an older one
	left []byte // what has been put into to; nil if nothing
	lost bool   // a tombstone may have been put into from
}

// run makes the move, and returns for how long the record is to be remembered under
// its new id.
func (m *move) run(ctx context.Context) (life time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, moveTime)
	defer cancel()
	ran := false
	for !ran {
		m.front.spends.Do(m.from.key, func() (any, error) {
			ran = true
			moved := <-contain(ctx, func(ctx context.Context) (*Token, error) { life = m.inTurn(ctx); return nil, nil })
			if moved.err != nil {
				m.front.down(ctx, moved.err)
			}
			return spending{record: signedOut}, nil
		})
	}
	return life
}

// inTurn is run in this process's turn among those that may be refreshing the record.
func (m *move) inTurn(ctx context.Context) time.Duration {
	turn := &claim{storage: m.front.opts.Customers, key: m.from.key, owner: m.front.owner}
	turn.look = func(ctx context.Context) (bool, error) {
		err := m.look(ctx)
		return err == nil && m.seen.state != StateCustomer, err
	}
	turn.spend = func() string {
		if m.seen.state != StateCustomer {
			return ""
		}
		return m.seen.token.RefreshToken
	}
	// A storage that fails, or a refresh that has just failed, is no reason to leave the
	// record where it is.
	l, found, err := turn.take(ctx)
	defer l.finish(ctx)
	switch {
	case found:
		return 0
	case err != nil && !final(ctx, err):
		m.front.down(ctx, err)
	}
	pause := backoff{leasePoll, time.Second}
	for n := 1; ; n++ {
		err := m.try(ctx)
		if err == nil {
			return m.front.rememberFor(m.seen)
		}
		m.front.down(ctx, err)
		select {
		case <-time.After(pause.after(n)):
		case <-ctx.Done():
			return 0
		}
	}
}

// look reads the record that is to be moved.
func (m *move) look(ctx context.Context) (err error) {
	if m.raw, err = m.from.load(Uncached(ctx)); err != nil {
		return err
	}
	m.seen = m.front.read(ctx, m.raw)
	if c := m.front.find(m.from.key); c != nil && m.seen.state == StateCustomer && c.unsaved(time.Now()) {
		m.seen, _, _ = c.latest()
	}
	return nil
}

// try moves the record: first it is put under the new id, then out of the old one.
// Who has signed out in between, under the old id, is signed out under both.
func (m *move) try(ctx context.Context) error {
	for {
		if err := m.look(ctx); err != nil {
			return err
		}
		switch {
		case m.seen.state != StateCustomer:
			return m.takeBack(ctx)
		case !sameOwner(m.seen.owner, m.owner):
			return m.endFrom(ctx)
		}
		if err := m.put(ctx, m.seen.raw, m.front.life(m.seen, time.Now())); err != nil {
			return err
		}
		if c := m.front.find(m.from.key); c != nil {
			c.finish(StateGuest)
		}
		ok, err := m.from.swap(ctx, m.raw, signedOut.raw, tombstoneLife)
		m.lost = m.lost || err != nil
		if ok || err != nil {
			return err
		}
	}
}

// put puts raw under the new id, which nobody else knows.
func (m *move) put(ctx context.Context, raw []byte, life time.Duration) error {
	if bytes.Equal(raw, m.left) {
		return nil
	}
	ok, err := m.to.swap(ctx, m.left, raw, life)
	if err == nil && !ok { // one that seemed to fail has not
		if m.left, err = m.to.load(Uncached(ctx)); err == nil && !bytes.Equal(raw, m.left) {
			return errTooLate
		}
	}
	if err == nil {
		m.left = raw
	}
	return err
}

// takeBack undoes what has been put under the new id: the customer has signed out
// under the old one. Perhaps not, if a tombstone of our own seemed to fail; then the
// tokens are nobody's any more.
func (m *move) takeBack(ctx context.Context) error {
	gone, err := m.front.end(ctx, m.to, m.to.key)
	if m.lost {
		go m.front.takeBack(context.WithoutCancel(ctx), gone...)
	}
	m.seen = signedOut
	return err
}

// endFrom signs out another person than the one who has signed in: a browser is not
// to be two at a time.
func (m *move) endFrom(ctx context.Context) error {
	gone, err := m.front.end(ctx, m.from, m.from.key)
	m.front.dismiss(ctx, gone)
	m.seen = signedOut
	return err
}

// dismiss revokes the tokens of a customer in whose place another one has signed in.
func (f *Storefront) dismiss(ctx context.Context, gone []*Token) {
	if len(gone) == 0 {
		return
	}
	f.opts.Observer(ctx, SignedOut{Storefront: f.opts.Name})
	go f.takeBack(context.WithoutCancel(ctx), gone...)
}

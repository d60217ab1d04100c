package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/bearerkit/bearer"
)

// What the panel shows of tokens, and how its buttons spoil them. Nothing here is
// needed to sell things.

// authorization is who a call of the market's has just spoken for.
func (m *market) authorization(ctx context.Context, client *http.Client) (*market, *bearer.Authorization, error) {
	source := m.channel.GetAuthorization
	if client == m.guests {
		source = m.channel.Storefront().Guest
	}
	a, err := source(ctx)
	return m, a, err
}

// watched is a storage of an instance's that tells the panel when it is read, and
// whether it can be.
type watched struct {
	able
	hood     *hood
	instance string
	down     atomic.Bool
}

func (s *shop) watch(storage able) *watched {
	return &watched{able: storage, hood: s.hood, instance: s.instance}
}

// able is what the storages at hand can do.
type able interface {
	bearer.CompareAndSwapper
	bearer.Locker
	bearer.Watcher
}

func (s *watched) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.able.Get(ctx, key)
	down := err != nil && !errors.Is(err, bearer.ErrNotFound)
	traceOf(ctx).read(err == nil && strings.HasPrefix(key, "cl_guest-"), down)
	if down && errors.Is(ctx.Err(), context.Canceled) {
		return value, err // which says nothing of the storage
	}
	switch was := s.down.Swap(down); {
	case down && !was:
		s.hood.tellAll(entry{Kind: "trouble", Place: s.instance, Text: "The storage cannot be reached, memory serves on"})
	case was && !down:
		s.hood.tellAll(entry{Kind: "token", Place: s.instance, Text: "The storage can be reached again"})
	}
	return value, err
}

// observer hears what happens to the tokens of a market, and tells it to those
// whom it concerns: what happens to the guests' token and to the storage to everybody,
// the rest to the visitor in whose request it happened.
func (h *hood) observer(m *market, instance string) bearer.Observer {
	return func(ctx context.Context, e bearer.Event) {
		t := traceOf(ctx)
		source, text := describe(e)
		if text.Text == "" {
			return
		}
		text.Place = placeOf(m.Name, instance)
		guests := strings.HasSuffix(source, " guest")
		if issued, ok := e.(bearer.TokenIssued); ok {
			t.issued(guests, string(issued.Reason))
		}
		if _, ok := e.(bearer.SignedIn); ok {
			t.issued(false, "signed in")
		}
		_, storage := e.(bearer.StorageFailed)
		if guests || storage {
			h.tellAll(text)
		} else {
			t.tell(text)
		}
	}
}

// spoilGuest revokes the guests' token behind the shop's back.
func (v *visit) spoilGuest() error {
	guest, err := v.session.Guest(v.r.Context())
	if err != nil {
		return err
	}
	v.local.Revoke(guest.Token.AccessToken)
	return nil
}

// spoilCustomer does the same to the visitor's own token, and if forGood to the
// refresh tokens, in all markets.
func (v *visit) spoilCustomer(forGood bool) error {
	for _, m := range v.markets {
		if m != v.market && !forGood {
			continue
		}
		session, err := v.session.For(m.channel.Storefront())
		if err != nil {
			return err
		}
		customer, err := session.Customer(v.r.Context())
		if errors.Is(err, bearer.ErrNoCustomer) && m != v.market {
			continue // signed in to one market only
		}
		if err != nil {
			return err
		}
		v.local.Revoke(customer.Token.AccessToken)
		if forGood {
			v.local.Revoke(customer.Token.RefreshToken)
		}
	}
	return nil
}

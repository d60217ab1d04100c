package commercelayertest

import (
	"slices"
	"time"
)

// maxPastOrders leave as much room again for those that clients make.
const maxPastOrders = maxOrders / 2

// pastOrder is one that a customer has placed before the server began.
type pastOrder struct {
	customer *Customer
	market   *Market
	sold     []*SKU // what the market sells; there is something
	first    int    // where in it the order begins
	placed   time.Time
}

// placePastOrders makes the orders that [Customer].PastOrders asks for: the same
// in each run, but for their times. Nobody else has s yet.
func (s *shop) placePastOrders() {
	var past []pastOrder
	for i := range s.opts.Customers {
		for k := range s.opts.Markets {
			m := &s.opts.Markets[k]
			sold := s.soldIn(m)
			if m.Disabled || len(sold) == 0 {
				continue
			}
			for n := range s.opts.Customers[i].PastOrders {
				past = append(past, pastOrder{
					customer: &s.opts.Customers[i], market: m, sold: sold, first: 7*i + 3*k + 2*n,
					// A month apart; each customer on a day and each market at an hour of its own.
					placed: s.born.AddDate(0, 0, -30*(n+1)-i%28).Add(-time.Duration(k%24) * time.Hour),
				})
			}
		}
	}
	slices.SortStableFunc(past, func(a, b pastOrder) int { return a.placed.Compare(b.placed) })
	for _, p := range past {
		o := &order{market: p.market, customerID: p.customer.ID, attributes: attributes{"customer_email": p.customer.Email}}
		s.add(o, p.placed.Add(-5*time.Minute))
		for line := range min(2, len(p.sold)) {
			at := p.first + 5*line
			o.add(p.sold[at%len(p.sold)], int64(1+at%3), o.created.Add(time.Duration(line+1)*time.Minute))
		}
		o.placed, o.updated = p.placed, p.placed
	}
}

// soldIn are the SKUs that have a price in a market.
func (s *shop) soldIn(m *Market) []*SKU {
	var sold []*SKU
	for i := range s.opts.SKUs {
		if _, ok := s.opts.SKUs[i].Prices[m.CurrencyCode]; ok {
			sold = append(sold, &s.opts.SKUs[i])
		}
	}
	return sold
}

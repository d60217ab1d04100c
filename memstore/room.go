package memstore

import (
	"cmp"
	"slices"
	"time"
)

// makeRoom sees to it that a value of the given weight fits: it drops what has
// expired, then what has not been used for longest, until an eighth is free, so
// that this is seldom needed.
//
// otter could choose itself. It keeps what was asked for most often, and lets a
// new value in only if that was asked for more often than the one that would have
// to go: in a full store the record of a customer who signs in would not last
// until the next request, while those of customers long gone stay. So otter gets
// to choose only where writers overtake this.
func (s *Store) makeRoom(weight uint64) {
	if s.fits(weight) {
		return
	}
	if early, expired := s.sweep(weight); early > 0 {
		s.log.Warn("memstore: values were dropped before their time to make room: raise Options.MaxBytes", "dropped", early, "expired", expired, "max_bytes", s.max)
	}
}

// sweep makes room, and returns how many values went before their time, and how
// many that had expired.
func (s *Store) sweep(weight uint64) (early, expired int) {
	s.room.Lock()
	defer s.room.Unlock()
	if s.fits(weight) { // somebody else has made room
		return 0, 0
	}
	values, ended := s.census()
	for _, c := range ended {
		s.drop(c.key, c.entry)
	}
	for goal := max(weight, s.max/8); early < len(values) && !s.fits(goal); early++ {
		s.drop(values[early].key, values[early].entry)
	}
	return early, len(ended)
}

func (s *Store) fits(weight uint64) bool { return s.entries.WeightedSize()+weight <= s.max }

// counted is an entry, and when it had been used last as it was counted.
type counted struct {
	key   string
	entry *entry
	used  time.Duration
}

// census returns what the store holds: the values, longest unused first, and what
// has expired.
func (s *Store) census() (values, expired []counted) {
	now := s.now()
	for key, e := range s.entries.All() {
		c := counted{key, e, time.Duration(e.used.Load())}
		if e.ended(now) {
			expired = append(expired, c)
		} else {
			values = append(values, c)
		}
	}
	slices.SortFunc(values, func(a, b counted) int { return cmp.Compare(a.used, b.used) })
	return values, expired
}

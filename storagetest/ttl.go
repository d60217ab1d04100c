package storagetest

import (
	"time"
)

const (
	// brief is a short ttl.
	brief = 60 * time.Millisecond

	// coarse is the time by which a storage that counts in seconds has dropped what
	// has a brief ttl.
	coarse = 1300 * time.Millisecond
)

func valuesEnd(s *subject) {
	var lives []life
	for _, ttl := range []time.Duration{time.Millisecond, brief, 1500 * time.Millisecond} {
		lives = append(lives, s.setFor(s.key(ttl.String()), s.value("a"), ttl))
	}
	long := s.key("long")
	s.set(long, s.value("long"), 14*24*time.Hour)
	ever := s.key("ever")
	s.set(ever, s.value("ever"), 0)
	s.wantEnds(lives...)
	s.want(long, s.value("long"), "1.5 seconds of a ttl of two weeks")
	s.want(ever, s.value("ever"), "1.5 seconds of a ttl of 0")
	s.set(lives[0].key, s.value("again"), 0)
	s.want(lives[0].key, s.value("again"), "Set under the key of a value that had expired")
}

func lastTTLCounts(s *subject) {
	begin := time.Now()
	stays := map[string][]time.Duration{
		"a brief ttl, then one of 0":           {brief, 0},
		"a brief ttl, then a long one":         {brief, time.Hour},
		"a brief ttl, then longer and longer":  {brief, time.Minute, time.Hour},
		"a brief ttl, then Delete, then one 0": {brief, -1, 0}, // -1: Delete
	}
	for what, ttls := range stays {
		for _, ttl := range ttls {
			if ttl < 0 {
				s.del(s.key(what))
			} else {
				s.set(s.key(what), s.value(what), ttl)
			}
		}
	}
	var ends []life
	for what, first := range map[string]time.Duration{"none": 0, "long": time.Hour, "longer": 2 * time.Second} {
		key := s.key(what)
		s.set(key, s.value("a"), first)
		ends = append(ends, s.setFor(key, s.value("a"), brief))
	}
	s.wantEnds(ends...)
	pause(coarse - time.Since(begin))
	for what := range stays {
		s.want(s.key(what), s.value(what), what+",")
	}
}

func negativeTTLIsAnError(s *subject) {
	key, value := s.key("a"), s.value("a")
	s.set(key, value, 0)
	for _, ttl := range []time.Duration{-1, -time.Hour} {
		if s.safe("Set", s.storage.Set(s.ctx, key, s.value("b"), ttl)) == nil {
			s.Errorf("Set with a ttl of %v returned no error", ttl)
		}
		s.want(key, value, "Set with a negative ttl")
	}
	other := s.key("b")
	s.safe("Set", s.storage.Set(s.ctx, other, value, -time.Second))
	s.wantNone(other, "Set with a negative ttl")
}

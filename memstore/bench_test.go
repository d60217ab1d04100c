package memstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bearerkit/bearer/memstore"
)

func keys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("cl_customer-0123456789-market:id:xYZkjABcde-%064d", i)
	}
	return keys
}

func BenchmarkGet(b *testing.B) {
	s, value := memstore.New(nil), record()
	all := keys(10_000)
	for _, key := range all {
		s.Set(b.Context(), key, value, time.Hour)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := s.Get(b.Context(), all[i%len(all)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkSet(b *testing.B) {
	for _, bb := range []struct {
		name string
		keys int
	}{
		{"with room", 10_000},
		{"full", 100_000},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s, value := memstore.New(nil), record()
			all := keys(bb.keys)
			for _, key := range all {
				s.Set(b.Context(), key, value, time.Hour)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := s.Set(b.Context(), all[i%len(all)], value, time.Hour); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompareAndSwap(b *testing.B) {
	s, value := memstore.New(nil), record()
	s.Set(b.Context(), "key", value, time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if swapped, err := s.CompareAndSwap(b.Context(), "key", value, value, time.Hour); !swapped || err != nil {
			b.Fatal(swapped, err)
		}
	}
}

package layered_test

import (
	"strings"
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
)

func benchmarkGet(b *testing.B, s bearer.Storage) {
	if err := s.Set(b.Context(), key, []byte(strings.Repeat("v", 2000)), 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Get(b.Context(), key); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkGet reads what is in memory; BenchmarkMemory is what that costs by itself.
func BenchmarkGet(b *testing.B)    { benchmarkGet(b, layered.New(memstore.New(nil), nil)) }
func BenchmarkMemory(b *testing.B) { benchmarkGet(b, memstore.New(nil)) }

func BenchmarkSet(b *testing.B) {
	s := layered.New(newFaulty(), nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Set(b.Context(), key, []byte("value"), 0); err != nil {
			b.Fatal(err)
		}
	}
}

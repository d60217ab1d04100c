package filestore_test

import "testing"

func BenchmarkGet(b *testing.B) {
	s := open(b, tempDir(b))
	if err := s.Set(b.Context(), key, make([]byte, 2000), 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context(), key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	s := open(b, tempDir(b))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Set(b.Context(), key, make([]byte, 2000), 0); err != nil {
			b.Fatal(err)
		}
	}
}

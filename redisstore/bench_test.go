package redisstore_test

import (
	"testing"

	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
)

// BenchmarkGet reads one value again and again, and counts round trips by what Redis
// has been asked.
func BenchmarkGet(b *testing.B) {
	server := redistest.Start(b)
	server.Do("SET", "key", string(make([]byte, 2500))) // as long as a customer's record
	for _, bench := range []struct {
		name string
		opts *redisstore.Options
	}{
		{"hot", nil},
		{"without cache", &redisstore.Options{DisableCache: true}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := open(b, server.URL(), bench.opts)
			ctx := b.Context()
			before := server.Calls("get")
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Get(ctx, "key"); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(server.Calls("get")-before)/float64(b.N), "GETs/op")
		})
	}
}

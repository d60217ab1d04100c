package redisstore_test

import (
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
	"github.com/bearerkit/bearer/storagetest"
)

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, opts := range map[string]*redisstore.Options{
		"no prefix": nil,
		"prefix":    {Prefix: "app"},
		"no cache":  {Prefix: "uncached", DisableCache: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, func(t *testing.T) bearer.Storage { return open(t, server.URL(), opts) })
		})
	}
}

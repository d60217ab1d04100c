package redisstore_test

import (
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
	"github.com/bearerkit/bearer/storagetest"
)

// calm is a timeout for a machine that is busy with a hundred connections.
const calm = 30 * time.Second

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, opts := range map[string]*redisstore.Options{
		"no prefix": {Timeout: calm},
		"prefix":    {Timeout: calm, Prefix: "app"},
		"no cache":  {Timeout: calm, Prefix: "uncached", DisableCache: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, func(t *testing.T) bearer.Storage { return open(t, server.URL(), opts) })
		})
	}
}

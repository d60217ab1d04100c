package memstore_test

import (
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/storagetest"
)

func TestStoreConforms(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(*testing.T) bearer.Storage { return memstore.New(nil) })
}

// All that use a Store at once are users of one, as with a shared database.
func TestSharedStoreConforms(t *testing.T) {
	t.Parallel()
	s := memstore.New(nil)
	storagetest.Run(t, func(*testing.T) bearer.Storage { return s })
}

package filestore_test

import (
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/filestore"
	"github.com/bearerkit/bearer/storagetest"
)

func open(t testing.TB, dir string) *filestore.Store {
	t.Helper()
	s, err := filestore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each subtest uses the directory through a Store of its own, as another process
// does.
func TestStoreConforms(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	storagetest.Run(t, func(t *testing.T) bearer.Storage { return open(t, dir) })
}

func TestSharedStoreConforms(t *testing.T) {
	t.Parallel()
	s := open(t, tempDir(t))
	storagetest.Run(t, func(*testing.T) bearer.Storage { return s })
}

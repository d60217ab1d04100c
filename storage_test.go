package bearer_test

import (
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/storagetest"
)

// The Storage of the example keeps to the contract that it is an example of.
func TestExampleStorageConforms(t *testing.T) {
	storagetest.Run(t, func(*testing.T) bearer.Storage { return new(mapStorage) })
}

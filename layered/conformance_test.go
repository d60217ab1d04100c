package layered_test

import (
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/storagetest"
)

// All subtests use one storage, so that keys share what they share.

func TestWatchedTruthConforms(t *testing.T) {
	t.Parallel()
	s := layered.New(memstore.New(nil), nil)
	storagetest.Run(t, func(*testing.T) bearer.Storage { return s })
}

func TestPlainTruthConforms(t *testing.T) {
	t.Parallel()
	s := layered.New(newFaulty(), nil)
	storagetest.Run(t, func(*testing.T) bearer.Storage { return s })
}

func TestThreeLayersConform(t *testing.T) {
	t.Parallel()
	s := layered.New(memstore.New(nil), &layered.Options{Near: []bearer.Storage{memstore.New(nil), memstore.New(nil)}})
	storagetest.Run(t, func(*testing.T) bearer.Storage { return s })
}

func TestLayersOfLayersConform(t *testing.T) {
	t.Parallel()
	s := layered.New(layered.New(memstore.New(nil), nil), nil)
	storagetest.Run(t, func(*testing.T) bearer.Storage { return s })
}

// Two processes with one database.
func TestTwoProcessesConform(t *testing.T) {
	t.Parallel()
	truth := memstore.New(nil)
	storagetest.Run(t, func(*testing.T) bearer.Storage { return layered.New(truth, nil) })
}

package layered

import (
	"log/slog"
	"reflect"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// Options are the settings of a layered storage. The zero value is ready to use.
type Options struct {
	// Name tells storages apart in logs.
	Name string

	// Near are the layers before the truth, nearest first. Each must be this
	// storage's own: not a view of the same database as the truth, since what it
	// holds is not the bare values. If empty it is one memstore with its default
	// options.
	Near []bearer.Storage

	// MaxStale is how old a copy may be that is served while the truth cannot be
	// reached. Zero means an hour, a negative one that none is served.
	MaxStale time.Duration

	// Logger is told, as a warning and no more than every ten seconds, that copies
	// are served since the truth cannot be reached, that a nearer layer fails, and
	// that the change feed has broken off. It may be nil.
	Logger *slog.Logger
}

// withDefaults returns the options with what is missing filled in.
func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if len(r.Near) == 0 {
		r.Near = []bearer.Storage{memstore.New(nil)}
	}
	if r.MaxStale == 0 {
		r.MaxStale = time.Hour
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	return r
}

// validate panics if the layers cannot be meant.
func (o *Options) validate(truth bearer.Storage) {
	if truth == nil {
		panic("layered: New needs a storage that is the truth")
	}
	for i, near := range o.Near {
		if near == nil {
			panic("layered: there is a nil in Options.Near: leave it out")
		}
		for _, other := range append([]bearer.Storage{truth}, o.Near[:i]...) {
			if same(near, other) {
				panic("layered: a storage is there twice, in Options.Near or as the truth: each layer must be one of its own")
			}
		}
	}
}

func same(a, b bearer.Storage) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && reflect.ValueOf(a).Comparable() && a == b
}

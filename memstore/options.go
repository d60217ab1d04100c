package memstore

import (
	"fmt"
	"log/slog"
)

const (
	defaultMaxBytes = 64 << 20
	minMaxBytes     = 1 << 20
)

// Options are the settings of a [Store]. The zero value is ready to use.
type Options struct {
	// MaxBytes bounds what all values take together, with their keys and 256 bytes
	// each for keeping them. Zero means 64 MiB; it must be at least 1 MiB. Locks do
	// not count.
	MaxBytes int64

	// Logger is told, as a warning, when values had to go before their time. It may
	// be nil.
	Logger *slog.Logger
}

// withDefaults returns the options with what is missing filled in.
func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.MaxBytes == 0 {
		r.MaxBytes = defaultMaxBytes
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	return r
}

func (o *Options) validate() error {
	if o.MaxBytes < minMaxBytes {
		return fmt.Errorf("memstore: Options.MaxBytes is %d, too little for the values of a Storage: make it %d (1 MiB) or more, or 0 for 64 MiB", o.MaxBytes, minMaxBytes)
	}
	return nil
}

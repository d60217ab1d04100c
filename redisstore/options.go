package redisstore

import (
	"fmt"
	"log/slog"
	"time"
)

const (
	defaultTimeout = 5 * time.Second
	minTimeout     = 10 * time.Millisecond
)

// Options are the settings of a [Store]. The zero value is ready to use.
type Options struct {
	// Prefix is put before all keys, with a colon between, as unstorage does with its
	// option base: "app" and "app:" both give "app:key", and "a/b" gives "a:b:key". If
	// empty, keys are what they are. "bearer-lock" and "bearer-key" may not be part of
	// it: that is where locks are.
	Prefix string

	// Timeout is how long a call waits for Redis, if its context lets it: one without
	// a deadline must not wait for ever behind a server that has stopped. Zero means 5
	// seconds; it must be at least 10 ms.
	Timeout time.Duration

	// DisableCache has each Get ask Redis. Set it if a memory storage is in front
	// anyway.
	DisableCache bool

	// Logger is told, as a warning, when the server cannot tell of changes, so that
	// nothing is cached, and when a connection is given up since the server has become
	// a replica. It may be nil.
	Logger *slog.Logger
}

// withDefaults returns the options with what is missing filled in.
func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Timeout == 0 {
		r.Timeout = defaultTimeout
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	return r
}

func (o *Options) validate() error {
	if o.Timeout < minTimeout {
		return fmt.Errorf("redisstore: Options.Timeout is %v, too short for an answer: make it %v or more, or 0 for %v", o.Timeout, minTimeout, defaultTimeout)
	}
	return nil
}

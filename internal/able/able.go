// Package able keeps a storage that wraps another one from claiming what that one
// cannot do: callers ask by a type assertion whether a storage can lock, or watch.
package able

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/bearerkit/bearer"
)

// Wrapper is a storage round another one, with all abilities there are.
type Wrapper interface {
	basic
	locker
	watcher
}

type basic interface {
	bearer.CompareAndSwapper
	fmt.Stringer
	fmt.Formatter
	slog.LogValuer
}

type locker interface {
	TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error)
}

type watcher interface {
	Watch(ctx context.Context, changed func(bearer.Change)) error
}

// As returns w with those abilities only that inner has.
func As(inner bearer.Storage, w Wrapper) bearer.CompareAndSwapper {
	_, locks := inner.(bearer.Locker)
	_, watches := inner.(bearer.Watcher)
	switch {
	case locks && watches:
		return w
	case locks:
		return struct {
			basic
			locker
		}{w, w}
	case watches:
		return struct {
			basic
			watcher
		}{w, w}
	default:
		return struct{ basic }{w}
	}
}

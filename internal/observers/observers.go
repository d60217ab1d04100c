// Package observers joins the two ways to look on, for packages that have events of
// their own.
package observers

import (
	"context"
	"log/slog"

	"github.com/bearerkit/bearer"
)

// Join makes one observer of a logger and an observer, either of which may be nil.
func Join(l *slog.Logger, o bearer.Observer) bearer.Observer {
	return func(ctx context.Context, e bearer.Event) {
		if l != nil {
			bearer.LogEvents(l)(ctx, e)
		}
		if o != nil {
			o(ctx, e)
		}
	}
}

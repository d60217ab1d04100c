package layered

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"
)

// quietFor is how long a warning is not repeated.
const quietFor = 10 * time.Second

// warning is something to be told once in a while.
type warning struct {
	text string
	told atomic.Int64 // when, on the store's clock; 0: never
}

func (s *store) warn(w *warning, err error) {
	now, last := int64(s.now())+1, w.told.Load()
	if last != 0 && time.Duration(now-last) < quietFor || !w.told.CompareAndSwap(last, now) {
		return
	}
	attrs := []slog.Attr{slog.String("error", describe(err))}
	if s.opts.Name != "" {
		attrs = append(attrs, slog.String("storage", s.opts.Name))
	}
	s.opts.Logger.LogAttrs(context.Background(), slog.LevelWarn, "layered: "+w.text, attrs...)
}

// describe says what went wrong without the text of an error that is not known to
// be free of secrets.
func describe(err error) string {
	var own slog.LogValuer
	if errors.As(err, &own) {
		return own.LogValue().String()
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	switch {
	case err == nil:
		return "none"
	case err == errSlow, err == errSilent:
		return err.Error()
	}
	return fmt.Sprintf("%T", err)
}

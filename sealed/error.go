package sealed

import "log/slog"

// ErrInvalid says that what a visitor or a storage gave is nothing that was sealed
// for this name by a key of the ring.
var ErrInvalid error = &sealError{"it is not a value that was sealed here", nil}

var errNotOpened = &sealError{"the value does not open: it was cut off or forged, sealed for another name, or by a key that is not in the ring", ErrInvalid}

// sealError is an error that quotes neither keys nor values, so that it may be
// logged.
type sealError struct {
	text string
	is   error // what it is besides, for errors.Is
}

func (e *sealError) Error() string { return "sealed: " + e.text }
func (e *sealError) Unwrap() error { return e.is }

// LogValue is what Error returns, but for the package's name: package bearer puts
// its own before it.
func (e *sealError) LogValue() slog.Value { return slog.StringValue(e.text) }

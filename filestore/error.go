package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// storeError is an error that quotes neither keys nor values, so that it may be
// logged. File names are digests of keys.
type storeError struct {
	text string
	is   error // what it is besides, for errors.Is
}

func (e *storeError) Error() string { return "filestore: " + e.text }
func (e *storeError) Unwrap() error { return e.is }

// LogValue is what Error returns, but for the package's name: package bearer puts
// its own before it.
func (e *storeError) LogValue() slog.Value { return slog.StringValue(e.text) }

// failed returns the error that what could not be done, because of err.
func failed(what string, err error) error {
	return &storeError{fmt.Sprintf("%s: %v", what, cause(err)), err}
}

// cause is err without the name of the file, which what failed has said already.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package filestore

import (
	"errors"
	"io/fs"
	"os"
)

// Without locks between processes there is no such storage.
const supported = false

func check(fs.FileInfo) error        { return errors.ErrUnsupported }
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
func unlock(*os.File)                {}
func syncDir(*os.Root) error         { return errors.ErrUnsupported }
func patiently(f func() error) error { return f() }

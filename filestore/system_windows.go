package filestore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const supported = true

// check has nothing to look at: who may write is in the access list that the
// directory has inherited.
func check(fs.FileInfo) error { return nil }

var (
	kernel32     = syscall.NewLazyDLL("kernel32.dll")
	lockFileEx   = kernel32.NewProc("LockFileEx")
	unlockFileEx = kernel32.NewProc("UnlockFileEx")
)

const (
	failImmediately = 0x1
	exclusive       = 0x2

	accessDenied     = syscall.Errno(5)
	sharingViolation = syscall.Errno(32)
	lockViolation    = syscall.Errno(33)
)

// tryLock takes the lock of f if nobody has it: of a byte far behind its end, since
// what is locked cannot be read.
func tryLock(f *os.File) (ok bool, err error) {
	at := &syscall.Overlapped{OffsetHigh: 1}
	r, _, err := lockFileEx.Call(f.Fd(), exclusive|failImmediately, 0, 1, 0, uintptr(unsafe.Pointer(at)))
	if r != 0 {
		return true, nil
	}
	if err == lockViolation || err == syscall.ERROR_IO_PENDING {
		return false, nil
	}
	return false, err
}

// unlock gives the lock back. Closing the file does too, but at some later time.
func unlock(f *os.File) {
	at := &syscall.Overlapped{OffsetHigh: 1}
	unlockFileEx.Call(f.Fd(), 0, 1, 0, uintptr(unsafe.Pointer(at)))
}

// syncDir has nothing to do: directories cannot be brought to the disk by
// themselves.
func syncDir(*os.Root) error { return nil }

// patiently calls f again while somebody else, a virus scanner for one, has the file
// open.
func patiently(f func() error) error {
	var err error
	for pause := time.Millisecond; pause < time.Second; pause *= 2 {
		if err = f(); !errors.Is(err, sharingViolation) && !errors.Is(err, accessDenied) {
			return err
		}
		<-time.After(pause)
	}
	return err
}

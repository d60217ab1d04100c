//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

const supported = true

// check refuses a directory that somebody else can change.
func check(dir fs.FileInfo) error {
	if mode := dir.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("others may write to it (mode %04o), and could put tokens of theirs into it: chmod 700 it, or use a directory of your own", mode)
	}
	owner, user := dir.Sys().(*syscall.Stat_t).Uid, os.Geteuid()
	if int(owner) != user {
		return fmt.Errorf("it belongs to user %d, and this program runs as user %d: use a directory of its own", owner, user)
	}
	return nil
}

// tryLock takes the lock of f if nobody has it. Closing f gives it back, and so does
// the end of the process.
func tryLock(f *os.File) (ok bool, err error) {
	err = control(f, func(fd uintptr) error {
		for {
			if err := syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
				return err
			}
		}
	})
	if err == syscall.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}

func unlock(*os.File) {}

func control(f *os.File, do func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := conn.Control(func(fd uintptr) { result = do(fd) }); err != nil {
		return err
	}
	return result
}

// syncDir brings to the disk which files there are. Some file systems cannot, and
// need not.
func syncDir(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// patiently calls f.
func patiently(f func() error) error { return f() }

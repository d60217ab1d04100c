package filestore

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// temp is the file that is written before it takes the place of another. There is
// one at a time: its writer has the lock.
const temp = "temp"

// disk is what a directory is changed with, step by step, so that tests can have
// any step fail.
type disk interface {
	create(dir *os.Root, name string) (file, error)
	rename(dir *os.Root, from, to string) error
	remove(dir *os.Root, name string) error
	sync(dir *os.Root) error
}

type file interface {
	io.Writer
	Sync() error
	Close() error
}

// replace puts content into the file called name, in one step, for good. The caller
// has the lock.
func replace(d disk, dir *os.Root, name string, content []byte) error {
	if err := d.remove(dir, temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one who was killed
		return err
	}
	err := write(d, dir, content)
	if err == nil {
		err = d.rename(dir, temp, name)
	}
	if err != nil {
		d.remove(dir, temp)
		return err
	}
	return d.sync(dir)
}

// write writes content to temp, and to the disk.
func write(d disk, dir *os.Root, content []byte) error {
	f, err := d.create(dir, temp)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// remove removes the file called name, if there is one, for good. The caller has the
// lock.
func remove(d disk, dir *os.Root, name string) error {
	if err := d.remove(dir, name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return d.sync(dir)
}

// realDisk is the one that is not a test's.
type realDisk struct{}

func (realDisk) create(dir *os.Root, name string) (file, error) {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (realDisk) rename(dir *os.Root, from, to string) error {
	return patiently(func() error { return dir.Rename(from, to) })
}

func (realDisk) remove(dir *os.Root, name string) error {
	return patiently(func() error { return dir.Remove(name) })
}

func (realDisk) sync(dir *os.Root) error { return syncDir(dir) }

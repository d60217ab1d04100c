package filestore

import (
	"os"
)

// Steps are those in which a file is replaced, in order.
var Steps = []string{"remove", "create", "write", "half", "sync", "close", "rename", "sync directory"}

// Intercept has f called before each step; its error is the step's, which is then
// not taken.
func (s *Store) Intercept(f func(step string) error) { s.disk = stepped{s.disk, f} }

type stepped struct {
	disk disk
	f    func(step string) error
}

func (d stepped) create(dir *os.Root, name string) (file, error) {
	if err := d.f("create"); err != nil {
		return nil, err
	}
	f, err := d.disk.create(dir, name)
	return steppedFile{f, d.f}, err
}

func (d stepped) rename(dir *os.Root, from, to string) error {
	if err := d.f("rename"); err != nil {
		return err
	}
	return d.disk.rename(dir, from, to)
}

func (d stepped) remove(dir *os.Root, name string) error {
	if err := d.f("remove"); err != nil {
		return err
	}
	return d.disk.remove(dir, name)
}

func (d stepped) sync(dir *os.Root) error {
	if err := d.f("sync directory"); err != nil {
		return err
	}
	return d.disk.sync(dir)
}

type steppedFile struct {
	file
	f func(step string) error
}

func (f steppedFile) Write(p []byte) (int, error) {
	if err := f.f("write"); err != nil {
		return 0, err
	}
	n, err := f.file.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	if err := f.f("half"); err != nil {
		return n, err
	}
	m, err := f.file.Write(p[n:])
	return n + m, err
}

func (f steppedFile) Sync() error {
	if err := f.f("sync"); err != nil {
		return err
	}
	return f.file.Sync()
}

// Close closes the file also if it fails, as the system does.
func (f steppedFile) Close() error {
	err := f.f("close")
	if cerr := f.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// FileName is the name of the file of a value, LeaseName that of a lock.
func FileName(key string) string  { return fileName(key, valueKind) }
func LeaseName(key string) string { return fileName(key, lockKind) }

// RemoveEnded is what a reader does who has found that a value has ended.
func (s *Store) RemoveEnded(key string) { s.removeEnded(fileName(key, valueKind), key) }

// Encode and Decode are those of files.
func Encode(end int64, key string, value []byte) []byte {
	return (&entry{end, key, value}).encode()
}

func Decode(b []byte) (end int64, key string, value []byte, err error) {
	e, err := decode(b)
	if err != nil {
		return 0, "", nil, err
	}
	return e.end, e.key, e.value, nil
}

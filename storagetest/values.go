package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/bearerkit/bearer"
)

// someValues are values that storages have been seen to change.
func someValues(mark string) map[string][]byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	big := make([]byte, 64<<10)
	for i := range big {
		big[i] = byte(rand.Uint32())
	}
	return map[string][]byte{
		"empty":              {},
		"a zero byte":        {0},
		"zeros in the midst": []byte("a\x00b\x00\x00c"),
		"spaces around":      []byte("  a \t\r\n "),
		"a line break":       []byte("\n"),
		"every byte":         all,
		"broken UTF-8":       []byte("a\xff\xfe\xc3b"),
		"a null":             []byte("null"),
		"a number":           []byte("0012.50"),
		"JSON":               []byte(`{"accessToken":"` + mark + `","scope":"market:id:xYZ <&>"}` + "\n"),
		"64 KiB":             big,
		"64 KiB of zeros":    make([]byte, 64<<10),
	}
}

func valuesComeBack(s *subject) {
	for name, value := range someValues(s.mark) {
		key := s.key(name)
		s.set(key, value, 0)
		s.want(key, value, "Set of "+name)
		s.want(key, value, "Set of "+name+" and one Get")
	}
}

func valuesAreCopies(s *subject) {
	key, value := s.key("a"), s.value("a")
	given := slices.Clone(value)
	s.set(key, given, 0)
	scribble(given)
	s.want(key, value, "Set, and a change of the slice given to it")
	got, _ := s.get(key)
	other, _ := s.get(key)
	scribble(got)
	if !bytes.Equal(other, value) {
		s.Errorf("two calls of Get returned the same memory")
	}
	s.want(key, value, "a change of the slice that Get returned")
	if c, ok := s.storage.(bearer.CompareAndSwapper); ok {
		given := slices.Clone(value)
		if swapped, err := c.CompareAndSwap(s.ctx, key, value, given, 0); !swapped || s.safe("CompareAndSwap", err) != nil {
			s.Fatalf("CompareAndSwap: swapped = %v, error = %v", swapped, err)
		}
		scribble(given)
		s.want(key, value, "CompareAndSwap, and a change of the slice given to it")
	}
}

// scribble changes all memory that a slice gives access to.
func scribble(b []byte) {
	for i := range b[:cap(b)] {
		b[:cap(b)][i] ^= 0x55
	}
}

func writesReplace(s *subject) {
	key := s.key("a")
	for _, value := range [][]byte{s.value("long"), []byte("short"), {}, s.value("long again")} {
		s.set(key, value, 0)
		s.want(key, value, "Set in place of another value")
	}
}

func missingIsErrNotFound(s *subject) {
	value, err := s.storage.Get(s.ctx, s.key("never set"))
	if !errors.Is(s.safe("Get", err), bearer.ErrNotFound) || len(value) != 0 {
		s.Errorf("Get of a key that was never set: value %s, error %v; want none, and one that errors.Is takes for ErrNotFound", short(value), err)
	}
}

func deletedIsGone(s *subject) {
	key, stays := s.key("a"), s.key("b")
	s.del(key)
	s.wantNone(key, "Delete of a missing value")
	s.set(key, s.value("a"), 0)
	s.set(stays, s.value("b"), 0)
	s.del(key)
	s.wantNone(key, "Delete")
	s.want(stays, s.value("b"), "Delete of another key")
	s.del(key)
	s.set(key, s.value("again"), 0)
	s.want(key, s.value("again"), "Delete, twice, and Set")
}

func contextsEnd(s *subject) {
	key, value := s.key("a"), s.value("a")
	s.set(key, value, 0)
	var got []byte
	err := s.promptly("Get", func(ctx context.Context) (err error) {
		got, err = s.storage.Get(ctx, key)
		return err
	})
	if errors.Is(err, bearer.ErrNotFound) {
		s.Errorf("Get, called with a context that has ended, says that a value is missing: %v", err)
	} else if err == nil && !bytes.Equal(got, value) {
		s.Errorf("Get, called with a context that has ended, returned %s and no error, want %s or an error", short(got), short(value))
	}
	next := s.value("b")
	if s.promptly("Set", func(ctx context.Context) error { return s.storage.Set(ctx, key, next, 0) }) == nil {
		s.want(key, next, "Set with a context that has ended, which returned no error,")
	}
	if s.promptly("Delete", func(ctx context.Context) error { return s.storage.Delete(ctx, key) }) == nil {
		s.wantNone(key, "Delete with a context that has ended, which returned no error,")
	}
	s.set(key, value, 0)
	s.want(key, value, "calls with a context that has ended, and Set,")
}

// Values are written whole, and seen whole.
func manyAtOnce(s *subject) {
	const goroutines, rounds, size = 4, 25, 4 << 10
	shared := s.key("shared")
	s.set(shared, bytes.Repeat([]byte{'0'}, size), 0)
	keys := make([]string, goroutines)
	for i := range keys {
		keys[i] = s.key(fmt.Sprint("own ", i))
	}
	write := func(i int) error {
		for round := range rounds {
			if err := s.storage.Set(s.ctx, shared, bytes.Repeat([]byte{byte('a' + i)}, size), 0); err != nil {
				return s.safe("Set", err)
			}
			own := fmt.Append(nil, i, " ", round)
			if err := s.storage.Set(s.ctx, keys[i], own, 0); err != nil {
				return s.safe("Set", err)
			}
			if got, err := s.storage.Get(s.ctx, keys[i]); err != nil || !bytes.Equal(got, own) {
				return fmt.Errorf("a key that nobody else writes: got %s, %v, want %s", short(got), s.safe("Get", err), short(own))
			}
			if err := s.storage.Delete(s.ctx, keys[i]); err != nil {
				return s.safe("Delete", err)
			}
		}
		return nil
	}
	read := func() error {
		for range 2 * rounds {
			got, err := s.storage.Get(s.ctx, shared)
			if err != nil {
				return s.safe("Get", err)
			}
			if len(got) != size || bytes.Count(got, got[:1]) != size {
				return fmt.Errorf("a value that was never written: %s", short(got))
			}
			pause(rand.N(time.Millisecond))
		}
		return nil
	}
	s.together(2*goroutines, func(i int) error {
		if i < goroutines {
			return write(i)
		}
		return read()
	})
}

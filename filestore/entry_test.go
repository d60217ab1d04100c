package filestore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/filestore"
)

// What is decoded encodes to the same bytes again, and whatever is encoded can be
// decoded.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("junk"), int64(1), "key")
	f.Add(filestore.Encode(math.MaxInt64, "key", []byte("value")), int64(math.MaxInt64), "")
	f.Add(filestore.Encode(-1, "", nil), int64(math.MinInt64), "\xff")
	f.Add([]byte("value"), int64(0), strings.Repeat("k", 64<<10+1))
	f.Add(make([]byte, 1<<20+1), int64(0), "key")
	f.Fuzz(func(t *testing.T, b []byte, end int64, key string) {
		if gotEnd, gotKey, value, err := filestore.Decode(b); err == nil && !bytes.Equal(filestore.Encode(gotEnd, gotKey, value), b) {
			t.Errorf("decoded and encoded it is another one: %x", b)
		}
		gotEnd, gotKey, value, err := filestore.Decode(filestore.Encode(end, key, b))
		if len(key) > 64<<10 || len(b) > 1<<20 {
			if err == nil {
				t.Errorf("%d bytes under a key of %d are decoded", len(b), len(key))
			}
			return
		}
		if err != nil || gotEnd != end || gotKey != key || !bytes.Equal(value, b) || value == nil {
			t.Errorf("Decode = %d, %q, %x, %v, want %d, %q, %x", gotEnd, gotKey, value, err, end, key, b)
		}
	})
}

// Lengths that lead past the end, or not to it, are no file's, also if the sum is
// right.
func TestDecodeLengths(t *testing.T) {
	good := filestore.Encode(1, "key", []byte("value"))
	keyAt := len(good) - sha256.Size - len("value") - 4 - len("key") - 4
	valueAt := len(good) - sha256.Size - len("value") - 4
	for _, at := range []int{keyAt, valueAt} {
		right := binary.BigEndian.Uint32(good[at:])
		for _, length := range []uint32{0, right - 1, right, right + 1, right + 4, right + 9, right + sha256.Size, 1 << 31, math.MaxUint32} {
			b := bytes.Clone(good[:len(good)-sha256.Size])
			binary.BigEndian.PutUint32(b[at:], length)
			sum := sha256.Sum256(b)
			_, _, _, err := filestore.Decode(append(b, sum[:]...))
			if (err == nil) != (length == right) {
				t.Errorf("at %d, %d in place of %d: Decode = %v", at, length, right, err)
			}
		}
	}
}

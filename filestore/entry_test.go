package filestore_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/bearerkit/bearer/filestore"
)

// What is decoded encodes to the same bytes again, and whatever is encoded can be
// decoded.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("junk"), int64(1), "key")
	f.Add(filestore.Encode(math.MaxInt64, "key", []byte("value")), int64(math.MaxInt64), "")
	f.Add(filestore.Encode(-1, "", nil), int64(math.MinInt64), "\xff")
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

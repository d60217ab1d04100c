package layered_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/bearerkit/bearer/layered"
)

// Whatever a layer holds, what is unpacked packs to the same bytes again.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("short"))
	f.Add(layered.Pack(1, 2, 3, time.Second, time.Hour, nil))
	f.Add(layered.Pack(1<<63, 1<<20, 0, -1, 0, []byte("value")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		store, generation, epoch, read, end, value, ok := layered.Unpack(raw)
		if ok != (len(raw) >= 40) {
			t.Fatalf("Unpack of %d bytes: ok = %v", len(raw), ok)
		}
		if !ok {
			return
		}
		if value == nil {
			t.Error("the value is nil, want it empty")
		}
		if again := layered.Pack(store, generation, epoch, read, end, value); !bytes.Equal(again, raw) {
			t.Errorf("packed again it is %x, want %x", again, raw)
		}
	})
}

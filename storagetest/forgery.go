package storagetest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
)

// RunForgery tests a carrier whose records visitors cannot make, as that of
// package sealed: whatever is changed of a record, moved to another key or made
// by another carrier is an error or no record. open returns a carrier that does
// not accept what those returned before have made.
func RunForgery(t *testing.T, open func(t *testing.T) bearer.Carrier) {
	t.Helper()
	record := recordOf("a")
	t.Run("any change is noticed", func(t *testing.T) {
		b := newBrowser(t, open(t))
		for _, text := range []string{"", "a", "ab"} { // base64 ends in three ways
			b.save(carrierKey, recordOf(text), 0)
			good := b.sent()
			for i := strings.IndexByte(good, '=') + 1; i <= len(good); i++ {
				others := "Az0="
				if i >= len(good)-1 {
					others = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=.%!\""
				}
				for _, c := range others {
					for _, changed := range []string{good[:i] + string(c) + good[min(i+1, len(good)):], good[:i] + string(c) + good[i:]} {
						if changed == good {
							continue
						}
						if got, err := b.load(requestWith(changed), carrierKey); got != nil || err == nil {
							t.Fatalf("%q at byte %d of %d: Load = %d bytes, %v, want an error", c, i, len(good), len(got), err)
						}
					}
				}
			}
		}
	})
	t.Run("a record is good for its key alone", func(t *testing.T) {
		b := newBrowser(t, open(t))
		b.save(carrierKey, record, 0)
		_, value, _ := strings.Cut(b.sent(), "=")
		for _, key := range carrierKeys {
			if key == carrierKey {
				continue
			}
			other := newBrowser(t, b.carrier)
			other.save(key, recordOf("b"), 0)
			name, _, _ := strings.Cut(other.sent(), "=")
			if got, err := b.load(requestWith(name+"="+value), key); got != nil || err == nil {
				t.Errorf("another key's record under %q: Load = %d bytes, %v, want an error", key, len(got), err)
			}
		}
	})
	t.Run("a record of another carrier is none", func(t *testing.T) {
		b := newBrowser(t, open(t))
		b.save(carrierKey, record, time.Hour)
		if got, _ := newBrowser(t, open(t)).load(b.request(), carrierKey); got != nil {
			t.Errorf("Load = %d bytes, want none", len(got))
		}
	})
	t.Run("a record cannot be read", func(t *testing.T) {
		b := newBrowser(t, open(t))
		b.save(carrierKey, record, 0)
		if header := b.sent(); strings.Contains(header, hidden) {
			t.Error("the token is in the cookie as it is")
		}
	})
	t.Run("no two cookies are the same", func(t *testing.T) {
		b := newBrowser(t, open(t))
		b.save(carrierKey, record, 0)
		first := b.sent()
		b.save(carrierKey, bytes.Clone(record), 0)
		if b.sent() == first {
			t.Error("the same record makes the same cookie, which tells who sees two of them")
		}
	})
}

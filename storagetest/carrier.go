package storagetest

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
)

const (
	carrierKey      = "cl_customer-Shop_1-market:id:xYZkjABcde"
	otherCarrierKey = "cl_customer-Shop_1-market:id:bGvCXzYgNB"
	// longest is what browsers are sure to keep of a cookie (RFC 6265 §6.1).
	longest = 4096
	// hidden is in each record, and must be in no error.
	hidden = "s3cr3t"
)

// carrierKeys are the two, and such with what has a meaning in a header.
var carrierKeys = []string{
	carrierKey, otherCarrierKey,
	"a", "A", "a ", " a", "a=b", "a;b", "a,b", "a; Domain=example.com", `a"b"`, `a\b`, "a\r\nX-Injected: b", "a\x00b",
	"a%3Ab", "a:b", "a%20b", "a b", "a+b", "a/b", "ünï", "a\u00a0b", "商店", strings.Repeat("k", 200),
}

// RunCarrier tests whether a carrier, one that keeps a record in one cookie, does
// what [bearer.Carrier] says, with a cookie jar in place of a browser. open returns a carrier for https, with which those
// returned before have nothing to do. For one whose records nobody else can make,
// see [RunForgery].
func RunCarrier(t *testing.T, open func(t *testing.T) bearer.Carrier) {
	t.Helper()
	run := func(name string, test func(t *testing.T, b *browser)) {
		t.Run(name, func(t *testing.T) { test(t, newBrowser(t, open(t))) })
	}
	run("a new browser carries nothing", func(t *testing.T, b *browser) {
		for _, key := range carrierKeys {
			b.wantNone(key)
		}
	})
	run("what is saved is loaded, the same bytes", func(t *testing.T, b *browser) {
		for _, record := range carrierRecords {
			b.save(carrierKey, record, 0)
			b.want(carrierKey, record)
		}
	})
	run("a browser carries what it was given only", func(t *testing.T, b *browser) {
		b.save(carrierKey, recordOf("a"), 0)
		newBrowser(t, b.carrier).wantNone(carrierKey)
	})
	run("each key has its own record, whatever is in it", testCarrierKeys)
	run("a nil record removes that of its key alone", func(t *testing.T, b *browser) {
		b.save(carrierKey, recordOf("a"), time.Hour)
		b.save(otherCarrierKey, recordOf("b"), time.Hour)
		b.save(carrierKey, nil, 0)
		b.wantNone(carrierKey)
		b.want(otherCarrierKey, recordOf("b"))
		b.save(carrierKey, nil, time.Hour) // there is none
		b.wantNone(carrierKey)
		b.save(carrierKey, recordOf("c"), 0)
		b.want(carrierKey, recordOf("c"))
	})
	run("of several in one response the last one counts", func(t *testing.T, b *browser) {
		w := newHeaderOnly(t)
		for _, record := range [][]byte{recordOf("a"), nil, recordOf("b")} {
			b.saveTo(w, carrierKey, record, time.Hour)
		}
		b.receive(w)
		b.want(carrierKey, recordOf("b"))
	})
	run("maxAge is kept, and 0 is as long as the browser runs", testCarrierMaxAge)
	run("a negative maxAge is an error that sets nothing", func(t *testing.T, b *browser) {
		w := newHeaderOnly(t)
		if err := b.carrier.Save(w, carrierKey, recordOf("a"), -time.Second); err == nil {
			t.Error("Save = nil, want an error")
		}
		w.wantUnchanged()
	})
	run("what no browser would keep is an error that sets nothing", testCarrierSize)
	run("Save sets cookies, and leaves other header fields", func(t *testing.T, b *browser) {
		w := newHeaderOnly(t)
		b.saveTo(w, carrierKey, recordOf("a"), time.Hour)
		b.saveTo(w, carrierKey, nil, 0)
		before, after := w.before.Clone(), w.header.Clone()
		for _, line := range before["Set-Cookie"] {
			if !slices.Contains(after["Set-Cookie"], line) {
				t.Errorf("Set-Cookie = %q, want %q still there", after["Set-Cookie"], line)
			}
		}
		delete(before, "Set-Cookie")
		delete(after, "Set-Cookie")
		if !maps.EqualFunc(before, after, slices.Equal) {
			t.Errorf("header = %v, want %v and cookies", after, before)
		}
	})
	run("the cookie is for https, and for the whole of one host", func(t *testing.T, b *browser) {
		for _, record := range [][]byte{recordOf("a"), nil} {
			for _, c := range b.save(carrierKey, record, time.Hour) {
				if c.Path != "/" || c.Domain != "" || record != nil && !c.Secure {
					t.Errorf("Set-Cookie = %s, want Path=/, Secure and no Domain", withoutValue(c))
				}
			}
		}
	})
	run("Load leaves the request as it is", func(t *testing.T, b *browser) {
		b.save(carrierKey, recordOf("a"), 0)
		r := b.request()
		before := r.Header.Clone()
		b.load(r, carrierKey)
		if !maps.EqualFunc(r.Header, before, slices.Equal) {
			t.Errorf("header = %v, want %v", r.Header, before)
		}
	})
	run("what is loaded is the caller's", func(t *testing.T, b *browser) {
		record := recordOf("a")
		b.save(carrierKey, record, 0)
		r := b.request()
		got, _ := b.load(r, carrierKey)
		for i := range got {
			got[i] = 'x'
		}
		if again, err := b.load(r, carrierKey); err != nil || !bytes.Equal(again, record) {
			t.Errorf("Load = %d bytes, %v, want the record again", len(again), err)
		}
	})
	run("a record that is there twice is an error", testCarrierTwice)
	run("a record that was cut off is none", testCarrierCut)
	run("what a visitor sends is a record, none or an error", testCarrierJunk)
	run("many can use it at once", testCarrierConcurrency)
}

// carrierRecords have what a header or a cookie would take for its own.
var carrierRecords = [][]byte{
	recordOf(""),
	recordOf("; Domain=example.com, \\t% %3B + = a&b #!'()*~`^|<>[]@"),
	recordOf("ünï 商店 \U0001F6D2"),
	[]byte(`{}`),
	[]byte("{\n  \"accessToken\" : \"" + hidden + "\\u003c\\\\\\\"\"\n}\n"),
	recordOf(strings.Repeat("Aa0_-.", 250)), // as long as tokens are
}

// recordOf makes a record that is not like those of other texts.
func recordOf(text string) []byte {
	return []byte(`{"accessToken":"` + hidden + text + `","scope":"market:id:xYZkjABcde"}`)
}

func testCarrierKeys(t *testing.T, b *browser) {
	for i, key := range carrierKeys {
		b.save(key, recordOf(fmt.Sprint(i)), 0)
	}
	for i, key := range carrierKeys {
		b.want(key, recordOf(fmt.Sprint(i)))
	}
	for _, key := range carrierKeys {
		b.wantNone(key + "x")
		if key != "a" {
			b.wantNone(strings.ToUpper(key) + "X")
		}
	}
}

func testCarrierMaxAge(t *testing.T, b *browser) {
	tests := []struct {
		maxAge time.Duration
		want   int // seconds
	}{{0, 0}, {1, 1}, {time.Second, 1}, {90*time.Second + 1, 91}, {14 * 24 * time.Hour, 14 * 24 * 3600}}
	for _, tt := range tests {
		for _, c := range b.save(carrierKey, recordOf("a"), tt.maxAge) {
			if c.MaxAge == 0 && !c.Expires.IsZero() {
				if got := time.Until(c.Expires); tt.want == 0 || got > time.Duration(tt.want)*time.Second || got < tt.maxAge-time.Minute {
					t.Errorf("maxAge %v: the cookie expires in %v, want %d s", tt.maxAge, got, tt.want)
				}
			} else if c.MaxAge != tt.want {
				t.Errorf("maxAge %v: Max-Age = %d, want %d (0: none)", tt.maxAge, c.MaxAge, tt.want)
			}
		}
		b.want(carrierKey, recordOf("a"))
	}
}

// testCarrierSize looks for the longest record that is taken, which browsers must
// keep.
func testCarrierSize(t *testing.T, b *browser) {
	for _, size := range []int{4 << 10, 16 << 10} {
		w := newHeaderOnly(t)
		record := recordOf(hex.EncodeToString(random(size))) // not to be compressed to less
		err := b.carrier.Save(w, carrierKey, record, time.Hour)
		if err == nil {
			t.Errorf("Save of %d bytes = nil, want an error", len(record))
			continue
		}
		wantSilent(t, err)
		w.wantUnchanged()
	}
	for size := 0; size <= longest; size += 32 {
		w := newHeaderOnly(t)
		if b.carrier.Save(w, carrierKey, recordOf(hex.EncodeToString(random(size/2))), 14*24*time.Hour) != nil {
			break
		}
		for _, line := range w.header["Set-Cookie"] {
			if len(line) > longest {
				t.Fatalf("a record of %d bytes: Set-Cookie has %d bytes, want an error", len(recordOf(""))+size, len(line))
			}
		}
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func testCarrierTwice(t *testing.T, b *browser) {
	b.save(carrierKey, recordOf("a"), 0)
	first := b.sent()
	b.save(carrierKey, recordOf("b"), 0)
	second := b.sent()
	for name, lines := range map[string][]string{
		"one line":  {first + "; " + second},
		"two lines": {first, second},
		"the same":  {first + "; " + first},
	} {
		if record, err := b.load(requestWith(lines...), carrierKey); err == nil || record != nil {
			t.Errorf("%s: Load = %d bytes, %v, want an error", name, len(record), err)
		}
	}
}

func testCarrierCut(t *testing.T, b *browser) {
	b.save(carrierKey, recordOf("ünï;%"), 0)
	line := b.sent()
	for i := range line {
		for _, cut := range []string{line[:i], line[:i] + ";", line[:i] + "; b=c"} {
			if got, _ := b.load(requestWith(cut), carrierKey); got != nil {
				t.Fatalf("Load of the first %d bytes = %d bytes, want none", i, len(got))
			}
		}
	}
}

func testCarrierJunk(t *testing.T, b *browser) {
	record := recordOf("a")
	b.save(carrierKey, record, 0)
	good := b.sent()
	name, value, _ := strings.Cut(good, "=")
	for _, junk := range []string{
		"", " ", "=", "null", "undefined", "true", "0", "[]", "{}", `{"accessToken":5}`, `"`, `""`, `"{}"`, "%", "%7", "%7B", "%zz", "%00", "%FF", "%C3", "%ED%A0%80",
		"\x00", "\xff\xfe", "\r\n", "A", "AA", "AAAA", "====", value + "=", value + "A", value + "\n", "\"" + value + "\"", value + value, value[1:], "A" + value,
		strings.Repeat("A", 6<<10), strings.Repeat("A", 96<<10), strings.Repeat("[", 12<<10), strings.Repeat("%7B", 4<<10),
	} {
		for _, header := range []string{name + "=" + junk, name + junk, junk, name + "=" + junk + "; " + name + "=" + junk} {
			r := requestWith(header)
			if got, _ := b.load(r, carrierKey); len(got) > 64<<10 {
				t.Errorf("Load = %d bytes, want no more than a storage holds", len(got))
			}
			if got, _ := b.load(r, otherCarrierKey); got != nil {
				t.Errorf("Load of another key = %d bytes, want none", len(got))
			}
		}
	}
	for range 2 {
		b.want(carrierKey, record) // nothing of it has stuck
	}
}

func testCarrierConcurrency(t *testing.T, b *browser) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				record := recordOf(fmt.Sprint(i, " ", j))
				w := newHeaderOnly(t)
				if err := b.carrier.Save(w, carrierKey, record, 0); err != nil {
					t.Errorf("Save = %v", err)
					return
				}
				lines := w.header["Set-Cookie"]
				pair, _, _ := strings.Cut(lines[len(lines)-1], ";")
				if got, err := b.carrier.Load(requestWith(pair), carrierKey); err != nil || !bytes.Equal(got, record) {
					t.Errorf("Load = %d bytes, %v, want the %d that were saved", len(got), err, len(record))
					return
				}
			}
		})
	}
	wg.Wait()
}

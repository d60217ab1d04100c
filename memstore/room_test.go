package memstore_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/memstore"
)

// A customer who signs in while the store is full stays signed in, however often
// the records of others have been read.
func TestNewValuesStayInAFullStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4 << 20
		s := memstore.New(&memstore.Options{MaxBytes: most})
		for i := 0; s.Size() < most-most/16; i++ {
			old := fmt.Sprint("old ", i)
			set(t, s, old, record(), time.Hour)
			for range 20 {
				has(t, s, old)
			}
		}
		pass(time.Minute)
		for i := range 5000 {
			set(t, s, fmt.Sprint("new ", i), record(), time.Hour)
			pass(10 * time.Millisecond)
			for _, ago := range []int{0, 1, 10, 100, 500} {
				if i >= ago && !has(t, s, fmt.Sprint("new ", i-ago)) {
					t.Fatalf("value %d is gone after %d others", i-ago, ago)
				}
			}
			if size := s.Size(); size > most {
				t.Fatalf("%d bytes, want %d at most", size, most)
			}
		}
	})
}

func TestValuesInUseStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{MaxBytes: 1 << 20})
		set(t, s, "in use", record(), 0)
		set(t, s, "not in use", record(), 0)
		for i := range 5000 {
			set(t, s, fmt.Sprint(i), record(), 0)
			pass(time.Second)
			if i%10 == 0 && !has(t, s, "in use") {
				t.Fatalf("a value that is read all the time is gone after %d others", i)
			}
		}
		if has(t, s, "not in use") {
			t.Error("a value that nobody reads has outlived those after it")
		}
	})
}

func TestExpiredGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 1 << 20
		var log bytes.Buffer
		s := memstore.New(&memstore.Options{MaxBytes: most, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		live := 0
		for ; s.Size() < most/2; live++ {
			set(t, s, fmt.Sprint("live ", live), record(), 0)
		}
		pass(time.Minute)
		for i := 0; s.Size() < most-4000; i++ {
			set(t, s, fmt.Sprint("short ", i), record(), time.Minute) // used later than the others
		}
		pass(time.Minute)
		for i := range 100 {
			set(t, s, fmt.Sprint("more ", i), record(), 0)
		}
		for i := range live {
			if !has(t, s, fmt.Sprint("live ", i)) {
				t.Fatalf("live value %d had to go while expired ones took room", i)
			}
		}
		if log.Len() > 0 {
			t.Errorf("nothing went before its time, and the log has\n%s", log.String())
		}
	})
}

func TestDroppedValuesAreLogged(t *testing.T) {
	var log bytes.Buffer
	s := memstore.New(&memstore.Options{MaxBytes: 1 << 20, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for i := range 600 {
		set(t, s, fmt.Sprint("k3y ", i), bytes.Repeat([]byte("s3cr3t"), 400), 0)
	}
	got := log.String()
	if !strings.Contains(got, "level=WARN") || !strings.Contains(got, "dropped=49 expired=0") || !strings.Contains(got, "MaxBytes") {
		t.Errorf("the log is %q, want a warning that tells of 49 dropped values and names MaxBytes", got)
	}
	if strings.Contains(got, "k3y") || strings.Contains(got, "s3cr3t") {
		t.Errorf("the log has a key or a value: %s", got)
	}
}

func TestBoundHoldsForManyWriters(t *testing.T) {
	const most = 2 << 20
	s := memstore.New(&memstore.Options{MaxBytes: most})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				key := fmt.Sprint(i, " ", j)
				if err := s.Set(t.Context(), key, bytes.Repeat([]byte{'r'}, j*17%(32<<10)), 0); err != nil {
					t.Errorf("Set: %v", err)
				}
				if j%5 == 0 {
					s.Delete(t.Context(), key)
				}
			}
		})
	}
	all.Wait()
	if size := s.Size(); size > most || size < most/2 {
		t.Errorf("%d bytes, want %d to %d", size, most/2, most)
	}
}

// MaxBytes is a bound for the memory that is really taken.
func TestBoundIsThatOfTheHeap(t *testing.T) {
	const most = 4 << 20
	for _, length := range []int{0, 100, 2000} {
		before := heap()
		s := memstore.New(&memstore.Options{MaxBytes: most})
		value := make([]byte, length)
		for i := 0; s.Size() < most-(8<<10); i++ {
			set(t, s, fmt.Sprintf("cl_customer-0123456789-market:id:xYZkjABcde-%064d", i), value, 0)
		}
		if taken := int(heap() - before); taken > most*11/10 {
			t.Errorf("values of %d bytes: %d bytes for a MaxBytes of %d", length, taken, most)
		} else {
			t.Logf("values of %d bytes: %d bytes for a MaxBytes of %d", length, taken, most)
		}
		runtime.KeepAlive(s)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

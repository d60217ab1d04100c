package redisstore_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/redisstore"
)

// No copy that was made before a change lives longer than 10 seconds.
func TestWrittenKeysAreBypassedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := redisstore.NewWritten()
		if w.Has("key") {
			t.Error("a key that nobody has changed counts as changed")
		}
		w.Note("key")
		<-time.After(5 * time.Second)
		w.Note("key")
		<-time.After(10 * time.Second)
		if !w.Has("key") {
			t.Error("10 s after a change copies count")
		}
		<-time.After(2 * time.Second)
		if w.Has("key") {
			t.Error("12 s after a change copies do not count")
		}
	})
}

func TestWrittenKeysAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := redisstore.NewWritten()
		for round := range 20 {
			for i := range 1000 {
				w.Note(fmt.Sprint(round, ":", i))
			}
			<-time.After(12 * time.Second)
		}
		if got := w.Len(); got > 3000 {
			t.Errorf("of 20,000 keys that are due %d are kept", got)
		}
		for i := range 5000 {
			w.Note(fmt.Sprint(i))
		}
		for i := range 5000 {
			if !w.Has(fmt.Sprint(i)) {
				t.Fatalf("key %d of 5,000 has been forgotten before its time", i)
			}
		}
	})
}

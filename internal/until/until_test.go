package until_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/internal/until"
)

// However many there have been, those that live are known, and none of the others kept.
func TestTokensThatLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 1000
		tokens := until.New(most)
		for i := range 3 * most {
			tokens.Add(fmt.Sprintf("old.%d.s", i), time.Now().Add(time.Second))
		}
		if n := tokens.Len(); n != most {
			t.Errorf("%d are kept, want %d", n, most)
		}
		<-time.After(time.Second)
		for i := range most {
			if !tokens.Take(fmt.Sprintf("new.%d.s", i), time.Now().Add(time.Hour)) {
				t.Fatalf("token %d is known before it has come", i)
			}
		}
		for i := range most {
			if tokens.Take(fmt.Sprintf("new.%d.s", i), time.Now().Add(time.Hour)) {
				t.Fatalf("token %d is taken twice", i)
			}
		}
		<-time.After(time.Hour)
		tokens.Add("last.0.s", time.Now().Add(time.Second))
		if n := tokens.Len(); n != 1 {
			t.Errorf("%d are kept after the end of all but one", n)
		}
	})
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := until.New(2)
		in := func(d time.Duration) time.Time { return time.Now().Add(d) }
		want := func(text string, known bool) {
			t.Helper()
			if got := tokens.Has(text); got != known {
				t.Errorf("Has(%q) = %v, want %v", text, got, known)
			}
		}
		tokens.Add("a.b.s", in(0))
		want("a.b.s", false)
		tokens.Add("a.b.s", in(time.Minute))
		want("a.b.s", true)
		want("a.b.another signature", true)
		want("a.c.s", false)
		tokens.Add("a.b.s", in(time.Second)) // shorter
		tokens.Add("c.d.s", in(time.Second))
		tokens.Add("c.d.s", in(time.Hour)) // longer
		<-time.After(time.Second)
		want("a.b.s", true)
		want("c.d.s", true)
		tokens.Add("e.f.s", in(2*time.Hour)) // a.b ends first
		want("a.b.s", false)
		want("c.d.s", true)
		tokens.Remove("c.d.s")
		tokens.Remove("c.d.s")
		want("c.d.s", false)
		want("e.f.s", true)
		if !tokens.Take("c.d.s", in(time.Second)) || tokens.Take("c.d.s", in(time.Second)) {
			t.Error("Take takes a known one, or none")
		}
		<-time.After(time.Second)
		if !tokens.Take("c.d.s", in(time.Second)) {
			t.Error("Take knows a token for too long")
		}
		if n := tokens.Len(); n != 2 {
			t.Errorf("%d are kept, want 2", n)
		}
	})
}

// Of many who take a token one has it.
func TestTakeAtOnce(t *testing.T) {
	tokens := until.New(10)
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if tokens.Take("a.b.s", time.Now().Add(time.Hour)) {
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("%d have taken it, want 1", n)
	}
}

package until_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
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
		if n := tokens.Len(); n != 0 {
			t.Errorf("%d are kept whose time is up when they come", n)
		}
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

// What has been removed has no say in what comes later.
func TestRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := until.New(2)
		tokens.Add("a.b.s", time.Now().Add(time.Hour))
		tokens.Remove("a.b.s")
		tokens.Add("a.b.s", time.Now().Add(2*time.Hour))
		tokens.Add("c.d.s", time.Now().Add(3*time.Hour))
		<-time.After(time.Hour)
		tokens.Add("c.d.s", time.Now().Add(time.Second))
		for _, text := range []string{"a.b.s", "c.d.s"} {
			if !tokens.Has(text) {
				t.Errorf("%s is not known", text)
			}
		}
	})
}

// A machine that has slept knows by the wall clock alone how long it has.
func TestTimesAreByTheWallClock(t *testing.T) {
	tokens := until.New(10)
	later := func() time.Time { return time.Now().Add(time.Hour) }
	tokens.Add("a.b.s", later())
	tokens.Add("c.d.s", time.Now().Add(time.Minute))
	tokens.Add("c.d.s", later()) // longer
	tokens.Take("e.f.s", later())
	all := until.Times(tokens)
	if len(all) != 3 {
		t.Fatalf("%d are kept, want 3", len(all))
	}
	for _, until := range all {
		if strings.Contains(until.String(), "m=") {
			t.Errorf("a token is kept until %v, by the monotonic clock", until)
		}
	}
}

func TestSigned(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "a", "a.b": "a", "a.b.c": "a.b", "a.b.": "a.b", "a.b.c.d": "a.b.c", ".c": "", ".": "",
	} {
		if got := until.Signed(text); got != want {
			t.Errorf("Signed(%q) = %q, want %q", text, got, want)
		}
	}
}

// Whatever is done, they are known as by a list that is gone through from end to end.
func TestAsByAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 10
		tokens, list := until.New(most), map[string]time.Time{}
		rnd := rand.New(rand.NewPCG(1, 2))
		has := func(text string) bool { return time.Now().Before(list[text]) }
		add := func(text string, end time.Time) {
			if !time.Now().Before(end) {
				return
			}
			maps.DeleteFunc(list, func(text string, _ time.Time) bool { return !has(text) })
			if len(list) == most {
				delete(list, slices.MinFunc(slices.Collect(maps.Keys(list)), func(a, b string) int { return list[a].Compare(list[b]) }))
			}
			list[text] = end
		}
		for n := range 5000 {
			text := fmt.Sprintf("%d.s", rnd.IntN(2*most))
			end := time.Now().Add(time.Duration(rnd.IntN(100))*time.Second + time.Duration(n)) // no two at once
			switch rnd.IntN(8) {
			case 0:
				tokens.Remove(text)
				delete(list, text)
			case 1:
				want := !has(text)
				if want {
					delete(list, text)
					add(text, end)
				}
				if got := tokens.Take(text, end); got != want {
					t.Fatalf("step %d: Take = %v, want %v", n, got, want)
				}
			case 2:
				<-time.After(time.Duration(rnd.IntN(20)) * time.Second)
			default:
				if known, ok := list[text]; !ok {
					add(text, end)
				} else if known.Before(end) {
					list[text] = end
				}
				tokens.Add(text, end)
			}
			for i := range 2 * most {
				text := fmt.Sprintf("%d.s", i)
				if got, want := tokens.Has(text), has(text); got != want {
					t.Fatalf("step %d: Has(%s) = %v, want %v", n, text, got, want)
				}
			}
			if got := tokens.Len(); got != len(list) {
				t.Fatalf("step %d: %d are kept, want %d", n, got, len(list))
			}
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

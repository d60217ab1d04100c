package layered_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
)

func TestCopiesServeWhileTheTruthIsDown(t *testing.T) {
	tests := []struct {
		name     string
		maxStale time.Duration
		lasts    time.Duration
	}{
		{"default", 0, time.Hour},
		{"shorter", 5 * time.Minute, 5 * time.Minute},
		{"not at all", -1, second},
	}
	for _, tt := range tests {
		for kind, open := range map[string]func() (*faulty, bearer.CompareAndSwapper){
			"with a feed": func() (*faulty, bearer.CompareAndSwapper) { w := newWatched(); return w.faulty, w },
			"without":     func() (*faulty, bearer.CompareAndSwapper) { f := newFaulty(); return f, f },
		} {
			t.Run(tt.name+", "+kind, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					f, truth := open()
					near := memstore.New(nil)
					s := layered.New(truth, &layered.Options{MaxStale: tt.maxStale, Near: []bearer.Storage{near}})
					f.elsewhere(t, "a")
					want(t, s, "a")
					f.fail(errDown)
					pass(tt.lasts / 2)
					want(t, s, "a")
					pass(tt.lasts/2 - 1)
					want(t, s, "a")
					pass(2)
					wantErr(t, s, errDown)
					if _, err := near.Get(t.Context(), key); tt.maxStale >= 0 && !errors.Is(err, bearer.ErrNotFound) {
						t.Errorf("what serves no more is still in memory: %v", err)
					}
					f.fail(nil)
					want(t, s, "a")
				})
			})
		}
	}
}

// Back again, it is asked at once.
func TestTruthComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		want(t, s, "old")
		pass(2 * second)
		truth.fail(errDown)
		want(t, s, "old")
		truth.elsewhere(t, "new")
		want(t, s, "old")
		truth.fail(nil)
		want(t, s, "new")
	})
}

// Its own time ends a value also while nobody can ask.
func TestValuesEndWhileTheTruthIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		set(t, s, "a", time.Minute)
		pass(30 * second)
		want(t, s, "a") // a copy that was read knows it too
		truth.fail(errDown)
		pass(30*second - time.Millisecond)
		want(t, s, "a")
		pass(time.Millisecond)
		wantErr(t, s, errDown)
	})
}

func TestWritesFailWhileTheTruthIsDown(t *testing.T) {
	for _, tt := range writes {
		bubble(t, func(t *testing.T) {
			truth := newFaulty()
			s := layered.New(truth, nil)
			set(t, s, "old", 0)
			truth.fail(errDown)
			if err := tt.do(t.Context(), s, "old", "new"); !errors.Is(err, errDown) {
				t.Errorf("%s = %v, want %v", tt.name, err, errDown)
			}
		})
	}
}

// A logout ends the copies though the truth cannot be told.
func TestDeleteWhileTheTruthIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		set(t, s, "a", 0)
		truth.fail(errDown)
		if err := s.Delete(t.Context(), key); !errors.Is(err, errDown) {
			t.Errorf("Delete = %v, want %v", err, errDown)
		}
		wantErr(t, s, errDown)
	})
}

// Of those who have a copy one in a second finds out that the truth still hangs.
func TestTruthHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		want(t, s, "old")
		wantOther := func(want string) {
			t.Helper()
			if got, err := s.Get(t.Context(), "another"); err != nil || string(got) != want {
				t.Errorf("Get of another = %q, %v, want %q", got, err, want)
			}
		}
		truth.CompareAndSwapper.Set(t.Context(), "another", []byte("old"), 0)
		wantOther("old")
		pass(2 * second)
		truth.hang(true)
		truth.gets.Store(0)
		took := func(lasts time.Duration) {
			t.Helper()
			start := time.Now()
			want(t, s, "old")
			if got := time.Since(start); got != lasts {
				t.Errorf("Get took %v, want %v", got, lasts)
			}
		}
		took(second)
		truth.wantGets(t, 1)
		for range 9 {
			took(0)
			pass(second / 10)
		}
		truth.wantGets(t, 1)
		pass(second / 10)
		ended := make(chan bool)
		go func() {
			took(second)
			close(ended)
		}()
		synctest.Wait()
		took(0)
		<-ended
		truth.wantGets(t, 2)

		// One who has no copy waits for as long as there is time.
		ctx, cancel := context.WithTimeout(t.Context(), 20*second)
		defer cancel()
		start := time.Now()
		if _, err := s.Get(ctx, "none"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 20*second {
			t.Errorf("Get without a copy = %v after %v, want %v after 20s", err, time.Since(start), context.DeadlineExceeded)
		}
		truth.elsewhere(t, "new")
		truth.CompareAndSwapper.Set(t.Context(), "another", []byte("new"), 0)
		truth.hang(false)
		want(t, s, "new")
		wantOther("new")
	})
}

// Who has less time than that gets the copy when it is up.
func TestTruthHangsForOneInAHurry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "old")
		want(t, s, "old")
		pass(2 * second)
		truth.hang(true)
		ctx, cancel := context.WithTimeout(t.Context(), second/10)
		defer cancel()
		wantWith(t, ctx, s, "old")
		if _, err := s.Get(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get with a context that has ended = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// A change of another key, even one that shares a counter, costs nobody a copy.
func TestOtherWritesLeaveCopies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		truth := newFaulty()
		s := layered.New(truth, nil)
		truth.elsewhere(t, "a")
		want(t, s, "a")
		truth.fail(errDown)
		for i := range 1 << 14 {
			s.Set(t.Context(), strings.Repeat("x", i%100)+string(rune(i)), []byte("b"), 0)
		}
		want(t, s, "a")
	})
}

func TestNearLayerFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		opts, log := logged()
		truth, near := newFaulty(), newFaulty()
		opts.Near = []bearer.Storage{near}
		near.fail(errDown)
		s := layered.New(truth, opts)
		for range 200 {
			set(t, s, "a", 0)
			want(t, s, "a")
			truth.elsewhere(t, "b")
			want(t, s, "b")
			pass(second / 10)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
		want(t, s, "")
		if n := strings.Count(log.String(), "nearer layer fails"); n < 2 || n > 3 {
			t.Errorf("%d warnings in 20 seconds, want one each ten seconds: %s", n, log)
		}
		wantSafe(t, log.String())
	})
}

func TestStaleIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		opts, log := logged()
		truth := newFaulty()
		s := layered.New(truth, opts)
		truth.elsewhere(t, "v4lue")
		want(t, s, "v4lue")
		pass(2 * second)
		if log.String() != "" {
			t.Errorf("log = %s, want nothing", log)
		}
		truth.fail(errDown)
		for range 20 {
			want(t, s, "v4lue")
			pass(second)
		}
		if n := strings.Count(log.String(), "copies serve on"); n != 2 {
			t.Errorf("%d warnings in 20 seconds, want one each ten seconds: %s", n, log)
		}
		if !strings.Contains(log.String(), "storage=customers") {
			t.Errorf("log = %s, want the storage's name", log)
		}
		wantSafe(t, log.String())
	})
}

// wantSafe fails if text has a key, a value or the text of another's error.
func wantSafe(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{key, "k3y", "v4lue", "s3cr3t"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the log: %s", secret, text)
		}
	}
}

package layered_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
)

type plain struct{ bearer.CompareAndSwapper }

type locker interface {
	TryLock(ctx context.Context, key string, lease time.Duration) (bearer.Lock, error)
}

type watcher interface {
	Watch(ctx context.Context, changed func(bearer.Change)) error
}

// A storage claims what its truth can do, no more.
func TestAbilitiesAreThoseOfTheTruth(t *testing.T) {
	m := memstore.New(nil)
	tests := []struct {
		name           string
		truth          bearer.CompareAndSwapper
		locks, watches bool
	}{
		{"all", m, true, true},
		{"neither", plain{m}, false, false},
		{"lock", struct {
			plain
			locker
		}{plain{m}, m}, true, false},
		{"watch", struct {
			plain
			watcher
		}{plain{m}, m}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := layered.New(tt.truth, nil)
			if _, ok := s.(bearer.Locker); ok != tt.locks {
				t.Errorf("it is a Locker: %v, want %v", ok, tt.locks)
			}
			if _, ok := s.(bearer.Watcher); ok != tt.watches {
				t.Errorf("it is a Watcher: %v, want %v", ok, tt.watches)
			}
			if got := fmt.Sprint(s); !strings.Contains(got, "of 67108864 bytes before ") {
				t.Errorf("printed as %s", got)
			}
		})
	}
}

func TestLocksAreThoseOfTheTruth(t *testing.T) {
	truth := memstore.New(nil)
	l, err := layered.New(truth, nil).(bearer.Locker).TryLock(t.Context(), "a", second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := truth.TryLock(t.Context(), "a", second); err != bearer.ErrLocked {
		t.Errorf("TryLock of the truth = %v, want %v", err, bearer.ErrLocked)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPrintsNoValue(t *testing.T) {
	for _, truth := range []bearer.CompareAndSwapper{memstore.New(nil), newFaulty()} {
		s := layered.New(truth, &layered.Options{Name: "customers"})
		set(t, s, "v4lue", 0)
		var b strings.Builder
		fmt.Fprintf(&b, "%v %+v %#v %s %q %x %d ", s, s, s, s, s, s, s)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", s)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", s)
		j, err := json.Marshal(s)
		if err != nil {
			t.Error(err)
		}
		b.Write(j)
		wantSafe(t, b.String())
		if n := strings.Count(b.String(), "customers"); n != 9 {
			t.Errorf("the name is there %d times, want 9: %s", n, b.String())
		}
	}
}

func TestNewPanics(t *testing.T) {
	m := memstore.New(nil)
	tests := []struct {
		name  string
		truth bearer.CompareAndSwapper
		near  []bearer.Storage
		want  string
	}{
		{"no truth", nil, nil, "layered: New needs a storage"},
		{"a nil layer", m, []bearer.Storage{nil}, "layered: there is a nil in Options.Near"},
		{"the truth before itself", m, []bearer.Storage{m}, "layered: a storage is there twice"},
		{"a layer twice", newFaulty(), []bearer.Storage{m, memstore.New(nil), m}, "layered: a storage is there twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, tt.want) {
					t.Errorf("recover() = %q, want %q", text, tt.want)
				}
			}()
			layered.New(tt.truth, &layered.Options{Near: tt.near})
		})
	}
}

// A hot read costs no allocation more than one of the memory alone.
func TestAllocations(t *testing.T) {
	m := memstore.New(nil)
	set(t, m, strings.Repeat("v", 2000), 0)
	const runs = 10_000 // so that what else happens in the process is lost in the average
	want := testing.AllocsPerRun(runs, func() { m.Get(t.Context(), key) })
	for name, open := range truths {
		s := layered.New(open(), nil)
		set(t, s, strings.Repeat("v", 2000), 0)
		if got := testing.AllocsPerRun(runs, func() { s.Get(t.Context(), key) }); got > want {
			t.Errorf("%s: %v allocations, want %v", name, got, want)
		}
	}
}

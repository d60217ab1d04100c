package layered_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/memstore"
)

func TestEnds(t *testing.T) {
	e := layered.NewEnds()
	e.Note("a", 10, 10, 0)
	e.Note("b", 20, 22, 0)
	for _, tt := range []struct {
		key       string
		now, want time.Duration
	}{{"a", 9, 10}, {"b", 9, 20}, {"c", 9, 0}, {"a", 10, 0}, {"a", 9, 0}, {"b", 10, 20}, {"b", 21, 20}} {
		if got := e.When(tt.key, tt.now); got != tt.want {
			t.Errorf("at %d %s ends at %d, want %d", tt.now, tt.key, got, tt.want)
		}
	}
	e.Note("b", 0, 0, 11)
	if got := e.When("b", 11); got != 0 || e.Len() != 0 {
		t.Errorf("a value without an end ends at %d, %d remembered", got, e.Len())
	}
}

// They take no more room than they may, and those that are past go first.
func TestEndsAreBounded(t *testing.T) {
	e := layered.NewEnds()
	for i := range 64 * layered.MaxEnds / 2 {
		e.Note(fmt.Sprint("past ", i), 10, 10, 0)
	}
	for i := range 64 * layered.MaxEnds / 2 {
		e.Note(fmt.Sprint("to come ", i), 100, 100, 50)
	}
	if n := e.Len(); n > 64*layered.MaxEnds {
		t.Errorf("%d remembered, want at most %d", n, 64*layered.MaxEnds)
	}
	for i := range 64 * layered.MaxEnds / 2 {
		if e.When(fmt.Sprint("to come ", i), 50) != 100 {
			t.Fatal("one to come was forgotten, while some were past")
		}
	}
	for i := range 256 * layered.MaxEnds {
		e.Note(fmt.Sprint("more ", i), 100, 100, 50)
	}
	if n := e.Len(); n > 64*layered.MaxEnds || n < 32*layered.MaxEnds {
		t.Errorf("%d remembered, want some less than %d", n, 64*layered.MaxEnds)
	}
}

// A value that ends later at the truth, which took its time to write it, is not copied
// once its time is up: nobody would know its end.
func TestEndOfSlowWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		truth := memstore.New(nil)
		s := layered.New(slowWrites{truth}, nil)
		ctx := t.Context()
		s.Get(ctx, "key") // from now on it watches
		synctest.Wait()
		if err := s.Set(ctx, "key", []byte("value"), time.Minute); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		<-time.After(time.Minute - writeTakes/2) // by our count it is over, at the truth it is not
		if _, err := s.Get(ctx, "key"); err != nil {
			t.Errorf("before its end at the truth: %v", err)
		}
		<-time.After(writeTakes)
		if v, err := s.Get(ctx, "key"); !errors.Is(err, bearer.ErrNotFound) {
			t.Errorf("after its end: %q, %v, want ErrNotFound", v, err)
		}
		<-time.After(2 * time.Minute) // for the watching to end
	})
}

const writeTakes = 100 * time.Millisecond

// slowWrites is a truth that takes values late.
type slowWrites struct{ *memstore.Store }

func (s slowWrites) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	<-time.After(writeTakes)
	return s.Store.Set(ctx, key, value, ttl)
}

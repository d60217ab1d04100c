package layered_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bearerkit/bearer/layered"
)

func TestEnds(t *testing.T) {
	e := layered.NewEnds()
	e.Note("a", 10, 0)
	e.Note("b", 20, 0)
	for _, tt := range []struct {
		key       string
		now, want time.Duration
	}{{"a", 9, 10}, {"b", 9, 20}, {"c", 9, 0}, {"a", 10, 0}, {"a", 9, 0}, {"b", 10, 20}} {
		if got := e.When(tt.key, tt.now); got != tt.want {
			t.Errorf("at %d %s ends at %d, want %d", tt.now, tt.key, got, tt.want)
		}
	}
	e.Note("b", 0, 11)
	if got := e.When("b", 11); got != 0 || e.Len() != 0 {
		t.Errorf("a value without an end ends at %d, %d remembered", got, e.Len())
	}
}

// They take no more room than they may, and those that are past go first.
func TestEndsAreBounded(t *testing.T) {
	e := layered.NewEnds()
	for i := range 64 * layered.MaxEnds / 2 {
		e.Note(fmt.Sprint("past ", i), 10, 0)
	}
	for i := range 64 * layered.MaxEnds / 2 {
		e.Note(fmt.Sprint("to come ", i), 100, 50)
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
		e.Note(fmt.Sprint("more ", i), 100, 50)
	}
	if n := e.Len(); n > 64*layered.MaxEnds || n < 32*layered.MaxEnds {
		t.Errorf("%d remembered, want some less than %d", n, 64*layered.MaxEnds)
	}
}

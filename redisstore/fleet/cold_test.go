package fleet_test

import (
	"testing"
	"time"
)

// A fleet that starts makes one token request, and all are served soon after its
// answer.
func TestColdStart(t *testing.T) {
	tests := []struct {
		name  string
		front front
		path  string
		who   string
	}{
		{"cold start: integration, " + string(copies), copies, "/job", "job"},
		{"cold start: guests, " + string(memory), memory, "/", guest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const processes = 200
			f := newFleet(t, tt.front, authConfig{})
			f.start(processes)
			f.do("delay", 300*time.Millisecond)
			all := f.visit(tt.path, "")
			all.all.Wait()
			requests := f.requests()
			if len(requests) != 1 {
				t.Fatalf("%d token requests, want 1", len(requests))
			}
			got := all.wait(requests[0].Answered, []string{tt.who}, nil)
			results.add(t, row{tt.name, processes, got, len(requests), "after the answer"})
			wantWithin(t, got.Slowest, 500*time.Millisecond)
		})
	}
}

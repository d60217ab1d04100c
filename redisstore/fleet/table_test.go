package fleet_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// row is a line of the table.
type row struct {
	scenario  string
	processes int
	tally
	tokens int    // token requests
	since  string // what the slowest is counted from
}

// table is what the tests have measured.
type table struct {
	mu   sync.Mutex // guards rows
	rows []row
}

var results table

// add adds a line, and complains about failures.
func (tab *table) add(t *testing.T, r row) {
	t.Helper()
	tab.mu.Lock()
	tab.rows = append(tab.rows, r)
	tab.mu.Unlock()
	t.Logf("%d processes: %d requests served %v, %d failed, %d token requests, slowest %v %s",
		r.processes, r.Served, r.Who, r.Failed, r.tokens, r.Slowest.Round(time.Millisecond), r.since)
	if r.Failed > 0 {
		t.Errorf("%d requests failed:\n%q", r.Failed, r.Failures)
	}
}

func (tab *table) print(w io.Writer) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if len(tab.rows) == 0 {
		return
	}
	slices.SortStableFunc(tab.rows, func(a, b row) int { return strings.Compare(a.scenario, b.scenario) })
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\nscenario\tprocesses\tserved\tfailed\ttoken requests\tslowest")
	for _, r := range tab.rows {
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%.2f s %s\n", r.scenario, r.processes, r.Served, r.Failed, r.tokens, r.Slowest.Seconds(), r.since)
	}
	out.Flush()
}

// wantTokens checks a number of token requests.
func wantTokens(t *testing.T, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%d token requests, want %d", got, want)
	}
}

// wantWithin checks a time, ten times over: a test's machine has other things to do.
func wantWithin(t *testing.T, got, want time.Duration) {
	t.Helper()
	if got > 10*want {
		t.Errorf("it took %v, want %v, and no more than ten times that", got, want)
	}
}

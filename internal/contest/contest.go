// Package contest measures several ways to do one thing in one run, for benchmarks: what
// they print are ratios, since the machines are shared and noisy.
package contest

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// Contender is one way to do what is measured.
type Contender struct {
	name string
	run  func(n int)
}

// By is the way of that name; run does it n times.
func By(name string, run func(n int)) Contender { return Contender{name, run} }

// Compare runs the contenders in turns, so that a noisy machine is noisy for all of
// them, and reports how the first compares with each other one: the median, over the
// turns, of its time as a part of theirs.
func Compare(b *testing.B, contenders ...Contender) {
	const turns = 40
	n := max(1, b.N/turns)
	ratios := make([][]float64, len(contenders))
	var own time.Duration
	for range turns {
		took := make([]time.Duration, len(contenders))
		for i, c := range contenders {
			start := time.Now()
			c.run(n)
			took[i] = time.Since(start)
		}
		own += took[0]
		for i := range contenders {
			ratios[i] = append(ratios[i], float64(took[0])/float64(took[i]))
		}
	}
	b.ReportMetric(float64(own.Nanoseconds())/float64(n*turns), "ns/op")
	for i, c := range contenders[1:] {
		slices.Sort(ratios[i+1])
		b.ReportMetric(ratios[i+1][turns/2], "of-"+c.name)
	}
}

// Serial runs f n times.
func Serial(f func()) func(n int) {
	return func(n int) {
		for range n {
			f()
		}
	}
}

// Parallel runs f n times, spread over so many goroutines.
func Parallel(goroutines int, f func()) func(n int) {
	return func(n int) {
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for range max(1, n/goroutines) {
					f()
				}
			})
		}
		wg.Wait()
	}
}

// Memory is what one of n allocates.
func Memory(run func(n int)) (allocs, bytes float64) {
	const n = 1000
	run(n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n
}

package layered

import (
	"hash/maphash"
	"sync/atomic"
)

// generations count the changes of each key, and those that write it. Keys share
// counters: what a collision costs is a read of the truth.
//
// A copy is good for as long as the counter is what it was before the value was
// read. So it does not matter when a slow reader puts an old value into a layer:
// nobody takes it from there.
type generations struct {
	seed     maphash.Seed
	counters [1 << 12]generation
}

// generation is the number of changes, in units of oneChange, and of those that
// write now, in units of oneWriter.
type generation struct{ atomic.Uint64 }

const (
	oneWriter = 1
	oneChange = 1 << 20
)

func (all *generations) of(key string) *generation {
	return &all.counters[maphash.String(all.seed, key)%uint64(len(all.counters))]
}

// quiet reports whether nobody wrote when the counter was n.
func quiet(n uint64) bool { return n%oneChange == 0 }

// changed ends all copies.
func (g *generation) changed() { g.Add(oneChange) }

// begin is called before a write: until its end no copy is good and none is made,
// since nobody knows which side of the write it would be from.
func (g *generation) begin() uint64 { return g.Add(oneWriter) }

// end is called after a write, with what begin returned. If nobody else has written
// meanwhile it reports so, and the generation of what was written.
func (g *generation) end(begun uint64) (n uint64, alone bool) {
	n = begun - oneWriter + oneChange
	if quiet(n) && g.CompareAndSwap(begun, n) {
		return n, true
	}
	g.Add(oneChange - oneWriter)
	return 0, false
}

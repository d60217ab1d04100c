package layered

import (
	"hash/maphash"
	"time"
)

// Pack and Unpack are those of copies, field by field.
func Pack(store, generation, epoch uint64, read, end time.Duration, value []byte) []byte {
	return header{store, generation, epoch, read, end}.pack(value)
}

func Unpack(raw []byte) (store, generation, epoch uint64, read, end time.Duration, value []byte, ok bool) {
	h, value, ok := unpack(raw)
	return h.store, h.generation, h.epoch, h.read, h.end, value, ok
}

const MaxEnds = maxEnds

// Ends is the memory of when values end.
type Ends struct{ ends }

func NewEnds() *Ends { return &Ends{ends{seed: maphash.MakeSeed()}} }

// Note notes an end that is between the two.
func (e *Ends) Note(key string, first, last, now time.Duration) {
	e.note(key, ending{first, last}, now)
}

func (e *Ends) When(key string, now time.Duration) time.Duration { return e.when(key, now) }

// Len counts what is remembered.
func (e *Ends) Len() (n int) {
	for i := range e.shards {
		n += len(e.shards[i].at)
	}
	return n
}

package layered

import (
	"encoding/binary"
	"time"
)

// header is what a copy has before its value. All times are on the store's clock.
type header struct {
	store      uint64        // whose copy it is; a layer may hold those of a process long gone
	generation uint64        // of the key when the value was read
	epoch      uint64        // of the feed when the value was read; 0: none
	read       time.Duration // when the value was asked for
	end        time.Duration // when the value ends; 0 if nobody knows
}

const headerSize = 5 * 8

// pack returns a copy of value.
func (h header) pack(value []byte) []byte {
	b := make([]byte, 0, headerSize+len(value))
	for _, x := range [...]uint64{h.store, h.generation, h.epoch, uint64(h.read), uint64(h.end)} {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return append(b, value...)
}

// unpack returns what pack has made a copy of; the value shares the copy's memory.
func unpack(raw []byte) (h header, value []byte, ok bool) {
	if len(raw) < headerSize {
		return header{}, nil, false
	}
	x := func(i int) uint64 { return binary.LittleEndian.Uint64(raw[8*i:]) }
	h = header{x(0), x(1), x(2), time.Duration(x(3)), time.Duration(x(4))}
	return h, raw[headerSize:], true
}

// ended reports whether the value's own time has passed.
func (h header) ended(now time.Duration) bool { return h.end != 0 && now >= h.end }

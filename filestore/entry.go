package filestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// entry is what a file holds.
type entry struct {
	end   int64 // in nanoseconds since 1970; never if it has none
	key   string
	value []byte
}

const (
	magic = "bearer filestore 1\n"
	never = math.MaxInt64

	// maxKey and maxValue are far above what a Storage has to take.
	maxKey   = 64 << 10
	maxValue = 1 << 20
	maxFile  = len(magic) + 8 + 4 + maxKey + 4 + maxValue + sha256.Size
)

var errForeign = errors.New("it was cut off or changed, or is of another program: remove it if you do not know it")

// endOf is when a value ends that is written now.
func endOf(ttl time.Duration) int64 {
	now := time.Now().UnixNano()
	if ttl == 0 || int64(ttl) > never-now {
		return never
	}
	return now + int64(ttl)
}

func (e *entry) ended() bool { return e.end != never && time.Now().UnixNano() >= e.end }

// encode returns a file's content: all fields, with their lengths where they vary,
// and the SHA-256 of it.
func (e *entry) encode() []byte {
	b := make([]byte, 0, len(magic)+8+4+len(e.key)+4+len(e.value)+sha256.Size)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.end))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.key)))
	b = append(b, e.key...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.value)))
	b = append(b, e.value...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// decode returns what encode has encoded, errForeign for anything else.
func decode(b []byte) (*entry, error) {
	if len(b) < len(magic)+8+4+4+sha256.Size || len(b) > maxFile || string(b[:len(magic)]) != magic {
		return nil, errForeign
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return nil, errForeign
	}
	body = body[len(magic):]
	e := &entry{end: int64(binary.BigEndian.Uint64(body))}
	key, body, ok := field(body[8:])
	value, rest, ok2 := field(body)
	if !ok || !ok2 || len(rest) > 0 || len(key) > maxKey || len(value) > maxValue {
		return nil, errForeign
	}
	e.key, e.value = string(key), value
	return e, nil
}

// field splits b after the bytes whose number it begins with.
func field(b []byte) (f, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

package verify

import (
	"crypto/sha256"
	"time"

	"github.com/maypok86/otter/v2"
)

// MaxRefused is how many tokens a [Verifier] remembers that are to be refused. The
// least asked for go first.
const MaxRefused = 65536

// refusals are tokens that have been revoked, by digests of what is signed of them, until
// when.
type refusals struct {
	until *otter.Cache[[sha256.Size]byte, time.Time]
}

func newRefusals() *refusals {
	return &refusals{otter.Must(&otter.Options[[sha256.Size]byte, time.Time]{
		MaximumSize: MaxRefused,
		Executor:    func(task func()) { task() },
	})}
}

// add refuses a token until then, or longer if it is refused for longer already.
func (r *refusals) add(token string, end time.Time) {
	if !time.Now().Before(end) {
		return
	}
	end = end.Round(0)
	r.until.Compute(sha256.Sum256([]byte(signed(token))), func(before time.Time, _ bool) (time.Time, otter.ComputeOp) {
		if before.After(end) {
			return before, otter.CancelOp
		}
		return end, otter.WriteOp
	})
}

func (r *refusals) has(token string, now time.Time) bool {
	if r.until.EstimatedSize() == 0 {
		return false
	}
	end, ok := r.until.GetIfPresent(sha256.Sum256([]byte(signed(token))))
	return ok && now.Before(end)
}

package verify

import (
	"crypto/sha256"
	"time"

	"github.com/bearerkit/bearer/internal/unverified"
	"github.com/maypok86/otter/v2"
)

// MaxRefused is how many tokens a [Verifier] remembers that are to be refused. The
// least asked for go first.
const MaxRefused = 65536

// refusals are tokens that have been revoked, by their digests, until when.
type refusals struct {
	until *otter.Cache[[sha256.Size]byte, time.Time]
}

func newRefusals() *refusals {
	return &refusals{otter.Must(&otter.Options[[sha256.Size]byte, time.Time]{
		MaximumSize: MaxRefused,
		Executor:    func(task func()) { task() },
	})}
}

// add refuses a token for d, or if that is not positive, until it expires.
func (r *refusals) add(token string, d time.Duration) {
	now := time.Now()
	end := now.Add(d)
	if d <= 0 {
		if _, end = unverified.Times(token); end.IsZero() {
			return // it is refused as it is
		}
	}
	if !now.Before(end) {
		return
	}
	end = end.Round(0)
	r.until.Compute(sha256.Sum256([]byte(token)), func(before time.Time, _ bool) (time.Time, otter.ComputeOp) {
		if before.After(end) {
			return before, otter.CancelOp
		}
		return end, otter.WriteOp
	})
}

func (r *refusals) has(token string, now time.Time) bool {
	if r.until.EstimatedSize() == 0 || len(token) > maxToken {
		return false
	}
	end, ok := r.until.GetIfPresent(sha256.Sum256([]byte(token)))
	return ok && now.Before(end)
}

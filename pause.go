package bearer

import (
	"math/rand/v2"
	"time"
)

// backoff is a pause that doubles: first, twice that, … at most max.
type backoff struct{ first, max time.Duration }

var (
	transientPause = backoff{100 * time.Millisecond, 5 * time.Second} // no token: callers get the error meanwhile
	permanentPause = backoff{time.Second, time.Minute}                // and a 429's
	aheadPause     = backoff{time.Second, time.Minute}                // early refresh: the old token serves meanwhile
	evictionPause  = backoff{time.Second, time.Minute}                // the brake on tokens rejected soon after they were issued
)

// after returns the pause after so many failures in a row.
func (b backoff) after(failures int) time.Duration {
	d := b.first
	for range failures - 1 {
		if d *= 2; d >= b.max {
			return b.max
		}
	}
	return d
}

// jitter takes up to a fraction of d off it, so that those who failed together
// do not come back together.
func jitter(d time.Duration, fraction float64) time.Duration {
	return d - time.Duration(float64(d)*fraction*rand.Float64())
}

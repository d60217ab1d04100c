package until

import "time"

// Times are those until which tokens are kept.
func Times(t *Tokens) (all []time.Time) {
	for _, kept := range t.by {
		all = append(all, kept.until)
	}
	return all
}

package verify

import "github.com/bearerkit/bearer/internal/until"

// Seen is how many tokens a Verifier remembers as good ones.
func Seen(v *Verifier) int {
	if v.seen.entries == nil {
		return 0
	}
	v.seen.entries.CleanUp()
	return v.seen.entries.EstimatedSize()
}

// CacheBytes is what a Verifier remembers of good tokens at most.
func CacheBytes(v *Verifier) int64 { return int64(v.seen.entries.GetMaximum()) }

// Confuse puts what is remembered of one token where another one is looked for, as if
// the two had one digest.
func Confuse(v *Verifier, token, other string) {
	found, _ := v.seen.entries.GetIfPresent(v.seen.key(token))
	v.seen.entries.Set(v.seen.key(other), found)
}

// Refused is how many tokens a Verifier remembers as revoked ones.
func Refused(v *Verifier) int { return v.refused.Len() }

// HoldRefusals keeps everybody from adding revoked tokens until it is released.
func HoldRefusals(v *Verifier) (release func()) {
	held, end := make(chan struct{}), make(chan struct{})
	go v.refused.Unless("nothing", func() { close(held); <-end })
	<-held
	return func() { close(end) }
}

// SetMaxRefused sets MaxRefused for one Verifier that has refused none yet.
func SetMaxRefused(v *Verifier, most int) { v.refused = until.New(most) }

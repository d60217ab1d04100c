package verify_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bearerkit/bearer/verify"
)

// The algorithms for which keys are fetched are those that New was given.
func TestNewCopiesAlgorithms(t *testing.T) {
	a := signer()
	i := fetched
	i.Algorithms = []string{"ES256"}
	v := newVerifier(t, &verify.Options{Base: &published{set: keySet(a)}}, i)
	i.Algorithms[0] = "RS256"
	if err := check(v, a.good()); err != nil {
		t.Error(err)
	}
}

// A Verifier of its own accord remembers as many revoked tokens as MaxRefused.
func TestMaxRefusedByDefault(t *testing.T) {
	v := newVerifier(t, nil, issuerOf(signer()))
	for i := range verify.MaxRefused + 1 {
		v.Refuse(fmt.Sprint(i, "."), time.Hour)
	}
	if n := verify.Refused(v); n != verify.MaxRefused {
		t.Errorf("%d are remembered, want %d", n, verify.MaxRefused)
	}
}

package verify_test

import (
	"testing"
)

var allAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func TestAlgorithms(t *testing.T) {
	for _, alg := range allAlgorithms {
		t.Run(alg, func(t *testing.T) {
			v := newVerifier(t, nil, issuerOf(of(alg)))
			if err := check(v, of(alg).good()); err != nil {
				t.Error(err)
			}
		})
	}
}

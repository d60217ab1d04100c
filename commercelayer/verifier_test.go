package commercelayer_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
)

func TestVerifierOfLocalTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v, err := commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{Base: s.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		issued, err := s.Issue(commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{Scope: commercelayertest.MarketScope, Owner: commercelayertest.Owner{Type: "Customer", ID: "cus1"}})
		if err != nil {
			t.Fatal(err)
		}
		a, err := v.Verify(t.Context(), issued.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if want := (bearer.Owner{Type: "Customer", ID: "cus1"}); a.Owner != want || !a.Claims.(*commercelayer.Claims).IsSalesChannel() {
			t.Errorf("owner %v, claims %v, want %v of a sales channel", a.Owner, a.Claims, want)
		}
		other, err := commercelayer.NewVerifier("another-brand", &commercelayer.VerifierOptions{Base: s.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Verify(t.Context(), issued.AccessToken); !errors.Is(err, verify.ErrNotAdmitted) {
			t.Errorf("another organization's verifier says %v, want ErrNotAdmitted", err)
		}
	})
}

package bearer_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/sealed"
)

// A storage that is full takes no marks, but what is in it can be removed, and no refresh
// brings that back.
func TestLogoutOfAFullStorage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer bool // the mark was written, and only the answer lost
	}{{"full", false}, {"an answer is lost", true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				tok := v.signIn("ada")
				thief := v.thief()
				thief.wantWho("ada")
				swaps := 0
				full := func(_ context.Context, op, _ string) error {
					if op == "swap" {
						swaps++
					}
					if op == "set" || op == "swap" && swaps == 1 {
						return errDown
					}
					return nil
				}
				if tt.answer {
					s.shelf.faults(nil, full)
				} else {
					s.shelf.faults(full, nil)
				}
				if err := v.signOut(); err != nil {
					t.Errorf("Logout: %v", err)
				}
				if got, want := s.p.takenBack(), []string{tok.RefreshToken, tok.AccessToken}; !slices.Equal(got, want) {
					t.Errorf("revoked %q, want %q", got, want)
				}
				pass(2 * time.Second)
				thief.wantWho("guest")
				for _, text := range s.shelf.texts() {
					if contains(text, "s3cr3t") {
						t.Errorf("the storage still has %s", text)
					}
				}
				wantEvents[bearer.SignedOut](t, s.events, 1)
			})
		})
	}
}

// A record that cannot be read is removed nevertheless. That its tokens stay good is
// told to who wanted them revoked.
func TestLogoutOfWhatCannotBeRead(t *testing.T) {
	for _, revoke := range []bool{true, false} {
		t.Run(map[bool]string{true: "Logout", false: "Forget"}[revoke], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, err := sealed.NewKeys(sealed.GenerateKey())
				if err != nil {
					t.Fatal(err)
				}
				keys, err := sealed.NewKeys(sealed.GenerateKey())
				if err != nil {
					t.Fatal(err)
				}
				p, inner := &idp{}, memstore.New(nil)
				setCustomer(t, single(p, sealed.NewStorage(old, inner), nil), p.login("ada", true))
				c := single(p, sealed.NewStorage(keys, inner), nil)
				if revoke {
					err = c.Logout(t.Context())
				} else {
					err = c.Forget(t.Context())
				}
				if told := errors.Is(err, sealed.ErrInvalid) && contains(err.Error(), "signed out"); told != revoke || !told && err != nil {
					t.Errorf("error = %v, want one of tokens that are not revoked: %v", err, revoke)
				}
				if _, err := inner.Get(t.Context(), singleKey); !errors.Is(err, bearer.ErrNotFound) {
					t.Errorf("the record is still there: %v", err)
				}
				pass(2 * time.Second)
				isOver(t, c, false)
			})
		})
	}
}

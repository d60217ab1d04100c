package commercelayer

import (
	"errors"
	"slices"
	"strings"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

// Requirement says whether a token with these claims, which have been verified, is as
// wanted: nil, or why not, preferably by [Unmet]. Any function will do. It must be safe
// for concurrent use, and must not modify the claims.
type Requirement func(*Claims) error

// Unmet is the error of a [Requirement]: errors.Is finds verify.ErrNotAdmitted in it. The
// text is told to whoever has sent the token; it must hold nothing of it.
func Unmet(text string) error { return refused(verify.ErrNotAdmitted, text) }

func met(ok bool, text string) error {
	if ok {
		return nil
	}
	return Unmet(text)
}

// OfKind requires an application of one of these kinds, such as [KindIntegration].
func OfKind(kinds ...string) Requirement {
	return func(c *Claims) error {
		return met(slices.Contains(kinds, c.Application.Kind), "the token is of another kind of application")
	}
}

// FromClient requires a token that was issued to one of these clients, by their ids.
func FromClient(ids ...string) Requirement {
	return func(c *Claims) error {
		return met(c.Application.ClientID != "" && slices.Contains(ids, c.Application.ClientID), "the token was issued to another client")
	}
}

// OfCustomer requires a customer's token.
func OfCustomer(c *Claims) error { return met(c.IsCustomer(), "the token is not a customer's") }

// OfOwner requires the token of one of these owners, by their ids. The type is Customer
// or User, in any case: an id says nothing without it.
func OfOwner(ownerType string, ids ...string) Requirement {
	return func(c *Claims) error {
		return met(c.Owner != nil && strings.EqualFold(c.Owner.Type, ownerType) && slices.Contains(ids, c.Owner.ID), "the token is of another owner")
	}
}

// InOrganization requires a token of one of these organizations, by their slugs: for a
// [Verifier] that admits several.
func InOrganization(slugs ...string) Requirement {
	return func(c *Claims) error {
		return met(c.Organization != nil && slices.Contains(slugs, c.Organization.Slug), "the token is for another organization")
	}
}

// InMarket requires a token whose scope has one of these markets, by their ids. That of
// market:all has none.
func InMarket(ids ...string) Requirement {
	return func(c *Claims) error {
		return met(c.Market != nil && slices.ContainsFunc(c.Market.ID, func(id string) bool { return slices.Contains(ids, id) }), "the token is for another market")
	}
}

// InTestMode requires a token of the test mode.
func InTestMode(c *Claims) error { return met(c.Test, "the token is not of the test mode") }

// InLiveMode requires a token of the live mode, one that says so.
func InLiveMode(c *Claims) error {
	if c.modeless {
		return Unmet("the token does not tell its mode")
	}
	return met(!c.Test, "the token is of the test mode")
}

// All requires all of these; of none, anything is good enough. It panics if one is nil.
func All(of ...Requirement) Requirement {
	of = given("All", of)
	return func(c *Claims) error {
		for _, r := range of {
			if err := r(c); err != nil {
				return err
			}
		}
		return nil
	}
}

// Any requires one of these. Its error is that of the last, or one that cannot tell, a
// *bearer.UnavailableError: that one might have been met. Of none, nothing is good enough.
// It panics if one is nil.
func Any(of ...Requirement) Requirement {
	of = given("Any", of)
	return func(c *Claims) error {
		last := Unmet("the token is not as required")
		var unknown error
		for _, r := range of {
			err := r(c)
			if err == nil {
				return nil
			}
			if _, ok := errors.AsType[*bearer.UnavailableError](err); ok {
				unknown = err
			}
			last = err
		}
		if unknown != nil {
			return unknown
		}
		return last
	}
}

func given(name string, of []Requirement) []Requirement {
	for _, r := range of {
		if r == nil {
			panic("commercelayer: " + name + " has a nil Requirement: leave it out")
		}
	}
	return slices.Clone(of)
}

package commercelayer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/verify"
)

func TestRequirements(t *testing.T) {
	type claims = commercelayer.Claims
	app := func(kind, client string) commercelayer.Application {
		return commercelayer.Application{Kind: kind, ClientID: client}
	}
	owner := func(kind, id string) *claims { return &claims{Owner: &commercelayer.Owner{Type: kind, ID: id}} }
	market := func(ids ...string) *claims { return &claims{Market: &commercelayer.Market{ID: ids}} }
	organization := func(slug string) *claims { return &claims{Organization: &commercelayer.Organization{Slug: slug}} }
	const (
		otherKind  = "the token is of another kind of application"
		otherAppl  = "the token was issued to another client"
		noCustomer = "the token is not a customer's"
		otherOwner = "the token is of another owner"
		otherOrg   = "the token is for another organization"
		otherMark  = "the token is for another market"
	)
	tests := []struct {
		name string
		what commercelayer.Requirement
		c    *claims
		want string // empty: it is met
	}{
		{"kind", commercelayer.OfKind("integration"), &claims{Application: app("integration", "")}, ""},
		{"one of the kinds", commercelayer.OfKind("webapp", "integration"), &claims{Application: app("integration", "")}, ""},
		{"another kind", commercelayer.OfKind("webapp", "integration"), &claims{Application: app("sales_channel", "")}, otherKind},
		{"none of no kinds", commercelayer.OfKind(), &claims{Application: app("integration", "")}, otherKind},
		{"no kind", commercelayer.OfKind("integration"), &claims{}, otherKind},
		{"client", commercelayer.FromClient("a", "b"), &claims{Application: app("", "b")}, ""},
		{"another client", commercelayer.FromClient("a", "b"), &claims{Application: app("", "c")}, otherAppl},
		{"no client", commercelayer.FromClient("a", ""), &claims{}, otherAppl},
		{"customer", commercelayer.OfCustomer, owner("Customer", "c"), ""},
		{"guest is no customer", commercelayer.OfCustomer, &claims{}, noCustomer},
		{"user is no customer", commercelayer.OfCustomer, owner("User", "c"), noCustomer},
		{"owner", commercelayer.OfOwner("Customer", "a", "b"), owner("Customer", "b"), ""},
		{"owner in small letters", commercelayer.OfOwner("customer", "b"), owner("Customer", "b"), ""},
		{"another owner", commercelayer.OfOwner("Customer", "a", "b"), owner("Customer", "c"), otherOwner},
		{"owner's id in capitals", commercelayer.OfOwner("Customer", "a"), owner("Customer", "A"), otherOwner},
		{"owner of another type", commercelayer.OfOwner("Customer", "a"), owner("User", "a"), otherOwner},
		{"user", commercelayer.OfOwner("User", "a"), owner("User", "a"), ""},
		{"no owner", commercelayer.OfOwner("Customer", ""), &claims{}, otherOwner},
		{"any customer is not meant", commercelayer.OfOwner("Customer"), owner("Customer", "a"), otherOwner},
		{"organization", commercelayer.InOrganization("a", "b"), organization("b"), ""},
		{"another organization", commercelayer.InOrganization("a", "b"), organization("c"), otherOrg},
		{"no organization", commercelayer.InOrganization(""), &claims{}, otherOrg},
		{"market", commercelayer.InMarket("a", "b"), market("b"), ""},
		{"one of its markets", commercelayer.InMarket("a", "b"), market("c", "a"), ""},
		{"another market", commercelayer.InMarket("a", "b"), market("c", "d"), otherMark},
		{"no markets", commercelayer.InMarket("a", ""), market(), otherMark},
		{"market:all", commercelayer.InMarket("a"), &claims{}, otherMark},
		{"test mode", commercelayer.InTestMode, &claims{Test: true}, ""},
		{"not the test mode", commercelayer.InTestMode, &claims{}, "the token is not of the test mode"},
		{"live mode", commercelayer.InLiveMode, &claims{}, ""},
		{"not the live mode", commercelayer.InLiveMode, &claims{Test: true}, "the token is of the test mode"},
		{"all", commercelayer.All(commercelayer.OfCustomer, commercelayer.InLiveMode), owner("Customer", "c"), ""},
		{"all but the first", commercelayer.All(commercelayer.OfCustomer, commercelayer.InLiveMode), &claims{}, noCustomer},
		{"all but the last", commercelayer.All(commercelayer.InLiveMode, commercelayer.OfCustomer), &claims{}, noCustomer},
		{"neither of all", commercelayer.All(commercelayer.InTestMode, commercelayer.OfCustomer), &claims{}, "the token is not of the test mode"},
		{"all of none", commercelayer.All(), &claims{}, ""},
		{"any, the first", commercelayer.Any(commercelayer.InLiveMode, commercelayer.OfCustomer), &claims{}, ""},
		{"any, the last", commercelayer.Any(commercelayer.InTestMode, commercelayer.OfCustomer), owner("Customer", "c"), ""},
		{"neither of any", commercelayer.Any(commercelayer.InTestMode, commercelayer.OfCustomer), &claims{}, noCustomer},
		{"any of none", commercelayer.Any(), owner("Customer", "c"), "the token is not as required"},
		{"within each other", commercelayer.All(commercelayer.InLiveMode, commercelayer.Any(commercelayer.OfCustomer, commercelayer.OfKind("integration"))), &claims{Application: app("integration", "")}, ""},
		{"within each other, unmet", commercelayer.Any(commercelayer.InTestMode, commercelayer.All(commercelayer.InLiveMode, commercelayer.OfCustomer)), &claims{}, noCustomer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.what(tt.c)
			if tt.want == "" {
				if err != nil {
					t.Errorf("error = %v, want none", err)
				}
				return
			}
			own, ok := errors.AsType[*verify.Error](err)
			if !ok || !errors.Is(err, verify.ErrNotAdmitted) || own.Description() != tt.want {
				t.Errorf("error = %v, want ErrNotAdmitted with %q", err, tt.want)
			}
		})
	}
}

// What a Requirement is made of may be changed later, without it.
func TestRequirementsAreCopied(t *testing.T) {
	never := func(*commercelayer.Claims) error { return commercelayer.Unmet("never") }
	list := []commercelayer.Requirement{commercelayer.InLiveMode}
	both, either := commercelayer.All(list...), commercelayer.Any(list...)
	list[0] = never
	for name, what := range map[string]commercelayer.Requirement{"All": both, "Any": either} {
		if err := what(&commercelayer.Claims{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequirementsPanic(t *testing.T) {
	v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet()})
	tests := []struct {
		name string
		f    func()
		want string
	}{
		{"All", func() { commercelayer.All(commercelayer.OfCustomer, nil) }, "commercelayer: All has a nil Requirement"},
		{"Any", func() { commercelayer.Any(nil) }, "commercelayer: Any has a nil Requirement"},
		{"Require", func() { v.Require(nil, nil) }, "commercelayer: Require needs a Requirement"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, tt.want) {
					t.Errorf("panics with %q, want %q", got, tt.want)
				}
			}()
			tt.f()
		})
	}
}

// One of several that cannot tell might have been met.
func TestAnyThatCannotTell(t *testing.T) {
	passing := &bearer.UnavailableError{}
	cannotTell := func(*commercelayer.Claims) error { return passing }
	no := commercelayer.OfKind(commercelayer.KindWebapp)
	yes := commercelayer.OfKind(commercelayer.KindIntegration)
	c := &commercelayer.Claims{Application: commercelayer.Application{Kind: commercelayer.KindIntegration}}
	for _, tt := range []struct {
		name string
		any  commercelayer.Requirement
		want error
	}{
		{"before one that is not met", commercelayer.Any(cannotTell, no), passing},
		{"behind one that is not met", commercelayer.Any(no, cannotTell), passing},
		{"before one that is met", commercelayer.Any(cannotTell, yes), nil},
	} {
		if err := tt.any(c); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

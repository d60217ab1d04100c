package commercelayer_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
	"github.com/golang-jwt/jwt/v5"
)

// newVerifier is one of tokens of the stand-in's organization, if the options do not
// want any.
func newVerifier(t *testing.T, s *commercelayertest.Server, o *commercelayer.VerifierOptions) *commercelayer.Verifier {
	t.Helper()
	if o == nil {
		o = &commercelayer.VerifierOptions{}
	}
	if s != nil {
		o.Base = s.Transport()
	}
	organization := commercelayertest.Slug
	if o.UnsafeAnyOrganization {
		organization = ""
	}
	v, err := commercelayer.NewVerifier(organization, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mustIssue is a token of the stand-in's.
func mustIssue(t *testing.T, s *commercelayertest.Server, client string, o *commercelayertest.IssueOptions) string {
	t.Helper()
	issued, err := s.Issue(client, o)
	if err != nil {
		t.Fatal(err)
	}
	return issued.AccessToken
}

// guestToken and customerToken are those of the stand-in's first market.
func guestToken(t *testing.T, s *commercelayertest.Server) string {
	t.Helper()
	return mustIssue(t, s, commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{Scope: commercelayertest.MarketScope})
}

func customerToken(t *testing.T, s *commercelayertest.Server, id string) string {
	t.Helper()
	return mustIssue(t, s, commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{
		Scope: commercelayertest.MarketScope, Owner: commercelayertest.Owner{Type: "Customer", ID: id}})
}

// signer signs what the stand-in never would.
type signer struct{ key *rsa.PrivateKey }

// ours is one for all tests: keys take long to make.
var ours = sync.OnceValue(func() signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return signer{key}
})

// keySet is a VerifierOptions.KeySet.
func (s signer) keySet() []byte {
	enc := base64.RawURLEncoding.EncodeToString
	return fmt.Appendf(nil, `{"keys":[{"kty":"RSA","n":%q,"e":%q,"kid":"ours","alg":"RS512","use":"sig"}]}`,
		enc(s.key.N.Bytes()), enc(big.NewInt(int64(s.key.E)).Bytes()))
}

// sign makes a token that says claims, in JSON.
func (s signer) sign(claims string) string {
	return s.signAs(`{"alg":"RS512","typ":"JWT","kid":"ours"}`, claims)
}

func (s signer) signAs(header, claims string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := jwt.SigningMethodRS512.Sign(text, s.key)
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

type claimSet map[string]any

// saying is what a token of this kind says, with changes; nil takes a claim out.
func saying(kind string, changes claimSet) string {
	c := claimSet{
		"iss": "https://auth.commercelayer.io", "scope": "market:all", "test": true, "rand": 0.5,
		"iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Hour).Unix(),
		"application": claimSet{"id": "app1", "kind": kind, "client_id": "client1", "public": false, "confidential": true},
	}
	if kind == commercelayer.KindUser || kind == commercelayer.KindDashboard {
		c["user"] = claimSet{"id": "user1"}
	} else {
		c["organization"] = claimSet{"id": "org1", "slug": commercelayertest.Slug, "enterprise": true, "region": "eu-west-1"}
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	b, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// inOrganization makes a dashboard's token what it is there: its user is the owner.
var inOrganization = claimSet{
	"user": nil, "owner": claimSet{"type": "User", "id": "user1"},
	"organization": claimSet{"id": "org1", "slug": commercelayertest.Slug},
}

// refusedAs checks that err is of this kind, says in the words of the package that it
// is, and quotes nothing of the token.
func refusedAs(t *testing.T, token string, err, kind error) *verify.Error {
	t.Helper()
	own, ok := errors.AsType[*verify.Error](err)
	if !ok || !errors.Is(err, kind) {
		t.Errorf("error = %v, want %q", err, kind)
		return &verify.Error{}
	}
	said := fmt.Sprintf("%v %+v %s", own, own, own.Description())
	for part := range strings.SplitSeq(token, ".") {
		if len(part) >= 8 && strings.Contains(said, part[:8]) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
	return own
}

func TestVerifierKinds(t *testing.T) {
	customer := commercelayertest.Owner{Type: "Customer", ID: "cus1"}
	user := commercelayertest.Owner{Type: "User", ID: "user1"}
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v := newVerifier(t, s, &commercelayer.VerifierOptions{Users: true})
		fixed := newVerifier(t, nil, &commercelayer.VerifierOptions{Users: true, KeySet: ours().keySet()})
		tests := []struct {
			name      string
			v         *commercelayer.Verifier
			token     string
			tokenType string
			scope     string
			life      time.Duration
			owner     bearer.Owner
		}{
			{"guest", v, guestToken(t, s), "sales_channel:guest", commercelayertest.MarketScope, 4 * time.Hour, bearer.Owner{}},
			{"customer", v, customerToken(t, s, "cus1"), "sales_channel:customer", commercelayertest.MarketScope, 4 * time.Hour, bearer.Owner{Type: "Customer", ID: "cus1"}},
			{"integration", v, mustIssue(t, s, commercelayertest.IntegrationID, nil), "integration:guest", "market:all", 2 * time.Hour, bearer.Owner{}},
			{"integration for a customer", v, mustIssue(t, s, commercelayertest.IntegrationID, &commercelayertest.IssueOptions{Owner: customer}), "integration:customer", "market:all", 2 * time.Hour, bearer.Owner{Type: "Customer", ID: "cus1"}},
			{"webapp", v, mustIssue(t, s, commercelayertest.WebappID, &commercelayertest.IssueOptions{Owner: user}), "webapp:user", "market:all", 2 * time.Hour, bearer.Owner{}},
			{"user", v, mustIssue(t, s, commercelayertest.UserClientID, nil), "user:guest", "provisioning-api metrics-api", 2 * time.Hour, bearer.Owner{}},
			{"dashboard", fixed, ours().sign(saying("dashboard", nil)), "dashboard:guest", "market:all", 2 * time.Hour, bearer.Owner{}},
			{"dashboard in the organization", fixed, ours().sign(saying("dashboard", inOrganization)), "dashboard:user", "market:all", 2 * time.Hour, bearer.Owner{}},
			{"customer in small letters", fixed, ours().sign(saying("sales_channel", claimSet{"owner": claimSet{"type": "customer", "id": "cus1"}})), "sales_channel:customer", "market:all", 2 * time.Hour, bearer.Owner{Type: "Customer", ID: "cus1"}},
			{"owner of another type", fixed, ours().sign(saying("sales_channel", claimSet{"owner": claimSet{"type": "Robot", "id": "cus1"}})), "sales_channel:robot", "market:all", 2 * time.Hour, bearer.Owner{}},
		}
		for _, tt := range tests {
			for _, time := range []string{"first", "second"} {
				a, err := tt.v.Verify(t.Context(), tt.token)
				if err != nil {
					t.Errorf("%s, the %s time: %v", tt.name, time, err)
					continue
				}
				c, ok := a.Claims.(*commercelayer.Claims)
				if !ok || c.TokenType() != tt.tokenType {
					t.Errorf("%s: Claims are %v, want *Claims of %s", tt.name, a.Claims, tt.tokenType)
				}
				if a.Owner != tt.owner || a.Scope != tt.scope || a.Token.AccessToken != tt.token {
					t.Errorf("%s: %v with scope %q, want %v with %q", tt.name, a.Owner, a.Scope, tt.owner, tt.scope)
				}
				if got := a.Token.Expiry; !got.Equal(c.ExpiresAt) || got.Sub(c.IssuedAt) != tt.life {
					t.Errorf("%s: Expiry is %v, want %v after %v", tt.name, got, tt.life, c.IssuedAt)
				}
				if again, err := tt.v.Claims(t.Context(), tt.token); err != nil || !reflect.DeepEqual(again, c) {
					t.Errorf("%s: Claims = %s, %v, want those of Verify", tt.name, again.Raw, err)
				}
			}
		}
		if n := s.Counts().KeySetRequests; n != 1 {
			t.Errorf("%d requests for the key set, want 1", n)
		}
	})
}

// What the service does not say is not made up.
func TestVerifierClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v := newVerifier(t, s, nil)
		token := mustIssue(t, s, commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{
			Scope: commercelayertest.MarketScope, WithoutSecret: true, CustomClaim: json.RawMessage(`{"tier": "gold"}`)})
		c, err := v.Claims(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := commercelayer.DecodeUnverified(token)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(c)
		want, _ := json.Marshal(plain)
		if string(got) != string(want) {
			t.Errorf("Claims =\n%s, want what the token says:\n%s", got, want)
		}
		if api, err := c.CoreAPIURL(); err != nil || api != s.APIURL() {
			t.Errorf("CoreAPIURL = %q, %v, want %q", api, err, s.APIURL())
		}
		if c.Market == nil || c.Application.Confidential || !c.Test || !c.IsGuest() {
			t.Errorf("Claims = %s, want a market, the test mode, no secret and no owner", got)
		}
	})
}

func TestVerifierAdmits(t *testing.T) {
	type options = commercelayer.VerifierOptions
	anyone := options{UnsafeAnyOrganization: true}
	noLive := commercelayer.Unmet("the token is of the live mode")
	owned := claimSet{"owner": claimSet{"type": "Customer", "id": "cus1"}}
	of := func(slug string) claimSet {
		return claimSet{"organization": claimSet{"id": "org2", "slug": slug}}
	}
	tests := []struct {
		name    string
		opts    options
		kind    string
		changes claimSet
		want    string // Description; empty: it is admitted
	}{
		{"organization", options{}, "sales_channel", nil, ""},
		{"another", options{}, "sales_channel", of("another-shop"), "the token is for another organization"},
		{"another of an integration", options{}, "integration", of("another-shop"), "the token is for another organization"},
		{"a longer one", options{}, "sales_channel", of(commercelayertest.Slug + "-2"), "the token is for another organization"},
		{"in capitals", options{}, "sales_channel", of("Local-Shop"), "the token is for another organization"},
		{"one of several", options{Organizations: []string{"a-shop", "another-shop"}}, "sales_channel", of("another-shop"), ""},
		{"the first of several", options{Organizations: []string{"another-shop"}}, "sales_channel", nil, ""},
		{"none of several", options{Organizations: []string{"a-shop", "another-shop"}}, "sales_channel", of("b-shop"), "the token is for another organization"},
		{"any", anyone, "webapp", of("another-shop"), ""},
		{"any, none", anyone, "user", nil, "the token is of a user of the service"},
		{"any, and users", options{UnsafeAnyOrganization: true, Users: true}, "user", nil, ""},
		{"user", options{}, "user", nil, "the token is of a user of the service"},
		{"dashboard", options{}, "dashboard", nil, "the token is of a user of the service"},
		{"user with the organization", options{}, "user", of(commercelayertest.Slug), "the token is of a user of the service"},
		{"dashboard with the organization", options{}, "dashboard", of(commercelayertest.Slug), "the token is of a user of the service"},
		{"user, admitted", options{Users: true}, "user", nil, ""},
		{"dashboard, admitted", options{Users: true}, "dashboard", nil, ""},
		{"dashboard in another", options{Users: true}, "dashboard", claimSet{"user": nil, "owner": claimSet{"type": "User", "id": "user1"}, "organization": claimSet{"id": "org2", "slug": "another-shop"}}, "the token is for another organization"},
		{"dashboard in the organization", options{}, "dashboard", inOrganization, "the token is of a user of the service"},
		{"dashboard in the organization, admitted", options{Users: true}, "dashboard", inOrganization, ""},
		{"user with another organization", options{Users: true}, "user", of("another-shop"), "the token is for another organization"},
		{"unknown kind", options{}, "robot", nil, "the token is of a kind of application that is unknown here"},
		{"unknown kind, anything goes", options{UnsafeAnyOrganization: true, Users: true}, "robot", nil, "the token is of a kind of application that is unknown here"},
		{"kind in capitals", options{}, "Sales_Channel", nil, "the token is of a kind of application that is unknown here"},
		{"test mode", options{Admit: commercelayer.InLiveMode}, "sales_channel", nil, "the token is of the test mode"},
		{"live mode", options{Admit: commercelayer.InLiveMode}, "sales_channel", claimSet{"test": false}, ""},
		{"live mode unsaid", options{Admit: commercelayer.InTestMode}, "sales_channel", claimSet{"test": nil}, "the token is not of the test mode"},
		{"both modes", options{}, "sales_channel", claimSet{"test": false}, ""},
		{"admitted customer", options{Admit: commercelayer.OfCustomer}, "sales_channel", owned, ""},
		{"guest not admitted", options{Admit: commercelayer.OfCustomer}, "sales_channel", nil, "the token is not a customer's"},
		{"Admit of another organization", options{Admit: func(*commercelayer.Claims) error { return nil }}, "sales_channel", of("another-shop"), "the token is for another organization"},
		{"Admit with an error of its own", options{Admit: func(c *commercelayer.Claims) error {
			if c.Test {
				return nil
			}
			return noLive
		}}, "sales_channel", claimSet{"test": false}, "the token is of the live mode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.KeySet = ours().keySet()
			v := newVerifier(t, nil, &tt.opts)
			token := ours().sign(saying(tt.kind, tt.changes))
			for range 2 {
				a, err := v.Verify(t.Context(), token)
				if tt.want == "" {
					if err != nil || a.Claims.(*commercelayer.Claims).Application.Kind != tt.kind {
						t.Errorf("Verify = %v, %v, want it admitted", a, err)
					}
					continue
				}
				if got := refusedAs(t, token, err, verify.ErrNotAdmitted).Description(); a != nil || got != tt.want {
					t.Errorf("%v refused because %q, want %q", a, got, tt.want)
				}
			}
		})
	}
}

// Admit is asked once for a token, and is told what has been verified.
func TestVerifierAdmitOnce(t *testing.T) {
	asked := 0
	v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet(), Admit: func(c *commercelayer.Claims) error {
		asked++
		if c.Organization.Slug != commercelayertest.Slug || c.Scope != "market:all" {
			t.Errorf("Admit is told %+v", c)
		}
		return nil
	}})
	token := ours().sign(saying("sales_channel", nil))
	for _, other := range []string{token[:len(token)-8] + "AAAAAAAA", ours().sign(saying("sales_channel", claimSet{"organization": claimSet{"id": "org2", "slug": "x"}}))} {
		if _, err := v.Verify(t.Context(), other); err == nil {
			t.Error("a token is admitted that should not be")
		}
	}
	if asked != 0 {
		t.Errorf("asked %d times about tokens that are not good", asked)
	}
	for range 3 {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times, want once", asked)
	}
}

// What the options say to package verify arrives there.
func TestVerifierPassesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := func(d time.Duration) string {
			return ours().sign(saying("sales_channel", claimSet{"iat": time.Now().Add(d).Unix()}))
		}
		tests := []struct {
			name   string
			leeway time.Duration
			token  string
			want   error
		}{
			{"default leeway", 0, ahead(time.Minute), nil},
			{"over the default leeway", 0, ahead(61 * time.Second), verify.ErrNotYetValid},
			{"more leeway", 5 * time.Minute, ahead(5 * time.Minute), nil},
			{"no leeway", -1, ahead(time.Second), verify.ErrNotYetValid},
		}
		for _, tt := range tests {
			v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet(), Leeway: tt.leeway})
			if _, err := v.Verify(t.Context(), tt.token); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}

		asked := 0
		forgetful := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet(), CacheBytes: -1, Admit: func(*commercelayer.Claims) error { asked++; return nil }})
		token := ahead(0)
		for range 2 {
			if _, err := forgetful.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
		if asked != 2 {
			t.Errorf("without a cache a token was looked at %d times, want 2", asked)
		}
	})
}

func TestVerifierPrinted(t *testing.T) {
	v, err := commercelayer.NewVerifier("my-brand", &commercelayer.VerifierOptions{Organizations: []string{"another"}, KeySet: ours().keySet()})
	if err != nil {
		t.Fatal(err)
	}
	got := printed(v)
	want := `commercelayer.Verifier(["my-brand" "another"], verify.Verifier(["https://auth.commercelayer.io"]))`
	if strings.Count(got, want) != 5 || strings.Count(got, strings.ReplaceAll(want, `"`, `\"`)) != 2 {
		t.Errorf("printed as %s, want %s alone, in logs too", got, want)
	}
}

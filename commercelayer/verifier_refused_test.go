package commercelayer_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
)

// alterations are all that come of changing one thing in a JSON value: a text, a number,
// a truth, or a member less.
func alterations(path string, v any, into map[string]any, with func(any) any) {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			at := path + "." + name
			change := func(n any, gone bool) any {
				c := maps.Clone(v)
				c[name] = n
				if gone {
					delete(c, name)
				}
				return with(c)
			}
			into["without "+at] = change(nil, true)
			alterations(at, v[name], into, func(n any) any { return change(n, false) })
		}
	case []any:
		into["one more in "+path] = with(append(v[:len(v):len(v)], "more"))
	case string:
		into["another "+path] = with(v + "2")
	case json.Number:
		into["another "+path] = with(json.Number("1" + v.String()))
	case bool:
		into["the other "+path] = with(!v)
	case nil:
		into["something for "+path] = with("new")
	}
}

// Whatever is changed in a genuine token, it is not taken.
func TestVerifierAltered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v := newVerifier(t, s, &commercelayer.VerifierOptions{Users: true, OldIssuers: true})
		tokens := []string{
			mustIssue(t, s, commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{
				Scope: commercelayertest.MarketScope, Owner: commercelayertest.Owner{Type: "Customer", ID: "cus1"}, CustomClaim: json.RawMessage(`{"tier":"gold","n":1}`)}),
			mustIssue(t, s, commercelayertest.UserClientID, nil),
		}
		altered := 0
		for _, token := range tokens {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(token, ".")
			for n, part := range []string{"header", "claims"} {
				text, err := base64.RawURLEncoding.DecodeString(parts[n])
				if err != nil {
					t.Fatal(err)
				}
				var values any
				d := json.NewDecoder(bytes.NewReader(text))
				d.UseNumber()
				if err := d.Decode(&values); err != nil {
					t.Fatal(err)
				}
				all := map[string]any{}
				alterations(part, values, all, func(v any) any { return v })
				for name, other := range all {
					b, err := json.Marshal(other)
					if err != nil {
						t.Fatal(err)
					}
					forged := strings.Split(token, ".")
					forged[n] = base64.RawURLEncoding.EncodeToString(b)
					if a, err := v.Verify(t.Context(), strings.Join(forged, ".")); !errors.As(err, new(*verify.Error)) {
						t.Errorf("%s: Verify = %v, %v, want a *verify.Error", name, a, err)
					}
					altered++
				}
			}
		}
		if altered < 60 {
			t.Errorf("%d alterations, want all claims of all parts", altered)
		}
		if n := s.Counts().KeySetRequests; n != 1 {
			t.Errorf("%d requests for the key set, want 1", n)
		}
	})
}

func TestVerifierForged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v := newVerifier(t, s, nil)
		good := customerToken(t, s, "cus1")
		if _, err := v.Verify(t.Context(), good); err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(good, ".")
		encode := base64.RawURLEncoding.EncodeToString
		with := func(header string) string {
			return encode([]byte(header)) + "." + parts[1] + "." + parts[2]
		}
		kid := struct {
			ID string `json:"kid"`
		}{}
		head, _ := base64.RawURLEncoding.DecodeString(parts[0])
		if err := json.Unmarshal(head, &kid); err != nil {
			t.Fatal(err)
		}
		named := fmt.Sprintf(`,"kid":%q`, kid.ID)
		expired := mustIssue(t, s, commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{Scope: commercelayertest.MarketScope, Life: -time.Second})
		tests := []struct {
			name, token string
			want        error
		}{
			{"another key", ours().sign(saying("sales_channel", nil)), verify.ErrUnknownKey},
			{"another signature", good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 342), verify.ErrSignature},
			{"no signature", parts[0] + "." + parts[1] + ".", verify.ErrSignature},
			{"no algorithm", with(`{"alg":"none","typ":"JWT"` + named + `}`), verify.ErrAlgorithm},
			{"a weaker one", with(`{"alg":"RS256","typ":"JWT"` + named + `}`), verify.ErrAlgorithm},
			{"a shared secret", with(`{"alg":"HS512","typ":"JWT"` + named + `}`), verify.ErrAlgorithm},
			{"a key of its own", with(`{"alg":"RS512","typ":"JWT","jku":"https://evil.example/jwks"` + named + `}`), verify.ErrMalformed},
			{"not an access token", with(`{"alg":"RS512","typ":"logout+jwt"` + named + `}`), verify.ErrMalformed},
			{"an assertion", mustAssertion(t, "cus1"), verify.ErrMissingClaim},
			{"unverified", jwtOf(map[string]any{"iss": "https://auth.commercelayer.io", "exp": time.Now().Add(time.Hour).Unix()}), verify.ErrSignature},
			{"an issuer of its own", jwtOf(map[string]any{"iss": "https://auth.evil.example", "exp": time.Now().Add(time.Hour).Unix()}), verify.ErrIssuer},
			{"a longer issuer", jwtOf(map[string]any{"iss": "https://auth.commercelayer.io.evil.example", "exp": 1}), verify.ErrIssuer},
			{"a slash more", jwtOf(map[string]any{"iss": "https://auth.commercelayer.io/", "exp": 1}), verify.ErrIssuer},
			{"nothing", "", verify.ErrMalformed},
			{"expired", expired, verify.ErrExpired},
		}
		for _, tt := range tests {
			_, err := v.Verify(t.Context(), tt.token)
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
			refusedAs(t, tt.token, err, tt.want)
		}
	})
}

func TestVerifierMissing(t *testing.T) {
	app := func(changes claimSet) claimSet {
		c := claimSet{"id": "app1", "kind": "sales_channel", "client_id": "client1"}
		maps.Copy(c, changes)
		return claimSet{"application": c}
	}
	tests := []struct {
		name, kind string
		changes    claimSet
		want       string
	}{
		{"iss", "sales_channel", claimSet{"iss": nil}, "the token has no iss"},
		{"exp", "sales_channel", claimSet{"exp": nil}, "the token has no exp"},
		{"application", "sales_channel", claimSet{"application": nil}, "the token has no application.kind"},
		{"kind", "sales_channel", app(claimSet{"kind": ""}), "the token has no application.kind"},
		{"organization of a sales channel", "sales_channel", claimSet{"organization": nil}, "the token has no organization.id"},
		{"organization of an integration", "integration", claimSet{"organization": nil}, "the token has no organization.id"},
		{"organization of a webapp", "webapp", claimSet{"organization": nil}, "the token has no organization.id"},
		{"organization's id", "sales_channel", claimSet{"organization": claimSet{"slug": commercelayertest.Slug}}, "the token has no organization.id"},
		{"organization's slug", "sales_channel", claimSet{"organization": claimSet{"id": "org1"}}, "the token has no organization.slug"},
		{"user", "user", claimSet{"user": nil}, "the token has no user.id"},
		{"user's id", "user", claimSet{"user": claimSet{"id": ""}}, "the token has no user.id"},
		{"dashboard's user", "dashboard", claimSet{"user": nil}, "the token has no user.id"},
		{"dashboard's user, with an owner", "dashboard", claimSet{"user": nil, "owner": claimSet{"type": "User", "id": "user1"}}, "the token has no user.id"},
		{"dashboard's user in an organization", "dashboard", claimSet{"user": nil, "organization": claimSet{"id": "org1", "slug": "x"}}, "the token has no user.id"},
		{"dashboard's organization's slug", "dashboard", claimSet{"organization": claimSet{"id": "org1"}}, "the token has no organization.slug"},
		{"user's user in an organization", "user", inOrganization, "the token has no user.id"},
		{"dashboard's owner's id", "dashboard", claimSet{"user": nil, "owner": claimSet{"type": "User"}, "organization": inOrganization["organization"]}, "the token has no owner.id"},
		{"dashboard's user, as the owner alone", "dashboard", claimSet{"user": nil, "owner": inOrganization["owner"]}, "the token has no user.id"},
		{"owner's id", "sales_channel", claimSet{"owner": claimSet{"type": "Customer"}}, "the token has no owner.id"},
		{"owner's type", "sales_channel", claimSet{"owner": claimSet{"id": "cus1"}}, "the token has no owner.type"},
		{"all of the owner", "sales_channel", claimSet{"owner": claimSet{}}, "the token has no owner.type"},
	}
	for _, anything := range []bool{false, true} {
		v := newVerifier(t, nil, &commercelayer.VerifierOptions{Users: true, UnsafeAnyOrganization: anything, KeySet: ours().keySet()})
		for _, tt := range tests {
			token := ours().sign(saying(tt.kind, tt.changes))
			_, err := v.Verify(t.Context(), token)
			if got := refusedAs(t, token, err, verify.ErrMissingClaim).Description(); got != tt.want {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
		}
	}
}

// The service signs tokens of one form.
func TestVerifierHeader(t *testing.T) {
	v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet()})
	tests := []struct {
		name, header string
		want         error
	}{
		{"as the service", `{"alg":"RS512","typ":"JWT","kid":"ours"}`, nil},
		{"in small letters", `{"alg":"RS512","typ":"jwt","kid":"ours"}`, nil},
		{"no type", `{"alg":"RS512","kid":"ours"}`, verify.ErrMalformed},
		{"another access token", `{"alg":"RS512","typ":"at+jwt","kid":"ours"}`, verify.ErrMalformed},
		{"an ID token", `{"alg":"RS512","typ":"id+jwt","kid":"ours"}`, verify.ErrMalformed},
		{"another algorithm", `{"alg":"PS512","typ":"JWT","kid":"ours"}`, verify.ErrAlgorithm},
	}
	for _, tt := range tests {
		token := ours().signAs(tt.header, saying("sales_channel", nil))
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Claims of other types than the service's are none of its.
func TestVerifierOddClaims(t *testing.T) {
	v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet()})
	guest := claimSet{"owner": json.RawMessage("null")}
	if a, err := v.Verify(t.Context(), ours().sign(saying("sales_channel", guest))); err != nil || !a.Claims.(*commercelayer.Claims).IsGuest() {
		t.Errorf("an owner that is null: %v, %v, want a guest", a, err)
	}
	tests := []struct {
		name    string
		changes claimSet
		want    error
	}{
		{"application in words", claimSet{"application": "s3cr3tapp"}, verify.ErrMalformed},
		{"owner in words", claimSet{"owner": "s3cr3tcus"}, verify.ErrMalformed},
		{"owner's id a number", claimSet{"owner": claimSet{"type": "Customer", "id": 12345678}}, verify.ErrMalformed},
		{"organizations", claimSet{"organization": []any{claimSet{"id": "org1", "slug": commercelayertest.Slug}}}, verify.ErrMalformed},
		{"test mode in words", claimSet{"test": "false"}, verify.ErrMalformed},
		{"scope in a list", claimSet{"scope": []string{"market:all"}}, verify.ErrMalformed},
		{"exp in quotes", claimSet{"exp": fmt.Sprint(time.Now().Add(time.Hour).Unix())}, verify.ErrMalformed},
		{"two owners", claimSet{"owner": claimSet{"type": "User", "id": "u"}, "Owner": claimSet{"type": "Customer", "id": "cus1"}}, verify.ErrMalformed},
		{"two ids", claimSet{"owner": json.RawMessage(`{"type":"Customer","id":"cus1","id":"cus2"}`)}, verify.ErrMalformed},
		{"for somebody else", claimSet{"aud": "https://other.example"}, verify.ErrAudience},
		{"from tomorrow on", claimSet{"nbf": time.Now().Add(24 * time.Hour).Unix()}, verify.ErrNotYetValid},
	}
	for _, tt := range tests {
		token := ours().sign(saying("sales_channel", tt.changes))
		_, err := v.Verify(t.Context(), token)
		if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		refusedAs(t, token, err, tt.want)
	}
}

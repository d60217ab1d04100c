package commercelayer_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
)

type profile struct {
	Tier   string         `json:"tier"`
	Points int64          `json:"points"`
	Tags   []string       `json:"tags"`
	More   map[string]any `json:"more,omitempty"`
}

// What goes into an assertion comes out of the token, through the service.
func TestCustomClaim(t *testing.T) {
	tests := []struct {
		name string
		in   profile
	}{
		{"plain", profile{Tier: "gold", Points: 7, Tags: []string{"a", "b"}}},
		{"empty", profile{}},
		{"large number", profile{Points: 1<<53 + 1}},
		{"special characters", profile{Tier: "<Zoë & \"Ñandú\">\\ \u2028\x00\t🛒'; --", Tags: []string{"日本語", "e\u0301", "\U0010ffff", "</script>"}}},
		{"names", profile{More: map[string]any{"": "", "a.b": "1", "ключ": "2", "https://commercelayer.io/claims": "3", "iss": "https://evil.example", "exp": "1"}}},
		{"deep", profile{More: map[string]any{"a": map[string]any{"b": []any{map[string]any{"c": nil}}}}}},
	}
	synctest.Test(t, func(t *testing.T) {
		s := local(t, &commercelayertest.Options{RateLimit: commercelayertest.NoRateLimit})
		v := newVerifier(t, s, nil)
		o := optionsFor(s)
		o.Scope = commercelayertest.MarketScope
		c, err := commercelayer.NewCredentials(commercelayertest.SalesChannelID, commercelayertest.SalesChannelSecret, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			assertion, err := commercelayer.Assertion(commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "Customer", ID: "cus1"}, CustomClaim: tt.in})
			if err != nil {
				t.Fatal(err)
			}
			token, err := c.JWTBearer(context.Background(), assertion, nil)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := v.Claims(t.Context(), token.AccessToken)
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if got, err := commercelayer.CustomClaim[profile](claims); err != nil || !reflect.DeepEqual(got, tt.in) {
				t.Errorf("%s: CustomClaim = %+v, %v, want %+v", tt.name, got, err, tt.in)
			}
			if got, err := commercelayer.CustomClaim[*profile](claims); err != nil || got == nil || got.Tier != tt.in.Tier {
				t.Errorf("%s: as a pointer %v, %v", tt.name, got, err)
			}
			if claims.Issuer != s.AuthURL() || claims.Owner.ID != "cus1" || claims.Unknown != nil {
				t.Errorf("%s: the custom claim has changed others: %+v", tt.name, claims)
			}
		}
	})
}

func TestCustomClaimRefuses(t *testing.T) {
	with := func(custom string) *commercelayer.Claims {
		c, err := commercelayer.DecodeUnverified(rawJWT(`{"custom_claim":` + custom + `}`))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []*commercelayer.Claims{{}, with("null")} {
		if got, err := commercelayer.CustomClaim[profile](c); !errors.Is(err, commercelayer.ErrNoCustomClaim) || !reflect.DeepEqual(got, profile{}) {
			t.Errorf("no custom claim: %v, %v, want ErrNoCustomClaim", got, err)
		}
	}
	for _, custom := range []string{`"s3cr3t"`, `["s3cr3t"]`, `{"tier":{"x":"s3cr3t"}}`, `{"tier":"gold","points":"s3cr3t"}`, `{"tier":"gold","points":1.5}`} {
		got, err := commercelayer.CustomClaim[profile](with(custom))
		if err == nil || errors.Is(err, commercelayer.ErrNoCustomClaim) || !strings.Contains(err.Error(), "commercelayer_test.profile") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, want an error that names the type and no value", custom, err)
		}
		if !reflect.DeepEqual(got, profile{}) {
			t.Errorf("%s: %+v is left, want nothing", custom, got)
		}
	}
}

// What two parsers may read differently is refused in custom claims too, as is what is
// nested too deeply.
func TestCustomClaimOfVerifier(t *testing.T) {
	v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet()})
	nested := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	tests := []struct {
		name, custom string
		want         error
	}{
		{"twice", `{"a":1,"a":2}`, verify.ErrMalformed},
		{"in capitals", `{"a":1,"b":{"x":1,"X":2}}`, verify.ErrMalformed},
		{"in two objects", `{"a":{"x":1},"b":{"X":2}}`, nil},
		{"15 deep", nested(15), nil},
		{"16 deep", nested(16), verify.ErrMalformed},
	}
	for _, tt := range tests {
		token := ours().sign(saying("sales_channel", claimSet{"custom_claim": json.RawMessage(tt.custom)}))
		c, err := v.Claims(t.Context(), token)
		if !errors.Is(err, tt.want) || err == nil && string(c.CustomClaim) != tt.custom {
			t.Errorf("%s: %v, %v, want %v", tt.name, c, err, tt.want)
		}
	}
}

func TestUnknownClaims(t *testing.T) {
	v := newVerifier(t, nil, &commercelayer.VerifierOptions{KeySet: ours().keySet()})
	changes := claimSet{"new": json.RawMessage(`{"a":[1,2.50,null]}`), "sub": "s", "jti": "j", "больше": true, "market": nil}
	c, err := v.Claims(t.Context(), ours().sign(saying("sales_channel", changes)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]json.RawMessage{"new": json.RawMessage(`{"a":[1,2.50,null]}`), "sub": json.RawMessage(`"s"`), "jti": json.RawMessage(`"j"`), "больше": json.RawMessage("true")}
	if !reflect.DeepEqual(c.Unknown, want) {
		t.Errorf("Unknown = %s, want %s", c.Unknown, want)
	}
}

package commercelayer_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
)

func TestAssertion(t *testing.T) {
	type object = map[string]any
	tests := []struct {
		name   string
		claims commercelayer.AssertionClaims
		want   object
	}{
		{"customer", commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "Customer", ID: "cus1"}},
			object{"owner": object{"type": "Customer", "id": "cus1"}}},
		{"user and custom claim", commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "User", ID: "u1"}, CustomClaim: object{"a": object{"b": 1}}},
			object{"owner": object{"type": "User", "id": "u1"}, "custom_claim": object{"a": object{"b": 1.0}}}},
		{"custom claim of a struct", commercelayer.AssertionClaims{CustomClaim: struct {
			Name string `json:"name"`
		}{"x"}}, object{"custom_claim": object{"name": "x"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := commercelayer.Assertion(tt.claims)
				if err != nil {
					t.Fatal(err)
				}
				parts := strings.Split(got, ".")
				if len(parts) != 3 {
					t.Fatalf("assertion = %q, want three parts", got)
				}
				decode := func(s string) object {
					b, err := base64.RawURLEncoding.DecodeString(s)
					if err != nil {
						t.Fatal(err)
					}
					var o object
					if err := json.Unmarshal(b, &o); err != nil {
						t.Fatal(err)
					}
					return o
				}
				if got, want := decode(parts[0]), (object{"alg": "HS512", "typ": "JWT"}); !reflect.DeepEqual(got, want) {
					t.Errorf("header = %v, want %v", got, want)
				}
				want := object{"iat": float64(time.Now().Unix()), "https://commercelayer.io/claims": tt.want}
				if got := decode(parts[1]); !reflect.DeepEqual(got, want) {
					t.Errorf("claims = %v, want %v", got, want)
				}
				mac := hmac.New(sha512.New, []byte("cl"))
				mac.Write([]byte(parts[0] + "." + parts[1]))
				if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); parts[2] != want {
					t.Errorf("signature = %s, want %s", parts[2], want)
				}
			})
		})
	}
}

func TestAssertionRefuses(t *testing.T) {
	type object = map[string]any
	tests := []struct {
		name   string
		claims commercelayer.AssertionClaims
		want   string
	}{
		{"nothing", commercelayer.AssertionClaims{}, "empty"},
		{"owner without id", commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "Customer"}}, "id"},
		{"owner without type", commercelayer.AssertionClaims{Owner: commercelayer.Owner{ID: "s3cr3t"}}, "type"},
		{"owner of another type", commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "customer", ID: "s3cr3t"}}, "type"},
		{"custom claim is a string", commercelayer.AssertionClaims{CustomClaim: "s3cr3t"}, "object"},
		{"custom claim is a list", commercelayer.AssertionClaims{CustomClaim: []int{1}}, "object"},
		{"custom claim is a nil map", commercelayer.AssertionClaims{CustomClaim: object(nil)}, "object"},
		{"custom claim is no JSON", commercelayer.AssertionClaims{CustomClaim: func() {}}, "not JSON"},
		{"too large", commercelayer.AssertionClaims{CustomClaim: object{"x": strings.Repeat("s3cr3t", 700)}}, "4096"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := commercelayer.Assertion(tt.claims)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("Assertion = %q, %v, want an error with %q that quotes nothing", got, err, tt.want)
			}
		})
	}
	_, err := commercelayer.Assertion(commercelayer.AssertionClaims{CustomClaim: failing{}})
	if !errors.Is(err, errFailing) || strings.Contains(err.Error(), errFailing.Error()) {
		t.Errorf("error = %v, want the encoder's in it but not in its text", err)
	}
}

var errFailing = errors.New("s3cr3t")

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errFailing }

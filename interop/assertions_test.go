package interop_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

const (
	jwtBearer      = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	assertionClaim = "https://commercelayer.io/claims"
)

// Assertions are the same, but for the time, and the service takes both. These are the
// five checks of js-auth's own tests, and more.
func TestAssertions(t *testing.T) {
	w := newService(t, commercelayertest.Options{})
	tests := []struct {
		name   string
		js     fields
		claims commercelayer.AssertionClaims
		empty  bool
	}{
		{"owner", fields{"owner": fields{"type": "Customer", "id": ada}}, commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "Customer", ID: ada}}, false},
		{"custom claim", fields{"custom_claim": json.RawMessage(names)}, commercelayer.AssertionClaims{CustomClaim: json.RawMessage(names)}, false},
		{"both", fields{"owner": fields{"type": "User", "id": "1234"}, "custom_claim": fields{"level": 3}},
			commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "User", ID: "1234"}, CustomClaim: map[string]int{"level": 3}}, false},
		{"both, with special letters", fields{"owner": fields{"type": "User", "id": "1234"}, "custom_claim": json.RawMessage(names)},
			commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "User", ID: "1234"}, CustomClaim: json.RawMessage(names)}, false},
		{"neither", fields{}, commercelayer.AssertionClaims{}, true}, // which the service refuses
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var js string
			if err := w.library("createAssertion", &js, fields{"payload": fields{assertionClaim: test.js}}); err != nil {
				t.Fatal(err)
			}
			ours, err := commercelayer.Assertion(test.claims)
			if (err != nil) != test.empty {
				t.Fatalf("we say %v, want an error: %v", err, test.empty)
			}
			want := text(object(t, []byte(text(fields{assertionClaim: test.js}))))
			for name, assertion := range map[string]string{"js-auth": js, "we": ours} {
				if assertion == "" {
					continue
				}
				var d struct {
					Header  map[string]any
					Payload map[string]any
				}
				if err := w.library("jwtDecode", &d, assertion); err != nil {
					t.Fatal(err)
				}
				if iat, ok := d.Payload["iat"].(float64); !ok || time.Since(time.Unix(int64(iat), 0)).Abs() > time.Minute {
					t.Errorf("%s: iat is %v", name, d.Payload["iat"])
				}
				delete(d.Payload, "iat")
				if dot := strings.LastIndex(assertion, "."); assertion[dot+1:] != hs512(assertion[:dot], "cl") {
					t.Errorf("%s: the signature is wrong", name)
				}
				if got := text(d.Payload); got != want || text(d.Header) != `{"alg":"HS512","typ":"JWT"}` {
					t.Errorf("%s: it says %s %s, want %s", name, text(d.Header), got, want)
				}

				var a authorization
				options := fields{"clientId": channelID, "clientSecret": commercelayertest.SalesChannelSecret, "scope": market, "domain": w.domain, "assertion": assertion}
				w.js.do(t, "authenticate", fields{"grant": jwtBearer, "options": options}, &a)
				if (a.AccessToken == "") != test.empty {
					t.Errorf("the service gives a token for %s's: %v", name, a.AccessToken != "")
				}
			}
		})
	}
}

// hs512 is the signature of a text by HS512.
func hs512(text, key string) string {
	mac := hmac.New(sha512.New, []byte(key))
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

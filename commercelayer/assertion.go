package commercelayer

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	assertionClaim = "https://commercelayer.io/claims"
	maxAssertion   = 4 << 10
)

// assertionKey signs assertions. It is public: the service does not check the
// signature but authenticates the client.
var assertionKey = []byte("cl")

// AssertionClaims is what an assertion says. At least one of the two is needed.
type AssertionClaims struct {
	// Owner is whom the token is to speak for. The zero value: nobody.
	Owner Owner
	// CustomClaim is any value that encodes as a JSON object; the token repeats it.
	CustomClaim any
}

// Assertion makes the assertion for [Credentials.JWTBearer]: a JWT of at most 4
// KB. It holds no secret, but whoever has it and the client's secret has the
// owner's token.
func Assertion(c AssertionClaims) (string, error) {
	claims := map[string]any{}
	if c.Owner != (Owner{}) {
		if c.Owner.Type != "Customer" && c.Owner.Type != "User" || c.Owner.ID == "" {
			return "", errors.New("commercelayer: the assertion's owner needs the type Customer or User, and an id")
		}
		claims["owner"] = c.Owner
	}
	if c.CustomClaim != nil {
		b, err := json.Marshal(c.CustomClaim)
		if err != nil {
			return "", fmt.Errorf("commercelayer: the assertion's custom claim is not JSON: %w", &quiet{err})
		}
		if b[0] != '{' {
			return "", errors.New("commercelayer: the assertion's custom claim is not a JSON object: pass a struct or a map")
		}
		claims["custom_claim"] = json.RawMessage(b)
	}
	if len(claims) == 0 {
		return "", errors.New("commercelayer: the assertion is empty, which the service refuses: set Owner, CustomClaim or both")
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS512, jwt.MapClaims{"iat": time.Now().Unix(), assertionClaim: claims})
	s, err := token.SignedString(assertionKey)
	if err != nil {
		return "", fmt.Errorf("commercelayer: the assertion could not be signed: %w", &quiet{err})
	}
	if len(s) > maxAssertion {
		return "", fmt.Errorf("commercelayer: the assertion has %d bytes, and the service takes 4096: make the custom claim smaller, or check the owner's id", len(s))
	}
	return s, nil
}

// quiet is an error whose own text, which can quote what was being encoded, is
// reachable but not shown.
type quiet struct{ err error }

func (e *quiet) Error() string { return fmt.Sprintf("an error of type %T", e.err) }
func (e *quiet) Unwrap() error { return e.err }

package commercelayertest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// maxAssertion is the largest assertion that is taken, in bytes.
const maxAssertion = 4 << 10

// assertion is what a JWT bearer assertion asks for.
type assertion struct {
	owner  Owner
	custom json.RawMessage
}

// parseAssertion reads an assertion. Its signature is not checked, as with the
// service: the client's secret is what counts.
func parseAssertion(text string) (a assertion, ok bool) {
	parts := strings.Split(text, ".")
	if len(text) > maxAssertion || len(parts) != 3 {
		return a, false
	}
	var head struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
	}
	if !unmarshalSegment(parts[0], &head) || head.Algorithm != "HS512" || head.Type != "JWT" {
		return a, false
	}
	var body struct {
		IssuedAt *float64 `json:"iat"`
		Claims   *struct {
			Owner  *Owner          `json:"owner"`
			Custom json.RawMessage `json:"custom_claim"`
		} `json:"https://commercelayer.io/claims"`
	}
	if !unmarshalSegment(parts[1], &body) || body.IssuedAt == nil || body.Claims == nil {
		return a, false
	}
	if o := body.Claims.Owner; o != nil {
		if o.ID == "" || o.Type != "Customer" && o.Type != "User" {
			return a, false
		}
		a.owner = *o
	}
	if custom := body.Claims.Custom; len(custom) > 0 && !bytes.Equal(custom, []byte("null")) {
		if custom[0] != '{' {
			return a, false
		}
		a.custom = custom
	}
	return a, a.owner.ID != "" || a.custom != nil
}

func unmarshalSegment(text string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(raw, into) == nil
}

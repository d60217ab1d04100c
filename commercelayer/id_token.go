package commercelayer

import (
	"crypto/subtle"
	"encoding/json"
	"slices"
	"time"

	"github.com/bearerkit/bearer/verify"
)

// checkIDToken is what OpenID Connect Core §2 and §3.1.3.7 want of an ID token, above what
// a verifier of its issuer, algorithm, audience and expiry has checked.
func checkIDToken(id *verify.Claims, audience []string, nonce string) error {
	var all map[string]json.RawMessage // by their exact names
	if err := id.Decode(&all); err != nil {
		return refused(verify.ErrMalformed, "the claims are not a JSON object")
	}
	has := func(name string) bool { return len(all[name]) > 0 && string(all[name]) != "null" }
	trusted := func(party string) bool { return slices.Contains(audience, party) }
	var azp, sent string
	for name, value := range map[string]*string{"azp": &azp, "nonce": &sent} {
		if has(name) && json.Unmarshal(all[name], value) != nil {
			return refused(verify.ErrMalformed, "the ID token's "+name+" is not a text")
		}
	}
	switch {
	case id.Subject == "":
		return refused(verify.ErrMissingClaim, "the ID token has no sub")
	case len(id.Subject) > maxSubject: // which a database may cut, and make one of two
		return refused(verify.ErrMalformed, "the ID token's sub is over 255 bytes")
	case id.IssuedAt.IsZero():
		return refused(verify.ErrMissingClaim, "the ID token has no iat")
	case has("events"): // RFC 8417 §2.2: such as that somebody has signed out
		return refused(verify.ErrNotAdmitted, "it tells of an event, and is no ID token")
	case slices.ContainsFunc(id.Audience, func(a string) bool { return !trusted(a) }):
		return refused(verify.ErrAudience, "the ID token is for another audience too")
	case len(id.Audience) > 1 && !has("azp"):
		return refused(verify.ErrMissingClaim, "the ID token has several audiences and no azp")
	case has("azp") && !trusted(azp):
		return refused(verify.ErrAudience, "the ID token was issued to another party")
	case nonce == "" && has("nonce"):
		return refused(verify.ErrNotAdmitted, "the ID token has a nonce, and none was sent")
	case nonce != "" && !has("nonce"):
		return refused(verify.ErrMissingClaim, "the ID token has no nonce")
	case subtle.ConstantTimeCompare([]byte(sent), []byte(nonce)) != 1:
		return refused(verify.ErrNotAdmitted, "the ID token's nonce is not the one that was sent")
	}
	return nil
}

const (
	maxSubject = 255 // OpenID Connect Core §2

	// maxSpent bounds the ID tokens that are remembered.
	maxSpent = 65536

	// spentGrace is for how long beyond its expiry: that may have come since the verifier
	// looked.
	spentGrace = time.Minute
)

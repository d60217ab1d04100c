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
		return refuseIDToken(verify.ErrMalformed, "the claims are not a JSON object")
	}
	has := func(name string) bool { return len(all[name]) > 0 && string(all[name]) != "null" }
	trusted := func(party string) bool { return slices.Contains(audience, party) }
	var azp, sent string
	for name, value := range map[string]*string{"azp": &azp, "nonce": &sent} {
		if has(name) && json.Unmarshal(all[name], value) != nil {
			return refuseIDToken(verify.ErrMalformed, "the ID token's "+name+" is not a text")
		}
	}
	switch {
	case id.Subject == "":
		return refuseIDToken(verify.ErrMissingClaim, "the ID token has no sub")
	case id.IssuedAt.IsZero():
		return refuseIDToken(verify.ErrMissingClaim, "the ID token has no iat")
	case has("events"): // RFC 8417 §2.2: such as that somebody has signed out
		return refuseIDToken(verify.ErrNotAdmitted, "it tells of an event, and is no ID token")
	case slices.ContainsFunc(id.Audience, func(a string) bool { return !trusted(a) }):
		return refuseIDToken(verify.ErrAudience, "the ID token is for another audience too")
	case len(id.Audience) > 1 && !has("azp"):
		return refuseIDToken(verify.ErrMissingClaim, "the ID token has several audiences and no azp")
	case has("azp") && !trusted(azp):
		return refuseIDToken(verify.ErrAudience, "the ID token was issued to another party")
	case nonce == "" && has("nonce"):
		return refuseIDToken(verify.ErrNotAdmitted, "the ID token has a nonce, and none was sent")
	case nonce != "" && !has("nonce"):
		return refuseIDToken(verify.ErrMissingClaim, "the ID token has no nonce")
	case subtle.ConstantTimeCompare([]byte(sent), []byte(nonce)) != 1:
		return refuseIDToken(verify.ErrNotAdmitted, "the ID token's nonce is not the one that was sent")
	}
	return nil
}

func refuseIDToken(kind error, detail string) error { return &verify.Error{Kind: kind, Detail: detail} }

const (
	// maxSpent bounds the ID tokens that are remembered.
	maxSpent = 65536

	// spentGrace is for how long beyond its expiry: the verifier may have looked at that
	// before it waited for the provider's keys.
	spentGrace = time.Minute
)

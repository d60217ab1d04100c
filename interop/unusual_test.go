package interop_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
)

// What js-auth takes and we refuse, signed by an auth host that both believe, and what
// both refuse.
func TestUnusualTokens(t *testing.T) {
	partner := newAuthHost(t, "partner.test", partnerKey(), "partner", "")
	w := newService(t, commercelayertest.Options{})
	us := w.verifier(nil, partner)
	later := time.Now().Add(time.Hour).Unix()
	claims := func(more fields) string { return partner.token(partner.header(nil), partner.claims(more)) }
	header := func(more fields) string { return partner.token(partner.header(more), partner.claims(nil)) }
	inText := func(before, after string) string { // of the claims
		return partner.token(partner.header(nil), strings.Replace(text(partner.claims(nil)), before, after, 1))
	}
	nested := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	good := claims(nil)
	w.wantVerdicts(t, us, []shown{
		{"as usual", good, "", nil},
		{"claims that nobody knows", claims(fields{"new": fields{"a": []int{1}}}), "", nil},
		{"no kid, and a key without one", header(fields{"kid": nil}), "", verify.ErrUnknownKey},
		{"no type", header(fields{"typ": nil}), "", verify.ErrMalformed},

		{"alg none, signed", header(fields{"alg": "none"}), "", verify.ErrAlgorithm},
		{"alg HS512, signed", header(fields{"alg": "HS512"}), "", verify.ErrAlgorithm},
		{"HS512 by the public key", partner.tokenByPublicKey(partner.header(fields{"alg": "HS512"}), partner.claims(nil)), jsSignature, verify.ErrAlgorithm},
		{"RS256", partner.token256(partner.header(fields{"alg": "RS256"}), partner.claims(nil)), jsSignature, verify.ErrAlgorithm},
		{"alg RS256, signed by RS512", header(fields{"alg": "RS256"}), "", verify.ErrAlgorithm},
		{"no alg", header(fields{"alg": nil}), "", verify.ErrMalformed},
		{"another type", header(fields{"typ": "secevent+jwt"}), "", verify.ErrMalformed},
		{"what must be understood", header(fields{"crit": []string{"exp"}}), "", verify.ErrMalformed},
		{"a key in it", header(fields{"jwk": partner.jwk("partner")}), "", verify.ErrMalformed},
		{"an address of keys in it", header(fields{"jku": partner.issuer() + "/.well-known/jwks.json"}), "", verify.ErrMalformed},
		{"kid twice", partner.token(strings.Replace(text(partner.header(nil)), `"kid"`, `"kid":"x","kid"`, 1), partner.claims(nil)), "", verify.ErrMalformed},

		{"no exp", claims(fields{"exp": nil}), "", verify.ErrMissingClaim},
		{"exp null", inText(`"exp":`, `"exp":null,"x":`), jsExpired, verify.ErrMalformed},
		{"exp in a string", claims(fields{"exp": "9999999999"}), "", verify.ErrMalformed},
		{"exp with a fraction", claims(fields{"exp": float64(later) + 0.5}), "", verify.ErrMalformed},
		{"exp beyond all numbers", inText(`"exp":`, `"exp":1e400,"x":`), "", verify.ErrMalformed},
		{"exp twice", inText(`"exp":`, `"exp":1,"exp":`), "", verify.ErrMalformed},
		{"exp in capitals too", inText(`"exp":`, `"EXP":1,"exp":`), "", verify.ErrMalformed},
		{"not yet valid", claims(fields{"nbf": later}), "", verify.ErrNotYetValid},
		{"issued later", claims(fields{"iat": later}), "", verify.ErrNotYetValid},
		{"for another audience", claims(fields{"aud": "https://elsewhere.test"}), "", verify.ErrAudience},

		{"another organization", claims(fields{"organization": fields{"id": "x", "slug": "evil"}}), "", verify.ErrNotAdmitted},
		{"an organization in other letters", claims(fields{"organization": fields{"id": "x", "slug": strings.ToUpper(commercelayertest.Slug)}}), "", verify.ErrNotAdmitted},
		{"a user's", claims(fields{"organization": nil, "user": fields{"id": "x"}, "application": fields{"kind": "user"}}), "", verify.ErrNotAdmitted},
		{"the dashboard's", claims(fields{"application": fields{"kind": "dashboard"}, "owner": fields{"type": "User", "id": "x"}}), "", verify.ErrNotAdmitted},
		{"no organization", claims(fields{"organization": nil}), "", verify.ErrMissingClaim},
		{"no application", claims(fields{"application": nil}), "", verify.ErrMissingClaim},

		{"four parts", good + ".more", "", verify.ErrMalformed},
		{"padding", good + "==", "", verify.ErrMalformed},
		{"letters of base64", partner.plain(), "", verify.ErrMalformed},
		{"a line end", good + "\n", "InvalidCharacterError", verify.ErrMalformed},
		{"bits that count for nothing", oddBits(good), "", verify.ErrMalformed},
		{"text that is not UTF-8", inText(commercelayertest.Slug+`"`, commercelayertest.Slug+"\",\"name\":\"\xff\""), "", verify.ErrMalformed},
		{"nested deeply", inText(`"exp":`, `"x":`+nested+`,"exp":`), "", verify.ErrMalformed},
		{"huge", claims(fields{"x": strings.Repeat("x", 20<<10)}), "", verify.ErrMalformed},
		{"more after the JSON", partner.token(partner.header(nil), text(partner.claims(nil))+"{}"), "SyntaxError", verify.ErrMalformed},
		{"a list", partner.token(partner.header(nil), "[]"), "", verify.ErrMalformed},
	})
	wantAsked(t, us, map[string]int{"auth." + partner.domain: 1})
}

// plain is a token whose signature is in the letters of plain base64.
func (h *authHost) plain() string {
	for n := 0; ; n++ {
		token := h.token(h.header(nil), h.claims(fields{"rand": n}))
		cut := strings.LastIndex(token, ".")
		if signature := plain(token[cut:]); signature != token[cut:] {
			return token[:cut] + signature
		}
	}
}

// oddBits changes bits of a token's last letter that are no part of the signature.
func oddBits(token string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + string(letters[strings.IndexByte(letters, token[last])^1])
}

// What kind of token it is that lacks parts or has odd ones.
func TestKindsOfOddTokens(t *testing.T) {
	w := newService(t, commercelayertest.Options{})
	tests := []struct {
		name   string
		claims string
		js     string // what getTokenType returns or throws
		ours   string
	}{
		{"owner null", `{"application":{"kind":"webapp"},"owner":null}`, "webapp:guest", "webapp:guest"},
		{"capitals", `{"application":{"kind":"sales_channel"},"owner":{"type":"CUSTOMER","id":"x"}}`, "sales_channel:customer", "sales_channel:customer"},
		{"a kind of tomorrow", `{"application":{"kind":"robot"},"owner":{"type":"Robot","id":"x"}}`, "robot:robot", "robot:robot"},
		{"owner without a type", `{"application":{"kind":"webapp"},"owner":{"id":"x"}}`, "TypeError", "webapp:guest"},
		{"no application", `{}`, "TypeError", ":guest"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var js string
			if err := w.library("getTokenType", &js, json.RawMessage(test.claims)); err != nil {
				js = threw(t, err)
			}
			ours, err := commercelayer.DecodeUnverified(part(fields{"alg": "RS512"}) + "." + part(test.claims) + ".")
			if err != nil {
				t.Fatal(err)
			}
			if got := ours.TokenType(); js != test.js || got != test.ours {
				t.Errorf("js-auth says %q, want %q; we say %q, want %q", js, test.js, got, test.ours)
			}
		})
	}
}

// js-auth asks whoever a token names for the key to verify it with. We ask nobody but
// the configured.
func TestForgedIssuer(t *testing.T) {
	forger := newAuthHost(t, "forger.test", forgerKey(), "forger")
	w := newService(t, commercelayertest.Options{})
	us := w.verifier(nil)
	forged := forger.token(forger.header(nil), forger.claims(fields{"owner": fields{"type": "Customer", "id": ada}}))
	w.wantVerdicts(t, us, []shown{
		{"an issuer of anybody's", forged, "", verify.ErrIssuer},
		{"one in whose name ours is", forger.token(forger.header(nil), forger.claims(fields{"iss": "https://auth." + w.domain + "@auth." + forger.domain})), "", verify.ErrIssuer},
		{"http", forger.token(forger.header(fields{"kid": "x"}), forger.claims(fields{"iss": "http://auth." + w.domain})), jsFetch, verify.ErrIssuer},
		{"an old issuer", forger.token(forger.header(fields{"kid": "x"}), forger.claims(fields{"iss": "https://commercelayer.io"})), jsFetch, verify.ErrIssuer},
		{"none", forger.token(forger.header(fields{"kid": "x"}), forger.claims(fields{"iss": nil})), jsFetch, verify.ErrMissingClaim},
	})
	if got := forger.fetched.Load(); got != 1 {
		t.Errorf("the forger's keys have been asked for %d times, want once, by js-auth", got)
	}
	wantAsked(t, us, map[string]int{})
}

// js-auth keeps all keys under their names alone, whosever they are. Ours are an
// issuer's.
func TestKeysOfOthers(t *testing.T) {
	partner := newAuthHost(t, "partner.test", partnerKey(), "partner")
	forger := newAuthHost(t, "forger.test", forgerKey(), "forger")
	w := newService(t, commercelayertest.Options{})
	us := w.verifier(nil, partner)
	good := w.issue(channelID, market, "", time.Hour).AccessToken
	name := w.kid(t, good)
	forger.alsoKnownAs(name)
	// by signs claims that name the service as their issuer.
	by := func(h *authHost, kid string) string {
		return h.token(h.header(fields{"kid": kid}), h.claims(fields{"iss": "https://auth." + w.domain}))
	}
	w.wantVerdicts(t, us, []shown{
		{"a partner's key, not seen yet", by(partner, "partner"), jsKid, verify.ErrUnknownKey},
		{"a partner's token", partner.token(partner.header(nil), partner.claims(nil)), "", nil},
		{"a partner's key, seen", by(partner, "partner"), "", verify.ErrUnknownKey},
		{"a key of the service's name", forger.token(forger.header(fields{"kid": name}), forger.claims(nil)), "", verify.ErrIssuer},
		{"in the service's name", by(forger, name), "", verify.ErrSignature},
		{"the service's own", good, jsSignature, nil},
	})
}

// js-auth and we ask for a key once; for names that there are not js-auth asks each
// time.
func TestRequestsForKeys(t *testing.T) {
	w := newService(t, commercelayertest.Options{})
	us := w.verifier(nil)
	asked := func() int { return w.service.ResetCounts().KeySetRequests }
	var tokens, unknown []string
	for range 5 {
		token := w.issue(channelID, market, "", time.Hour).AccessToken
		tokens = append(tokens, token)
		_, rest, _ := strings.Cut(token, ".")
		unknown = append(unknown, part(fields{"alg": "RS512", "typ": "JWT", "kid": token[len(token)-9:]})+"."+rest)
	}
	for _, token := range tokens {
		w.jsSays(t, token, "")
	}
	if got := asked(); got != 1 {
		t.Errorf("js-auth has asked for keys %d times, want once", got)
	}
	for _, token := range unknown {
		w.jsSays(t, token, jsKid)
	}
	if got := asked(); got != len(unknown) {
		t.Errorf("js-auth has asked for unknown keys %d times, want %d", got, len(unknown))
	}
	start := time.Now()
	for _, token := range tokens {
		us.says(t, token, nil)
	}
	for _, token := range unknown {
		us.says(t, token, verify.ErrUnknownKey)
	}
	if got, most := asked(), 1+int(time.Since(start)/(10*time.Second)); got > most {
		t.Errorf("we have asked for keys %d times, want %d", got, most)
	}
}

// pinned is a verifier of ours for the public service, by a key that it is given. It may
// take old issuers.
func (w *world) pinned(old bool, key fields) *inspector {
	w.t.Helper()
	us := &inspector{base: w.base, asked: map[string]int{}}
	var err error
	us.Verifier, err = commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{
		KeySet: []byte(text(fields{"keys": []fields{key}})), OldIssuers: old, Base: us,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return us
}

// A key that is given is used, and nothing is asked for; old tokens of the public service
// are taken by those who want them.
func TestGivenKeys(t *testing.T) {
	partner := newAuthHost(t, "partner.test", partnerKey(), "partner")
	w := newService(t, commercelayertest.Options{})
	issued := func(issuer any) string {
		return partner.token(partner.header(nil), partner.claims(fields{"iss": issuer}))
	}
	now, before, none := issued("https://auth.commercelayer.io"), issued("https://commercelayer.io"), issued(nil)
	right, wrong := partner.jwk("partner"), partner.jwk("1234")
	tests := []struct {
		name  string
		token string
		key   fields
		old   bool
		js    string
		ours  error
	}{
		{"the service's", now, right, false, "", nil},
		{"of another name", now, wrong, false, jsKid, verify.ErrUnknownKey},
		{"an old token", before, right, false, "", verify.ErrIssuer},
		{"an old token, wanted", before, right, true, "", nil},
		{"an older token", none, right, false, "", verify.ErrMissingClaim},
		{"an older token, wanted", none, right, true, "", nil},
		{"another domain's", issued("https://auth.commercelayer.co"), right, true, "", verify.ErrIssuer},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w.jsSays(t, test.token, test.js, fields{"jwk": test.key})
			us := w.pinned(test.old, test.key)
			us.says(t, test.token, test.ours)
			wantAsked(t, us, map[string]int{})
		})
	}
	if got := partner.fetched.Load(); got != 0 {
		t.Errorf("keys have been asked for %d times, want never", got)
	}
}

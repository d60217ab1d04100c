package interop_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
)

// inspector is our verifier, and what it asks for.
type inspector struct {
	*commercelayer.Verifier
	base http.RoundTripper

	mu    sync.Mutex // guards asked
	asked map[string]int
}

// RoundTrip notes which host is asked.
func (i *inspector) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.asked[r.URL.Host]++
	i.mu.Unlock()
	return i.base.RoundTrip(r)
}

// verifier makes one that believes the service, and these auth hosts too. The options
// may be nil.
func (w *world) verifier(o *commercelayer.VerifierOptions, trusted ...*authHost) *inspector {
	w.t.Helper()
	i := &inspector{base: w.base, asked: map[string]int{}}
	if o == nil {
		o = &commercelayer.VerifierOptions{}
	}
	o.Base, o.Domains = i, []string{w.domain}
	for _, h := range trusted {
		o.Domains = append(o.Domains, h.domain)
	}
	var err error
	if i.Verifier, err = commercelayer.NewVerifier(commercelayertest.Slug, o); err != nil {
		w.t.Fatal(err)
	}
	return i
}

// says checks why we refuse a token; nil: we do not, and it has these claims.
func (i *inspector) says(t *testing.T, token string, want error) *commercelayer.Claims {
	t.Helper()
	a, err := i.Verify(t.Context(), token)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("we say %v, want %v", err, want)
	}
	if err != nil {
		return nil
	}
	return a.Claims.(*commercelayer.Claims)
}

// jsSays checks what js-auth's jwtVerify throws, see [wantThrown]. Empty: nothing, and it
// returns what it decodes.
func (w *world) jsSays(t *testing.T, token, want string, options ...any) {
	t.Helper()
	var verified, decoded decodedByJS
	err := w.library("jwtVerify", &verified, append([]any{token}, options...)...)
	wantThrown(t, err, want)
	if err != nil {
		return
	}
	if err := w.library("jwtDecode", &decoded, token); err != nil || !reflect.DeepEqual(verified, decoded) {
		t.Errorf("js-auth verifies %s, and decodes %s (%v)", verified.Payload, decoded.Payload, err)
	}
}

// wantThrown checks what js-auth throws: the beginning of its name and message, empty if
// nothing, and that its own errors are of the type that they have in common.
func wantThrown(t *testing.T, err error, want string) {
	t.Helper()
	if threw(t, err) == "" && want == "" {
		return
	}
	if want == "" || err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("js-auth throws %v, want %q", err, want)
		return
	}
	e, _ := errors.AsType[*nodeError](err)
	if own := e.Name == "InvalidTokenError" || e.Name == "TokenExpiredError"; e.TokenError != own {
		t.Errorf("js-auth's %s is a TokenError: %v, want %v", e.Name, e.TokenError, own)
	}
}

// What js-auth's jwtVerify says.
const (
	jsKid       = `InvalidTokenError: Invalid token "kid"`
	jsSignature = "InvalidTokenError: Invalid signature"
	jsFormat    = "InvalidTokenError: Invalid token format"
	jsExpired   = "TokenExpiredError: Token expired"
	jsFetch     = "TypeError" // it cannot ask the public service
)

// shown is a token and what either side says of it.
type shown struct {
	name  string
	token string
	js    string // empty: it takes it
	ours  error  // nil: we take it
}

func (w *world) wantVerdicts(t *testing.T, us *inspector, tests []shown) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w.jsSays(t, test.token, test.js)
			us.says(t, test.token, test.ours)
		})
	}
}

// altered changes the claims of a token, and leaves its signature as it is.
func altered(t *testing.T, token string, change func(map[string]any)) string {
	t.Helper()
	var set map[string]any
	parts := strings.Split(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &set); err != nil {
		t.Fatal(err)
	}
	change(set)
	return parts[0] + "." + part(set) + "." + parts[2]
}

// The service's own tokens, whole and altered: both sides say the same.
func TestAlteredTokens(t *testing.T) {
	forger := newAuthHost(t, "forger.test", forgerKey(), "forger")
	w := newService(t, commercelayertest.Options{})
	us := w.verifier(nil)
	good := w.issue(channelID, market, ada, time.Hour).AccessToken
	other := w.issue(channelID, market, "", time.Hour).AccessToken
	expired := w.issue(channelID, market, "", -time.Second).AccessToken
	w.jsSays(t, good, "")
	us.says(t, good, nil)
	w.service.RollKeys(nil)
	rolled := w.issue(channelID, market, "", time.Hour).AccessToken
	parts, others := strings.Split(good, "."), strings.Split(other, ".")
	header := func(more fields) string {
		var h fields
		b, _ := base64.RawURLEncoding.DecodeString(parts[0])
		if err := json.Unmarshal(b, &h); err != nil {
			t.Fatal(err)
		}
		return part(changed(h, more))
	}
	sorted := strings.Split(altered(t, good, func(map[string]any) {}), ".")[1]
	if sorted == parts[1] {
		t.Fatal("the claims are in the order of their names already")
	}
	tests := []shown{
		{"as it is", good, "", nil},
		{"of the new key", rolled, "", nil},
		{"of the old key", other, "", nil},
		{"expired", expired, jsExpired, verify.ErrExpired},
		{"the same claims, parsed and written", rewritten(t, w, good), "", nil},
		{"the same claims in another order", parts[0] + "." + sorted + "." + parts[2], jsSignature, verify.ErrSignature},
		{"another application", altered(t, good, func(c map[string]any) { c["application"].(map[string]any)["id"] = "12345" }), jsSignature, verify.ErrSignature},
		{"another owner", altered(t, good, func(c map[string]any) { c["owner"].(map[string]any)["id"] = commercelayertest.OtherCustomerID }), jsSignature, verify.ErrSignature},
		{"a longer life", altered(t, expired, func(c map[string]any) { c["exp"] = time.Now().Add(time.Hour).Unix() }), jsSignature, verify.ErrSignature},
		{"one more claim", altered(t, good, func(c map[string]any) { c["admin"] = true }), jsSignature, verify.ErrSignature},
		{"one claim less", altered(t, good, func(c map[string]any) { delete(c, "rand") }), jsSignature, verify.ErrSignature},
		{"another token's signature", parts[0] + "." + parts[1] + "." + others[2], jsSignature, verify.ErrSignature},
		{"another token's claims", parts[0] + "." + others[1] + "." + parts[2], jsSignature, verify.ErrSignature},
		{"no signature", parts[0] + "." + parts[1] + ".", jsSignature, verify.ErrSignature},
		{"half a signature", parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])/8*4], jsSignature, verify.ErrSignature},
		{"another kid", header(fields{"kid": "12345"}) + "." + parts[1] + "." + parts[2], jsKid, verify.ErrUnknownKey},
		{"the new key's kid", strings.Split(rolled, ".")[0] + "." + parts[1] + "." + parts[2], jsSignature, verify.ErrSignature},
		{"a kid that all objects have", header(fields{"kid": "constructor"}) + "." + parts[1] + "." + parts[2], jsKid, verify.ErrUnknownKey},
		{"no kid", header(fields{"kid": nil}) + "." + parts[1] + "." + parts[2], jsKid, verify.ErrUnknownKey},
		{"alg none", header(fields{"alg": "none"}) + "." + parts[1] + ".", jsSignature, verify.ErrAlgorithm},
		{"a stranger's signature", forger.token(forger.header(fields{"kid": w.kid(t, good)}), forger.claims(fields{"iss": "https://auth." + w.domain})), jsSignature, verify.ErrSignature},
		{"words", "hello-world", jsFormat, verify.ErrMalformed},
		{"no JWT", "header.payload.signature", "SyntaxError", verify.ErrMalformed},
	}
	// Who says that a token has expired says that it is genuine; js-auth looks at the
	// signature later.
	forgedExpired := altered(t, expired, func(c map[string]any) { c["test"] = false })
	tests = append(tests, shown{"expired and altered", forgedExpired, jsExpired, verify.ErrSignature})
	w.wantVerdicts(t, w.verifier(nil), tests) // a new one, since the first need not ask again within 10 seconds

	t.Run("expired, whatever the clock says", func(t *testing.T) {
		ignore := fields{"ignoreExpiration": true}
		w.jsSays(t, expired, "", ignore)
		w.jsSays(t, forgedExpired, jsSignature, ignore)
	})
	t.Run("each byte of the signature", func(t *testing.T) {
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, len(signature) / 2, len(signature) - 1} {
			wrong := slices.Clone(signature)
			wrong[n] ^= 1
			token := parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(wrong)
			w.jsSays(t, token, jsSignature)
			us.says(t, token, verify.ErrSignature)
		}
	})
}

// rewritten has js-auth decode the claims of a token, and puts what it has decoded in
// their place.
func rewritten(t *testing.T, w *world, token string) string {
	t.Helper()
	var js decodedByJS
	if err := w.library("jwtDecode", &js, token); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(js.Payload) + "." + parts[2]
}

// kid is the name of a token's key.
func (w *world) kid(t *testing.T, token string) (kid string) {
	t.Helper()
	var js decodedByJS
	if err := w.library("jwtDecode", &js, token); err != nil {
		t.Fatal(err)
	}
	var h struct{ Kid string }
	if err := json.Unmarshal(js.Header, &h); err != nil {
		t.Fatal(err)
	}
	return h.Kid
}

// wantAsked checks how often we have asked which hosts for keys.
func wantAsked(t *testing.T, us *inspector, want map[string]int) {
	t.Helper()
	us.mu.Lock()
	defer us.mu.Unlock()
	if !maps.Equal(us.asked, want) {
		t.Errorf("we have asked %v, want %v", us.asked, want)
	}
}

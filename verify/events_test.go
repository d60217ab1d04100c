package verify_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

// Logger and Observer are told of a refused token, each if there is one, with the context
// of the request.
func TestWhoIsToldOfRefusedTokens(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "the request")
	told := 0
	observer := func(got context.Context, e bearer.Event) {
		if _, ok := e.(verify.TokenRefused); !ok || got.Value(key{}) != "the request" {
			t.Errorf("observed: %v with %v", e, got)
		}
		told++
	}
	for _, tt := range []struct {
		name             string
		logger, observer bool
	}{{"nobody", false, false}, {"the logger", true, false}, {"the observer", false, true}, {"both", true, true}} {
		logger, log := lines(slog.LevelDebug)
		opts := &verify.Options{}
		if tt.logger {
			opts.Logger = logger
		}
		if tt.observer {
			opts.Observer = observer
		}
		told = 0
		v := newVerifier(t, opts, issuerOf(signer()))
		if _, err := v.Verify(ctx, "x"); err == nil {
			t.Fatal("no error")
		}
		const line = "level=DEBUG msg=\"token refused\" error=\"the token has not three parts\" issuer=\"\"\n"
		if got := log.String(); tt.logger != (got == line) || !tt.logger && got != "" {
			t.Errorf("%s: logged %q, want %q: %v", tt.name, got, line, tt.logger)
		}
		if want := map[bool]int{true: 1}[tt.observer]; told != want {
			t.Errorf("%s: %d events, want %d", tt.name, told, want)
		}
	}
}

// Whatever is wrong with a token whose claims can be read, it is told whose it says to be,
// in few words, and whose are accepted, in order.
func TestIssuersInEvents(t *testing.T) {
	a := signer()
	var told []verify.TokenRefused
	issuers := []verify.Issuer{issuerOf(a)}
	accepted := []string{authName}
	for i := range 9 { // more than a map has in order by chance
		more := issuerOf(a)
		more.Name = fmt.Sprintf("https://%d.test", i)
		issuers, accepted = append(issuers, more), append(accepted, more.Name)
	}
	slices.Sort(accepted)
	revoked := a.good(`"sub":"revoked meanwhile"`)
	var v *verify.Verifier
	v = newVerifier(t, &verify.Options{Observer: refusals(&told), Authorize: func(c *verify.Claims) (*bearer.Authorization, error) {
		switch c.Subject {
		case "nobody":
			return nil, nil
		case "revoked meanwhile":
			v.Refuse(revoked, 0)
		}
		return &bearer.Authorization{}, nil
	}}, issuers...)
	long := "https://" + strings.Repeat("x", 1000)
	now := time.Now().Unix()
	for _, tt := range []struct {
		name, token string
		want        string // the issuer
	}{
		{"forged", fresh(a.kid).good(), authName},
		{"of no key", fresh("other").good(), authName},
		{"for others", a.good(`"aud":"others"`), authName},
		{"not admitted", a.good(`"sub":"nobody"`), authName},
		{"not valid yet", a.good(fmt.Sprintf(`"nbf":%d`, now+600)), authName},
		{"expired", a.token(fmt.Sprintf(`{"iss":%q,"exp":%d}`, authName, now-600)), authName},
		{"of a stranger", a.token(`{"iss":"https://evil.test","exp":99999999999}`), "https://evil.test"},
		{"of a stranger with a long name", a.token(fmt.Sprintf(`{"iss":%q,"exp":99999999999}`, long)), long[:500] + "…"},
		{"revoked meanwhile", revoked, authName},
		{"unreadable", "x", ""},
	} {
		told = nil
		if err := check(v, tt.token); err == nil || len(told) != 1 {
			t.Fatalf("%s: %v, told %v", tt.name, err, told)
		}
		if e := told[0]; e.Issuer != tt.want || !slices.Equal(e.Accepted, accepted) {
			t.Errorf("%s: told of %q where %q are accepted, want %q and %q", tt.name, e.Issuer, e.Accepted, tt.want, accepted)
		}
	}
}

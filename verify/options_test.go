package verify_test

import (
	"context"
	"fmt"
	"log/slog"
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

// The algorithms for which keys are fetched are those that New was given.
func TestNewCopiesAlgorithms(t *testing.T) {
	a := signer()
	i := fetched
	i.Algorithms = []string{"ES256"}
	v := newVerifier(t, &verify.Options{Base: &published{set: keySet(a)}}, i)
	i.Algorithms[0] = "RS256"
	if err := check(v, a.good()); err != nil {
		t.Error(err)
	}
}

// A Verifier of its own accord remembers as many revoked tokens as MaxRefused.
func TestMaxRefusedByDefault(t *testing.T) {
	v := newVerifier(t, nil, issuerOf(signer()))
	for i := range verify.MaxRefused + 1 {
		v.Refuse(fmt.Sprint(i, "."), time.Hour)
	}
	if n := verify.Refused(v); n != verify.MaxRefused {
		t.Errorf("%d are remembered, want %d", n, verify.MaxRefused)
	}
}

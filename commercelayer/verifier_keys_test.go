package commercelayer_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/verify"
)

func TestVerifierRolledKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v := newVerifier(t, s, nil)
		ok := func(when, token string) {
			t.Helper()
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		first := guestToken(t, s)
		ok("the first key", first)
		pass(time.Minute)
		s.RollKeys(nil)
		second := guestToken(t, s)
		ok("the second key", second)
		ok("the first key, still in the set", first)
		if n := s.Counts().KeySetRequests; n != 2 {
			t.Errorf("%d requests for the key set, want one more for the new key", n)
		}

		pass(time.Minute)
		s.RollKeys(&commercelayertest.RollKeysOptions{DropOld: true})
		third := guestToken(t, s)
		ok("the third key", third)
		for _, token := range []string{first, second} { // which had been remembered
			_, err := v.Verify(t.Context(), token)
			refusedAs(t, token, err, verify.ErrUnknownKey)
		}
		ok("the third key, again", third)
	})
}

// A key that is dropped without a new one is noticed when the key set is renewed, also
// by tokens that are remembered.
func TestVerifierRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v := newVerifier(t, s, nil)
		token := mustIssue(t, s, commercelayertest.IntegrationID, &commercelayertest.IssueOptions{Life: 48 * time.Hour})
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		s.RollKeys(&commercelayertest.RollKeysOptions{DropOld: true})
		for range 26 {
			pass(time.Hour)
			v.Verify(t.Context(), token)
			synctest.Wait()
		}
		_, err := v.Verify(t.Context(), token)
		refusedAs(t, token, err, verify.ErrUnknownKey)
	})
}

func TestVerifierKeySetFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault commercelayertest.Fault
	}{
		{"down", commercelayertest.Fault{Status: 503}},
		{"too many requests", commercelayertest.Fault{Status: 429, RetryAfter: time.Minute}},
		{"slow", commercelayertest.Fault{Delay: time.Minute}},
		{"no JSON", commercelayertest.Fault{Body: "<html>"}},
		{"no keys", commercelayertest.Fault{Body: `{"keys":[]}`}},
		{"cut off", commercelayertest.Fault{Malformed: true}},
		{"endless", commercelayertest.Fault{Endless: true}},
		{"dropped before", commercelayertest.Fault{Drop: commercelayertest.DropBefore}},
		{"dropped after", commercelayertest.Fault{Drop: commercelayertest.DropAfter}},
		{"dropped within", commercelayertest.Fault{Drop: commercelayertest.DropWithin}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, nil)
				log, text := logs()
				v := newVerifier(t, s, &commercelayer.VerifierOptions{Logger: log})
				token := guestToken(t, s)
				tt.fault.Endpoint = commercelayertest.KeysEndpoint
				s.Inject(tt.fault)
				_, err := v.Verify(t.Context(), token)
				down, ok := errors.AsType[*bearer.UnavailableError](err)
				if !ok || !down.NextTry.After(time.Now()) || errors.As(err, new(*verify.Error)) {
					t.Fatalf("no keys yet: %v, want an UnavailableError with a next try", err)
				}
				s.ClearFaults()
				pass(11 * time.Second)
				if _, err := v.Verify(t.Context(), token); err != nil {
					t.Fatalf("the service is back: %v", err)
				}
				s.Inject(tt.fault)
				for range 8 {
					pass(20 * time.Minute)
					if _, err := v.Verify(t.Context(), token); err != nil {
						t.Fatalf("a known key: %v", err)
					}
					if _, err := v.Verify(t.Context(), guestToken(t, s)); err != nil {
						t.Fatalf("a new token of a known key: %v", err)
					}
				}
				synctest.Wait()
				if got := text.String(); !strings.Contains(got, "the key set cannot be fetched") || strings.Contains(got, token) {
					t.Errorf("logged %s", got)
				}
			})
		})
	}
}

// However many come at once, one request is made for all; a client who goes away is not
// told that its token is wrong.
func TestVerifierTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		var events []bearer.Event
		var mu sync.Mutex // guards events
		v := newVerifier(t, s, &commercelayer.VerifierOptions{Observer: func(_ context.Context, e bearer.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}})
		tokens := make([]string, 20)
		for i := range tokens {
			tokens[i] = guestToken(t, s)
		}
		s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.KeysEndpoint, Delay: time.Second})
		var all sync.WaitGroup
		for range 5 {
			for _, token := range tokens {
				all.Go(func() {
					if _, err := v.Verify(t.Context(), token); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		mu.Lock()
		defer mu.Unlock()
		if n := s.Counts().KeySetRequests; n != 1 || len(events) != 1 {
			t.Errorf("%d requests for the key set and %d events, want 1", n, len(events))
		}
	})
}

// The key set is the only thing that is ever asked for, and the token goes nowhere.
func TestVerifierAsksForKeysAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		base := s.Transport()
		var asked []string
		var v *commercelayer.Verifier
		v, err := commercelayer.NewVerifier(commercelayertest.Slug, &commercelayer.VerifierOptions{Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.Method+" "+r.URL.String())
			if r.Header.Get("Authorization") != "" || r.Body != nil {
				t.Error("the request for keys has more than it needs")
			}
			return base.RoundTrip(r)
		})})
		if err != nil {
			t.Fatal(err)
		}
		if len(asked) != 0 {
			t.Errorf("NewVerifier asks for %q", asked)
		}
		if _, err := v.Verify(t.Context(), guestToken(t, s)); err != nil {
			t.Fatal(err)
		}
		if len(asked) != 1 || asked[0] != "GET https://auth.commercelayer.io/.well-known/jwks.json" {
			t.Errorf("asked for %q, want the key set once", asked)
		}
	})
}

func TestVerifierRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		v := newVerifier(t, s, nil)
		token, other := customerToken(t, s, "cus1"), customerToken(t, s, "cus1")
		check := func(when, token string, want error) {
			t.Helper()
			if _, err := v.Verify(t.Context(), token); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", when, err, want)
			}
		}
		check("first", token, nil)
		v.Refuse(token, time.Minute)
		check("refused", token, verify.ErrRefused)
		check("another of the customer's", other, nil)
		pass(time.Minute)
		check("a minute later", token, nil)
		v.Refuse(token, 0)
		pass(3 * time.Hour)
		check("three hours later", token, verify.ErrRefused)
		pass(2 * time.Hour)
		check("after its expiry", other, verify.ErrExpired)
	})
}

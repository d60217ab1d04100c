package verify_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

func wantSeen(t *testing.T, v *verify.Verifier, want int) {
	t.Helper()
	if n := verify.Seen(v); n != want {
		t.Errorf("%d tokens are remembered, want %d", n, want)
	}
}

// counting is an Authorize that counts how often a token is looked at.
func counting(calls *atomic.Int64) *verify.Options {
	return &verify.Options{Authorize: func(*verify.Claims) (*bearer.Authorization, error) {
		calls.Add(1)
		return &bearer.Authorization{}, nil
	}}
}

func TestSeenBefore(t *testing.T) {
	ctx := context.Background()
	var calls atomic.Int64
	a := signer()
	v := newVerifier(t, counting(&calls), issuerOf(a))
	token := a.good()
	first, err := v.Verify(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	again, err := v.Verify(ctx, string([]byte(token)))
	if err != nil || again != first {
		t.Errorf("got %p and %v, want %p", again, err, first)
	}
	if c, err := v.Claims(ctx, token); err != nil || !reflect.DeepEqual(c, first.Claims) {
		t.Errorf("the claims are others (%v)", err)
	}
	if unsafe.StringData(first.Token.AccessToken) == unsafe.StringData(token) {
		t.Error("what is remembered is a part of what was given, which may be large")
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("Authorize is called %d times", n)
	}
	wantSeen(t, v, 1)
	if n := testing.AllocsPerRun(1000, func() { v.Verify(ctx, token) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What a caller does with the claims is nobody else's.
func TestClaimsAreTheCallersOwn(t *testing.T) {
	v := newVerifier(t, nil, verify.Issuer{Name: authName, KeySet: keySet(signer()), Algorithms: []string{"ES256"}, Audience: []string{"us"}})
	token := signer().good(`"aud":["us","them"],"sub":"who"`)
	for range 2 {
		c, err := v.Claims(t.Context(), token)
		if err != nil || c.Subject != "who" || c.Audience[0] != "us" || c.Raw[0] != '{' || time.Until(c.ExpiresAt) > time.Hour {
			t.Fatalf("got %+v, %v", c, err)
		}
		// A time that is over would have the token verified anew.
		c.Subject, c.Audience[0], c.Raw[0], c.ExpiresAt = "somebody", "them", 'x', c.ExpiresAt.Add(time.Hour)
	}
	wantSeen(t, v, 1)
}

// Claims of many members take more room than their text.
func TestCacheWeighsMembers(t *testing.T) {
	a := signer()
	const bytes = 1 << 20
	flat, wide := strings.Repeat("x", 6000), "0"+strings.Repeat(",0", 3000)
	for _, tt := range []struct {
		name, claim string
		most        int
	}{{"one text", `"` + flat + `"`, bytes / (3 * 6000)}, {"many numbers", "[" + wide + "]", bytes / (100 * 3000)}} {
		v := newVerifier(t, &verify.Options{CacheBytes: bytes}, issuerOf(a))
		for i := range 2 * tt.most {
			if err := check(v, a.good(fmt.Sprintf(`"jti":"%d","x":%s`, i, tt.claim))); err != nil {
				t.Fatal(err)
			}
		}
		if n := verify.Seen(v); n > tt.most || n == 0 {
			t.Errorf("%s: %d tokens are remembered, want 1 to %d", tt.name, n, tt.most)
		}
	}
}

func TestNothingRemembered(t *testing.T) {
	var calls atomic.Int64
	a := signer()
	opts := counting(&calls)
	opts.CacheBytes = -1
	v := newVerifier(t, opts, issuerOf(a))
	token := a.good()
	for range 3 {
		if err := check(v, token); err != nil {
			t.Fatal(err)
		}
	}
	v.Refuse(token, 0)
	wantRefusal(t, check(v, token), token, verify.ErrRefused)
	if n := calls.Load(); n != 3 {
		t.Errorf("looked at %d times, want 3", n)
	}
}

// Neither an expired token nor one of a key that is gone is good because it was.
func TestRememberedUntilExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := signer()
		v := newVerifier(t, nil, issuerOf(a))
		token := a.token(fmt.Sprintf(`{"iss":%q,"exp":%d}`, authName, time.Now().Unix()+10))
		for _, d := range []time.Duration{0, 5 * time.Second, 5*time.Second - time.Nanosecond} {
			pass(d)
			if err := check(v, token); err != nil {
				t.Fatalf("after %v: %v", d, err)
			}
		}
		wantSeen(t, v, 1)
		pass(time.Nanosecond)
		wantRefusal(t, check(v, token), token, verify.ErrExpired)
		wantSeen(t, v, 0)
	})
}

func TestRememberedWhileItsKeyIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, lasting, next := fresh("old"), fresh("lasting"), fresh("next")
		base := &published{set: keySet(old, lasting)}
		v := newVerifier(t, &verify.Options{Base: base}, verify.Issuer{Name: authName, KeySetURL: keysURL, Algorithms: []string{"ES256"}})
		goes, stays := old.good(), lasting.good()
		for _, token := range []string{goes, stays} {
			if err := check(v, token); err != nil {
				t.Fatal(err)
			}
		}
		wantSeen(t, v, 2)
		base.set = keySet(lasting, next)
		pass(time.Minute)
		if err := check(v, next.good()); err != nil { // which is news of the others too
			t.Fatal(err)
		}
		wantRefusal(t, check(v, goes), goes, verify.ErrUnknownKey)
		if err := check(v, stays); err != nil {
			t.Error(err)
		}
		wantSeen(t, v, 2)
	})
}

// The signature belongs to what is looked up: whoever knows header and claims of a token
// that has been seen does not know the token.
func TestSignatureOfASeenToken(t *testing.T) {
	a := signer()
	v := newVerifier(t, nil, issuerOf(a))
	token := a.good()
	if err := check(v, token); err != nil {
		t.Fatal(err)
	}
	text, signature := split(token)
	tampered := append([]byte{}, signature...)
	tampered[10] ^= 1
	for name, tt := range map[string]struct {
		token string
		want  error
	}{
		"bits behind":    {withBits(token), verify.ErrMalformed},
		"another one":    {text + "." + b64(tampered), verify.ErrSignature},
		"none":           {text + ".", verify.ErrSignature},
		"nor a dot":      {text, verify.ErrMalformed},
		"padding":        {token + "==", verify.ErrMalformed},
		"a part of it":   {token[:len(token)-2], verify.ErrSignature},
		"more":           {token + "AAAA", verify.ErrSignature},
		"a space behind": {token + " ", verify.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, check(v, tt.token), tt.token, tt.want)
			wantSeen(t, v, 1)
			if err := check(v, token); err != nil {
				t.Errorf("the token itself, then: %v", err)
			}
		})
	}
}

// Two tokens of one digest are two.
func TestOneDigest(t *testing.T) {
	ctx := context.Background()
	a := signer()
	v := newVerifier(t, nil, issuerOf(a))
	good, other := a.good(`"sub":"good"`), a.good(`"sub":"other"`)
	forged := fresh(a.kid).good(`"sub":"forged"`)
	must(v.Verify(ctx, good))
	verify.Confuse(v, good, other)
	verify.Confuse(v, good, forged)
	for range 2 {
		c, err := v.Claims(ctx, other)
		if err != nil || c.Subject != "other" {
			t.Errorf("got the claims %s and the error %v", c.Raw, err)
		}
		wantRefusal(t, check(v, forged), forged, verify.ErrSignature)
	}
}

func TestCacheIsBounded(t *testing.T) {
	a := signer()
	const most = 64 << 10
	v := newVerifier(t, &verify.Options{CacheBytes: most}, issuerOf(a))
	for i := range 200 {
		if err := check(v, a.good(fmt.Sprintf(`"jti":"%d"`, i))); err != nil {
			t.Fatal(err)
		}
	}
	if n := verify.Seen(v); n < 10 || n*(3*len(a.good())+1024) > most {
		t.Errorf("%d tokens are remembered in %d bytes", n, most)
	}
	if n := verify.CacheBytes(newVerifier(t, nil, issuerOf(a))); n != 16<<20 {
		t.Errorf("%d bytes are remembered at most if nothing else is said, want 16 MiB", n)
	}
	large := a.good(`"x":"` + fmt.Sprintf("%010000d", 0) + `"`)
	v = newVerifier(t, &verify.Options{CacheBytes: 8 << 10}, issuerOf(a))
	if err := check(v, large); err != nil {
		t.Fatal(err)
	}
	wantSeen(t, v, 0)
}

// The bubble sees to it that no goroutine stays.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := signer()
		v := newVerifier(t, nil, issuerOf(a))
		tokens := make([]string, 8)
		for i := range tokens {
			tokens[i] = a.good(fmt.Sprintf(`"sub":"%d"`, i))
		}
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				for i := range 64 {
					n := (g + i) % len(tokens)
					c, err := v.Claims(context.Background(), tokens[n])
					if err != nil || c.Subject != fmt.Sprint(n) {
						t.Errorf("token %d: %v", n, err)
					}
				}
			})
		}
		wg.Wait()
		wantSeen(t, v, len(tokens))
	})
}

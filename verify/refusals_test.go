package verify_test

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/verify"
)

func TestRefuse(t *testing.T) {
	a := signer()
	for _, tt := range []struct {
		name  string
		times []time.Duration
		until time.Duration
	}{
		{"until it expires", []time.Duration{0}, time.Hour},
		{"until it expires, by less", []time.Duration{-time.Second}, time.Hour},
		{"for a while", []time.Duration{time.Minute}, time.Minute},
		{"for longer, then shorter", []time.Duration{time.Minute, time.Second}, time.Minute},
		{"for shorter, then longer", []time.Duration{time.Second, time.Minute}, time.Minute},
		{"for a while, then until it expires", []time.Duration{time.Minute, 0}, time.Hour},
		{"until it expires, then for a while", []time.Duration{0, time.Minute}, time.Hour},
	} {
		for _, seen := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, seen before: %v", tt.name, seen), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := newVerifier(t, nil, issuerOf(a))
					token, other := a.good(), a.good(`"sub":"other"`)
					if seen {
						if err := check(v, token); err != nil {
							t.Fatal(err)
						}
					}
					for _, d := range tt.times {
						v.Refuse(token, d)
					}
					wantSeen(t, v, 0)
					wantRefusal(t, check(v, token), token, verify.ErrRefused)
					if err := check(v, other); err != nil {
						t.Errorf("another one: %v", err)
					}
					pass(tt.until - time.Nanosecond)
					wantRefusal(t, check(v, token), token, verify.ErrRefused)
					pass(time.Nanosecond)
					switch err := check(v, token); {
					case tt.until == time.Hour:
						wantRefusal(t, err, token, verify.ErrExpired)
					case err != nil:
						t.Errorf("after %v: %v", tt.until, err)
					}
				})
			})
		}
	}
}

// Refuse is told of tokens that Verify would accept, and does not mind others.
func TestRefuseForms(t *testing.T) {
	a := signer()
	v := newVerifier(t, nil, issuerOf(a))
	for name, token := range map[string]string{
		"the year 9999":       a.token(`{"iss":"` + authName + `","exp":253402300799}`),
		"space around claims": a.token(" " + goodClaims() + " "),
		"large":               a.good(`"x":"` + fmt.Sprintf("%010000d", 0) + `"`),
	} {
		if err := check(v, token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v.Refuse(token, 0)
		wantRefusal(t, check(v, token), token, verify.ErrRefused)
	}
	for _, d := range []time.Duration{0, time.Minute} {
		for _, token := range []string{"", ".", "..", "x", a.token(`{}`), a.token(`null`), a.token(`{"exp":1}`), "a.b.c"} {
			v.Refuse(token, d)
		}
	}
	if err := check(v, a.good()); err != nil {
		t.Error(err)
	}
	n := verify.Refused(v)
	old, odd := a.token(`{"iss":"`+authName+`","exp":1}`), a.sign(`{"alg":"XX999"}`, goodClaims())
	v.Refuse(old, 0)
	v.Refuse(odd, 0)
	if now := verify.Refused(v); now != n {
		t.Errorf("%d tokens more are remembered, which are refused as they are", now-n)
	}
	opaque := "another-opaque-one"
	wantRefusal(t, check(v, opaque), opaque, verify.ErrMalformed)
}

// Who has one signature of ECDSA has two. Both are of the token that is refused.
func TestRefuseTheOtherSignature(t *testing.T) {
	a := signer()
	token := a.good()
	text, signature := split(token)
	n := a.key.(*ecdsa.PrivateKey).Params().N
	s := new(big.Int).Sub(n, new(big.Int).SetBytes(signature[32:]))
	twin := text + "." + b64(append(append([]byte{}, signature[:32]...), s.FillBytes(make([]byte, 32))...))
	for _, seen := range []bool{false, true} {
		v := newVerifier(t, nil, issuerOf(a))
		if seen {
			for _, token := range []string{token, twin} {
				if err := check(v, token); err != nil {
					t.Fatal(err)
				}
			}
			wantSeen(t, v, 1)
		}
		v.Refuse(token, 0)
		wantRefusal(t, check(v, twin), twin, verify.ErrRefused)
		wantRefusal(t, check(v, token), token, verify.ErrRefused)
	}
}

// A token is forgotten after it is known to be revoked: in the other order, one that is
// looked at in between is remembered for good.
func TestRefuseInOrder(t *testing.T) {
	a := signer()
	v := newVerifier(t, nil, issuerOf(a))
	token := a.good()
	if err := check(v, token); err != nil {
		t.Fatal(err)
	}
	release := verify.HoldRefusals(v)
	var wg sync.WaitGroup
	wg.Go(func() { v.Refuse(token, 0) })
	for range 1000 {
		runtime.Gosched()
	}
	wantSeen(t, v, 1)
	release()
	wg.Wait()
	wantSeen(t, v, 0)
}

// What is refused while it is looked at is refused.
func TestRefuseMeanwhile(t *testing.T) {
	a := signer()
	token := a.good()
	var v *verify.Verifier
	v = newVerifier(t, &verify.Options{Authorize: func(*verify.Claims) (*bearer.Authorization, error) {
		v.Refuse(token, 0)
		return &bearer.Authorization{}, nil
	}}, issuerOf(a))
	wantRefusal(t, check(v, token), token, verify.ErrRefused)
	wantSeen(t, v, 0)
}

func TestRefuseAtOnce(t *testing.T) {
	a := signer()
	v := newVerifier(t, nil, issuerOf(a))
	for range 50 {
		token := a.good(fmt.Sprintf(`"jti":"%d"`, time.Now().UnixNano()))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { check(v, token) })
		}
		wg.Go(func() {
			v.Refuse(token, 0)
			wantRefusal(t, check(v, token), token, verify.ErrRefused)
		})
		wg.Wait()
		wantRefusal(t, check(v, token), token, verify.ErrRefused)
	}
	wantSeen(t, v, 0)
}

// As many as MaxRefused are remembered, whatever has expired; then those that end first
// go.
func TestMaxRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := signer()
		v := newVerifier(t, nil, issuerOf(a))
		const most = 100
		verify.SetMaxRefused(v, most)
		refuse := func(name string, d time.Duration) {
			for i := range most - 2 {
				v.Refuse(fmt.Sprintf("%s.%d.x", name, i), d)
			}
		}
		short, long := a.good(`"jti":"short"`), a.good(`"jti":"long"`)
		refuse("first", time.Second)
		pass(time.Second)
		v.Refuse(short, time.Second)
		v.Refuse(long, time.Millisecond) // the first in the queue, for now
		v.Refuse(long, 0)
		refuse("second", time.Minute)
		for _, token := range []string{short, long} {
			wantRefusal(t, check(v, token), token, verify.ErrRefused)
		}
		v.Refuse("one.too.many", time.Second)
		if err := check(v, short); err != nil {
			t.Errorf("the one that ends first: %v", err)
		}
		wantRefusal(t, check(v, long), long, verify.ErrRefused)
		if n := verify.Refused(v); n != most {
			t.Errorf("%d are remembered, want %d", n, most)
		}
		pass(time.Minute)
		v.Refuse("the.next.one", time.Second)
		if n := verify.Refused(v); n != 2 {
			t.Errorf("%d are remembered when all but two have expired", n)
		}
	})
}

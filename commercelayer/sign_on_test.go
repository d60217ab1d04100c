package commercelayer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/internal/pipe"
	"github.com/bearerkit/bearer/tokenendpoint"
	"github.com/bearerkit/bearer/verify"
)

// signOnTest is a shop whose visitors sign on, in a bubble.
type signOnTest struct {
	*shop
	service *commercelayertest.Server
	channel *commercelayer.SalesChannel
	people  *identities
	signOn  *commercelayer.SignOn
}

// openSignOn opens one. change may change what it is made of.
func openSignOn(t *testing.T, change func(*commercelayer.Options, *verify.Issuer, *commercelayer.SignOnOptions)) *signOnTest {
	t.Helper()
	s := &signOnTest{service: local(t, nil), people: &identities{}}
	o, provider, opts := optionsFor(s.service), identityProvider(), &commercelayer.SignOnOptions{}
	o.ClientSecret = commercelayertest.SalesChannelSecret
	if change != nil {
		change(o, &provider, opts)
	}
	s.channel = newSalesChannel(t, o)
	var err error
	if s.signOn, err = commercelayer.NewSignOn(s.channel, provider, s.people.find, opts); err != nil {
		t.Fatal(err)
	}
	s.shop = openChannel(t, s.channel)
	return s
}

// login is what the shop does with an ID token that b has come back with.
func (s *signOnTest) login(t *testing.T, b *shopper, token, nonce string) (err error) {
	t.Helper()
	b.do(t, func(ctx context.Context) { err = s.signOn.Login(ctx, token, nonce) })
	return err
}

func TestSignOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSignOn(t, func(_ *commercelayer.Options, _ *verify.Issuer, opts *commercelayer.SignOnOptions) {
			opts.CustomClaim = func(id *verify.Claims) any { return map[string]any{"via": id.Issuer} }
		})
		ada, other := s.shopper(), s.shopper()
		if err := s.login(t, ada, adasToken(nil), nonce); err != nil {
			t.Fatal(err)
		}
		ada.is(t, s.channel, commercelayertest.CustomerID, bearer.StateCustomer)
		other.is(t, s.channel, guest, bearer.StateGuest)
		ada.do(t, func(ctx context.Context) {
			a, err := s.channel.GetAuthorization(ctx)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := commercelayer.DecodeUnverified(a.Token.AccessToken)
			if err != nil || string(claims.CustomClaim) != `{"via":"https://id.example"}` {
				t.Errorf("the custom claim is %s, %v", claims.CustomClaim, err)
			}
		})
		if n := s.people.count(); n != 1 {
			t.Errorf("%d questions who the customer is, want 1", n)
		}
		if n := s.service.Counts(); n.JWTBearer != 1 || n.Password != 0 {
			t.Errorf("%d assertions and %d passwords, want 1 and none", n.JWTBearer, n.Password)
		}
		pass(5 * time.Hour) // the session has a life of its own
		ada.is(t, s.channel, commercelayertest.CustomerID, bearer.StateCustomer)
	})
}

// Whoever signs on in somebody's browser gets a session of their own.
func TestSignOnAsSomebodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSignOn(t, nil)
		s.people.answer = func(_ context.Context, id *verify.Claims) (string, error) {
			if id.Subject == adaSubject {
				return commercelayertest.CustomerID, nil
			}
			return commercelayertest.OtherCustomerID, nil
		}
		b := s.shopper()
		if err := s.login(t, b, adasToken(nil), nonce); err != nil {
			t.Fatal(err)
		}
		adas := b.held()
		if err := s.login(t, b, adasToken(map[string]any{"sub": "provider|1906"}), nonce); err != nil {
			t.Fatal(err)
		}
		b.is(t, s.channel, commercelayertest.OtherCustomerID, bearer.StateCustomer)
		old := s.shopper()
		for _, c := range adas {
			old.hold(c.Name, c.Value)
		}
		if len(adas) == 0 {
			t.Fatal("signing on has brought no cookie")
		}
		old.is(t, s.channel, guest, bearer.StateGuest)
	})
}

// A login that fails for no fault of the token's may be tried again with it.
func TestSignOnFails(t *testing.T) {
	away := errors.New("no route to s3cr3t-host of ada@example.com")
	tests := []struct {
		name   string
		answer func(context.Context, *verify.Claims) (string, error)
		fault  *commercelayertest.Fault
		right  func(error) bool
	}{
		{"no such customer", func(context.Context, *verify.Claims) (string, error) { return "", nil }, nil,
			func(err error) bool { return errors.Is(err, commercelayer.ErrNoSuchCustomer) }},
		{"who the customer is cannot be found out", func(context.Context, *verify.Claims) (string, error) { return "somebody", away }, nil,
			func(err error) bool { return errors.Is(err, away) && !errors.Is(err, commercelayer.ErrNoSuchCustomer) }},
		{"Commerce Layer is away", nil, &commercelayertest.Fault{Endpoint: commercelayertest.TokenEndpoint, Status: 503},
			func(err error) bool {
				e, ok := errors.AsType[*tokenendpoint.Error](err)
				return ok && e.Status == 503
			}},
		{"finding out who the customer is panics", func(context.Context, *verify.Claims) (string, error) { panic("s3cr3t") }, nil,
			func(err error) bool { return err == errPanic }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openSignOn(t, nil)
				s.people.answer = tt.answer
				if tt.fault != nil {
					s.service.Inject(*tt.fault)
				}
				b, token := s.shopper(), adasToken(nil)
				var err error
				b.do(t, func(ctx context.Context) {
					defer func() {
						if recover() != nil {
							err = errPanic
						}
					}()
					err = s.signOn.Login(ctx, token, nonce)
				})
				if !tt.right(err) {
					t.Fatalf("error = %v", err)
				}
				if text := printed(err); strings.Contains(text, "s3cr3t") || strings.Contains(text, "ada@") || strings.Contains(text, token) {
					t.Errorf("the error is %s", text)
				}
				s.people.mu.Lock()
				s.people.answer = nil
				s.people.mu.Unlock()
				s.service.ClearFaults()
				pass(time.Minute)
				b.is(t, s.channel, guest, bearer.StateGuest)
				if err := s.login(t, b, token, nonce); err != nil {
					t.Fatalf("again: %v", err)
				}
				b.is(t, s.channel, commercelayertest.CustomerID, bearer.StateCustomer)
			})
		})
	}
}

var errPanic = errors.New("panic")

// swapper is a Base that asks for another customer than it was told to.
type swapper struct {
	http.RoundTripper
	assertion string
}

func (s swapper) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/oauth/token") {
		return s.RoundTripper.RoundTrip(r)
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	r.Body.Close()
	if body["assertion"] != nil {
		body["assertion"] = s.assertion
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	return s.RoundTripper.RoundTrip(r)
}

// Nobody gets the session of somebody else, whatever the service answers.
func TestSignOnAnsweredWithSomebodyElse(t *testing.T) {
	nobody, err := commercelayer.Assertion(commercelayer.AssertionClaims{CustomClaim: map[string]any{"tier": 1}})
	if err != nil {
		t.Fatal(err)
	}
	user, err := commercelayer.Assertion(commercelayer.AssertionClaims{Owner: commercelayer.Owner{Type: "User", ID: commercelayertest.CustomerID}})
	if err != nil {
		t.Fatal(err)
	}
	for name, assertion := range map[string]string{"another customer": mustAssertion(t, commercelayertest.OtherCustomerID), "nobody": nobody, "a user": user} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openSignOn(t, func(o *commercelayer.Options, _ *verify.Issuer, _ *commercelayer.SignOnOptions) {
					o.Base = swapper{o.Base, assertion}
				})
				b := s.shopper()
				err := s.login(t, b, adasToken(nil), nonce)
				if err == nil || strings.Contains(err.Error(), commercelayertest.OtherCustomerID) {
					t.Errorf("error = %v", err)
				}
				b.is(t, s.channel, guest, bearer.StateGuest)
			})
		})
	}
}

// Nothing is spent where nobody can sign in.
func TestSignOnWithoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openSignOn(t, nil)
		token := adasToken(nil)
		if err := s.signOn.Login(t.Context(), token, nonce); err == nil || !strings.Contains(err.Error(), "Middleware") {
			t.Errorf("error = %v, want one that says what to do", err)
		}
		if n := s.people.count(); n != 0 {
			t.Errorf("%d questions who the customer is, want none", n)
		}
		if err := s.login(t, s.shopper(), token, nonce); err != nil {
			t.Errorf("with a session: %v", err)
		}
	})
}

// The provider's keys come from where the program says, and are heard of by whoever
// hears of the sales channel.
func TestSignOnKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards what follows
		status, keys, heard := http.StatusServiceUnavailable, []*identityKey{providerKey}, ""
		set := func(s int, k ...*identityKey) {
			mu.Lock()
			defer mu.Unlock()
			status, keys = s, k
		}
		provider := pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			w.WriteHeader(status)
			w.Write(keySet(keys...))
		}))
		logger, lines := logs()
		s := openSignOn(t, func(o *commercelayer.Options, i *verify.Issuer, opts *commercelayer.SignOnOptions) {
			i.KeySet, i.KeySetURL = nil, "https://id.example/keys"
			opts.Verify = &verify.Options{Base: provider}
			o.Logger = logger
			o.Observer = func(_ context.Context, e bearer.Event) {
				mu.Lock()
				defer mu.Unlock()
				heard += e.Message() + "\n"
			}
		})
		b := s.shopper()
		err := s.login(t, b, adasToken(nil), nonce)
		if _, ok := errors.AsType[*bearer.UnavailableError](err); !ok {
			t.Fatalf("while the key set cannot be had: error = %v, want a *bearer.UnavailableError", err)
		}
		set(200, providerKey)
		pass(10 * time.Second)
		if err := s.login(t, b, adasToken(nil), nonce); err != nil {
			t.Fatal(err)
		}
		next := newIdentityKey("two")
		set(200, next)
		pass(10 * time.Second)
		if err := s.login(t, b, next.sign(adasClaims(nil), "JWT"), nonce); err != nil {
			t.Errorf("with the next key: %v", err)
		}
		if err := s.login(t, b, adasToken(nil), nonce); !errors.Is(err, verify.ErrUnknownKey) {
			t.Errorf("with the old key: error = %v, want ErrUnknownKey", err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, want := range []string{"the key set cannot be fetched", "key set fetched"} {
			if !strings.Contains(heard, want) || !strings.Contains(lines.String(), want) {
				t.Errorf("%q was not heard, or not logged", want)
			}
		}
	})
}

func TestNewSignOn(t *testing.T) {
	secret := &commercelayer.Options{ClientSecret: "s3cr3t-of-the-channel", Base: &stub{}}
	find := (&identities{}).find
	type made struct {
		channel  *commercelayer.SalesChannel
		provider verify.Issuer
		find     func(context.Context, *verify.Claims) (string, error)
		opts     *commercelayer.SignOnOptions
	}
	tests := []struct {
		name   string
		change func(*made)
		want   string
	}{
		{"as it should be", func(*made) {}, ""},
		{"no channel", func(m *made) { m.channel = nil }, "needs a sales channel"},
		{"no function", func(m *made) { m.find = nil }, "function that finds the customer"},
		{"no secret", func(m *made) { m.channel = newSalesChannel(t, &commercelayer.Options{Base: &stub{}}) }, "Options.ClientSecret"},
		{"no audience", func(m *made) { m.provider.Audience = nil }, "Audience"},
		{"an empty audience", func(m *made) { m.provider.Audience = []string{""} }, "Audience"},
		{"tokens without an issuer", func(m *made) { m.provider.Aliases = []string{""} }, "Aliases"},
		{"access tokens", func(m *made) { m.provider.Types = []string{"JWT", "application/AT+jwt"} }, "at+jwt"},
		{"Authorize", func(m *made) {
			m.opts = &commercelayer.SignOnOptions{Verify: &verify.Options{Authorize: func(*verify.Claims) (*bearer.Authorization, error) { return nil, nil }}}
		}, "Authorize"},
		{"an algorithm with a secret", func(m *made) { m.provider.Algorithms = []string{"HS256"} }, "HS256"},
		{"no keys", func(m *made) { m.provider.KeySet = nil }, "KeySetURL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &made{newSalesChannel(t, secret), identityProvider(), find, nil}
			tt.change(m)
			s, err := commercelayer.NewSignOn(m.channel, m.provider, m.find, m.opts)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (s != nil || err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error = %v, want one about %s", err, tt.want)
			case s != nil && (strings.Contains(printed(s), "s3cr3t") || !strings.Contains(printed(s), "https://id.example")):
				t.Errorf("printed: %s", printed(s))
			}
		})
	}
}

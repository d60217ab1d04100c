package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

// checker is a Verifier.
type checker struct {
	calls  atomic.Int64
	shared *bearer.Authorization
}

func (c *checker) Verify(_ context.Context, token string) (*bearer.Authorization, error) {
	c.calls.Add(1)
	a := &bearer.Authorization{Token: &bearer.Token{AccessToken: token, Expiry: time.Now().Add(time.Hour)}, Scope: "market:1"}
	switch who, _, _ := strings.Cut(token, "."); who {
	case "guest":
		return a, nil
	case "shared":
		return c.shared, nil
	case "panic":
		panic("in a Verifier")
	case "nil":
		return nil, nil
	case "empty":
		return &bearer.Authorization{Owner: bearer.Owner{ID: "dee"}}, nil
	case "blank":
		return &bearer.Authorization{Token: &bearer.Token{}, Owner: bearer.Owner{ID: "dee"}}, nil
	case "type": // alone says nothing about who
		a.Owner = bearer.Owner{Type: "Customer"}
		return a, nil
	case "spaces":
		a.Owner = bearer.Owner{Type: "Customer", ID: " \t\u00a0"}
		return a, nil
	case "typeless":
		a.Owner = bearer.Owner{ID: " "}
		return a, nil
	case "both": // what an error comes with does not count
		return a, errors.New("not valid")
	case "dee", "kim":
		a.Owner = bearer.Owner{Type: "Customer", ID: who}
		return a, nil
	}
	return nil, fmt.Errorf("%s is not valid", token)
}

// verifying serves a shop where customers may come with a bearer token.
func verifying(t *testing.T) (*shop, *checker) {
	c := &checker{}
	s := newShop(t, nil, &bearer.MiddlewareOptions{Verifier: c})
	s.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		sess, _ := bearer.FromContext(r.Context())
		a, err := sess.Authorization(r.Context())
		if err != nil {
			fmt.Fprint(w, a, err)
			return
		}
		customer, err := sess.Customer(r.Context())
		state, _ := sess.State(r.Context())
		fmt.Fprint(w, a.Token.AccessToken, " ", a.Owner.ID, " ", a.Scope, " ", a.Origin, " ", customer != nil, " ", err == bearer.ErrNoCustomer, " ", state)
	})
	return s, c
}

func TestInbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := verifying(t)
		b := s.tab(t)
		b.get("/login/ann")
		const malformed, invalid = `Bearer realm="bearer", error="invalid_request"`, `Bearer realm="bearer", error="invalid_token"`
		tests := []struct {
			name      string
			header    []string // Authorization
			want      string   // "": refused
			status    int
			challenge string
			calls     int64
		}{
			{"none", nil, "access-ann-1 ann  storage true false customer", 200, "", 0},
			{"customer", []string{"Bearer dee.1"}, "dee.1 dee market:1 header true false customer", 200, "", 1},
			{"other case", []string{"bEARER dee.1"}, "dee.1 dee market:1 header true false customer", 200, "", 1},
			{"spaces", []string{"Bearer   dee.1"}, "dee.1 dee market:1 header true false customer", 200, "", 1},
			{"all characters", []string{"Bearer dee.-_~+/aZ9=="}, "dee.-_~+/aZ9== dee market:1 header true false customer", 200, "", 1},
			{"guest", []string{"Bearer guest.1"}, "guest.1  market:1 header false true guest", 200, "", 1},
			{"other scheme", []string{"Basic dee.1"}, "access-ann-1 ann  storage true false customer", 200, "", 0},
			{"longer scheme", []string{"Bearers dee.1"}, "access-ann-1 ann  storage true false customer", 200, "", 0},
			{"empty", []string{""}, "access-ann-1 ann  storage true false customer", 200, "", 0},
			{"refused", []string{"Bearer eve.1"}, "", 401, invalid, 1},
			{"nobody", []string{"Bearer nil"}, "", 401, invalid, 1},
			{"no token", []string{"Bearer empty"}, "", 401, invalid, 1},
			{"blank token", []string{"Bearer blank"}, "", 401, invalid, 1},
			{"owner without an ID", []string{"Bearer type"}, "", 401, invalid, 1},
			{"owner with an ID of spaces", []string{"Bearer spaces"}, "", 401, invalid, 1},
			{"owner of spaces", []string{"Bearer typeless"}, "", 401, invalid, 1},
			{"refused with an answer", []string{"Bearer both"}, "", 401, invalid, 1},
			{"scheme alone", []string{"Bearer"}, "", 400, malformed, 0},
			{"scheme and space", []string{"Bearer "}, "", 400, malformed, 0},
			{"padding alone", []string{"Bearer =="}, "", 400, malformed, 0},
			{"padding within", []string{"Bearer dee=.1"}, "", 400, malformed, 0},
			{"two tokens", []string{"Bearer dee.1 dee.2"}, "", 400, malformed, 0},
			{"a list", []string{"Bearer dee.1, Bearer dee.2"}, "", 400, malformed, 0},
			{"quoted", []string{`Bearer "dee.1"`}, "", 400, malformed, 0},
			{"two headers", []string{"Bearer dee.1", "Bearer dee.1"}, "", 400, malformed, 0},
			{"tab", []string{"Bearer\tdee.1"}, "", 400, malformed, 0},
			{"space and tab", []string{"Bearer \tdee.1"}, "", 400, malformed, 0},
			{"comma", []string{"Bearer,dee.1"}, "", 400, malformed, 0},
			{"equals sign", []string{"Bearer=dee.1"}, "", 400, malformed, 0},
			{"colon", []string{"Bearer:dee.1"}, "", 400, malformed, 0},
			{"no scheme", []string{"eyJhbGciOi.e30.c2ln"}, "", 400, malformed, 0},
			{"no scheme, and no dots", []string{"s3cr3t"}, "", 400, malformed, 0},
			{"quoted scheme", []string{`"Bearer" dee.1`}, "", 400, malformed, 0},
			{"other scheme alone", []string{"Negotiate"}, "", 400, malformed, 0},
			{"behind another scheme", []string{"Basic ZGVlOjE=, Bearer dee.1"}, "", 400, malformed, 0},
			{"behind another scheme, no space", []string{"Basic ZGVlOjE=,bearer dee.1"}, "", 400, malformed, 0},
			{"behind another scheme, tabs", []string{"Basic ZGVlOjE=\t,\tBearer\tdee.1"}, "", 400, malformed, 0},
			{"behind another scheme, scheme alone", []string{"Basic ZGVlOjE=, Bearer"}, "", 400, malformed, 0},
			{"behind parameters", []string{`Digest a="b", c="d", Bearer dee.1`}, "", 400, malformed, 0},
			{"other scheme, to the letter", []string{"Basic dXNlcjpwYXNz"}, "access-ann-1 ann  storage true false customer", 200, "", 0},
			{"other scheme with a token68", []string{"Negotiate YII="}, "access-ann-1 ann  storage true false customer", 200, "", 0},
			{"other scheme with parameters", []string{`Digest a="b", c="d"`}, "access-ann-1 ann  storage true false customer", 200, "", 0},
			{"parameter of that name", []string{`Digest a="b", bearer="d"`}, "access-ann-1 ann  storage true false customer", 200, "", 0},
			{"longer parameter", []string{`Digest a="b", bearers c`}, "access-ann-1 ann  storage true false customer", 200, "", 0},
			{"two schemes", []string{"Basic dee.1", "Bearer dee.1"}, "", 400, malformed, 0},
		}
		for _, tt := range tests {
			var header []string
			for _, v := range tt.header {
				header = append(header, "Authorization", v)
			}
			before := c.calls.Load()
			r := b.get("/who", header...)
			if r.status != tt.status || tt.want != "" && r.body != tt.want || r.header.Get("WWW-Authenticate") != tt.challenge {
				t.Errorf("%s: answered %d %q with the challenge %q, want %d %q %q", tt.name, r.status, r.body, r.header.Get("WWW-Authenticate"), tt.status, tt.want, tt.challenge)
			}
			if tt.status != 200 && (strings.Contains(r.body, "eve") || strings.Contains(r.body, "access-ann")) {
				t.Errorf("%s: the answer is %q, want no token in it", tt.name, r.body)
			}
			if got := c.calls.Load() - before; got != tt.calls {
				t.Errorf("%s: the Verifier was called %d times, want %d", tt.name, got, tt.calls)
			}
		}
	})
}

// Without a Verifier the header is none of our business.
func TestInboundWithoutVerifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShop(t, nil, nil).tab(t)
		b.get("/login/ann")
		b.want("/token", "access-ann-1", "Authorization", "Bearer dee.1")
	})
}

// A Verifier that panics lets nobody in.
func TestInboundVerifierPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log.SetOutput(io.Discard)
		defer log.SetOutput(log.Default().Writer())
		s, _ := verifying(t)
		reached := false
		s.HandleFunc("/reached", func(http.ResponseWriter, *http.Request) { reached = true })
		req, _ := http.NewRequest("GET", "https://shop.test/reached", nil)
		req.Header.Set("Authorization", "Bearer panic")
		if resp, err := s.server.RoundTrip(req); err == nil {
			t.Errorf("status %d, want no answer", resp.StatusCode)
		}
		if reached {
			t.Error("the handler was called")
		}
	})
}

// The bearer of a token is who it says, whatever cookie comes along, and cannot
// sign in or out.
func TestInboundAndCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := verifying(t)
		b := s.tab(t)
		b.get("/login/ann")
		uses := s.uses()
		b.want("/token", "dee.1", "Authorization", "Bearer dee.1")
		b.want("/token", "guest.1", "Authorization", "Bearer guest.1")
		b.want("/state", "guest", "Authorization", "Bearer guest.1")
		s.HandleFunc("/turn", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			for name, err := range map[string]error{
				"SetCustomer": sess.SetCustomer(r.Context(), s.idp.login("bob", true)),
				"Login":       sess.Login(r.Context(), func(context.Context) (*bearer.Token, error) { t.Error("a token was asked for"); return nil, nil }),
				"Logout":      sess.Logout(r.Context()),
				"Forget":      sess.Forget(r.Context()),
			} {
				if !errors.Is(err, bearer.ErrInbound) || !strings.HasSuffix(err.Error(), ": send this request without the Authorization header") {
					t.Errorf("%s = %v, want ErrInbound", name, err)
				}
			}
		})
		b.want("/turn", "", "Authorization", "Bearer dee.1").wantNoCookie(t)
		b.want("/turn", "", "Authorization", "Bearer guest.1").wantNoCookie(t)
		if got := s.uses(); got != uses {
			t.Errorf("the storage was used %d times, want none", got-uses)
		}
		pass(48 * time.Hour) // when the cookie would be renewed
		b.want("/token", "dee.1", "Authorization", "Bearer dee.1").wantNoCookie(t)
	})
}

func TestInboundCacheHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := verifying(t)
		b := s.tab(t)
		b.want("/token", "dee.1", "Authorization", "Bearer dee.1").wantCache(t, private, "Authorization")
		b.want("/state", "customer", "Authorization", "Bearer dee.1").wantCache(t, private, "Authorization")
		b.want("/plain", "plain", "Authorization", "Bearer dee.1").wantCache(t, "")
		s.HandleFunc("/public", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			s.token(w, r)
		})
		b.want("/public", "dee.1", "Authorization", "Bearer dee.1").wantCache(t, "max-age=60", "Authorization")
		s.HandleFunc("/varied", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Vary", r.URL.Query().Get("by"))
			s.token(w, r)
		})
		b.want("/varied?by=Accept", "dee.1", "Authorization", "Bearer dee.1").wantCache(t, private, "Accept", "Authorization")
		b.want("/varied?by=Accept,authorization", "dee.1", "Authorization", "Bearer dee.1").wantCache(t, private, "Accept,authorization")
		b.want("/varied?by=*", "guest.1", "Authorization", "Bearer guest.1").wantCache(t, private, "*")
		b.want("/varied?by=Cookie", "guest.1", "Authorization", "Bearer guest.1").wantCache(t, private, "Cookie", "Authorization")
		b.want("/token", "guest-shop").wantCache(t, "")
	})
}

// What a Verifier returns may be what it has for others too.
func TestInboundShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := verifying(t)
		c.shared = &bearer.Authorization{Token: &bearer.Token{AccessToken: "shared.1"}, Owner: bearer.Owner{ID: "dee"}}
		s.HandleFunc("/spoil", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			a, _ := sess.Inbound()
			a.Token.AccessToken, a.Token.Expiry, a.Owner.ID = "other", time.Now().Add(-time.Hour), "kim"
		})
		s.tab(t).get("/spoil", "Authorization", "Bearer shared.1")
		s.tab(t).want("/who", "shared.1 dee  header true false customer", "Authorization", "Bearer shared.1")
		if c.shared.Origin != "" {
			t.Errorf("the Verifier's Authorization has now the origin %q, want it untouched", c.shared.Origin)
		}
	})
}

// The token is for calls of the API, and none takes its place.
func TestInboundCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := verifying(t)
		var sent []string
		api := pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.Header.Get("Authorization"))
			if r.URL.Path == "/bad" {
				invalidToken(w)
			}
		}))
		client := &http.Client{Transport: &bearer.Transport{Source: s.front, Base: api}}
		s.HandleFunc("/call", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			for _, path := range []string{"/good", "/bad", "/good"} {
				req, _ := http.NewRequestWithContext(r.Context(), "GET", "https://api.test"+path, nil)
				resp, err := client.Do(req)
				if err != nil {
					fmt.Fprint(w, errors.Is(err, bearer.ErrCustomerExpired), " ")
					continue
				}
				resp.Body.Close()
				fmt.Fprint(w, resp.StatusCode, " ")
			}
			if err := s.front.Evict(r.Context(), &bearer.Token{AccessToken: "another"}); err == nil {
				t.Error("Evict = nil, want an error: there is no other token")
			}
			a, err := sess.Authorization(r.Context())
			_, customerErr := sess.Customer(r.Context())
			state, _ := sess.State(r.Context())
			fmt.Fprint(w, a == nil, err == bearer.ErrCustomerExpired, customerErr == bearer.ErrCustomerExpired, state)
		})
		b := s.tab(t)
		b.get("/login/ann")
		for _, who := range []string{"dee.1", "guest.1"} {
			sent = nil
			b.want("/call", "200 401 true true true true customer expired", "Authorization", "Bearer "+who)
			if got, want := fmt.Sprint(sent), fmt.Sprintf("[Bearer %s Bearer %[1]s]", who); got != want {
				t.Errorf("the API got %s, want %s", got, want)
			}
		}
		b.want("/token", "access-ann-1")
	})
}

// A request that lasts longer than its token does not go on without it.
func TestInboundExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := verifying(t)
		s.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			pass(59 * time.Minute)
			s.token(w, r)
			pass(time.Minute)
			_, err := s.front.TokenContext(r.Context())
			_, only := s.front.CustomerOnly().TokenContext(r.Context())
			state, _ := sess.State(r.Context())
			fmt.Fprint(w, " ", errors.Is(err, bearer.ErrCustomerExpired), errors.Is(only, bearer.ErrCustomerExpired), state)
		})
		s.tab(t).want("/long", "dee.1 true true customer expired", "Authorization", "Bearer dee.1")
	})
}

var (
	oneBearer   = regexp.MustCompile(`^(?i:bearer) +([A-Za-z0-9._~+/-]+=*) *$`)
	otherScheme = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+ ")
	bearerToo   = regexp.MustCompile("(?i),[ \t]*bearer([^=A-Za-z0-9!#$%&'*+.^_`|~-]|$)")
)

// A request with its own token is refused or acts by it: nothing in between. It acts by
// a cookie only if its header is of another scheme, beyond doubt.
func FuzzInbound(f *testing.F) {
	for _, seed := range []string{
		"Bearer dee.1", "Bearer", "bearer  x", "Basic dee.1", "Bearer a b", "Bearer =", "", "Bearer \tdee.1", "Bearer\tx", "Bearer,x", "Bearer:x",
		"a.b.c", "Basic x, Bearer y", "Basic x,bearer\ty", "Digest a=b, bearer=c", "Digest a=b, bearer =c", "Basic x, bearers y", " Bearer x", "Bearer x==  ", "\u212aasic x",
	} {
		f.Add(seed)
	}
	s := emptyShop()
	s.front = s.storefront("shop", nil)
	seen := ""
	h := bearer.Middleware(s.front, &bearer.MiddlewareOptions{Verifier: verifierFunc(func(token string) (*bearer.Authorization, error) {
		seen = token
		return &bearer.Authorization{Token: &bearer.Token{AccessToken: "own " + token}}, nil
	})})(http.HandlerFunc(s.token))
	f.Fuzz(func(t *testing.T, value string) {
		seen = ""
		r, w := requestWith6Headers("https://shop.test/"), &recorded{header: http.Header{}}
		r.Header["Authorization"] = []string{value}
		h.ServeHTTP(w, r)
		own := oneBearer.FindStringSubmatch(value)
		ours := own == nil && (strings.EqualFold(value, "Bearer") || len(value) > 6 && strings.EqualFold(value[:7], "Bearer "))
		got, challenge := string(w.body), w.header.Get("WWW-Authenticate")
		switch {
		case own != nil:
			if seen != own[1] || got != "own "+seen {
				t.Errorf("Authorization %q: answered %q, and the Verifier saw %q, want it to see %q", value, got, seen, own[1])
			}
		case value == "" || !ours && otherScheme.MatchString(value) && !bearerToo.MatchString(value):
			if seen != "" || got != "guest-shop" {
				t.Errorf("Authorization %q: answered %q, and the Verifier saw %q, want it left alone", value, got, seen)
			}
		case seen != "" || !strings.Contains(challenge, "invalid_request"):
			t.Errorf("Authorization %q: answered %q with the challenge %q, and the Verifier saw %q, want it refused", value, got, challenge, seen)
		}
	})
}

type verifierFunc func(token string) (*bearer.Authorization, error)

func (f verifierFunc) Verify(_ context.Context, token string) (*bearer.Authorization, error) {
	return f(token)
}

package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// forCustomers has a page for customers alone.
func (s *shop) forCustomers(opts *bearer.RequireOptions) {
	s.Handle("/account", bearer.RequireCustomer(opts)(http.HandlerFunc(s.token)))
}

func TestRequireCustomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.forCustomers(nil)
		b := s.tab(t)
		wantStatus := func(want int, body string) reply {
			t.Helper()
			r := b.want("/account", body)
			if r.status != want || r.header.Get("WWW-Authenticate") != "" {
				t.Errorf("status %d with the challenge %q, want %d and none", r.status, r.header.Get("WWW-Authenticate"), want)
			}
			return r
		}
		wantStatus(http.StatusUnauthorized, "sign in first").wantCache(t, private)
		b.get("/login/ann")
		wantStatus(http.StatusOK, "access-ann-1").wantCache(t, private, "Cookie")

		pass(2 * time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(503, "", "Retry-After", "30") })
		r := wantStatus(http.StatusServiceUnavailable, "the service is not available right now, try again soon")
		r.wantCache(t, private, "Cookie")
		if got := r.header.Get("Retry-After"); got < "30" || got > "35" || len(got) != 2 {
			t.Errorf("Retry-After = %q, want some 30 seconds", got)
		}
		s.shelf.failing(errDown, "get")
		wantStatus(http.StatusServiceUnavailable, "the service is not available right now, try again soon")
		s.shelf.faults(nil, nil)

		pass(time.Minute)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(400, "invalid_grant") })
		wantStatus(http.StatusUnauthorized, "sign in first").wantCache(t, private, "Cookie")
		b.want("/state", "customer expired")
		wantStatus(http.StatusUnauthorized, "sign in first")
	})
}

// What failed for a moment is worth another try after one.
func TestRequireCustomerRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.forCustomers(nil)
		b := s.tab(t)
		b.get("/login/ann")
		pass(time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return errDown })
		if r := b.get("/account"); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") != "1" {
			t.Errorf("status %d, Retry-After %q, want 503 and 1", r.status, r.header.Get("Retry-After"))
		}
	})
}

func TestRequireCustomerHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.forCustomers(&bearer.RequireOptions{
			Denied: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sess, _ := bearer.FromContext(r.Context())
				state, _ := sess.State(r.Context())
				io.WriteString(w, "denied to a "+state.String())
			}),
			Failed: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "failed") }),
		})
		b := s.tab(t)
		b.want("/account", "denied to a guest")
		b.get("/login/ann")
		b.want("/account", "access-ann-1")
		pass(2 * time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return errDown })
		b.want("/account", "failed")
		pass(time.Minute)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(400, "invalid_grant") })
		b.want("/account", "denied to a customer expired")
		b.want("/account", "denied to a guest")
	})
}

// Who forgets the middleware learns of it at the first request.
func TestRequireMisused(t *testing.T) {
	let := func(context.Context, *bearer.Authorization) error { return nil }
	never := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a handler was called") })
	opts := &bearer.RequireOptions{Denied: never, Failed: never}
	within := bearer.Middleware(bearer.NewStorefront(guestToken("shop"), nil), nil)
	tests := []struct {
		name string
		h    http.Handler
		want string
	}{
		{"RequireCustomer", bearer.RequireCustomer(opts)(never), "RequireCustomer needs Middleware round it\n"},
		{"RequireBearer", bearer.RequireBearer(opts)(never), "RequireBearer needs Middleware round it\n"},
		{"Require", bearer.Require(let, opts)(never), "Require needs Middleware round it\n"},
		{"RequireBearer without a Verifier", within(bearer.RequireBearer(opts)(never)), "RequireBearer needs a Middleware with a Verifier round it\n"},
	}
	for _, tt := range tests {
		if resp, body := ask(tt.h); resp.StatusCode != http.StatusInternalServerError || body != tt.want {
			t.Errorf("%s: answered %d %q, want 500 %q", tt.name, resp.StatusCode, body, tt.want)
		}
	}
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "bearer: Require needs a check") {
			t.Errorf("panic with %q", text)
		}
	}()
	bearer.Require(nil, nil)
}

// Those who may come with a token are told so.
func TestRequireCustomerInbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := verifying(t)
		s.forCustomers(nil)
		s.Handle("/late", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pass(2 * time.Hour)
			bearer.RequireCustomer(nil)(http.HandlerFunc(s.token)).ServeHTTP(w, r)
		}))
		b := s.tab(t)
		b.want("/account", "dee.1", "Authorization", "Bearer dee.1")
		tests := []struct {
			name, path string
			header     []string
			status     int
			want       string
		}{
			{"no token", "/account", nil, 401, `Bearer realm="bearer"`},
			{"guest's token", "/account", []string{"Authorization", "Bearer guest.1"}, 403, `Bearer realm="bearer", error="insufficient_scope", error_description="the token is not a customer's"`},
			{"expired meanwhile", "/late", []string{"Authorization", "Bearer dee.1"}, 401, `Bearer realm="bearer", error="invalid_token"`},
		}
		for _, tt := range tests {
			r := b.get(tt.path, tt.header...)
			if got := r.header.Get("WWW-Authenticate"); r.status != tt.status || got != tt.want {
				t.Errorf("%s: status %d with the challenge %q, want %d and %q", tt.name, r.status, got, tt.status, tt.want)
			}
		}
	})
}

// tokenOnly has a page for those who bring a token, and one whose token comes to
// nothing before it is looked at.
func (s *shop) tokenOnly(t *testing.T, opts *bearer.RequireOptions) {
	api := bearer.RequireBearer(opts)(http.HandlerFunc(s.token))
	s.Handle("/api", api)
	s.HandleFunc("/api/late", func(w http.ResponseWriter, r *http.Request) {
		pass(2 * time.Hour)
		api.ServeHTTP(w, r)
	})
	s.HandleFunc("/api/rejected", func(w http.ResponseWriter, r *http.Request) {
		sess, _ := bearer.FromContext(r.Context())
		a, err := sess.Authorization(r.Context())
		if err != nil {
			t.Error(err)
			return
		}
		s.front.Evict(r.Context(), a.Token)
		api.ServeHTTP(w, r)
	})
}

// A cookie does not open what is for bearers alone.
func TestRequireBearer(t *testing.T) {
	const realm, invalid = `Bearer realm="bearer"`, `Bearer realm="bearer", error="invalid_token"`
	tests := []struct {
		name, path, header string
		status             int
		want, challenge    string
	}{
		{"no token", "/api", "", 401, "send an access token in the Authorization header", realm},
		{"another scheme", "/api", "Basic dee.1", 401, "send an access token in the Authorization header", realm},
		{"customer's", "/api", "Bearer dee.1", 200, "dee.1", ""},
		{"guest's", "/api", "Bearer guest.1", 200, "guest.1", ""},
		{"refused", "/api", "Bearer eve.1", 401, "the access token is not valid", invalid},
		{"expired meanwhile", "/api/late", "Bearer dee.1", 401, "the access token is not valid", invalid},
		{"rejected meanwhile", "/api/rejected", "Bearer dee.1", 401, "the access token is not valid", invalid},
		{"guest's, rejected meanwhile", "/api/rejected", "Bearer guest.1", 401, "the access token is not valid", invalid},
	}
	for _, opts := range []*bearer.MiddlewareOptions{nil, carrying()} {
		synctest.Test(t, func(t *testing.T) {
			var o bearer.MiddlewareOptions
			if opts != nil {
				o = *opts
			}
			o.Verifier = &checker{}
			s := newShop(t, nil, &o)
			s.tokenOnly(t, nil)
			b := s.tab(t)
			for _, who := range []string{"guest", "customer"} {
				for _, tt := range tests {
					header := []string{"Accept", "text/html"}
					if tt.header != "" {
						header = append(header, "Authorization", tt.header)
					}
					r := b.want(tt.path, tt.want, header...)
					if got := r.header.Get("WWW-Authenticate"); r.status != tt.status || got != tt.challenge {
						t.Errorf("%s, with the cookie of a %s: status %d with the challenge %q, want %d and %q", tt.name, who, r.status, got, tt.status, tt.challenge)
					}
				}
				b.get("/login/ann")
			}
		})
	}
}

// Whom check is asked about, and what becomes of them.
func TestRequire(t *testing.T) {
	const realm, scope, invalid = `Bearer realm="bearer"`, `Bearer realm="bearer", error="insufficient_scope"`, `Bearer realm="bearer", error="invalid_token"`
	type result struct {
		status    int
		code      string
		challenge string
	}
	not := errors.New("s3cr3t")
	let, fail := result{200, "", ""}, result{503, "", ""}
	guest, mine, own, gone := result{401, "", realm}, result{403, "", ""}, result{403, "insufficient_scope", scope}, result{401, "invalid_token", invalid}
	tests := []struct {
		name  string
		check func(s *shop, ctx context.Context, a *bearer.Authorization) error
		// of a guest, a customer, and those who bring a token: a customer's, a guest's
		guest, customer, bearer, bearerGuest result
	}{
		{"lets through", func(*shop, context.Context, *bearer.Authorization) error { return nil }, let, let, let, let},
		{"does not", func(*shop, context.Context, *bearer.Authorization) error { return not }, guest, mine, own, own},
		{"unavailable", func(*shop, context.Context, *bearer.Authorization) error {
			return fmt.Errorf("wrapped: %w", &bearer.UnavailableError{Err: not})
		}, fail, fail, fail, fail},
		{"no token", func(*shop, context.Context, *bearer.Authorization) error { return &bearer.TokenError{Err: not} }, fail, fail, fail, fail},
		{"its context has ended", func(*shop, context.Context, *bearer.Authorization) error {
			return fmt.Errorf("wrapped: %w", context.DeadlineExceeded)
		}, fail, fail, fail, fail},
		{"its request has ended", func(*shop, context.Context, *bearer.Authorization) error { return context.Canceled }, fail, fail, fail, fail},
		{"the session ends meanwhile", func(s *shop, ctx context.Context, a *bearer.Authorization) error {
			s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(400, "invalid_grant") })
			defer s.idp.onRefresh(nil)
			s.front.Evict(ctx, a.Token)
			_, err := s.front.TokenContext(ctx)
			if err == nil { // the guests have another one
				err = not
			}
			return err
		}, guest, guest, gone, gone},
		{"none without claims", func(_ *shop, _ context.Context, a *bearer.Authorization) error {
			if a.Claims == nil {
				return not
			}
			return nil
		}, guest, mine, let, let},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := verifierFunc(func(token string) (*bearer.Authorization, error) {
					a, err := (&checker{}).Verify(t.Context(), token)
					a.Claims = "claims"
					return a, err
				})
				s := newShop(t, nil, &bearer.MiddlewareOptions{Verifier: v})
				var asked *bearer.Authorization
				var ref *bearer.Refusal
				check := func(ctx context.Context, a *bearer.Authorization) error {
					asked = a
					return tt.check(s, ctx, a)
				}
				refused := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ref, _ = bearer.RefusalFromContext(r.Context())
					if _, ok := bearer.FromContext(r.Context()); !ok {
						t.Error("the handler has no session")
					}
					w.WriteHeader(ref.Status)
				})
				s.Handle("/some", bearer.Require(check, nil)(http.HandlerFunc(s.token)))
				s.Handle("/own", bearer.Require(check, &bearer.RequireOptions{Denied: refused, Failed: refused})(http.HandlerFunc(s.token)))
				visit := func(name string, b *tab, token string, want result, header ...string) {
					t.Helper()
					for _, path := range []string{"/some", "/own"} {
						asked, ref = nil, nil
						r := b.get(path, header...)
						if asked == nil || !strings.HasPrefix(asked.Token.AccessToken, token) {
							t.Errorf("%s: check was asked about %v, want the one with the token %s", name, asked, token)
						}
						if got := r.header.Get("WWW-Authenticate"); r.status != want.status || got != want.challenge || (r.header.Get("Retry-After") != "") != (want == fail) {
							t.Errorf("%s: status %d with the header %v, want %d and the challenge %q", name, r.status, r.header, want.status, want.challenge)
						}
						if strings.Contains(r.body, "s3cr3t") || want != let && strings.Contains(r.body, token) {
							t.Errorf("%s: answered %q, want no secret", name, r.body)
						}
						if path == "/own" && want != let && (ref == nil || ref.Status != want.status || ref.Code != want.code || ref.Err == nil) {
							t.Errorf("%s: the handler finds %v, want %d %q", name, ref, want.status, want.code)
						}
						if ref != nil && (path == "/some" || want == let) {
							t.Errorf("%s: %s was answered by a handler that is not for it", name, path)
						}
						b.get("/login/ann")
					}
				}
				visit("guest", s.tab(t).old(), "guest-shop", tt.guest)
				b := s.tab(t)
				b.get("/login/ann")
				visit("customer", b, "access-ann-", tt.customer)
				visit("bearer", b, "dee.1", tt.bearer, "Authorization", "Bearer dee.1")
				visit("bearer of a guest's token", b, "guest.1", tt.bearerGuest, "Authorization", "Bearer guest.1")
			})
		})
	}
}

// Without an authorization there is nothing to check.
func TestRequireWithoutAuthorization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, nil, nil)
		s.Handle("/some", bearer.Require(func(context.Context, *bearer.Authorization) error { return nil }, nil)(http.HandlerFunc(s.token)))
		b := s.tab(t)
		b.get("/login/ann")
		pass(2 * time.Hour)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(503, "", "Retry-After", "30") })
		if r := b.get("/some"); r.status != 503 || r.header.Get("Retry-After") < "30" {
			t.Errorf("status %d, Retry-After %q, want 503 and some 30 seconds", r.status, r.header.Get("Retry-After"))
		}
		pass(time.Minute)
		s.idp.onRefresh(func(context.Context, *bearer.Token) error { return answered(400, "invalid_grant") })
		if r := b.want("/some", "sign in first"); r.status != 401 || r.header.Get("WWW-Authenticate") != "" {
			t.Errorf("status %d with the challenge %q, want 401 and none", r.status, r.header.Get("WWW-Authenticate"))
		}
		b.want("/some", "guest-shop") // who is told nothing more
	})
}

// The handlers of a route come before those of the middleware.
func TestRequireHandlersOfMiddleware(t *testing.T) {
	says := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
	}
	tests := []struct {
		name string
		opts *bearer.RequireOptions
		err  error // of the check
		want string
	}{
		{"denied", nil, errDown, "denied by all"},
		{"failed", nil, &bearer.UnavailableError{}, "failed by all"},
		{"denied by a route", &bearer.RequireOptions{Denied: says("denied by one")}, errDown, "denied by one"},
		{"failed by a route", &bearer.RequireOptions{Failed: says("failed by one")}, &bearer.UnavailableError{}, "failed by one"},
		{"denied, and the route has the other", &bearer.RequireOptions{Failed: says("failed by one")}, errDown, "denied by all"},
		{"failed, and the route has the other", &bearer.RequireOptions{Denied: says("denied by one")}, &bearer.UnavailableError{}, "failed by all"},
	}
	for _, tt := range tests {
		check := func(context.Context, *bearer.Authorization) error { return tt.err }
		h := bearer.Middleware(bearer.NewStorefront(guestToken("shop"), nil), &bearer.MiddlewareOptions{Denied: says("denied by all"), Failed: says("failed by all")})(bearer.Require(check, tt.opts)(quiet))
		if _, body := ask(h); body != tt.want {
			t.Errorf("%s: answered %q, want %q", tt.name, body, tt.want)
		}
	}
}

// What a check has to say is told where a token is not enough, and in JSON.
func TestRequireDescription(t *testing.T) {
	check := func(context.Context, *bearer.Authorization) error {
		return fmt.Errorf("s3cr3t: %w", saying("for partners"))
	}
	h := bearer.Middleware(bearer.NewStorefront(guestToken("shop"), nil), &bearer.MiddlewareOptions{Verifier: &checker{}})(bearer.Require(check, nil)(quiet))
	for token, want := range map[string]string{
		"":      `Bearer realm="bearer" {"errors":[{"title":"Unauthorized","detail":"for partners","code":"UNAUTHORIZED","status":"401"}]}`,
		"guest": `Bearer realm="bearer", error="insufficient_scope", error_description="for partners" {"errors":[{"title":"Forbidden","detail":"for partners","code":"FORBIDDEN","status":"403"}]}`,
	} {
		header := []string{"Accept", "application/json"}
		if token != "" {
			header = append(header, "Authorization", "Bearer "+token)
		}
		resp, body := ask(h, header...)
		if got := resp.Header.Get("WWW-Authenticate") + " " + body; got != want {
			t.Errorf("with the token %q: answered %s, want %s", token, got, want)
		}
	}
}

package redisstore_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/layered"
	"github.com/bearerkit/bearer/redisstore"
	"github.com/bearerkit/bearer/redisstore/redistest"
)

func issued(name string) *bearer.Token {
	return &bearer.Token{AccessToken: name, TokenType: "Bearer", Expiry: time.Now().Add(4 * time.Hour)}
}

// A fresh token costs a Source with a storage what it costs one without: no
// allocation, and nothing is asked of Redis.
func TestSourceHotRead(t *testing.T) {
	server := redistest.Start(t)
	fetch := func(context.Context) (*bearer.Token, error) { return issued("a token"), nil }
	sources := map[string]*bearer.Source{
		"without a storage": bearer.NewSource(fetch, nil),
		"with Redis":        bearer.NewSource(fetch, &bearer.SourceOptions{Storage: open(t, server.URL(), nil), Key: "token"}),
		"with memory before Redis": bearer.NewSource(fetch, &bearer.SourceOptions{
			Storage: layered.New(open(t, server.URL(), &redisstore.Options{DisableCache: true}), nil), Key: "token",
		}),
	}
	read := func(src *bearer.Source) {
		if _, err := src.TokenContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, src := range sources {
		read(src)
	}
	before := server.Calls("get")
	if before == 0 {
		t.Error("the storage was not even asked for the first token")
	}
	for name, src := range sources {
		// An average of so many that what else happens in the process is lost in it.
		allocs := testing.AllocsPerRun(100_000, func() { read(src) })
		t.Logf("%s: %v allocations", name, allocs)
		if allocs != 0 {
			t.Errorf("%s: %v allocations for a fresh token, want 0", name, allocs)
		}
	}
	if asked := server.Calls("get") - before; asked != 0 {
		t.Errorf("Redis was asked %d times for tokens that are fresh, want 0", asked)
	}
}

// site is a shop of which each process has one.
func site(customers bearer.CompareAndSwapper) http.Handler {
	front := bearer.NewStorefront(func(context.Context) (*bearer.Token, error) { return issued("guest"), nil },
		&bearer.StorefrontOptions{Customers: customers})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t, err := front.TokenContext(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, t.AccessToken)
	})
	mux.HandleFunc("/sign-in", func(w http.ResponseWriter, r *http.Request) {
		session, _ := bearer.FromContext(r.Context())
		if err := session.SetCustomer(r.Context(), issued("customer")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/sign-out", func(w http.ResponseWriter, r *http.Request) {
		session, _ := bearer.FromContext(r.Context())
		if err := session.Logout(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return bearer.Middleware(front, nil)(mux)
}

// ask asks a site for a page, and returns the answer's body and the session's cookie.
func ask(t *testing.T, site http.Handler, path string, cookie *http.Cookie) (string, *http.Cookie) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "https://shop.example"+path, http.NoBody)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: status %d: %s", path, w.Code, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		cookie = c
	}
	return w.Body.String(), cookie
}

// A customer's request costs no more than one round trip, and none if the customer
// was here a moment ago and something keeps copies. What keeps copies learns of a
// logout elsewhere.
func TestSessionRoundTrips(t *testing.T) {
	t.Parallel()
	const requests = 50
	for _, tt := range []struct {
		name string
		open func(t *testing.T, url string) bearer.CompareAndSwapper
		want int // round trips of so many requests
	}{
		{"Redis", func(t *testing.T, url string) bearer.CompareAndSwapper { return open(t, url, nil) }, 0},
		{"Redis without copies", func(t *testing.T, url string) bearer.CompareAndSwapper {
			return open(t, url, &redisstore.Options{DisableCache: true})
		}, requests},
		{"memory before Redis", func(t *testing.T, url string) bearer.CompareAndSwapper {
			return layered.New(open(t, url, &redisstore.Options{DisableCache: true}), nil)
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			a, b := site(tt.open(t, server.URL())), site(tt.open(t, server.URL()))
			_, cookie := ask(t, a, "/sign-in", nil)
			if who, _ := ask(t, b, "/", cookie); who != "customer" {
				t.Fatalf("at the other process the visitor is a %s", who)
			}
			count := func() (n int) {
				for _, command := range []string{"get", "set", "eval", "evalsha"} {
					n += server.Calls(command)
				}
				return n
			}
			// Not at once: a copy from before the change feed had begun does not last, nor one
			// while a machine is too busy to hear the feed's heartbeat.
			eventually(t, fmt.Sprintf("%d requests of a customer cost %d round trips", requests, tt.want), func() bool {
				before := count()
				for range requests {
					if who, _ := ask(t, b, "/", cookie); who != "customer" {
						t.Fatalf("the customer has become a %s", who)
					}
				}
				asked := count() - before
				t.Logf("%d requests of a customer cost %d round trips", requests, asked)
				return asked <= tt.want
			})

			ask(t, a, "/sign-out", cookie)
			begin := time.Now()
			eventually(t, "the other process knows of the logout", func() bool {
				who, _ := ask(t, b, "/", cookie)
				return who == "guest"
			})
			t.Logf("the other process knew of the logout after %v", time.Since(begin))
		})
	}
}

// Nobody can write to a Redis that is full, but everybody can sign out.
func TestSignOutOfAFullRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := bearer.NewSingleCustomer(&bearer.StorefrontOptions{Customers: open(t, server.URL(), nil), Key: "customer"})
	if err := c.SetCustomer(t.Context(), issued("a token")); err != nil {
		t.Fatal(err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	wantError(t, c.SetCustomer(t.Context(), issued("another token")), "OOM")
	if err := c.Logout(t.Context()); err != nil {
		t.Errorf("Logout: %v", err)
	}
	if left := server.Do("EXISTS", "customer"); left != "0" {
		t.Errorf("%s records are left, want none", left)
	}
}

// What is of another type in Redis is replaced by the next token, for all processes.
func TestSourceReplacesAnotherType(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("HSET", "token", "a", "b")
	requests := 0
	for range 3 {
		src := bearer.NewSource(func(context.Context) (*bearer.Token, error) { requests++; return issued("a token"), nil },
			&bearer.SourceOptions{Storage: open(t, server.URL(), nil), Key: "token"})
		if _, err := src.TokenContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if kind := server.Do("TYPE", "token"); kind != "string" || requests != 1 {
		t.Errorf("%d requests, and what is there is a %s, want 1 and a string", requests, kind)
	}
}

package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/redisstore"
)

// shop is the storefront: pages, forms, and what they need.
type shop struct {
	*service
	instance string // its name, if there are several
	storage  bearer.Storage
	redis    *redisstore.Store // nil: there is one instance, and the storage is memory
	cookies  cookies
	hood     *hood
	handler  http.Handler
}

// newShop makes a shop that is alone, and keeps what it keeps in memory.
func newShop(service *service, insecureCookies bool) (*shop, error) {
	s := &shop{service: service, cookies: cookies{insecureCookies}}
	s.hood = newHood(service, s.cookies)
	s.storage = s.watch(memstore.New(nil))
	return s, s.open()
}

// open makes what answers requests, over the storage.
func (s *shop) open() error {
	sessions, err := s.openMarkets()
	if err != nil {
		return err
	}
	// Forms are only taken from pages of this shop. What is outside of that
	// protection changes nothing.
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This form was sent by a page of another site. Nothing was done.", http.StatusForbidden)
	}))
	mux := http.NewServeMux()
	mux.Handle("/", csrf.Handler(http.MaxBytesHandler(s.hood.follow(s.instance, sessions(s.routes())), 64<<10)))
	mux.Handle("GET /static/", static())
	s.handler = withSecurityHeaders(mux)
	return nil
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	home := s.markets[0]
	mux.Handle("/", s.handle(home, (*visit).notFound))
	mux.Handle("GET /{$}", http.RedirectHandler(home.Path+"/", http.StatusSeeOther))
	mux.HandleFunc("GET /events", s.hood.stream)
	for _, m := range s.markets {
		on := func(method, path string, h func(*visit) error) {
			mux.Handle(method+" "+m.Path+path, s.handle(m, h))
		}
		mux.Handle(m.Path+"/", s.handle(m, (*visit).notFound))
		on("GET", "/{$}", (*visit).catalog)
		on("GET", "/cart", (*visit).showCart)
		on("POST", "/cart", (*visit).addToCart)
		on("POST", "/cart/{item}", (*visit).changeCart)
		on("GET", "/sign-in", (*visit).showSignIn)
		on("POST", "/sign-in", (*visit).takeSignIn)
		on("POST", "/sign-out", (*visit).takeSignOut)
		mux.Handle("GET "+m.Path+"/account", s.customersOnly(m, s.handle(m, (*visit).account)))
		if s.local != nil {
			on("POST", "/hood/{button}", (*visit).press)
		}
	}
	return mux
}

// marketOf is the market that a path belongs to, else the first one.
func (s *shop) marketOf(path string) *market {
	for _, m := range s.markets {
		if path == m.Path || strings.HasPrefix(path, m.Path+"/") {
			return m
		}
	}
	return s.markets[0]
}

// withSecurityHeaders forbids the browser whatever this shop does not do: there is
// one style sheet, one script, and nothing from elsewhere.
func withSecurityHeaders(next http.Handler) http.Handler {
	policy := strings.Join([]string{
		"default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self'", "connect-src 'self'",
		"form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
	}, "; ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// orderLife is how long the browser remembers a guest's cart.
const orderLife = 30 * 24 * time.Hour

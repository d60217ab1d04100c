package routers_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/labstack/echo/v5"
)

// newShop returns a sales channel of a Commerce Layer that runs in this process.
func newShop(t *testing.T) (*commercelayer.SalesChannel, *commercelayertest.Server) {
	t.Helper()
	server := commercelayertest.NewServer(nil)
	t.Cleanup(server.Close)
	shop, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope,
		&commercelayer.Options{Base: server.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	return shop, server
}

// handlers are a shop's, the same for each router. They know of no token.
type handlers struct {
	shop *commercelayer.SalesChannel
	api  string
}

func (h handlers) who(w http.ResponseWriter, r *http.Request) {
	session, ok := bearer.FromContext(r.Context())
	if !ok {
		http.Error(w, "no session", http.StatusInternalServerError)
		return
	}
	state, err := session.State(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprint(w, state)
}

func (h handlers) login(w http.ResponseWriter, r *http.Request) {
	if err := h.shop.Login(r.Context(), r.FormValue("email"), r.FormValue("password")); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h handlers) logout(w http.ResponseWriter, r *http.Request) {
	if err := h.shop.LogoutCustomer(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// account calls the API as the customer, whose email it answers with.
func (h handlers) account(w http.ResponseWriter, r *http.Request) {
	req, err := http.NewRequestWithContext(r.Context(), "GET", h.api+"/api/customers?fields[customers]=email", nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := h.shop.Client().Do(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

func TestRouters(t *testing.T) {
	for _, tt := range []struct {
		name  string
		serve func(h handlers) http.Handler
	}{
		{"net/http", func(h handlers) http.Handler {
			router := http.NewServeMux()
			router.HandleFunc("GET /who", h.who)
			router.HandleFunc("POST /login", h.login)
			router.HandleFunc("POST /logout", h.logout)
			router.Handle("GET /account", bearer.RequireCustomer(nil)(http.HandlerFunc(h.account)))
			return h.shop.Middleware(nil)(router)
		}},
		{"chi", func(h handlers) http.Handler {
			router := chi.NewRouter()
			router.Use(h.shop.Middleware(nil))
			router.Get("/who", h.who)
			router.Post("/login", h.login)
			router.Post("/logout", h.logout)
			router.With(bearer.RequireCustomer(nil)).Get("/account", h.account)
			return router
		}},
		{"gorilla/mux", func(h handlers) http.Handler {
			router := mux.NewRouter()
			router.Use(h.shop.Middleware(nil))
			router.HandleFunc("/who", h.who).Methods("GET")
			router.HandleFunc("/login", h.login).Methods("POST")
			router.HandleFunc("/logout", h.logout).Methods("POST")
			router.Handle("/account", bearer.RequireCustomer(nil)(http.HandlerFunc(h.account))).Methods("GET")
			return router
		}},
		{"echo", func(h handlers) http.Handler {
			router := echo.New()
			router.Use(echo.WrapMiddleware(h.shop.Middleware(nil)))
			router.GET("/who", echo.WrapHandler(http.HandlerFunc(h.who)))
			router.POST("/login", echo.WrapHandler(http.HandlerFunc(h.login)))
			router.POST("/logout", echo.WrapHandler(http.HandlerFunc(h.logout)))
			router.GET("/account", echo.WrapHandler(http.HandlerFunc(h.account)), echo.WrapMiddleware(bearer.RequireCustomer(nil)))
			return router
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			shop, server := newShop(t)
			b := newBrowser(t, tt.serve(handlers{shop, server.APIURL()}))
			b.want("GET", "/who", http.StatusOK, "guest")
			b.want("GET", "/account", http.StatusUnauthorized, "sign in first")
			b.want("POST", "/login", http.StatusNoContent, "")
			b.want("GET", "/who", http.StatusOK, "customer")
			b.want("GET", "/account", http.StatusOK, commercelayertest.CustomerEmail)
			b.want("POST", "/logout", http.StatusNoContent, "")
			b.want("GET", "/who", http.StatusOK, "guest")
			b.want("GET", "/account", http.StatusUnauthorized, "sign in first")
		})
	}
}

// browser is a client with cookies, of a real server with TLS.
type browser struct {
	t      *testing.T
	client *http.Client
	url    string
}

func newBrowser(t *testing.T, h http.Handler) *browser {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	client := srv.Client()
	client.Jar, _ = cookiejar.New(nil)
	return &browser{t, client, srv.URL}
}

// want makes a request, in which Ada's email and password are filled in, and
// checks the answer.
func (b *browser) want(method, path string, status int, text string) {
	b.t.Helper()
	form := url.Values{"email": {commercelayertest.CustomerEmail}, "password": {commercelayertest.CustomerPassword}}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != status || !strings.Contains(string(body), text) {
		b.t.Errorf("%s %s: %s %q, want %d with %q", method, path, resp.Status, body, status, text)
	}
}

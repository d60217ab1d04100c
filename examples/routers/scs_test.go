package routers_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// An application that has sessions already keeps its one cookie: the customer
// hangs on its session id.
func TestSCS(t *testing.T) {
	shop, server := newShop(t)
	h := handlers{shop, server.APIURL()}
	sessions := scs.New()
	sessions.Lifetime = 14 * 24 * time.Hour

	router := http.NewServeMux()
	router.HandleFunc("GET /who", h.who)
	router.HandleFunc("GET /account", h.account)
	router.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// A new id for whoever signs in; the middleware insists on it.
		if err := sessions.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		h.login(w, r)
	})
	router.HandleFunc("POST /login-without-renewal", h.login)
	router.HandleFunc("POST /visit", func(w http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "visited", true)
	})
	router.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := shop.LogoutCustomer(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		sessions.Destroy(r.Context())
	})
	b := newBrowser(t, sessions.LoadAndSave(shop.Middleware(&bearer.MiddlewareOptions{
		SessionID: func(r *http.Request) string { return sessions.Token(r.Context()) },
	})(router)))

	b.want("GET", "/who", http.StatusOK, "guest")
	b.want("POST", "/visit", http.StatusOK, "")
	b.want("GET", "/who", http.StatusOK, "guest")
	b.want("POST", "/login-without-renewal", http.StatusUnauthorized, "give the visitor a new one")
	b.want("GET", "/who", http.StatusOK, "guest")
	b.want("POST", "/login", http.StatusNoContent, "")
	b.want("GET", "/who", http.StatusOK, "customer")
	b.want("GET", "/account", http.StatusOK, commercelayertest.CustomerEmail)

	u, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	if cookies := b.client.Jar.Cookies(u); len(cookies) != 1 || cookies[0].Name != "session" {
		t.Errorf("the browser has %d cookies, want the one of scs", len(cookies))
	}

	b.want("POST", "/logout", http.StatusOK, "")
	b.want("GET", "/who", http.StatusOK, "guest")
}

package bearer_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/memstore"
)

// A backend that only receives tokens, and passes them on.
func ExampleMiddleware_tokens() {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello, "+r.Header.Get("Authorization"))
	}))
	defer upstream.Close()
	var v partners
	mux := http.NewServeMux()

	front := bearer.NewStorefront(nil, nil)
	api := bearer.Middleware(front, &bearer.MiddlewareOptions{Verifier: v})(bearer.RequireBearer(nil)(mux))
	client := &http.Client{Transport: &bearer.Transport{Source: front}} // passes the request's token on

	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), "GET", upstream.URL, nil)
		resp, err := client.Do(req)
		if err != nil {
			http.Error(w, "the API cannot be reached", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		io.Copy(w, resp.Body)
	})
	for _, header := range []string{"Bearer abc", ""} {
		r, w := httptest.NewRequest("GET", "/hello", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", header)
		api.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 hello, Bearer abc
	// 401 {"errors":[{"title":"Unauthorized","detail":"Send an access token in the Authorization header.","code":"UNAUTHORIZED","status":"401"}]}
}

// allow lets the scripts of one other origin call next, with a token of their own (CORS).
func allow(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
		next.ServeHTTP(w, r)
	})
}

// A backend for pages of its own, with cookies, and for the scripts of another origin,
// with tokens.
func ExampleMiddleware_otherOrigin() {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "orders") })
	front := bearer.NewStorefront(guestToken("shop"), nil)
	opts := &bearer.MiddlewareOptions{Verifier: partners{}}

	mux := http.NewServeMux()
	mux.Handle("/", http.NewCrossOriginProtection().Handler(page)) // cookies
	mux.Handle("/api/", bearer.RequireBearer(nil)(orders))         // tokens
	server := allow("https://www.example.com", bearer.Middleware(front, opts)(mux))

	ask := func(method, path, authorization string) {
		r, w := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
		r.Header.Set("Origin", "https://www.example.com")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if method == http.MethodOptions {
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "authorization")
		}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		server.ServeHTTP(w, r)
		fmt.Printf("%s %s %d %q %q\n", method, path, w.Code, w.Header().Get("Access-Control-Allow-Origin"), w.Header().Get("Access-Control-Allow-Headers"))
	}
	ask("OPTIONS", "/api/orders", "")
	ask("POST", "/api/orders", "Bearer abc")
	ask("POST", "/api/orders", "Bearer xyz") // scripts can read why
	ask("POST", "/api/orders", "")
	ask("POST", "/", "") // with a cookie it would be forged
	// Output:
	// OPTIONS /api/orders 204 "https://www.example.com" "Authorization, Content-Type"
	// POST /api/orders 200 "https://www.example.com" ""
	// POST /api/orders 401 "https://www.example.com" ""
	// POST /api/orders 401 "https://www.example.com" ""
	// POST / 403 "https://www.example.com" ""
}

// A browser that has got a token by itself, from the provider's own login for example,
// becomes a session with a cookie: it sends the token in the body, once.
func ExampleSession_SetCustomer() {
	v := verifierFunc(func(token string) (*bearer.Authorization, error) {
		if token != "ann's" {
			return nil, errors.New("unknown token")
		}
		return &bearer.Authorization{Token: &bearer.Token{AccessToken: token, Expiry: time.Now().Add(time.Hour)}, Owner: bearer.Owner{Type: "Customer", ID: "ann"}}, nil
	})
	front := bearer.NewStorefront(guestToken("shop"), &bearer.StorefrontOptions{Customers: memstore.New(nil)})
	mux := http.NewServeMux()
	protection := http.NewCrossOriginProtection()
	server := bearer.Middleware(front, &bearer.MiddlewareOptions{Verifier: v})(protection.Handler(mux))

	mux.HandleFunc("POST /session", func(w http.ResponseWriter, r *http.Request) {
		a, err := v.Verify(r.Context(), r.PostFormValue("access_token"))
		if err == nil {
			session, _ := bearer.FromContext(r.Context())
			err = session.SetCustomer(r.Context(), a.Token)
		}
		if err != nil {
			http.Error(w, "you cannot sign in with this token", http.StatusForbidden)
		}
	})
	for _, token := range []string{"ann's", "made up"} {
		r := httptest.NewRequest("POST", "/session", strings.NewReader(url.Values{"access_token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		fmt.Println(w.Code, len(w.Result().Cookies()), "cookies")
	}
	// Output:
	// 200 1 cookies
	// 403 0 cookies
}

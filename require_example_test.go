package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/bearerkit/bearer"
)

// partners is a Verifier that stands in for one of package verify.
type partners struct{}

func (partners) Verify(_ context.Context, token string) (*bearer.Authorization, error) {
	scope, ok := map[string]string{"abc": "read", "def": "read write"}[token]
	if !ok {
		return nil, errors.New("unknown token")
	}
	return &bearer.Authorization{Token: &bearer.Token{AccessToken: token}, Scope: scope}, nil
}

// A backend that requests come to with tokens of their own.
func ExampleRequireBearer() {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	front := bearer.NewStorefront(nil, nil) // has no guests
	mux := bearer.Middleware(front, &bearer.MiddlewareOptions{Verifier: partners{}})(bearer.RequireBearer(nil)(api))

	for _, header := range []string{"Bearer abc", "Bearer xyz", ""} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", header)
		mux.ServeHTTP(w, r)
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// 200 ""
	// 401 "Bearer realm=\"bearer\", error=\"invalid_token\""
	// 401 "Bearer realm=\"bearer\""
}

// Some may do more than others.
func ExampleRequire() {
	mayWrite := func(_ context.Context, a *bearer.Authorization) error {
		if slices.Contains(strings.Fields(a.Scope), "write") {
			return nil
		}
		return errors.New("the scope lacks write")
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "written") })
	front := bearer.NewStorefront(nil, nil)
	mux := bearer.Middleware(front, &bearer.MiddlewareOptions{Verifier: partners{}})(bearer.Require(mayWrite, nil)(orders))

	for _, token := range []string{"def", "abc"} {
		r, w := httptest.NewRequest("POST", "/orders", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 written
	// 403 {"errors":[{"title":"Forbidden","detail":"You are not allowed to do this.","code":"FORBIDDEN","status":"403"}]}
}

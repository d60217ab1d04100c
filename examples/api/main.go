// Api is a backend that receives tokens: go run ./examples/api
//
// A storefront in a browser, by js-auth for example, and a partner's program call it
// with the tokens that they have got from Commerce Layer. It verifies them, says of each
// route who may call it, and passes a customer's token on to the Core API. The program
// starts a Commerce Layer of its own in this process, calls the backend and prints what
// it answers. All of the backend is in backend.go.
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
)

func main() {
	err := local(context.Background(), os.Stdout, func(h http.Handler) (client *http.Client, address string, stop func()) {
		server := httptest.NewServer(h)
		return server.Client(), server.URL, server.Close
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

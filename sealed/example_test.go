package sealed_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/sealed"
)

// The carrier keeps a customer's tokens in a cookie that nobody else can read.
func ExampleNewCookie() {
	// From os.Getenv("COOKIE_KEYS"), made by: openssl rand -base64 32
	keys, err := sealed.ParseKeys("kdLHZcBGuZjjUJ1OpqQJeN3eZLiOXOLdSVyuWlyfoEk=")
	if err != nil {
		fmt.Println(err)
		return
	}
	var carrier bearer.Carrier = sealed.NewCookie(keys, nil) // for MiddlewareOptions.Carrier

	// What the middleware does with it.
	w := httptest.NewRecorder()
	if err := carrier.Save(w, "cl_customer-shop", []byte(`{"accessToken":"a token"}`), 14*24*time.Hour); err != nil {
		fmt.Println(err)
		return
	}
	cookie := w.Result().Cookies()[0]
	fmt.Println("a cookie of the browser:", strings.HasPrefix(cookie.Name, "__Host-"), cookie.HttpOnly, cookie.MaxAge)

	r := httptest.NewRequest("GET", "https://shop.example/cart", http.NoBody)
	r.AddCookie(cookie)
	record, err := carrier.Load(r, "cl_customer-shop")
	fmt.Println(string(record), err)
	// Output:
	// a cookie of the browser: true true 1209600
	// {"accessToken":"a token"} <nil>
}

// A new key comes first; what the old one has sealed still opens.
func ExampleNewKeys() {
	old, next := sealed.GenerateKey(), sealed.GenerateKey()
	before, err := sealed.NewKeys(old)
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := sealed.NewKeys(next, old)
	if err != nil {
		fmt.Println(err)
		return
	}
	plain, err := after.Open("greeting", before.Seal("greeting", []byte("hello")))
	fmt.Println(string(plain), err)
	// Output: hello <nil>
}

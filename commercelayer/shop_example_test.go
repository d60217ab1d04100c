package commercelayer_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/memstore"
	"github.com/bearerkit/bearer/tokenendpoint"
)

func ExampleNewSalesChannel() {
	service := commercelayertest.NewServer(nil) // leave it out, and Base, for the real one
	defer service.Close()

	channel, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope,
		&commercelayer.Options{Base: service.Transport()})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := channel.Client() // for any SDK that takes one; it needs the context of the request

	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, service.APIURL()+"/api/customers", nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			http.Error(w, "the shop is not available right now", http.StatusServiceUnavailable)
			return
		}
		defer resp.Body.Close()
		a, err := channel.GetAuthorization(r.Context())
		fmt.Fprintln(w, a, err, resp.StatusCode) // a guest may not see customers
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		err := channel.Login(r.Context(), r.FormValue("email"), r.FormValue("password"))
		fmt.Fprintln(w, "login:", err)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "logout:", channel.LogoutCustomer(r.Context()))
	})
	shop := httptest.NewTLSServer(channel.Middleware(nil)(mux))
	defer shop.Close()

	// A browser comes along.
	browser := shop.Client()
	browser.Jar, _ = cookiejar.New(nil)
	show := func(resp *http.Response, err error) {
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		io.Copy(os.Stdout, resp.Body)
	}
	show(browser.Get(shop.URL + "/me"))
	show(browser.PostForm(shop.URL+"/login", url.Values{"email": {commercelayertest.CustomerEmail}, "password": {commercelayertest.CustomerPassword}}))
	show(browser.Get(shop.URL + "/me"))
	show(browser.PostForm(shop.URL+"/logout", nil))
	show(browser.Get(shop.URL + "/me"))
	// Output:
	// bearer.Authorization(guest, from guest) <nil> 401
	// login: <nil>
	// bearer.Authorization(Customer "KwRtLhVnYd", from storage) <nil> 200
	// logout: <nil>
	// bearer.Authorization(guest, from guest) <nil> 401
}

func ExampleSalesChannel_Login() {
	service := commercelayertest.NewServer(nil)
	defer service.Close()
	channel, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope,
		&commercelayer.Options{Base: service.Transport()})
	if err != nil {
		fmt.Println(err)
		return
	}
	login := channel.Middleware(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := channel.Login(r.Context(), r.FormValue("email"), r.FormValue("password"))
		failed, ok := errors.AsType[*tokenendpoint.Error](err)
		switch {
		case err == nil:
			http.Redirect(w, r, "/account", http.StatusSeeOther)
		case ok && failed.Code == "invalid_grant":
			http.Error(w, "wrong email or password", http.StatusUnauthorized)
		default:
			http.Error(w, "try again in a moment", http.StatusServiceUnavailable)
		}
	}))

	for _, password := range []string{"a guess", commercelayertest.CustomerPassword} {
		form := url.Values{"email": {commercelayertest.CustomerEmail}, "password": {password}}
		r := httptest.NewRequest(http.MethodPost, "https://shop.example/login", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		login.ServeHTTP(w, r)
		fmt.Println(w.Code, len(w.Result().Cookies()))
	}
	// Output:
	// 401 0
	// 303 1
}

func ExampleSalesChannel_Middleware_markets() {
	service := commercelayertest.NewServer(nil)
	defer service.Close()
	options := &commercelayer.Options{Base: service.Transport(), Customers: memstore.New(nil)}
	europe, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.MarketScope, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	usa, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.OtherMarketScope, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	shop := europe.Middleware(&bearer.MiddlewareOptions{
		Storefronts: []*bearer.Storefront{usa.Storefront()},
		Pick: func(r *http.Request) *bearer.Storefront {
			if strings.HasPrefix(r.URL.Path, "/us/") {
				return usa.Storefront()
			}
			return europe.Storefront()
		},
	})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := bearer.FromContext(r.Context())
		a, err := session.Authorization(r.Context())
		fmt.Println(r.URL.Path, a.Scope, err)
	}))

	shop.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://shop.example/eu/mugs", nil))
	shop.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://shop.example/us/mugs", nil))
	// Output:
	// /eu/mugs market:code:europe <nil>
	// /us/mugs market:code:usa <nil>
}

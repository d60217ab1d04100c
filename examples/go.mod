module github.com/bearerkit/bearer/examples

go 1.26.0

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/bearerkit/bearer v0.0.0
	github.com/bearerkit/bearer/redisstore v0.0.0
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.22.1
	github.com/coder/websocket v1.8.15
	github.com/digitalocean/godo v1.236.0
	github.com/go-chi/chi/v5 v5.5.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/google/go-github/v92 v92.0.0
	github.com/gorilla/mux v1.8.1
	github.com/labd/go-commercelayer-sdk v1.0.0
	github.com/labstack/echo/v5 v5.3.1
	golang.org/x/oauth2 v0.37.0
)

require (
	github.com/go-jose/go-jose/v4 v4.1.8 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	github.com/maypok86/otter/v2 v2.4.0 // indirect
	github.com/redis/rueidis v1.0.79 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/time v0.15.0 // indirect
)

replace (
	github.com/bearerkit/bearer => ../
	github.com/bearerkit/bearer/redisstore => ../redisstore
)

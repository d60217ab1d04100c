module github.com/bearerkit/bearer/examples

go 1.26.0

require (
	github.com/bearerkit/bearer v0.0.0
	github.com/digitalocean/godo v1.236.0
	github.com/google/go-github/v92 v92.0.0
	github.com/labd/go-commercelayer-sdk v1.0.0
	golang.org/x/oauth2 v0.37.0
)

require (
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/time v0.6.0 // indirect
)

replace github.com/bearerkit/bearer => ../

module github.com/bearerkit/bearer

go 1.26.0

require (
	github.com/go-jose/go-jose/v4 v4.1.8
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/hashicorp/go-retryablehttp v0.7.8
	github.com/maypok86/otter/v2 v2.4.0
	golang.org/x/oauth2 v0.37.0
	golang.org/x/sync v0.24.0
)

require github.com/hashicorp/go-cleanhttp v0.5.2 // indirect

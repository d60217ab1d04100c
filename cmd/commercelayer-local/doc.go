// Commercelayer-local runs a Commerce Layer on this machine: the auth host, the
// Core API and a little of the Provisioning API on one port, for work without a
// network. Package commercelayertest says what it does and does not do.
//
//	go install github.com/bearerkit/bearer/cmd/commercelayer-local@latest
//	commercelayer-local
//
// To have its settings in a shell, or to ask it by hand:
//
//	commercelayer-local | tee local.env
//
// and in another shell, when that has printed them,
//
//	. ./local.env
//	curl $COMMERCELAYER_AUTH_URL/oauth/token -d grant_type=client_credentials -d client_id=$COMMERCELAYER_CLIENT_ID -d client_secret=$COMMERCELAYER_CLIENT_SECRET
//	curl -H "Authorization: Bearer …" -H "Accept: application/vnd.api+json" $COMMERCELAYER_API_URL/api/skus
//
// It prints the settings that a client needs, as lines for a shell: the domain,
// client ids and secrets of an integration, a sales channel, a webapp and a
// provisioning application, a scope, and a customer who can sign in. Those of a
// backend that verifies tokens are there too: COMMERCELAYER_ORGANIZATION for
// commercelayer.NewVerifier, COMMERCELAYER_AUTH_URL for its AuthURL, and
// COMMERCELAYER_MARKET_ID for commercelayer.InMarket. Requests are logged to
// standard error, without secrets. Interrupt it to stop it, and once more if
// requests under way take too long; it forgets everything then.
//
// # Names and TLS
//
// Clients find the hosts by name: auth.<domain>, <slug>.<domain> and so on. Names
// under localhost, the default domain, resolve by themselves in browsers and on
// many systems, but not on all; the program prints the line for /etc/hosts. By IP
// address the hosts are paths, as in http://127.0.0.1:4747/auth/oauth/token. That
// is for Go clients and curl: js-auth takes no issuer that does not begin with
// https://auth., and browsers need the names.
//
// The address at which a token is requested is its issuer. A verifier accepts it
// only if that is its own AuthURL: one that was requested by IP address is refused
// by a verifier that has the name, and the other way round.
//
// js-auth and browsers need https as well:
//
//	commercelayer-local -ca-out ca.pem
//
// The certificate authority is made anew at each start, is valid for the
// server's names and loopback addresses only, and its key never leaves the
// process. Node trusts the file with NODE_EXTRA_CA_CERTS, Go on Linux with
// SSL_CERT_FILE, curl with --cacert.
//
// # Configuration
//
// With -config it reads a JSON file. What the file leaves out keeps its
// default, and a flag that is given wins; -tls=false wins over "ca_out" too, which
// otherwise implies TLS. Durations are texts such as "90m";
// prices are in cents;
// a relative path is one from the working directory.
//
//	{
//	  "addr": "127.0.0.1:4747",
//	  "domain": "localhost",
//	  "ca_out": "ca.pem",
//	  "tls": true,
//	  "log": "text",
//	  "rate_limit": 30,
//	  "backend_auth": "a secret that lets x-true-client-ip count",
//	  "renew_within": "15m",
//	  "refresh_token_life": "336h",
//	  "reuse_password_token": false,
//	  "request_log": 10000,
//	  "organization": {"slug": "acme", "name": "Acme", "region": "eu-west-1", "standard": false, "live": false},
//	  "applications": [
//	    {"kind": "sales_channel", "client_id": "shop", "client_secret": "optional", "token_life": "4h"},
//	    {"kind": "integration", "client_id": "jobs", "client_secret": "jobs-secret"},
//	    {"kind": "webapp", "client_id": "app", "client_secret": "app-secret", "redirect_uris": ["http://localhost:3000/callback"]},
//	    {"kind": "user", "client_id": "admin", "client_secret": "admin-secret", "user_id": "PzMfJkDxWs"}
//	  ],
//	  "customers": [{
//	    "email": "ada@example.com", "password": "secret", "id": "KwRtLhVnYd", "past_orders": 2,
//	    "addresses": [{
//	      "first_name": "Ada", "last_name": "Rossi", "line_1": "Via dei Mulini 12", "zip_code": "40121", "city": "Bologna",
//	      "state_code": "BO", "country_code": "IT", "phone": "+39 051 555 0142"
//	    }]
//	  }],
//	  "markets": [{
//	    "code": "europe", "name": "Europe", "currency_code": "EUR",
//	    "stock_locations": [{"code": "eu_warehouse"}],
//	    "stores": [{"code": "milan"}]
//	  }],
//	  "skus": [{"code": "MUG", "name": "Mug", "prices": {"EUR": 900}}]
//	}
//
// # Tokens that expire soon
//
// Access tokens live for the application's "token_life", whole seconds from "1s"
// on. For a token that a verifier refuses as expired, take a short one and wait:
//
//	{"applications": [{"kind": "integration", "client_id": "jobs", "client_secret": "jobs-secret", "token_life": "5s"}]}
//
// The list replaces the ready-made applications. Since the whole life is within
// "renew_within", each request gets a new token. POST /_local/expire-all is
// something else: the API refuses all tokens then, but what they say of their own
// expiry stays, and a verifier accepts them.
//
// # Control
//
// Under /_local/ on any of its hosts, programs on this machine, and no pages of
// other origins, can see and change what the server does:
//
//	GET    /_local/health
//	GET    /_local/counts       what happened; DELETE begins anew
//	GET    /_local/metrics      the same, for Prometheus
//	GET    /_local/requests     the request log
//	POST   /_local/faults       make requests fail; DELETE ends all faults
//	POST   /_local/revoke       {"token": "…"}
//	POST   /_local/revoke-all
//	POST   /_local/expire-all   access tokens only
//	POST   /_local/roll-keys    ?drop_old=true takes the old keys out of the key set
//
// A fault has at most one effect, and may come late:
//
//	curl -d '{"endpoint": "token", "times": 2, "status": 429, "retry_after": "10s"}' http://127.0.0.1:4747/_local/faults
//	curl -d '{"endpoint": "api", "delay": "1.5s", "drop": "after"}' http://127.0.0.1:4747/_local/faults
//
// The endpoint is token, revoke, keys, authorize or api, or all of them if it is
// left out; "grant" narrows token to one grant type. Without "times" the fault
// lasts until it is deleted. The effect is "status", "drop" (before, after or
// within the answer), "malformed": true, "body" (a text to answer instead) or
// "endless": true, at the "pace" of one byte each so long.
package main

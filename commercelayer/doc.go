// Package commercelayer gets, keeps and revokes the access tokens of Commerce
// Layer.
//
// For most uses:
//
//   - A shop, with guests and customers who sign in, is a sales channel:
//     [NewSalesChannel], its Middleware round the handlers, its Client in them.
//   - Customers who have an account with an OpenID Connect provider sign in with that:
//     [NewSignOn].
//   - A command-line tool whose user is a customer of a shop, and a program that
//     shares one with js-auth: [NewSingleCustomer].
//   - A background job or webhook receiver is an integration: [NewIntegration],
//     then its Client.
//   - An application that users of the dashboard authorize is a webapp:
//     [NewWebapp].
//   - A backend that gets tokens, from browsers or partners: [NewVerifier].
//   - Single grants, kept by yourself: [NewCredentials]. All five grants are there,
//     and [Credentials.Revoke].
//
// [Assertion] makes what the JWT bearer grant asks for, [Scope] puts scopes
// together, [DecodeUnverified] reads the claims of an access token.
//
// # Expiry
//
// Access tokens are JWTs. How long one lives is read from its claims exp and iat,
// else from expires_in, and counted from the moment it was asked for by the local
// clock: a clock that is wrong is a warning ([ClockOff]), not an outage. Within
// the last 15 minutes of a token the service issues another one; tokens are
// refreshed 10 to 14 minutes ahead of their end.
//
// # Several processes
//
// With [Options].Storage tokens outlive the program, and all processes that share it
// make one request: twenty that start together send one, and a refresh token, which is
// good once, is spent once. [github.com/bearerkit/bearer/redisstore] is for several
// machines, [github.com/bearerkit/bearer/filestore] for several processes on one. A
// SalesChannel's customers are there too, or in [Options].Customers.
//
// Keys and values are those of the JavaScript library js-auth, so that a storefront
// written with it can share the Redis. What it has left there and cannot be used, a
// customer's token among the guests' or what is no token at all, is overwritten. A
// client id or scope that js-auth's storages would change in a key is refused, as two
// keys could become one. docs/js-auth.md, in the repository, is about sharing.
//
// A storage that fails is told of, and keeps nobody waiting for long: tokens in memory
// serve on, others are requested.
//
// # Rate limits
//
// The service allows 30 token requests a minute per address. A 429 ends token
// requests to that endpoint until the service's Retry-After, or for 1 s doubling
// to 60 s; see package tokenendpoint. Enterprise plans count per shopper instead:
// set Options.BackendAuth. A SalesChannel's Middleware then tells the shopper's
// address, with Options.TrustedProxies; elsewhere give it with [WithClientIP].
//
// # Where secrets go
//
// Credentials go to the configured auth host only, tokens of a Client only to
// hosts of the configured domain. An address that a token names is never
// trusted.
package commercelayer

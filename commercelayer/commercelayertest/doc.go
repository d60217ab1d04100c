// Package commercelayertest is a Commerce Layer that runs on this machine: the
// auth host, the Core API and a little of the Provisioning API, for tests and
// for work without a network.
//
// For most uses, call [NewServer] with nil and give your code the client of
// [Server.Client]: every https address then leads to the server, in memory. The
// constants [IntegrationID], [SalesChannelID], [CustomerEmail] and so on name
// what it knows. It is an [net/http.Handler] too, for [net/http/httptest]; and
// cmd/commercelayer-local runs it as a program.
//
// # What it does as the service does
//
// All five grants, in JSON or forms, with the secret in the body or by HTTP
// Basic; answers with exactly the service's keys, and errors with its words.
// Access tokens are JWTs signed with RS512, whose claims are the service's and
// whose key is in the key set. A request for a token that is still running is
// answered with that same token until its last 15 minutes. Refresh tokens are
// spent at each use. Revoked tokens are refused at once. Each address may make
// 30 token requests within any minute.
//
// The Core API has organization, markets, skus, prices, customers,
// customer_addresses, addresses, orders and line_items, in lists with pages, with
// include, fields, sort and the filters attribute_eq and attribute_in. Orders
// can be created and changed, line items removed as well, until the order is
// placed. Guests see what is sold in their market and make orders; customers see
// themselves, their addresses and their orders as well; integrations and webapps
// see everything. The ready-made customers have addresses, and orders that they
// placed in the past.
//
// A list is sorted by what the service can sort its type by, as far as it is
// here; by anything else is 400. Unless it is sorted, what was made first comes
// first. Other parameters that this server does not know, it ignores.
//
// # What its documentation leaves open
//
// Where the service's public documentation is silent, this server does what
// surprises a client most usefully:
//
//   - A spent refresh token that comes back ends all that came of its sign-in,
//     unless [Options].ForgiveReuse is set; and so does an authorization code that
//     comes back.
//   - Revoking ends the very token that is named: an access token lives on
//     without its refresh token, and the other way round.
//   - An access token stays valid when its session is refreshed.
//   - An assertion may name any owner, known or not.
//   - Two sign-ins of a customer get tokens of their own, unless
//     [Options].ReusePasswordToken is set.
//   - A guest sees the orders of all guests of the same sales channel, since
//     guests share a token.
//   - A client that sends no Accept header gets JSON:API; any other one but
//     application/vnd.api+json is answered 406.
//
// # Where it is not the service
//
//   - Guests may list orders and line items; the service gives them one at a
//     time, by its id.
//   - A customer's token does not see what guests have ordered; the service lets
//     it read a guest's order by its id.
//   - The email that a guest gives to an order ties it to no customer.
//   - There is no checkout: the only placed orders are those of
//     [Customer].PastOrders. Nobody changes them, which is answered 422.
//   - Addresses can only be read.
//
// # Faults
//
// [Server.Inject] makes requests fail: late, with a status, with a broken
// connection before or after the server has acted, with a malformed or endless
// body. [Server.Revoke], [Server.RevokeAll], [Server.ExpireAll] and
// [Server.RollKeys] change what tokens are worth. [Server.Counts] and
// [Server.Requests] tell what happened, and the latter of each request to the API
// whom its token spoke for.
//
// # Time
//
// The server lives by time.Now and runs no timers of its own. Made within a
// testing/synctest bubble, and closed before its end, it lives by the bubble's
// time: a token's four hours pass at once.
package commercelayertest

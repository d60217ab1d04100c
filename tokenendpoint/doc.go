// Package tokenendpoint asks OAuth 2.0 token endpoints for tokens, and does
// nothing with a secret that its owner would regret.
//
// For most uses, make one [Client] with [New] and call [Client.Token] for each
// [Grant]; [Client.Revoke] takes a token back. The package keeps no tokens: its
// callers, such as package bearer's Source, do.
//
// # What is sent, and where
//
// Requests go to the configured addresses and nowhere else: over https (plain
// http only to the loopback host), never on to the target of a redirect, with
// no cookies. Bodies are forms (RFC 6749) or JSON; the client authenticates in
// the body or by HTTP Basic (RFC 6749 §2.3.1).
//
// # Retries
//
// A request is sent again, by default up to twice and within one time limit,
// after a broken connection, a time-out, a 408, 429 or 5xx (but not 501), or a 200 without a
// usable token: after 100 ms doubling, with jitter, or after the server's
// Retry-After if that is short. That holds for client credentials and
// revocation, which may be sent twice without harm. Every other grant spends
// something (a refresh token, a code, an assertion) or signs somebody in, so it
// is sent again only if the server cannot have acted on it: the connection was
// never made, or the answer was 429. A 5xx or 408 does not say so, not even with
// a Retry-After: gateways add that by themselves.
//
// # Rate limits
//
// After a 429 the Client leaves the endpoint alone: until the time the server
// gave, or for 1 s doubling to 60 s, calls fail at once with the error and the
// time of the next try. Share one [RateLimit] between the clients of one
// endpoint to make them heed each other's 429.
//
// # Errors
//
// Every failed exchange is an [*Error]. It says in fields what the server
// answered and when to try again; its text never contains a secret, nor any
// free text of the server's, which could echo one. For people who come from
// golang.org/x/oauth2, errors.As finds an *oauth2.RetrieveError in every error
// that a server's answer caused.
package tokenendpoint

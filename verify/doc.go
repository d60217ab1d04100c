// Package verify checks access tokens that are JWTs (RFC 7519, RFC 9068), and says
// whom they speak for.
//
// For most uses, use [New], and give the [Verifier] to bearer.MiddlewareOptions. For
// tokens of Commerce Layer use commercelayer.NewVerifier, which is made of it.
//
// # What is trusted
//
// Issuers, their algorithms and where their keys are come from the program and from
// nothing else: no address, key or algorithm that a token names is used, and an
// issuer's keys verify that issuer's tokens alone. Algorithms that share a secret, and
// none at all, cannot be configured. docs/verification.md, in the repository, goes
// through RFC 8725 line by line.
//
// # Expiry
//
// A token must have the claim exp, and is good until then by the local clock, without
// leeway: [Options].Leeway is for nbf and iat. The expiry is looked at last, so that
// [ErrExpired] says that all else is right.
//
// # Concurrency
//
// A Verifier is safe for concurrent use and needs no closing. However many tokens wait
// for one issuer's keys, there is one request for them, and at most one in ten seconds
// because of keys that nobody knows; only the very first, if it fails, is repeated after
// one. A token whose key is known waits for nothing.
//
// # Failure
//
// The last good key set serves until the next one. Where no key is known and none can be
// had, the error is a *bearer.UnavailableError: it says nothing about the token. Any
// other is an [*Error], which says why the token is refused.
//
// # Memory
//
// Tokens that have been found good are remembered, up to Options.CacheBytes and never
// beyond their expiry: one seen before costs a look-up. It is forgotten when its key has
// left the key set, and when [Verifier.Refuse] is told that it has been revoked.
package verify

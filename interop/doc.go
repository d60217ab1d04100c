// Package interop holds the tests that this module and js-auth, Commerce Layer's
// JavaScript library, understand each other: js-auth itself, with the storages and
// cookies that it is used with, in Node (peer.mjs), shares a Redis and browsers'
// cookies with the packages commercelayer and redisstore, before the local Commerce
// Layer. What docs/js-auth.md says is tested here. What js-auth's own tests check of
// tokens and grants is so with the local Commerce Layer's, and with this module in its
// place: each check is a row of TestChecksOfReading, TestChecksOfGrants,
// TestChecksOfRevocation and TestAssertions.
//
// The tests need Node 18 or newer, npm and redis-server. They install what
// package-lock.json names into node_modules, once.
package interop

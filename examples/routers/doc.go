// Package routers shows bearer's middleware in the routers that people use, with
// another library's sessions, and under a WebSocket. It is all in the tests.
package routers

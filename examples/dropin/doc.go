// Package dropin shows that API libraries written for golang.org/x/oauth2 work
// with bearer in its place. It holds tests only, since what they import is heavy.
package dropin

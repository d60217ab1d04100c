// Package bench compares package verify with others that do the same, and with the least
// that it takes:
//
//	cd bench && GOWORK=off go test -bench .
//
// It is no part of go.work, since the others would choose versions for all.
package bench

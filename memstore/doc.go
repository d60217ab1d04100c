// Package memstore is a [bearer.Storage] in the memory of the process, for one
// process, for development and for tests. For most uses, call [New] with nil.
//
// It compares and swaps, locks and watches. Nothing has to be closed: no
// goroutine and no timer runs while nobody calls. In a testing/synctest bubble it
// lives by the bubble's time.
//
// # What is lost
//
// All of it when the process ends: every customer is signed out. And beyond
// [Options].MaxBytes, what has not been read or written for longest: a customer
// whose record goes is signed out. A customer's record takes about 2 kB, so that
// the default is enough for 30,000. Give Options a Logger to learn when it is not.
//
// Values that have expired are dropped when somebody asks for them, or when the
// room is needed, before any other.
package memstore

// Package storagetest tests whether a [bearer.Storage] keeps to its contract. Call
// [Run] from a test of the backend:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) bearer.Storage { return mystore.New() })
//	}
//
// [RunCarrier] and [RunForgery] do the same for a [bearer.Carrier].
//
// # What is tested
//
// Every rule of [bearer.Storage], and of those of [bearer.CompareAndSwapper],
// [bearer.Locker] and [bearer.Watcher] that the storage is as well. Each is a
// subtest that says the rule in words. The subtests of an ability that the storage
// lacks are skipped, and say so.
//
// What cannot be seen from outside is left to the backend's own tests: what
// happens when it cannot be reached, and whether other processes see the same.
//
// # What it needs
//
// A storage that nobody else empties, with room for some MiB. Keys begin with, or
// hold, a random text, so that one database may serve many runs at once, and are
// deleted at the end.
//
// It lives by real time, as most backends do: it takes two to three seconds on a
// fast one, in which nearly all subtests wait at the same time. What has to happen
// at some time may take 10 seconds longer, and what must not happen before its
// time is measured so that a slow machine cannot make a good backend fail.
package storagetest

// Package layered puts memory before a slower [bearer.Storage]. For most uses:
//
//	customers := layered.New(redis, nil)
//
// What was read is kept in nearer layers, in this process's memory by default, and
// read from there for a while. The storage behind them is the truth: what is
// written goes there first, and what cannot be written there is not written.
//
// # How long a copy lives
//
// A second, after which the truth is asked again; so a process that can reach the
// storage learns within a second what another one has done. If the truth is a
// [bearer.Watcher] a copy serves for up to a minute, as long as the feed is alive,
// which means that its last heartbeat is no older than a second; a change that it
// tells of ends the copy at once.
//
// Nobody but the writer knows how long a value has to live. A copy ends with its
// value if this process has written it; else it may outlive it, by its own minute at
// most. Tokens carry their expiry in themselves, and those who use them look at it.
//
// # What a process does itself
//
// It sees at once. A write, whether it succeeds, fails or loses a CompareAndSwap,
// ends all copies under its key before it returns, in all layers; one that has
// succeeded leaves a new one. A reader that got the old value from the truth before
// a write, and is slow to keep it, cannot keep it after. Readers who come at once
// share one read of the truth.
//
// With [bearer.Uncached] a read is one of the truth, as the reader is about to act
// on what it finds.
//
// # When the truth cannot be reached
//
// Writes fail. Reads serve the copy that is there, up to an hour old
// ([Options].MaxStale), or fail if there is none: a storage that is down signs
// nobody out who was here before. That includes a customer whom another process has
// signed out while this one could not learn of it; the API then refuses the revoked
// token. A copy that a change has ended is not there any more, since the change may
// have been a logout: who comes just then fails until the truth is back. A truth that
// does not answer within a second counts as down: readers who have a copy take it, and
// one of them in a second asks again.
//
// # What runs
//
// With a Watcher the first Get starts a goroutine that watches. It ends when there
// was no Get for a minute: nothing needs closing, and a testing/synctest bubble can
// end if its test lets two minutes pass. Without a Watcher nothing runs while nobody
// calls.
package layered

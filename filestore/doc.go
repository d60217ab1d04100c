// Package filestore is a [bearer.Storage] in files, for command-line tools: what
// they have signed in to is there when they are called again. For most uses:
//
//	dir, err := os.UserCacheDir()
//	...
//	store, err := filestore.New(filepath.Join(dir, "my-tool"))
//
// Each value is a file that its owner alone can read (0600), in a directory that is
// the owner's alone (0700). It is not encrypted; package
// [github.com/bearerkit/bearer/sealed] does that round any storage.
//
// # Several processes
//
// All processes of one machine may use a directory at once: writers take a lock
// (flock, on Windows LockFileEx), which the system takes back from a process that
// has ended, however it did. Readers do not wait for writers. The directory must be
// on a local disk: some network file systems only pretend to lock.
//
// # What survives
//
// A value is written to a file of its own, brought to the disk and then put in the
// place of the old one in one step. Whatever happens meanwhile (a kill, a full disk, a
// power failure), what is read afterwards is the old value or the new one, whole.
// After an error of Set or CompareAndSwap it is the old one, unless only the last
// step failed, to bring the directory to the disk; then it may be either.
//
// Values end by the clock of the machine. Those that have are removed when they are
// read, and all of them about once an hour, by one who writes.
//
// # Who can read, and who can change
//
// A directory that others may write to, or that belongs to somebody else, is
// refused: they could put a token of theirs in the place of yours. Symbolic links in
// it are not followed. A file that was cut off, changed, renamed, or is not of this
// package is an error, not a missing value; [Store.Set] replaces it.
//
// On Windows the permissions are those that the directory inherits, which for a
// user's own directories means the user and administrators.
package filestore

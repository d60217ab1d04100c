// Package sealed encrypts customers' tokens, so that they can be kept where others
// could read or change them. For most uses, make [Keys] from an environment
// variable with [ParseKeys], and a [Cookie] of them, a [bearer.Carrier], which
// keeps a customer's tokens in the customer's own browser: several machines then
// need no storage in common to know who has signed in.
//
// # Which to choose
//
// The default, a random id in the cookie and the tokens in a [bearer.Storage],
// asks less of cookies: a customer's tokens never leave the server, they have no
// limit of 4 KB, and a refresh in the middle of a response needs no header. Choose
// the sealed cookie if there is no storage that all machines share.
//
// # Keys
//
// All machines need the same ones, from wherever you keep secrets:
//
//	keys, err := sealed.ParseKeys(os.Getenv("COOKIE_KEYS")) // openssl rand -base64 32
//
// Whoever has a key can read all cookies that it has sealed, and can make cookies
// for any customer whose tokens they have. See [Keys] for how to change keys.
//
// # What it is worth
//
// A sealed value that was cut off, changed, made by somebody else, or taken from
// a cookie of another name does not open: [ErrInvalid]. One that was copied does:
// a cookie proves who was given it, not who sends it. Its length shows through,
// and nothing is compressed, since the length would then tell of the content.
//
// Everything here is safe for concurrent use.
package sealed

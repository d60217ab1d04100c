package bearer

import (
	"fmt"
	"log/slog"
)

// SignedIn is an [Event]: a customer has signed in.
type SignedIn struct {
	Storefront string // its name
	Owner      Owner
	Again      bool // somebody was signed in with the same browser
}

// Level is Info.
func (e SignedIn) Level() slog.Level { return slog.LevelInfo }

// Message implements [Event].
func (e SignedIn) Message() string { return "customer signed in" }

// LogValue implements [slog.LogValuer].
func (e SignedIn) LogValue() slog.Value {
	return slog.GroupValue(slog.String("storefront", e.Storefront), slog.String("owner_id", e.Owner.ID), slog.Bool("again", e.Again))
}

// SignedOut is an [Event]: a customer has signed out.
type SignedOut struct {
	Storefront string
}

// Level is Info.
func (e SignedOut) Level() slog.Level { return slog.LevelInfo }

// Message implements [Event].
func (e SignedOut) Message() string { return "customer signed out" }

// LogValue implements [slog.LogValuer].
func (e SignedOut) LogValue() slog.Value {
	return slog.GroupValue(slog.String("storefront", e.Storefront))
}

// CustomerExpired is an [Event]: a customer's session has come to its end, since
// the refresh token was refused, or there is none and the token is not good any
// more.
type CustomerExpired struct {
	Storefront string
	Owner      Owner
}

// Level is Info.
func (e CustomerExpired) Level() slog.Level { return slog.LevelInfo }

// Message implements [Event].
func (e CustomerExpired) Message() string { return "customer's session ended" }

// LogValue implements [slog.LogValuer].
func (e CustomerExpired) LogValue() slog.Value {
	return slog.GroupValue(slog.String("storefront", e.Storefront), slog.String("owner_id", e.Owner.ID))
}

// SessionRefused is an [Event]: what a browser or the storage holds as a
// customer's record is not one, or not that customer's, and the visitor is a
// guest. What visitors can bring about is told at most every ten seconds.
type SessionRefused struct {
	Storefront string
	Err        error `json:"-"` // LogValue describes it
}

// Level is Warn.
func (e SessionRefused) Level() slog.Level { return slog.LevelWarn }

// Format prints the message and what LogValue says, whatever the verb.
func (e SessionRefused) Format(f fmt.State, _ rune) { format(f, e) }

// Message implements [Event].
func (e SessionRefused) Message() string { return "customer's record refused" }

// LogValue implements [slog.LogValuer].
func (e SessionRefused) LogValue() slog.Value { return storefrontFailure(e.Storefront, e.Err) }

// StorageFailed is an [Event], told at most every ten seconds: the storage of a
// [Source], or of a [Storefront]'s customers, cannot be used. What is known in
// memory is served from there.
type StorageFailed struct {
	Name string // the Source's or Storefront's
	Err  error  `json:"-"` // LogValue describes it
}

// Level is Warn.
func (e StorageFailed) Level() slog.Level { return slog.LevelWarn }

// Format prints the message and what LogValue says, whatever the verb.
func (e StorageFailed) Format(f fmt.State, _ rune) { format(f, e) }

// Message implements [Event].
func (e StorageFailed) Message() string { return "storage of tokens failed" }

// LogValue implements [slog.LogValuer].
func (e StorageFailed) LogValue() slog.Value {
	return slog.GroupValue(slog.String("name", e.Name), slog.String("error", describe(e.Err)))
}

// RevocationFailed is an [Event]: tokens of a customer who has gone may still be
// good. Session.Logout returns the error instead.
type RevocationFailed struct {
	Storefront string
	Err        error `json:"-"` // LogValue describes it
}

// Level is Warn.
func (e RevocationFailed) Level() slog.Level { return slog.LevelWarn }

// Format prints the message and what LogValue says, whatever the verb.
func (e RevocationFailed) Format(f fmt.State, _ rune) { format(f, e) }

// Message implements [Event].
func (e RevocationFailed) Message() string { return "tokens not revoked" }

// LogValue implements [slog.LogValuer].
func (e RevocationFailed) LogValue() slog.Value { return storefrontFailure(e.Storefront, e.Err) }

func storefrontFailure(name string, err error) slog.Value {
	return slog.GroupValue(slog.String("storefront", name), slog.String("error", describe(err)))
}

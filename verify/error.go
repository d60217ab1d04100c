package verify

import (
	"errors"
	"log/slog"
	"strings"
)

// Why a token is refused. errors.Is finds one of them in each [*Error].
var (
	// ErrMalformed: it is no JWT, or one that is read in two ways, or has a header
	// that asks for something else (RFC 7515 §5.2, RFC 7519 §7.2).
	ErrMalformed = errors.New("verify: the token is malformed")
	// ErrAlgorithm: it is signed by an algorithm that is not the issuer's (RFC 8725 §3.1).
	ErrAlgorithm = errors.New("verify: the token's algorithm is not one of its issuer's")
	// ErrIssuer: it is of no issuer that is known here (RFC 8725 §3.8).
	ErrIssuer = errors.New("verify: the token's issuer is unknown")
	// ErrAudience: it is for somebody else (RFC 8725 §3.9).
	ErrAudience = errors.New("verify: the token is for another audience")
	// ErrMissingClaim: it lacks a claim that it must have.
	ErrMissingClaim = errors.New("verify: the token lacks a claim")
	// ErrUnknownKey: the issuer's key set has no such key.
	ErrUnknownKey = errors.New("verify: the token's key is not in its issuer's key set")
	// ErrSignature: the signature is not that key's.
	ErrSignature = errors.New("verify: the token's signature is wrong")
	// ErrNotAdmitted: it is genuine, and not one to be let in.
	ErrNotAdmitted = errors.New("verify: the token is not admitted")
	// ErrNotYetValid: its nbf or iat is in the future.
	ErrNotYetValid = errors.New("verify: the token is not valid yet")
	// ErrExpired: it has expired. All else about it is right.
	ErrExpired = errors.New("verify: the token has expired")
	// ErrRefused: it has been revoked, see [Verifier.Refuse].
	ErrRefused = errors.New("verify: the token has been revoked")
)

// Error says why a token is refused. Its text may be shown to whoever has sent it.
type Error struct {
	Kind   error  // one of the errors of this package
	Detail string // says it in more detail, in ASCII, without anything of the token in it; empty for no more
}

// Error is Detail, if there is one, else the text of Kind.
func (e *Error) Error() string {
	switch {
	case e == nil:
	case e.Detail != "":
		return "verify: " + e.Detail
	case e.Kind != nil:
		return e.Kind.Error()
	}
	return "verify: the token is refused"
}

// Unwrap returns Kind.
func (e *Error) Unwrap() error {
	if e == nil { // which an Authorize may have returned as an error
		return nil
	}
	return e.Kind
}

// Description is what to tell the sender: error_description of RFC 6750 §3.
func (e *Error) Description() string { return strings.TrimPrefix(e.Error(), "verify: ") }

// LogValue is what Description returns.
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.Description()) }

func refuse(kind error, detail string) error { return &Error{kind, detail} }

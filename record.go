package bearer

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bearerkit/bearer/internal/unverified"
)

// record is a customer's authorization as it is kept: the JSON that js-auth
// writes, so that both can share a storage, or one of two texts that js-auth
// takes for no record at all. It is never changed, only replaced.
type record struct {
	raw   []byte // as read or to be written; nil if there is none
	state State

	// For StateCustomer:
	token  *Token
	issued time.Time // zero if unknown
	scope  string
	owner  Owner
}

var (
	signedOut = record{raw: []byte("null"), state: StateGuest}        // a tombstone, so that a slow refresh cannot undo a logout
	expired   = record{raw: []byte("undefined"), state: StateExpired} // to be told to whoever asks first
)

// maxRecord bounds what is read into memory and parsed on behalf of a visitor.
const maxRecord = 64 << 10

// recordJSON is the record's form. After the first three, which are all that
// js-auth writes, come those that a token which is no JWT needs.
type recordJSON struct {
	AccessToken  string     `json:"accessToken"`
	Scope        string     `json:"scope"`
	RefreshToken string     `json:"refreshToken,omitempty"` // js-auth refreshes with an empty one, and fails
	Expiry       *time.Time `json:"expiry,omitempty"`
	IssuedAt     *time.Time `json:"issuedAt,omitempty"`
	TokenType    string     `json:"tokenType,omitempty"`
}

var (
	errRecord   = &safeError{"it is not a JSON object with an accessToken", nil}
	errTooLarge = &safeError{"the token is larger than a storage has to take (64 KiB)", nil}
	errNotText  = &safeError{"the token is not UTF-8", nil}
)

// sendable reports whether the token can be sent. A record may come from a visitor,
// who is not to choose how headers go on.
func (r recordJSON) sendable() bool {
	return !strings.ContainsFunc(r.AccessToken+r.RefreshToken, unicode.IsControl) &&
		!strings.ContainsFunc(r.TokenType, func(c rune) bool { return !isTokenChar(c) })
}

// newRecord makes the record of a customer's token, which has just been issued and
// nobody else has yet.
func (f *Storefront) newRecord(t *Token, now time.Time) (record, error) {
	owner, err := f.ownerOf(t)
	if err != nil {
		return record{}, err
	}
	r, err := encodeRecord(t, f.opts.Scope, now)
	r.owner = owner
	return r, err
}

// readRecord is the inverse of newRecord. A token without an owner is no
// customer's; what is no record is an error and counts as none.
func (f *Storefront) readRecord(raw []byte) (record, error) {
	r, err := decodeRecord(raw)
	if err != nil || r.state != StateCustomer {
		return r, err
	}
	if r.owner, err = f.ownerOf(r.token); err != nil {
		return record{raw: raw}, err
	}
	return r, nil
}

// encodeRecord makes the record of a token, which has just been issued and nobody
// else has yet. The scope is for one whose answer did not tell it.
func encodeRecord(t *Token, scope string, now time.Time) (record, error) {
	r := record{state: StateCustomer, token: t, issued: now, scope: scope}
	if scope, _ := t.Extra("scope").(string); scope != "" {
		r.scope = scope
	}
	form := recordJSON{AccessToken: t.AccessToken, Scope: r.scope, RefreshToken: t.RefreshToken}
	switch _, exp := unverified.Times(t.AccessToken); {
	case !exp.IsZero() && t.Expiry.IsZero():
		t.Expiry = exp
	case exp.IsZero() && !t.Expiry.IsZero():
		form.Expiry = new(t.Expiry.UTC().Truncate(time.Second))
		form.IssuedAt = new(now.UTC().Truncate(time.Second))
	}
	if !strings.EqualFold(t.Type(), "Bearer") {
		form.TokenType = t.TokenType
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(form); err != nil {
		return record{}, &safeError{"the token's record cannot be encoded: " + describe(err), err}
	}
	r.raw = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(r.raw) > maxRecord {
		return record{}, errTooLarge
	}
	for _, text := range [...]string{t.AccessToken, t.RefreshToken, t.TokenType, r.scope} {
		if !utf8.ValidString(text) {
			return record{}, errNotText // and was changed in becoming JSON
		}
	}
	if !form.sendable() {
		return record{}, errBadHeader
	}
	return r, nil
}

// decodeRecord is the inverse of encodeRecord; what is no record is an error.
func decodeRecord(raw []byte) (record, error) {
	text := bytes.TrimSpace(raw)
	switch {
	case len(text) == 0 && raw == nil:
		return record{}, nil
	case string(text) == "null":
		return record{raw: raw}, nil
	case string(text) == "undefined":
		return record{raw: raw, state: StateExpired}, nil
	case len(raw) > maxRecord:
		return record{raw: raw}, errRecord
	}
	var form recordJSON
	if json.Unmarshal(text, &form) != nil || form.AccessToken == "" || !form.sendable() {
		return record{raw: raw}, errRecord // what json says may quote the record
	}
	t := &Token{AccessToken: form.AccessToken, RefreshToken: form.RefreshToken, TokenType: form.TokenType}
	if t.TokenType == "" {
		t.TokenType = "Bearer"
	}
	r := record{raw: raw, state: StateCustomer, token: t, scope: form.Scope}
	switch iat, exp := unverified.Times(form.AccessToken); {
	case !exp.IsZero():
		t.Expiry, r.issued = exp, iat
	case form.Expiry != nil && !form.Expiry.IsZero():
		t.Expiry = *form.Expiry
		if form.IssuedAt != nil {
			r.issued = *form.IssuedAt
		}
	default:
		t.Expiry = time.Unix(1, 0) // nobody knows: it counts as expired
	}
	return r, nil
}

// errNoOwner says that a token is not a customer's.
var errNoOwner = &safeError{"the token is not a customer's: it has no owner", nil}

// ownerOf is whom t speaks for; zero if the storefront cannot tell.
func (f *Storefront) ownerOf(t *Token) (o Owner, err error) {
	if f.opts.Owner == nil {
		return Owner{}, nil
	}
	defer func() { // a visitor may have made up the token
		if p := recover(); p != nil {
			o, err = Owner{}, ownerUnknown(&PanicError{Value: p, Stack: debug.Stack()})
		}
	}()
	o, err = f.opts.Owner(t)
	switch {
	case err != nil:
		return Owner{}, ownerUnknown(err)
	case o == (Owner{}):
		return Owner{}, errNoOwner
	}
	return o, nil
}

func ownerUnknown(err error) error {
	return &safeError{"nobody can tell whom the token speaks for: " + describe(err), err}
}

// afterlife is for how long customers are told that they have expired whose token
// ran out, and who had nothing to get another one with.
const afterlife = 24 * time.Hour

// life is how long a storage is to keep the record: as long as it is good for a
// token, or for telling that it was.
func (f *Storefront) life(r record, now time.Time) time.Duration {
	if r.token.RefreshToken != "" || r.token.Expiry.IsZero() {
		return f.opts.RefreshLife
	}
	return max(r.token.Expiry.Sub(now), 0) + afterlife
}

// read is readRecord with an event for what cannot be read.
func (f *Storefront) read(ctx context.Context, raw []byte) record {
	r, err := f.readRecord(raw)
	if err != nil {
		f.refuse(ctx, &safeError{"a customer's record cannot be read, and counts as none: " + describe(err), err})
	}
	return r
}

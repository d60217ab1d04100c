package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/observers"
	"github.com/bearerkit/bearer/internal/until"
	"github.com/golang-jwt/jwt/v5"
)

// MaxRefused is how many tokens a [Verifier] remembers that are to be refused. Those
// that are to be refused for the shortest time go first.
const MaxRefused = 65536

// Verifier checks tokens. Make one with [New]. It is safe for concurrent use, needs no
// closing, and is safe to print.
type Verifier struct {
	options  *Options
	observer bearer.Observer    // nil: nobody
	issuers  map[string]*issuer // by what iss may be
	parser   *jwt.Parser
	seen     *cache
	refused  *until.Tokens
}

var (
	_ bearer.Verifier = (*Verifier)(nil)
	_ bearer.Refuser  = (*Verifier)(nil)
)

// issuer is one with its keys.
type issuer struct {
	Issuer
	keys *keySet
}

// New returns a Verifier of these issuers' tokens. It sends nothing: a key set is asked
// for when the first token of its issuer comes. The options may be nil.
func New(issuers []Issuer, opts *Options) (*Verifier, error) {
	o := opts.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if len(issuers) == 0 {
		return nil, errors.New("verify: New needs an Issuer: name the one whose tokens are to be accepted")
	}
	v := &Verifier{
		options: &o, issuers: map[string]*issuer{},
		// Without its own validation of claims: see rawClaims.
		parser: jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()),
		seen:   newCache(o.CacheBytes), refused: until.New(MaxRefused),
	}
	if o.Logger != nil || o.Observer != nil {
		v.observer = observers.Join(o.Logger, o.Observer)
	}
	for _, given := range issuers {
		if err := given.validate(); err != nil {
			return nil, err
		}
		i := &issuer{Issuer: given.withDefaults()}
		var err error
		if i.keys, err = newKeySet(&i.Issuer, &o); err != nil {
			return nil, err
		}
		for _, name := range append([]string{i.Name}, i.Aliases...) {
			if v.issuers[name] != nil {
				return nil, fmt.Errorf("verify: two issuers, or one twice, have %q for Name or among their Aliases: leave one out", name)
			}
			v.issuers[name] = i
		}
	}
	return v, nil
}

// Verify checks a token, and says whom it speaks for by Options.Authorize. The error is
// an [*Error] if the token is to be refused, a *bearer.UnavailableError if its issuer's
// keys cannot be had, or what Authorize says, or that of ctx, which limits the waiting
// for keys.
func (v *Verifier) Verify(ctx context.Context, token string) (*bearer.Authorization, error) {
	found, err := v.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	return found.authorization, nil
}

// Claims checks a token as [Verifier.Verify] does, and returns what it says, as a copy.
func (v *Verifier) Claims(ctx context.Context, token string) (*Claims, error) {
	found, err := v.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	return found.claims.clone(), nil
}

func (v *Verifier) verify(ctx context.Context, token string) (*verified, error) {
	if len(token) > maxToken {
		return nil, v.tell(ctx, refuse(ErrMalformed, "the token is over 16 KiB"), nil)
	}
	now := time.Now()
	if found := v.seen.get(token, now); found != nil {
		found.issuer.keys.renew()
		return found, nil
	}
	if v.refused.Has(token) {
		return nil, v.tell(ctx, refuse(ErrRefused, ""), nil)
	}
	found, err := v.check(ctx, token)
	if err != nil {
		return nil, v.tell(ctx, err, found)
	}
	if !v.refused.Unless(token, func() { v.seen.put(found) }) { // it has been refused meanwhile
		return nil, v.tell(ctx, refuse(ErrRefused, ""), found)
	}
	return found, nil
}

// check does all the work. With an error it returns what has been read until then.
func (v *Verifier) check(ctx context.Context, token string) (*verified, error) {
	h, err := parseHeader(token)
	if err != nil {
		return nil, err
	}
	token = strings.Clone(token) // it is kept, and may be a part of something larger
	var claims rawClaims
	found := &verified{token: token, claims: &claims.Claims}
	parsed, err := v.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) {
		if found.issuer, err = v.admit(h, found.claims); err != nil {
			return nil, err
		}
		found.keys, err = found.issuer.keys.get(ctx, h.keyID, h.algorithm)
		if h.keyID == "" && errors.Is(err, ErrUnknownKey) {
			err = refuse(ErrUnknownKey, "the token names no key, and its issuer has not just one")
		}
		return verificationKeys(found.keys), err
	})
	if err != nil {
		return found, refusal(err)
	}
	if !parsed.Valid || parsed.Method.Alg() != h.algorithm {
		return found, refuse(ErrMalformed, "")
	}
	now := time.Now() // the keys may have kept us waiting
	if v.future(claims.NotBefore, now) || v.future(claims.IssuedAt, now) {
		return found, refuse(ErrNotYetValid, "")
	}
	if found.authorization, err = v.authorize(found.claims, token); err != nil {
		return found, err
	}
	if !now.Before(claims.ExpiresAt) {
		return found, refuse(ErrExpired, "")
	}
	return found, nil
}

// tell has it observed that a token is refused, and returns why.
func (v *Verifier) tell(ctx context.Context, err error, found *verified) error {
	_, passing := errors.AsType[*bearer.UnavailableError](err)
	if _, ended := errors.AsType[*endedError](err); v.observer == nil || passing || ended {
		return err
	}
	e := TokenRefused{Err: err, Accepted: slices.Sorted(maps.Keys(v.issuers))}
	if found != nil {
		e.Issuer = shorten(found.claims.Issuer)
	}
	v.observer(ctx, e)
	return err
}

// noIssuer is that nobody is named, which is some issuers' way.
const noIssuer = "the token has no iss"

// admit finds the token's issuer, if all that can be told without a key is as that
// wants it. Nothing that follows is done for a token that is not.
func (v *Verifier) admit(h *header, c *Claims) (*issuer, error) {
	i := v.issuers[c.Issuer]
	switch {
	case c.Raw == nil:
		return nil, refuse(ErrMalformed, "the token's claims are not a JSON object")
	case i == nil && c.Issuer == "":
		return nil, refuse(ErrMissingClaim, noIssuer)
	case i == nil:
		return nil, refuse(ErrIssuer, "")
	case !slices.Contains(i.Algorithms, h.algorithm):
		return nil, refuse(ErrAlgorithm, "")
	case !slices.Contains(i.Types, mediaType(h.typ)):
		return nil, refuse(ErrMalformed, "the token's typ says that it is none for here")
	case c.ExpiresAt.IsZero():
		return nil, refuse(ErrMissingClaim, "the token has no exp")
	case len(i.Audience) == 0 && c.Audience != nil:
		return nil, refuse(ErrAudience, "")
	case len(i.Audience) > 0 && c.Audience == nil:
		return nil, refuse(ErrMissingClaim, "the token has no aud")
	case len(i.Audience) > 0 && !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(i.Audience, a) }):
		return nil, refuse(ErrAudience, "")
	}
	return i, nil
}

// future reports whether t is further ahead than clocks may differ.
func (v *Verifier) future(t, now time.Time) bool { return t.After(now.Add(v.options.Leeway)) }

// authorize completes what Options.Authorize says.
func (v *Verifier) authorize(c *Claims, token string) (*bearer.Authorization, error) {
	a, err := v.options.Authorize(c)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, refuse(ErrNotAdmitted, "")
	}
	a = new(*a)
	if a.Token == nil {
		a.Token = &bearer.Token{AccessToken: token, TokenType: "Bearer", Expiry: c.ExpiresAt}
	}
	if a.Claims == nil {
		a.Claims = c
	}
	return a, nil
}

// refusal makes an error of this package of one of golang-jwt's, whose texts may quote
// the token.
func refusal(err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if passing, ok := errors.AsType[*bearer.UnavailableError](err); ok {
		return passing
	}
	if ended, ok := errors.AsType[*endedError](err); ok {
		return ended
	}
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refuse(ErrSignature, "")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse(ErrMalformed, "")
	}
	return refuse(ErrAlgorithm, "") // one that golang-jwt does not know
}

// Refuse makes Verify refuse a token that has been revoked, for a while or, if that is
// 0, until it expires. Another signature of the same header and claims is refused with
// it. It is told in this process alone, and of as many as [MaxRefused].
func (v *Verifier) Refuse(token string, d time.Duration) {
	end := time.Now().Add(d)
	if d <= 0 {
		var claims rawClaims
		if _, _, err := v.parser.ParseUnverified(token, &claims); err != nil {
			return // it is refused as it is
		}
		end = claims.ExpiresAt
	}
	// In this order: what is remembered later is not remembered, since Unless sees it.
	v.refused.Add(token, end)
	v.seen.drop(token)
}

// String names the issuers.
func (v *Verifier) String() string {
	return fmt.Sprintf("verify.Verifier(%q)", slices.Sorted(maps.Keys(v.issuers)))
}

// Format prints what String returns, whatever the verb.
func (v *Verifier) Format(s fmt.State, _ rune) { io.WriteString(s, v.String()) }

// LogValue is what String returns.
func (v *Verifier) LogValue() slog.Value { return slog.StringValue(v.String()) }

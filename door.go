package bearer

import (
	"context"
	"reflect"
	"slices"

	"github.com/bearerkit/bearer/internal/revocation"
)

// door is where requests come in with tokens of their own: a Middleware's Verifier that
// can be told to refuse some.
type door struct {
	Verifier
	Refuser
}

// maxDoors bounds those that are remembered; somebody may make a Middleware for each
// request.
const maxDoors = 16

// opens notes that requests with the storefront's sessions come through sh.
func (f *Storefront) opens(sh *shop) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plain = f.plain || sh.plain
	d := door{sh.opts.Verifier, sh.refuser}
	known := func(other door) bool { return reflect.ValueOf(other.Verifier).Comparable() && other == d }
	if d.Refuser == nil || slices.ContainsFunc(f.doors, known) {
		return
	}
	if len(f.doors) == maxDoors {
		f.doors = f.doors[1:]
	}
	f.doors = append(f.doors[:len(f.doors):len(f.doors)], d) // somebody may be reading the old ones
}

// bar has access tokens refused that are being taken back, for as long as they live.
func (f *Storefront) bar(ctx context.Context, tokens []*Token) {
	f.mu.Lock()
	doors, plain := f.doors, f.plain
	f.mu.Unlock()
	if len(doors) == 0 {
		return
	}
	var access []*Token // alone: requests bring no others
	for _, t := range tokens {
		if t != nil {
			access = append(access, &Token{AccessToken: t.AccessToken})
		}
	}
	for _, token := range revocation.Order(access...) {
		for _, d := range doors {
			if !plain || !d.isStrange(ctx, token) {
				d.Refuse(token, 0)
			}
		}
	}
}

// isStrange reports whether a token is not a customer's for certain. A visitor who signs
// out with a made-up cookie must not fill the list of those to be refused, nor put on it
// the token that all guests share.
func (d door) isStrange(ctx context.Context, token string) bool {
	a, err := d.Verify(ctx, token)
	return err != nil || a == nil || a.Owner == (Owner{})
}

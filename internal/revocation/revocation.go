// Package revocation tells in which order tokens are revoked.
package revocation

import (
	"slices"

	"golang.org/x/oauth2"
)

// Order returns what is to be revoked of tokens, of which any may be nil: the refresh
// tokens first, since they can bring back the others, and each once.
func Order(tokens ...*oauth2.Token) []string {
	var refresh, access []string
	for _, t := range tokens {
		if t != nil {
			refresh, access = append(refresh, t.RefreshToken), append(access, t.AccessToken)
		}
	}
	var order []string
	for _, token := range append(refresh, access...) {
		if token != "" && !slices.Contains(order, token) {
			order = append(order, token)
		}
	}
	return order
}

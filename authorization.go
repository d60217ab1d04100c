package bearer

import (
	"fmt"
	"io"
	"log/slog"
)

// Owner is whom a token speaks for. The zero value is nobody: a guest.
type Owner struct {
	Type string // as the provider names it, such as "Customer"
	ID   string
}

// Origin tells where an [Authorization] comes from.
type Origin string

// The origins of authorizations.
const (
	OriginGuest   Origin = "guest"   // the Storefront's own token, which all guests share
	OriginStorage Origin = "storage" // kept here, under the browser's session id
	OriginCookie  Origin = "cookie"  // kept by the browser, see [Carrier]
	OriginHeader  Origin = "header"  // the request's own bearer token, see [Verifier]
)

// Authorization is a token and whom it speaks for. Printed, it shows the owner,
// neither the token nor the claims. The zero value authorizes nobody.
type Authorization struct {
	Token  *Token `json:"-"` // shared: it must not be modified, nor logged
	Owner  Owner  // zero for a guest, or if [StorefrontOptions] has no Owner
	Scope  string // as far as known
	Origin Origin

	// Claims is what the [Verifier] of the request's own token has made of it, such as
	// a *verify.Claims; nil for a token that nobody has verified. It may be shared by all
	// requests that bring the token, and must not be modified: what one of them changed,
	// others would be judged by.
	Claims any `json:"-"`
}

// String names the owner and the origin, never the token or the claims.
func (a Authorization) String() string {
	who := "guest"
	if a.Owner != (Owner{}) {
		who = fmt.Sprintf("%s %q", a.Owner.Type, a.Owner.ID)
	}
	return fmt.Sprintf("bearer.Authorization(%s, from %s)", who, a.Origin)
}

// Format prints what String returns, whatever the verb.
func (a Authorization) Format(f fmt.State, _ rune) { io.WriteString(f, a.String()) }

// LogValue names owner, scope and origin, never the token or the claims.
func (a Authorization) LogValue() slog.Value {
	return slog.GroupValue(slog.String("owner_type", a.Owner.Type), slog.String("owner_id", a.Owner.ID),
		slog.String("scope", a.Scope), slog.String("origin", string(a.Origin)))
}

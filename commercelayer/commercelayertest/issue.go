package commercelayertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// IssueOptions describes a token that a test wants to have. The zero value asks
// for what client credentials would get.
type IssueOptions struct {
	// Scope is as in a request. Default: market:all.
	Scope string
	// Owner is whom the token speaks for; with one, a refresh token comes along.
	// Default: nobody.
	Owner Owner
	// CustomClaim is a JSON object. Default: none.
	CustomClaim json.RawMessage
	// Life is how long the token lives; a negative one has ended it already.
	// Default: the application's TokenLife.
	Life time.Duration
	// WithoutSecret makes the token one whose request did not carry the secret.
	WithoutSecret bool
}

// Issued is a token made by [Server.Issue]. Its secrets do not show when it is
// printed or logged.
type Issued struct {
	AccessToken  string `json:"-"`
	RefreshToken string `json:"-"` // empty if there is none
	Expiry       time.Time
}

func (i Issued) String() string { return "token until " + i.Expiry.Format(time.RFC3339) }

// Format keeps the tokens out of every verb.
func (i Issued) Format(f fmt.State, _ rune) { io.WriteString(f, i.String()) }

// LogValue keeps the tokens out of logs.
func (i Issued) LogValue() slog.Value { return slog.StringValue(i.String()) }

// Issue makes a new token, as if the application had asked for it at
// [Server.AuthURL], but without its rules: no grant, no rate limit, no fault,
// and it is not given again to anybody who asks for the same. It counts as
// issued.
func (s *Server) Issue(clientID string, opts *IssueOptions) (Issued, error) {
	var o IssueOptions
	if opts != nil {
		o = *opts
	}
	app := s.apps[clientID]
	if app == nil {
		return Issued{}, errors.New("commercelayertest: Issue: clientID is none of an application: name one of Options.Applications")
	}
	scope, why := s.opts.parseScope(app, o.Scope)
	if why != "" {
		return Issued{}, errors.New("commercelayertest: Issue: Scope: " + why)
	}
	if o.Owner != (Owner{}) && (o.Owner.ID == "" || o.Owner.Type != "Customer" && o.Owner.Type != "User") {
		return Issued{}, errors.New("commercelayertest: Issue: Owner: give it an ID and the Type Customer or User")
	}
	if len(o.CustomClaim) > 0 {
		var object map[string]json.RawMessage
		if json.Unmarshal(o.CustomClaim, &object) != nil || object == nil {
			return Issued{}, errors.New("commercelayertest: Issue: CustomClaim is no JSON object: use one, or none")
		}
	}
	token, err := s.tokens.issue(subject{
		issuer: s.AuthURL(), app: app, scope: scope, owner: o.Owner, custom: o.CustomClaim,
		confidential: !o.WithoutSecret && app.ClientSecret != "",
	}, terms{withRefresh: o.Owner.ID != "", life: o.Life})
	if err != nil {
		return Issued{}, errors.New("commercelayertest: Issue: the token could not be signed")
	}
	s.journal.add(func(n *Counts) { n.Issued++ })
	issued := Issued{AccessToken: token.text, Expiry: token.expires}
	if token.refresh != nil {
		issued.RefreshToken = token.refresh.text
	}
	return issued, nil
}

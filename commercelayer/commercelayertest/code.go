package commercelayertest

import (
	"crypto/rand"
	"errors"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// codeLife is how long an authorization code can be exchanged: RFC 6749 §4.1.2
// recommends ten minutes at most.
const codeLife = 10 * time.Minute

// authorizationCode is a code that a webapp can exchange once.
type authorizationCode struct {
	app         *Application
	redirectURI string
	scope       scope
	userID      string
	expires     time.Time
	family      *family // what came of it, once it was exchanged
}

// codeStore holds codes until they expire.
type codeStore struct {
	mu    sync.Mutex // guards codes
	codes map[string]*authorizationCode
}

func newCodeStore() *codeStore { return &codeStore{codes: map[string]*authorizationCode{}} }

func (t *codeStore) add(code *authorizationCode) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for text, old := range t.codes {
		if !now.Before(old.expires) {
			delete(t.codes, text)
		}
	}
	text := rand.Text() + rand.Text()
	code.expires = now.Add(codeLife)
	t.codes[text] = code
	return text
}

// AuthorizationCodeOptions describes a code. The zero value asks for
// the webapp's first redirect address and the widest scope.
type AuthorizationCodeOptions struct {
	// RedirectURI is repeated when the code is exchanged. Default: the first of
	// the application's.
	RedirectURI string
	// Scope is what the token will have. Default: market:all.
	Scope string
	// UserID is the user who agreed. Default: the application's.
	UserID string
}

// AuthorizationCode returns a code such as a webapp receives when its user has
// agreed. It lives for ten minutes and can be exchanged once.
func (s *Server) AuthorizationCode(clientID string, opts *AuthorizationCodeOptions) (string, error) {
	var o AuthorizationCodeOptions
	if opts != nil {
		o = *opts
	}
	app := s.apps[clientID]
	if app == nil || app.Kind != Webapp {
		return "", errors.New("commercelayertest: AuthorizationCode: clientID is none of a webapp: name one of Options.Applications")
	}
	if o.RedirectURI == "" && len(app.RedirectURIs) > 0 {
		o.RedirectURI = app.RedirectURIs[0]
	}
	if !slices.Contains(app.RedirectURIs, o.RedirectURI) {
		return "", errors.New("commercelayertest: AuthorizationCode: RedirectURI is none of the application's: add it to Application.RedirectURIs")
	}
	scope, why := s.opts.parseScope(app, o.Scope)
	if why != "" {
		return "", errors.New("commercelayertest: AuthorizationCode: Scope: " + why)
	}
	if o.UserID == "" {
		o.UserID = app.UserID
	}
	return s.codes.add(&authorizationCode{app: app, redirectURI: o.RedirectURI, scope: scope, userID: o.UserID}), nil
}

// errCode tells nobody why, as RFC 6749 §5.2 words it in one.
var errCode = badRequest("invalid_grant", "The authorization code is invalid, expired, used before, or was issued to another client or redirect_uri.")

// authorizationCode exchanges a code. One that comes a second time ends what
// came of it (RFC 6749 §4.1.2).
func (c *call) authorizationCode(s subject) reply {
	text, redirectURI := c.params["code"], c.params["redirect_uri"]
	if text == "" || redirectURI == "" {
		return badRequest("invalid_request", "The fields code and redirect_uri are needed.").reply(c.place)
	}
	c.s.codes.mu.Lock()
	defer c.s.codes.mu.Unlock()
	code := c.s.codes.codes[text]
	if code == nil || code.app != s.app || !time.Now().Before(code.expires) || code.redirectURI != redirectURI {
		return errCode.reply(c.place)
	}
	if code.family != nil {
		c.s.tokens.mu.Lock()
		defer c.s.tokens.mu.Unlock()
		code.family.end()
		c.s.journal.add(func(n *Counts) { n.FamiliesEnded++ })
		return errCode.reply(c.place)
	}
	if c.params["scope"] != "" && s.scope.text != code.scope.text {
		return badRequest("invalid_scope", "The scope is not the one that the user agreed to.").reply(c.place)
	}
	s.scope = code.scope
	s.owner = Owner{"User", code.userID}
	code.family = &family{}
	return c.grantToken(s, terms{grant: grantAuthorizationCode, withRefresh: true, family: code.family})
}

// authorize sends a user's browser back to a webapp with a code. It asks the
// user nothing: there is nobody to agree, and the code reaches only addresses
// that were registered.
func (c *call) authorize() reply {
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return methodNotAllowed("GET").reply(c.place)
	}
	query := c.r.URL.Query()
	app := c.s.apps[query.Get("client_id")]
	if app == nil || app.Kind != Webapp {
		return page(http.StatusBadRequest, "The client_id is none of a webapp that this server knows.")
	}
	c.app = app
	redirectURI := query.Get("redirect_uri")
	if !slices.Contains(app.RedirectURIs, redirectURI) {
		return page(http.StatusBadRequest, "The redirect_uri is none of those registered for this webapp.")
	}
	back, err := url.Parse(redirectURI)
	if err != nil {
		return page(http.StatusBadRequest, "The redirect_uri is no address.")
	}
	answer := back.Query()
	if state := query.Get("state"); state != "" {
		answer.Set("state", state)
	}
	if query.Get("response_type") != "code" {
		answer.Set("error", "unsupported_response_type")
	} else if code, err := c.s.AuthorizationCode(app.ClientID, &AuthorizationCodeOptions{
		RedirectURI: redirectURI, Scope: query.Get("scope"),
	}); err != nil {
		answer.Set("error", "invalid_scope")
	} else {
		answer.Set("code", code)
	}
	back.RawQuery = answer.Encode()
	a := page(http.StatusFound, "Back to the application.")
	a.header.Set("Location", back.String())
	return a
}

func page(status int, text string) reply {
	return reply{
		status: status,
		header: http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"}},
		body:   []byte("<!DOCTYPE html><title>Commerce Layer, local</title><p>" + html.EscapeString(text) + "</p>"),
	}
}

// validRedirectURI tells whether a code may be sent to an address.
func validRedirectURI(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && !strings.Contains(uri, "#")
}

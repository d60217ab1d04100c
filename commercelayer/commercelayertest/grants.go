package commercelayertest

import (
	"net/http"
	"strings"
	"time"
)

// The five grant types.
const (
	grantClientCredentials = "client_credentials"
	grantPassword          = "password"
	grantRefreshToken      = "refresh_token"
	grantAuthorizationCode = "authorization_code"
	grantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// knownGrant returns the grant type if it is one of the five, else nothing.
func knownGrant(grant string) string {
	switch grant {
	case grantClientCredentials, grantPassword, grantRefreshToken, grantAuthorizationCode, grantJWTBearer:
		return grant
	}
	return ""
}

// tokenDocument is a successful answer. Clients compare its set of keys.
type tokenDocument struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
	CreatedAt    int64  `json:"created_at"`
	OwnerID      string `json:"owner_id,omitempty"`
	OwnerType    string `json:"owner_type,omitempty"`
}

// token answers a request to the token endpoint.
func (c *call) token() reply {
	if c.wrong != nil {
		return c.wrong.reply(c.place)
	}
	if !c.s.limit.allow(c.s.address(c.r), time.Now()) {
		c.s.journal.add(func(n *Counts) { n.RateLimited++ })
		return errTooMany.reply(c.place)
	}
	if c.params["grant_type"] == "" {
		return badRequest("invalid_request", "The field grant_type is missing.").reply(c.place)
	}
	app, confidential, ok := c.client()
	if !ok {
		return errUnknownClient.reply(c.place)
	}
	if c.grant == "" {
		return badRequest("unsupported_grant_type", "The grant type is none of the five that exist.").reply(c.place)
	}
	if !app.may(c.grant) {
		return badRequest("unauthorized_client", "This kind of application may not use this grant type.").reply(c.place)
	}
	scope, why := c.s.opts.parseScope(app, c.params["scope"])
	if why != "" {
		return badRequest("invalid_scope", why).reply(c.place)
	}
	s := subject{issuer: c.place.issuer, app: app, scope: scope, confidential: confidential}
	switch c.grant {
	case grantPassword:
		return c.password(s)
	case grantRefreshToken:
		return c.refresh(s)
	case grantAuthorizationCode:
		return c.authorizationCode(s)
	case grantJWTBearer:
		return c.jwtBearer(s)
	}
	return c.grantToken(s, terms{grant: c.grant, reuse: true})
}

// password signs a customer in.
func (c *call) password(s subject) reply {
	email, password := c.params["username"], c.params["password"]
	if email == "" || password == "" {
		return badRequest("invalid_request", "The fields username and password are needed.").reply(c.place)
	}
	customer := c.s.people[strings.ToLower(email)]
	if customer == nil || !sameSecret(password, customer.Password) {
		return problem{
			status: http.StatusUnauthorized, title: "invalid_grant", code: "UNAUTHORIZED",
			detail: "The username or the password is wrong.",
		}.reply(c.place)
	}
	s.owner = Owner{"Customer", customer.ID}
	return c.grantToken(s, terms{grant: c.grant, reuse: c.s.opts.ReusePasswordToken, withRefresh: true})
}

// jwtBearer gives a token for whom an assertion names.
func (c *call) jwtBearer(s subject) reply {
	if !s.confidential {
		return errUnknownClient.reply(c.place)
	}
	a, ok := parseAssertion(c.params["assertion"])
	if !ok {
		return errAssertion.reply(c.place)
	}
	s.owner, s.custom = a.owner, a.custom
	return c.grantToken(s, terms{grant: c.grant, reuse: true, withRefresh: true})
}

// grantToken issues a token and answers with it.
func (c *call) grantToken(s subject, how terms) reply {
	token, err := c.s.tokens.issue(s, how)
	if err != nil {
		return internalError(c.place)
	}
	return c.granted(token)
}

// granted answers with a token.
func (c *call) granted(token given) reply {
	c.s.journal.add(func(n *Counts) {
		if token.again {
			n.SameAgain++
		} else {
			n.Issued++
		}
	})
	doc := tokenDocument{
		AccessToken: token.text,
		TokenType:   "bearer",
		ExpiresIn:   token.left,
		Scope:       token.scope.text,
		CreatedAt:   token.issued.Unix(),
		OwnerID:     token.owner.ID,
		OwnerType:   strings.ToLower(token.owner.Type),
	}
	if token.refresh != nil {
		doc.RefreshToken = token.refresh.text
	}
	a := newReply(http.StatusOK, jsonType, doc)
	a.header.Set("Pragma", "no-cache")
	return a
}

func internalError(at place) reply {
	return problem{
		status: http.StatusInternalServerError, title: "Internal server error", code: "INTERNAL_SERVER_ERROR",
		detail: "The token could not be signed.",
	}.reply(at)
}

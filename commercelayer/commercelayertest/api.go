package commercelayertest

import (
	"mime"
	"net/http"
	"strings"
)

// role is what a token may do at the Core API.
type role int

const (
	roleNone     role = iota // a sales channel without a market, a provisioning application
	roleGuest                // a sales channel
	roleCustomer             // a sales channel, on a customer's behalf
	roleStaff                // an integration or webapp
)

// access is who asks the API.
type access struct {
	accessToken
	role role
}

func (t accessToken) access() access {
	a := access{t, roleNone}
	switch {
	case t.app.Kind == Integration || t.app.Kind == Webapp:
		a.role = roleStaff
	case t.app.Kind != SalesChannel || !t.scope.narrow():
	case t.owner.Type == "Customer":
		a.role = roleCustomer
	default:
		a.role = roleGuest
	}
	return a
}

// may tells whether a role may do something with a type of resource at all.
// Which resources of the type it then sees, the shop decides.
func (a access) may(method, resourceType string) bool {
	reading := method == http.MethodGet || method == http.MethodHead
	if resourceType == "organization" {
		return reading && a.app.Kind != User
	}
	switch a.role {
	case roleStaff:
		return true
	case roleCustomer, roleGuest:
		switch resourceType {
		case "skus", "prices", "markets":
			return reading
		case "customers":
			return reading && a.role == roleCustomer
		case "customer_addresses", "addresses":
			return a.role == roleCustomer
		case "orders":
			return reading || method == http.MethodPost || method == http.MethodPatch
		case "line_items":
			return reading || method == http.MethodPost || method == http.MethodPatch || method == http.MethodDelete
		}
	}
	return false
}

// api answers a request to the Core or the Provisioning API.
func (c *call) api() reply {
	at := c.place
	token, ok := c.s.tokens.valid(bearer(c.r))
	if !ok {
		return errInvalidToken.reply(at)
	}
	c.app = token.app
	if !accepts(c.r.Header.Values("Accept")) {
		return problem{
			status: http.StatusNotAcceptable, title: "Not acceptable", code: "NOT_ACCEPTABLE",
			detail: "Ask for application/vnd.api+json in the Accept header.",
		}.reply(at)
	}
	path := strings.Split(strings.Trim(strings.TrimPrefix(at.path, "/api"), "/"), "/")
	if at.provisioning {
		return c.provisioningAPI(token, path)
	}
	who := token.access()
	kind, known := c.s.shop.kinds[path[0]]
	if !known {
		return notFound("There is no resource type of this name here.").reply(at)
	}
	if !who.may(c.r.Method, path[0]) {
		return errAccessDenied.reply(at)
	}
	switch method := c.r.Method; {
	case method == http.MethodPost && len(path) == 1 && kind.create != nil:
		return c.create(who, path[0], kind)
	case method == http.MethodPatch && len(path) == 2 && kind.update != nil:
		return c.update(who, path[0], path[1], kind)
	case method == http.MethodDelete && len(path) == 2 && kind.remove != nil:
		return c.remove(who, path[1], kind)
	case method != http.MethodGet && method != http.MethodHead:
		return methodNotAllowed(kind.allow(path)).reply(at)
	case len(path) == 1 && kind.singular:
		return c.one(kind.list(who)[0])
	case len(path) == 1:
		return c.list(path[0], kind.list(who))
	case len(path) <= 4 && !kind.singular:
		return c.within(who, kind, path)
	}
	return notFound("There is nothing at this address.").reply(at)
}

// within answers for one resource of a type, or for what belongs to it.
func (c *call) within(who access, kind resourceKind, path []string) reply {
	for _, r := range kind.list(who) {
		if r.ID != path[1] {
			continue
		}
		if len(path) == 2 {
			return c.one(r)
		}
		name := path[len(path)-1]
		to, ok := r.related[name]
		switch {
		case !ok || len(path) == 4 && path[2] != "relationships":
			return notFound("The resource has no relationship of this name here.").reply(c.place)
		case !who.may(c.r.Method, to.to):
			return errAccessDenied.reply(c.place)
		case len(path) == 4:
			self := c.place.base + "/api/" + r.Type + "/" + r.ID
			return newReply(http.StatusOK, jsonAPIType, linkage{to.identifiers(), relationshipLinks(self, name)})
		case !to.one:
			return c.list(to.to, to.list())
		}
		if others := to.list(); len(others) == 1 {
			return c.one(others[0])
		}
		return notFound("The resource is related to none.").reply(c.place)
	}
	return noSuchResource().reply(c.place)
}

// provisioningAPI answers on the provisioning host: there is one organization
// and one user.
func (c *call) provisioningAPI(token accessToken, path []string) reply {
	at := c.place
	if token.app.Kind != User {
		return errAccessDenied.reply(at)
	}
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return methodNotAllowed("GET").reply(at)
	}
	switch strings.Join(path, "/") {
	case "organizations":
		return c.list("organizations", []resource{c.s.shop.organization("organizations")})
	case "organizations/" + c.s.opts.Organization.ID:
		return c.one(c.s.shop.organization("organizations"))
	case "user":
		return c.one(resource{ID: token.app.UserID, Type: "user", Attributes: attributes{"time_zone": "UTC"}})
	}
	return notFound("There is nothing at this address.").reply(at)
}

func noSuchResource() *problem {
	wrong := notFound("There is no such resource, or it is not yours to see.")
	return &wrong
}

func notFound(detail string) problem {
	return problem{status: http.StatusNotFound, title: "Record not found", code: "RECORD_NOT_FOUND", detail: detail}
}

// bearer returns the token that a request shows, or nothing. RFC 9110 §11.1:
// the scheme may be written in any case.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// accepts tells whether a client takes JSON:API documents. One without an
// Accept header takes anything (RFC 9110 §12.5.1); but */* is not enough for
// the service.
func accepts(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		if mediaType, _, err := mime.ParseMediaType(item); err == nil && mediaType == jsonAPIType {
			return true
		}
	}
	return false
}

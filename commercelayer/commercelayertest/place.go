package commercelayertest

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Endpoint names a part of the server, for [Fault].
type Endpoint string

// The parts of the server.
const (
	AnyEndpoint       Endpoint = ""
	TokenEndpoint     Endpoint = "token"     // POST /oauth/token
	RevokeEndpoint    Endpoint = "revoke"    // POST /oauth/revoke
	KeysEndpoint      Endpoint = "keys"      // GET /.well-known/jwks.json
	AuthorizeEndpoint Endpoint = "authorize" // GET /oauth/authorize
	APIEndpoint       Endpoint = "api"       // /api/… on the API hosts

	endpointControl Endpoint = "control"
	endpointNone    Endpoint = "none"
)

// place is what a request's host and path come down to.
type place struct {
	endpoint     Endpoint
	provisioning bool   // APIEndpoint of the provisioning host
	apiHost      bool   // it words errors as the API does, whatever the path
	path         string // without the prefix that stands for a host
	issuer       string // of tokens asked for, or shown, on this host
	base         string // address of this host, without a slash at the end
}

// locate finds the place that a request is for.
func (s *Server) locate(r *http.Request) place {
	scheme := "http"
	if r.TLS != nil || isMemoryHTTPS(r.Context()) {
		scheme = "https"
	}
	host := strings.ToLower(r.Host)
	name, port, ok := splitPort(host)
	name = strings.TrimSuffix(name, ".")

	var label, origin string
	byName := false
	switch {
	case !ok:
		return place{endpoint: endpointNone, path: r.URL.Path}
	case isAddress(name):
		label, _, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if strings.Contains(name, ":") {
			name = "[" + name + "]"
		}
		origin = scheme + "://" + name + port
	case strings.HasSuffix(name, "."+s.domain):
		label = strings.TrimSuffix(name, "."+s.domain)
		byName = true
	default:
		return place{endpoint: endpointNone, path: r.URL.Path}
	}

	at := func(label string) string {
		if byName {
			return scheme + "://" + label + "." + s.domain + port
		}
		return origin + "/" + label
	}
	p := place{endpoint: endpointNone, path: r.URL.Path, issuer: at("auth"), base: at(label)}
	if s.control != nil && (r.URL.Path == "/_local" || strings.HasPrefix(r.URL.Path, "/_local/")) {
		p.endpoint = endpointControl
		return p
	}
	if !byName {
		p.path = strings.TrimPrefix(r.URL.Path, "/"+label)
	}
	switch label {
	case "auth":
		p.endpoint = authEndpoint(p.path)
	case "dashboard":
		if p.path == "/oauth/authorize" {
			p.endpoint = AuthorizeEndpoint
		}
	case s.opts.Organization.Slug, "provisioning":
		p.apiHost = true
		if p.path == "/api" || strings.HasPrefix(p.path, "/api/") {
			p.endpoint = APIEndpoint
			p.provisioning = label == "provisioning"
		}
	default:
		// Any other name under the domain would be an organization's.
		p.apiHost = byName
	}
	return p
}

func authEndpoint(path string) Endpoint {
	switch path {
	case "/oauth/token":
		return TokenEndpoint
	case "/oauth/revoke":
		return RevokeEndpoint
	case "/oauth/authorize":
		return AuthorizeEndpoint
	case "/.well-known/jwks.json":
		return KeysEndpoint
	}
	return endpointNone
}

// splitPort cuts a Host header in two; the port keeps its colon. A port becomes
// part of an issuer, so one that no client can have connected to is refused.
func splitPort(host string) (name, port string, ok bool) {
	h, p, err := net.SplitHostPort(host)
	if err != nil {
		return strings.Trim(host, "[]"), "", true
	}
	if p == "" { // as RFC 3986 §3.2.3 allows
		return h, "", true
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != p {
		return "", "", false
	}
	return h, ":" + p, true
}

func isAddress(name string) bool {
	if name == "localhost" {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// nowhere answers what no endpoint does.
func (c *call) nowhere() reply {
	if c.place.base == "" {
		return problem{
			status: http.StatusNotFound, title: "Unknown host", code: "NOT_FOUND",
			detail: "This server has auth., provisioning. and " + c.s.opts.Organization.Slug + ". under " + c.s.opts.Domain +
				", and by IP address the paths /auth, /provisioning and /" + c.s.opts.Organization.Slug + ".",
		}.reply(c.place)
	}
	return problem{
		status: http.StatusNotFound, title: "Not found", code: "NOT_FOUND",
		detail: "There is nothing at this address.",
	}.reply(c.place)
}

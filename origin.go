package bearer

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxRedirects is how long a chain of redirects withhold follows back: net/http
// gives up after 10, and what cannot be followed gets no token.
const maxRedirects = 100

// withhold says in words why the token may not go with req, "" if it may.
func (t *Transport) withhold(req *http.Request) (why string, err error) {
	here := originOf(req.URL)
	for n, r := 0, req; r.Response != nil; n++ {
		if r = r.Response.Request; r == nil || r.URL == nil || n == maxRedirects {
			return "the redirects that led there cannot be followed back", nil
		}
		if originOf(r.URL) != here {
			return "a redirect led there from another origin", nil
		}
	}
	if len(t.Origins) == 0 || slices.ContainsFunc(t.Origins, here.matches) {
		return "", nil
	}
	if slices.ContainsFunc(t.Origins, func(s string) bool { _, ok := parseOrigin(s); return !ok }) {
		return "", errBadOrigins
	}
	return "it is not among Transport's Origins", nil
}

// origin is that of RFC 6454 §4, in lower case and with its port.
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	o := origin{strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()}
	o.host = strings.TrimSuffix(o.host, ".")
	if o.port == "" {
		switch o.scheme {
		case "https":
			o.port = "443"
		case "http":
			o.port = "80"
		}
	}
	return o
}

// parseOrigin reads an entry of Origins.
func parseOrigin(pattern string) (origin, bool) {
	u, err := url.Parse(pattern)
	if err != nil || u.Scheme == "" || u.Hostname() == "" {
		return origin{}, false
	}
	return originOf(u), true
}

// matches reports whether o is the origin that pattern names, or one of them.
func (o origin) matches(pattern string) bool {
	p, ok := parseOrigin(pattern)
	if !ok || o.scheme != p.scheme || o.port != p.port {
		return false
	}
	if parent, ok := strings.CutPrefix(p.host, "*"); ok && strings.HasPrefix(parent, ".") {
		return strings.HasSuffix(o.host, parent) && len(o.host) > len(parent) && net.ParseIP(o.host) == nil
	}
	return o.host == p.host
}

var _ http.RoundTripper = (*Transport)(nil)

package commercelayer

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// hosts is where the hosts of one installation are: below a domain, or, if it is
// addressed by IP or as localhost, below the paths of one origin.
type hosts struct {
	scheme string
	domain string // with the port; empty if addressed by IP
	host   string // with the port, if addressed by IP
}

// url is the base of the host called name: auth, provisioning or a slug.
func (h hosts) url(name string) string {
	if h.domain != "" {
		return h.scheme + "://" + name + "." + h.domain
	}
	return h.scheme + "://" + h.host + "/" + name
}

// origin is where tokens of this installation may go, as bearer.Transport has it.
func (h hosts) origin() string {
	if h.domain != "" {
		return h.scheme + "://*." + h.domain
	}
	return h.scheme + "://" + h.host
}

// hostsOf tells the installation from the base of its auth host, which may come
// from an unverified token.
func hostsOf(authURL string) (hosts, bool) {
	u, err := url.Parse(authURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return hosts{}, false
	}
	path := strings.TrimSuffix(u.Path, "/")
	// One host, however it is written.
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	port := u.Port()
	if port != "" && port != defaultPort[u.Scheme] {
		port = ":" + port
	} else {
		port = ""
	}
	if ip, err := netip.ParseAddr(name); err == nil || name == "localhost" {
		if ip.Is6() {
			name = "[" + name + "]"
		}
		return hosts{scheme: u.Scheme, host: name + port}, path == "/auth" && ip.Zone() == ""
	}
	domain, ok := strings.CutPrefix(name+port, "auth.")
	return hosts{scheme: u.Scheme, domain: domain}, ok && path == "" && isDomain(domain)
}

var defaultPort = map[string]string{"https": "443", "http": "80"}

// isDomain reports whether s is a host name, perhaps with a port. One label alone
// is not: tokens for its subdomains could go to anybody's (*.io).
func isDomain(s string) bool {
	name, port, hasPort := strings.Cut(s, ":")
	if hasPort && (port == "" || strings.Trim(port, "0123456789") != "") {
		return false
	}
	if !strings.Contains(name, ".") && !strings.EqualFold(name, "localhost") {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isLabel reports whether s can be one part of a host name (RFC 1123 §2.1), and
// so cannot move a URL to another host.
func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// resolve finds the installation and the base of its auth host. Without an error,
// hosts are zero if AuthURL does not tell them.
func (o *Options) resolve() (h hosts, authURL string, err error) {
	if o.Domain != "" && (!isDomain(o.Domain) || strings.HasPrefix(strings.ToLower(o.Domain), "auth.")) {
		return hosts{}, "", errors.New("commercelayer: Options.Domain is not a domain: want commercelayer.io, without https:// and auth")
	}
	domain := strings.TrimSuffix(strings.ToLower(o.Domain), ":443")
	if domain == "" {
		domain = DefaultDomain
	}
	h = hosts{scheme: "https", domain: domain}
	if o.AuthURL == "" {
		return h, h.url("auth"), nil
	}
	// The address itself is looked at by package tokenendpoint, which knows what
	// secrets may be sent to.
	authURL = strings.TrimRight(o.AuthURL, "/")
	if strings.ContainsAny(authURL, "?#") {
		return hosts{}, "", errors.New("commercelayer: Options.AuthURL has a query or fragment: want the base alone, such as https://auth.commercelayer.io")
	}
	if named, ok := hostsOf(authURL); ok {
		if o.Domain != "" && named.domain != "" && named.domain != domain {
			return hosts{}, "", errors.New("commercelayer: Options.Domain and AuthURL name two domains: leave Domain empty")
		}
		h = named
	} else if o.Domain == "" {
		h = hosts{}
	}
	return h, authURL, nil
}

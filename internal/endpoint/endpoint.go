// Package endpoint is about the addresses of authorization servers: encrypted, or
// on this machine.
package endpoint

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// Parse reads an address that is configured: https, or http on the loopback host,
// with neither a user nor a fragment. Its errors say what is wrong and never quote
// raw, nor the error of url.Parse, which does: it may hold a password.
func Parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL: want https://host/path")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("is not an absolute http URL: want https://host/path")
	case u.User != nil:
		return nil, errors.New("holds a user name or password: remove them")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, errors.New("has a fragment, which an endpoint cannot have (RFC 6749 §3.2): remove what follows the #")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return nil, errors.New("leads to " + u.Host + " unencrypted: use https (plain http is for the loopback host only)")
	}
	return u, nil
}

// Loopback trusts the name localhost and those below it (RFC 6761 §6.3), as
// browsers do.
func Loopback(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

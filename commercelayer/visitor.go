package commercelayer

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// visitor is the address that a request comes from: the peer's, or, if that is a
// proxy that is trusted, the last one in X-Forwarded-For that is none; what is
// further to the left anybody can have written, and is not looked at. It is
// invalid if nobody knows, as on a Unix socket.
func visitor(r *http.Request, trusted []netip.Prefix) netip.Addr {
	isProxy := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	at := address(r.RemoteAddr)
	for _, line := range slices.Backward(r.Header.Values("X-Forwarded-For")) {
		for more := true; more && isProxy(at); {
			var hop string
			if i := strings.LastIndexByte(line, ','); i >= 0 {
				line, hop = line[:i], line[i+1:]
			} else {
				hop, more = line, false
			}
			at = address(strings.TrimSpace(hop))
		}
	}
	return at
}

// address reads one, with a port or without.
func address(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		p, _ := netip.ParseAddrPort(text)
		a = p.Addr()
	}
	return a.Unmap().WithZone("")
}

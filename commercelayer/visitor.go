package commercelayer

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// visitor is the address that a request comes from: the peer's, or, if that is a
// proxy that is trusted, the last one in X-Forwarded-For that is none; what is
// further to the left anybody can have written. It is invalid if nobody knows.
func visitor(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return addr
		}
		if addr, err = netip.ParseAddr(strings.TrimSpace(hop)); err != nil {
			return netip.Addr{}
		}
		addr = addr.Unmap().WithZone("")
	}
	return addr
}

package endpoint

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// ErrNotLoopback is what comes of an unencrypted request to another machine.
var ErrNotLoopback = errors.New("the address is not a loopback address")

// Base returns a transport for those who set none: https goes through
// http.DefaultTransport, and what goes unencrypted stays on this machine: a name
// below localhost may be anything to a resolver, and no such name at all to a
// proxy's settings.
func Base() http.RoundTripper { return base{http.DefaultTransport} }

type base struct{ https http.RoundTripper }

func (b base) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return loopbackTransport().RoundTrip(r)
	}
	return b.https.RoundTrip(r)
}

// loopbackTransport is one for all, as http.DefaultTransport is.
var loopbackTransport = sync.OnceValue(func() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t = new(http.Transport)
	}
	return LoopbackOnly(t)
})

// LoopbackOnly is t with no proxy and no way off this machine.
func LoopbackOnly(t *http.Transport) *http.Transport {
	t = t.Clone()
	t.Proxy = nil
	t.DialContext = (&net.Dialer{
		Timeout: 30 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			// The address is that of the connection, after any look-up.
			if to, err := netip.ParseAddrPort(address); err != nil || !to.Addr().Unmap().IsLoopback() {
				return ErrNotLoopback
			}
			return nil
		},
	}).DialContext
	return t
}

package tokenendpoint

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

var errNotLoopback = errors.New("tokenendpoint: the address is not a loopback address")

// defaultBase is the Base of those who set none. What goes unencrypted stays on
// this machine: a name below localhost may be anything to a resolver, and no
// such name at all to a proxy's settings.
type defaultBase struct{ https http.RoundTripper }

func (b defaultBase) RoundTrip(r *http.Request) (*http.Response, error) {
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
	return loopbackOnly(t)
})

// loopbackOnly is t with no proxy and no way off this machine.
func loopbackOnly(t *http.Transport) *http.Transport {
	t = t.Clone()
	t.Proxy = nil
	t.DialContext = (&net.Dialer{
		Timeout: 30 * time.Second,
		Control: func(_, address string, _ syscall.RawConn) error {
			// The address is that of the connection, after any look-up.
			if to, err := netip.ParseAddrPort(address); err != nil || !to.Addr().Unmap().IsLoopback() {
				return errNotLoopback
			}
			return nil
		},
	}).DialContext
	return t
}

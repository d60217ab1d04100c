package commercelayer

import (
	"context"
	"net/http"
	"net/netip"
)

type clientIPKey struct{}

// WithClientIP returns a context in which requests for the tokens of one customer
// name the shopper's address, so that the service's rate limit counts per shopper
// and not per server. It has an effect only with Options.BackendAuth. The address
// must be one that can be trusted: not a header that the visitor can set.
func WithClientIP(ctx context.Context, addr netip.Addr) context.Context {
	return context.WithValue(ctx, clientIPKey{}, addr)
}

func clientIP(ctx context.Context) netip.Addr {
	addr, _ := ctx.Value(clientIPKey{}).(netip.Addr)
	return addr
}

// withoutClientIP is for tokens that many share: the address of whoever happens
// to need one first has nothing to do with them.
func withoutClientIP(ctx context.Context) context.Context {
	return WithClientIP(ctx, netip.Addr{})
}

// shopper is the header that names the shopper, and the key of its rate limit.
func (c *Credentials) shopper(ctx context.Context, addr netip.Addr) (http.Header, string) {
	if !addr.IsValid() {
		addr = clientIP(ctx)
	}
	if !c.backend || !addr.IsValid() {
		return nil, ""
	}
	ip := addr.Unmap().WithZone("").String()
	return http.Header{"X-True-Client-Ip": {ip}}, ip
}

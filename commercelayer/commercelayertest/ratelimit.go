package commercelayertest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// rateLimit lets each address make so many requests within any window.
type rateLimit struct {
	most int // NoRateLimit for no limit

	mu   sync.Mutex // guards seen
	seen map[string][]time.Time
}

const rateWindow = time.Minute

func newRateLimit(most int) *rateLimit {
	return &rateLimit{most: most, seen: map[string][]time.Time{}}
}

// allow notes a request and tells whether it may go on. A refused request is
// not counted against its address.
func (l *rateLimit) allow(address string, now time.Time) bool {
	if l.most == NoRateLimit {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) > 10_000 {
		l.forget(now)
	}
	recent := within(l.seen[address], now)
	if len(recent) >= l.most {
		l.seen[address] = recent
		return false
	}
	l.seen[address] = append(recent, now)
	return true
}

// within cuts off what has left the window.
func within(times []time.Time, now time.Time) []time.Time {
	i := 0
	for i < len(times) && now.Sub(times[i]) >= rateWindow {
		i++
	}
	return times[i:]
}

// forget drops addresses that were quiet for a whole window; l.mu is held.
func (l *rateLimit) forget(now time.Time) {
	for address, times := range l.seen {
		if len(within(times, now)) == 0 {
			delete(l.seen, address)
		}
	}
}

// address is whom the limit counts a request for: the shopper that a backend
// names, if it proves to be one, else whoever connected.
func (s *Server) address(r *http.Request) string {
	if s.opts.BackendAuth != "" && sameSecret(r.Header.Get("X-Backend-Auth"), s.opts.BackendAuth) {
		if shopper, err := netip.ParseAddr(r.Header.Get("X-True-Client-Ip")); err == nil {
			return "shopper " + shopper.String()
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// sameSecret compares in a time that tells nothing about either.
func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

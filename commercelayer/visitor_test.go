package commercelayer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// tokenRequests notes what the shop sends to the auth host.
type tokenRequests struct {
	base http.RoundTripper
	seen chan sentRequest
}

type sentRequest struct{ grant, ip, backendAuth string }

func (n *tokenRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/oauth/token" || r.URL.Path == "/oauth/revoke" {
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		var sent struct {
			Grant string `json:"grant_type"`
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			return nil, err
		}
		n.seen <- sentRequest{sent.Grant, r.Header.Get("X-True-Client-Ip"), r.Header.Get("X-Backend-Auth")}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return n.base.RoundTrip(r)
}

// next is the oldest request that nobody has asked for; the zero one if there is
// none.
func (n *tokenRequests) next() sentRequest {
	select {
	case r := <-n.seen:
		return r
	default:
		return sentRequest{}
	}
}

func TestVisitorsAddress(t *testing.T) {
	tests := []struct {
		name      string
		peer      string
		forwarded []string
		want      string // "": none is sent
	}{
		{"no proxy", "192.0.2.7:1234", nil, "192.0.2.7"},
		{"no proxy, IPv6", "[2001:db8::7]:1234", nil, "2001:db8::7"},
		{"IPv6 with a zone", "[fe80::7%eth0]:1234", nil, "fe80::7"},
		{"IPv4 within IPv6", "[::ffff:192.0.2.7]:1234", nil, "192.0.2.7"},
		{"peer that claims to be a proxy", "192.0.2.7:1234", []string{"198.51.100.1"}, "192.0.2.7"},
		{"proxy", "10.1.2.3:1234", []string{"192.0.2.7"}, "192.0.2.7"},
		{"proxy within IPv6", "[::ffff:10.1.2.3]:1234", []string{"192.0.2.7"}, "192.0.2.7"},
		{"proxy by IPv6", "[fd00::1]:1234", []string{"2001:db8::7"}, "2001:db8::7"},
		{"spoofed", "10.1.2.3:1234", []string{"198.51.100.1, 192.0.2.7"}, "192.0.2.7"},
		{"spoofed on a line of its own", "10.1.2.3:1234", []string{"198.51.100.1", "192.0.2.7"}, "192.0.2.7"},
		{"spoofed with a proxy's address", "10.1.2.3:1234", []string{"10.9.9.9, 192.0.2.7"}, "192.0.2.7"},
		{"chain", "10.1.2.3:1234", []string{"198.51.100.1,192.0.2.7 , 10.0.0.2,10.0.0.1"}, "192.0.2.7"},
		{"chain on lines", "10.1.2.3:1234", []string{"192.0.2.7, fd00::2", "10.0.0.1"}, "192.0.2.7"},
		{"long chain", "10.1.2.3:1234", []string{"192.0.2.7" + strings.Repeat(",10.0.0.1", 1000)}, "192.0.2.7"},
		{"all proxies", "10.1.2.3:1234", []string{"10.0.0.2, 10.0.0.1"}, "10.0.0.2"},
		{"proxy that says nothing", "10.1.2.3:1234", nil, "10.1.2.3"},
		{"with ports", "10.1.2.3:1234", []string{"192.0.2.7:4711, 10.0.0.1:80"}, "192.0.2.7"},
		{"with ports, IPv6", "10.1.2.3:1234", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		{"garbage", "10.1.2.3:1234", []string{"192.0.2.7, unknown"}, ""},
		{"garbage further left", "10.1.2.3:1234", []string{"<script>, 192.0.2.7"}, "192.0.2.7"},
		{"empty", "10.1.2.3:1234", []string{""}, ""},
		{"ends with a comma", "10.1.2.3:1234", []string{"192.0.2.7,"}, ""},
		{"Unix socket", "@", []string{"192.0.2.7"}, ""},
		{"no peer", "pipe", []string{"192.0.2.7"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, &commercelayertest.Options{BackendAuth: "s3cr3t"})
				o := optionsFor(s)
				n := &tokenRequests{o.Base, make(chan sentRequest, 100)}
				o.Base, o.BackendAuth = n, "s3cr3t"
				o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
				c := newSalesChannel(t, o)
				o.TrustedProxies[0] = netip.MustParsePrefix("192.0.2.0/24") // too late
				b := openChannel(t, c).shopper()
				b.header["X-Peer"], b.header["X-Forwarded-For"] = []string{tt.peer}, tt.forwarded

				b.is(t, c, guest, bearer.StateGuest)
				if got, want := n.next(), (sentRequest{"client_credentials", "", "s3cr3t"}); got != want {
					t.Errorf("for the guests' token: %v, want %v", got, want)
				}
				b.login(t, c)
				if got, want := n.next(), (sentRequest{"password", tt.want, "s3cr3t"}); got != want {
					t.Errorf("for the login: %v, want %v", got, want)
				}
				pass(3*time.Hour + 59*time.Minute) // a refresh in the background
				b.do(t, func(ctx context.Context) { ask(ctx, c.Client(), "customers") })
				synctest.Wait()
				if got, want := n.next(), (sentRequest{"refresh_token", tt.want, "s3cr3t"}); got != want {
					t.Errorf("for the refresh: %v, want %v", got, want)
				}
				b.logout(t, c)
				for range 2 {
					if got, want := n.next(), (sentRequest{"", tt.want, "s3cr3t"}); got != want {
						t.Errorf("for the revocation: %v, want %v", got, want)
						break
					}
				}
			})
		})
	}
}

// Without the secret the address would be ignored, and so nobody is told.
func TestVisitorsAddressNeedsTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		n := &tokenRequests{o.Base, make(chan sentRequest, 100)}
		o.Base = n
		c := newSalesChannel(t, o)
		b := openChannel(t, c).shopper()
		b.header.Set("X-Peer", "192.0.2.7:1234")
		b.login(t, c)
		if got, want := n.next(), (sentRequest{"password", "", ""}); got != want {
			t.Errorf("for the login: %v, want %v", got, want)
		}
	})
}

// What a middleware further out knows better counts.
func TestVisitorsAddressFromElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		o := optionsFor(s)
		n := &tokenRequests{o.Base, make(chan sentRequest, 100)}
		o.Base, o.BackendAuth = n, "s3cr3t"
		c := newSalesChannel(t, o)
		b := open(t, func(next http.Handler) http.Handler {
			next = c.Middleware(nil)(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(commercelayer.WithClientIP(r.Context(), netip.MustParseAddr("192.0.2.7"))))
			})
		}).shopper()
		b.header.Set("X-Peer", "@")
		b.login(t, c)
		if got, want := n.next(), (sentRequest{"password", "192.0.2.7", "s3cr3t"}); got != want {
			t.Errorf("for the login: %v, want %v", got, want)
		}
	})
}

// With it the service's limit counts per shopper: 40 logins in a minute pass.
func TestRateLimitPerVisitor(t *testing.T) {
	for _, secret := range []string{"s3cr3t", ""} {
		synctest.Test(t, func(t *testing.T) {
			s := local(t, &commercelayertest.Options{BackendAuth: "s3cr3t"})
			o := optionsFor(s)
			o.BackendAuth = secret
			c := newSalesChannel(t, o)
			shop := openChannel(t, c)
			failed := 0
			for i := range 40 {
				b := shop.shopper()
				b.header.Set("X-Peer", netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 80).String())
				b.do(t, func(ctx context.Context) {
					if c.Login(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword) != nil {
						failed++
					}
				})
			}
			if (failed > 0) != (secret == "") {
				t.Errorf("with the secret %q, %d of 40 logins fail", secret, failed)
			}
		})
	}
}

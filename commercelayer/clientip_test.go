package commercelayer_test

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/tokenendpoint"
)

func TestClientIP(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	mapped := netip.MustParseAddr("::ffff:192.0.2.1")
	zone := netip.MustParseAddr("fe80::1%eth0")
	tests := []struct {
		name, backend string
		ctx, opt      netip.Addr
		want          string // of the grants for one customer
		shared        string // of client credentials
	}{
		{"in the context", "s3cr3t", v4, netip.Addr{}, "192.0.2.1", ""},
		{"as an option", "s3cr3t", netip.Addr{}, v6, "2001:db8::1", "2001:db8::1"},
		{"option before context", "s3cr3t", v4, v6, "2001:db8::1", "2001:db8::1"},
		{"mapped", "s3cr3t", mapped, netip.Addr{}, "192.0.2.1", ""},
		{"zone", "s3cr3t", zone, netip.Addr{}, "fe80::1", ""},
		{"none", "s3cr3t", netip.Addr{}, netip.Addr{}, "", ""},
		{"no backend auth", "", v4, v6, "", ""},
	}
	for _, tt := range tests {
		for name, ask := range grants {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				s := &stub{}
				c := newCredentials(t, "s", &commercelayer.Options{Base: s, BackendAuth: tt.backend})
				ctx := t.Context()
				if tt.ctx.IsValid() {
					ctx = commercelayer.WithClientIP(ctx, tt.ctx)
				}
				if _, err := ask(ctx, c, &commercelayer.GrantOptions{ClientIP: tt.opt}); err != nil {
					t.Fatal(err)
				}
				want := tt.want
				if name == "client_credentials" {
					want = tt.shared
				}
				if got := s.last(t).Header.Get("X-True-Client-Ip"); got != want {
					t.Errorf("x-true-client-ip = %q, want %q", got, want)
				}
			})
		}
	}
}

// With an address the service counts per shopper, so one shopper's 429 must not
// stop another's login.
func TestPausePerShopper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stub{answer: func(r stubRequest) (int, string, http.Header) {
			if r.Header.Get("X-True-Client-Ip") == "192.0.2.1" {
				return 429, `{"errors":[{"title":"Too many requests","code":"TOO_MANY_REQUESTS","status":429}]}`, http.Header{"Retry-After": {"60"}}
			}
			return 200, `{"access_token":"a"}`, nil
		}}
		c := newCredentials(t, "", &commercelayer.Options{Base: s, BackendAuth: "s3cr3t"})
		login := func(ip string) error {
			_, err := c.Password(commercelayer.WithClientIP(t.Context(), netip.MustParseAddr(ip)), "a@example.com", "p", nil)
			return err
		}
		var e *tokenendpoint.Error
		if err := login("192.0.2.1"); !errors.As(err, &e) || e.Code != "TOO_MANY_REQUESTS" || e.RetryAt.IsZero() {
			t.Errorf("error = %v, want the 429 with the time of the next try", err)
		}
		if err := login("192.0.2.1"); !errors.As(err, &e) || e.Attempts != 0 {
			t.Errorf("error = %v, want one without another request", err)
		}
		if err := login("192.0.2.2"); err != nil {
			t.Errorf("another shopper: %v", err)
		}
	})
}

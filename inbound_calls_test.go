package bearer_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

var errNotOurs = errors.New("s3cr3t: another provider's token")

// deeOnly lets only dee's tokens out, and notes what it was asked about.
type deeOnly struct{ asked string }

func (o *deeOnly) inbound(a *bearer.Authorization) error {
	o.asked += fmt.Sprint(a.Token.AccessToken, " ", a.Owner.ID, " ", a.Origin, ";")
	if a.Owner.ID != "dee" {
		return errNotOurs
	}
	return nil
}

// countRefused is a Refuser.
type countRefused struct {
	checker
	told int
}

func (v *countRefused) Refuse(string, time.Duration) { v.told++ }

// The request's own token goes out with the calls of a Storefront only if that lets it.
// Otherwise nothing is sent, least of all another token, and it is as good as before for
// all the rest.
func TestStorefrontInbound(t *testing.T) {
	tests := []struct {
		name, header string
		only         bool   // by CustomerOnly
		sent         string // to the API
		asked        string
		err          error // of the call
	}{
		{"let out", "Bearer dee.1", false, "Bearer dee.1;", "dee.1 dee header;", nil},
		{"let out, customers only", "Bearer dee.1", true, "Bearer dee.1;", "dee.1 dee header;", nil},
		{"kept back", "Bearer kim.1", false, "", "kim.1 kim header;", errNotOurs},
		{"kept back, customers only", "Bearer kim.1", true, "", "kim.1 kim header;", errNotOurs},
		{"guest's, kept back", "Bearer guest.1", false, "", "guest.1  header;", errNotOurs},
		{"guest's, customers only", "Bearer guest.1", true, "", "", bearer.ErrNoCustomer},
		{"none", "", false, "Bearer access-ann-1;", "", nil},
		{"none, customers only", "", true, "Bearer access-ann-1;", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var o deeOnly
				v := &countRefused{}
				s := newShop(t, &bearer.StorefrontOptions{Inbound: o.inbound}, &bearer.MiddlewareOptions{Verifier: v})
				sent := ""
				api := &bearer.Transport{Source: s.front, Base: pipe.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					sent += r.Header.Get("Authorization") + ";"
				}))}
				if tt.only {
					api.Source = s.front.CustomerOnly()
				}
				s.HandleFunc("/call", func(_ http.ResponseWriter, r *http.Request) {
					sess, _ := bearer.FromContext(r.Context())
					before, _ := sess.State(r.Context())
					req, _ := http.NewRequestWithContext(r.Context(), "GET", "https://api.test/", nil)
					resp, err := api.RoundTrip(req)
					if err == nil {
						resp.Body.Close()
					}
					if !errors.Is(err, tt.err) || err != nil && !strings.HasPrefix(err.Error(), "bearer: ") || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "s3cr3t") {
						t.Errorf("the call ends with %v, want %v", err, tt.err)
					}
					a, err := sess.Authorization(r.Context())
					after, _ := sess.State(r.Context())
					if err != nil || before != after || after == bearer.StateExpired {
						t.Errorf("after the call there are %v, %v and a %v, who was a %v before", a, err, after, before)
					}
					if in, ok := sess.Inbound(); ok != (tt.header != "") || ok && in != a {
						t.Errorf("Inbound = %v, %v, want %v", in, ok, a)
					}
				})
				b := s.tab(t)
				b.get("/login/ann")
				if r := b.get("/call", "Authorization", tt.header); r.status != 200 {
					t.Errorf("answered %d, want 200", r.status)
				}
				if sent != tt.sent || o.asked != tt.asked || v.told != 0 {
					t.Errorf("the API got %q, Inbound was asked about %q, and the Verifier told %d times to refuse; want %q, %q, 0", sent, o.asked, v.told, tt.sent, tt.asked)
				}
			})
		})
	}
}

// Each Storefront of a session is asked for itself, and again each time; not about a
// token that is good no longer.
func TestStorefrontInboundOfEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emptyShop()
		var o deeOnly
		s.front = s.storefront("it", &bearer.StorefrontOptions{Inbound: o.inbound})
		other := s.storefront("us", nil)
		s.open(t, &bearer.MiddlewareOptions{Verifier: &checker{}, Storefronts: []*bearer.Storefront{other}})
		s.HandleFunc("/both", func(_ http.ResponseWriter, r *http.Request) {
			sess, _ := bearer.FromContext(r.Context())
			there, _ := sess.For(other)
			for range 2 {
				if _, err := s.front.TokenContext(r.Context()); !errors.Is(err, errNotOurs) {
					t.Errorf("TokenContext: %v, want that of Inbound", err)
				}
				if tok, err := other.TokenContext(bearer.NewContext(r.Context(), there)); err != nil || tok.AccessToken != "kim.1" {
					t.Errorf("TokenContext of the other Storefront: %v, want kim's", err)
				}
			}
			pass(2 * time.Hour)
			if _, err := s.front.TokenContext(r.Context()); err != bearer.ErrCustomerExpired {
				t.Errorf("TokenContext later: %v, want ErrCustomerExpired", err)
			}
		})
		s.tab(t).want("/both", "", "Authorization", "Bearer kim.1")
		if want := "kim.1 kim header;kim.1 kim header;"; o.asked != want {
			t.Errorf("Inbound was asked about %q, want %q", o.asked, want)
		}
	})
}

package commercelayer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// collector is everything that anybody could read: the log, the events and what
// public values and errors print.
type collector struct {
	out  *syncBuffer
	opts *commercelayer.Options
}

func collect(s *commercelayertest.Server) *collector {
	logger, out := logs()
	c := &collector{out: out, opts: optionsFor(s)}
	c.opts.Logger = logger
	c.opts.BackendAuth = "s3cr3t-backend-auth"
	c.opts.Observer = func(_ context.Context, e bearer.Event) { fmt.Fprintf(out, "%s %v\n", e.Message(), e.LogValue()) }
	return c
}

func (c *collector) add(values ...any) {
	for _, v := range values {
		if v != nil {
			fmt.Fprintln(c.out, printed(v))
		}
	}
}

// Every fault of the service, met by every grant and by what keeps tokens: no
// secret is in any line.
func TestNoSecretGetsOut(t *testing.T) {
	faults := map[string]*commercelayertest.Fault{
		"none":          nil,
		"400":           {Status: 400},
		"401":           {Status: 401},
		"403":           {Status: 403},
		"429":           {Status: 429, RetryAfter: time.Minute},
		"500":           {Status: 500},
		"503":           {Status: 503, RetryAfter: time.Second},
		"redirect":      {Status: 307},
		"dropped first": {Drop: commercelayertest.DropBefore},
		"answer lost":   {Drop: commercelayertest.DropAfter},
		"cut off":       {Drop: commercelayertest.DropWithin},
		"malformed":     {Malformed: true},
		"other body":    {Body: `{"access_token":5}`},
		"echo":          {Body: `{"error":"s3cr3t-refresh","error_description":"s3cr3t-code s3cr3t-backend-auth"}`},
		"endless":       {Endless: true, Pace: time.Second},
		"slow":          {Delay: time.Minute},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, &commercelayertest.Options{RateLimit: commercelayertest.NoRateLimit})
				c := collect(s)
				secrets := []string{"s3cr3t", commercelayertest.IntegrationSecret, commercelayertest.WebappSecret, commercelayertest.SalesChannelSecret, commercelayertest.CustomerPassword}
				var mu sync.Mutex // guards secrets
				keep := func(token *bearer.Token) {
					mu.Lock()
					defer mu.Unlock()
					if token != nil {
						secrets = append(secrets, token.AccessToken)
						if token.RefreshToken != "" {
							secrets = append(secrets, token.RefreshToken)
						}
					}
				}
				c.opts.OnChange = func(_ context.Context, t *bearer.Token) error { keep(t); return fmt.Errorf("s3cr3t-of-storage") }
				integration, err := commercelayer.NewIntegration(commercelayertest.IntegrationID, commercelayertest.IntegrationSecret, c.opts)
				if err != nil {
					t.Fatal(err)
				}
				webapp := newWebapp(t, c.opts)
				exchange(t, s, webapp)
				ofChannel := *c.opts
				ofChannel.Scope = commercelayertest.MarketScope
				channel, err := commercelayer.NewCredentials(commercelayertest.SalesChannelID, commercelayertest.SalesChannelSecret, &ofChannel)
				if err != nil {
					t.Fatal(err)
				}
				shopper, err := channel.Password(t.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword, nil)
				if err != nil {
					t.Fatal(err)
				}
				keep(shopper)
				token, err := webapp.Token()
				if err != nil {
					t.Fatal(err)
				}
				keep(token)

				if fault != nil {
					for _, e := range []commercelayertest.Endpoint{commercelayertest.TokenEndpoint, commercelayertest.RevokeEndpoint} {
						f := *fault
						f.Endpoint = e
						s.Inject(f)
					}
				}
				ctx := commercelayer.WithClientIP(t.Context(), netip.MustParseAddr("192.0.2.1"))
				for grantName, ask := range grants {
					token, err := ask(ctx, channel, &commercelayer.GrantOptions{})
					keep(token)
					c.add(grantName, err)
				}
				token, err = channel.Password(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword, nil)
				keep(token)
				c.add(err)
				token, err = channel.RefreshToken(ctx, shopper.RefreshToken, &commercelayer.GrantOptions{Public: true})
				keep(token)
				c.add(err)
				assertion := mustAssertion(t, commercelayertest.CustomerID)
				keep(&bearer.Token{AccessToken: assertion})
				token, err = channel.JWTBearer(ctx, assertion, nil)
				keep(token)
				c.add(err)
				c.add(channel.Revoke(ctx, shopper.AccessToken, nil))

				for range 2 {
					token, err = integration.TokenContext(ctx)
					keep(token)
					c.add(err)
					if resp, err := integration.Client().Get(s.APIURL() + "/api/skus"); err != nil {
						c.add(err)
					} else {
						resp.Body.Close()
					}
					_, err = integration.CoreAPIURL(ctx)
					c.add(err)
					pass(3 * time.Hour)
					token, err = webapp.TokenContext(ctx)
					keep(token)
					c.add(err)
					c.add(webapp.Exchange(ctx, "s3cr3t-code", commercelayertest.WebappRedirectURI))
				}
				c.add(integration.RevokeAuthorization(ctx), webapp.RevokeAuthorization(ctx))
				c.add(integration, webapp, channel, *c.opts, c.opts, integration.Client(), webapp.Client(), commercelayer.ErrNotAuthorized, commercelayer.ErrAuthorizationEnded)
				synctest.Wait()

				mu.Lock()
				defer mu.Unlock()
				out := c.out.String()
				if !strings.Contains(out, "commercelayer.Integration{") {
					t.Fatalf("nothing was collected: %s", out)
				}
				for _, secret := range secrets {
					if i := strings.Index(out, secret); i >= 0 {
						t.Errorf("%q is in …%s…", secret, out[max(0, i-200):min(len(out), i+200)])
						return
					}
				}
			})
		})
	}
}

func TestPublicValuesPrintNoSecret(t *testing.T) {
	o := &commercelayer.Options{
		BackendAuth: "s3cr3t", ClientSecret: "s3cr3t", Initial: &bearer.Token{AccessToken: "s3cr3t", RefreshToken: "s3cr3t", Expiry: time.Now().Add(time.Hour)},
		Base: &stub{answer: func(stubRequest) (int, string, http.Header) { return 500, "s3cr3t", nil }},
	}
	i, err := commercelayer.NewIntegration("id", "s3cr3t", o)
	if err != nil {
		t.Fatal(err)
	}
	w, err := commercelayer.NewWebapp("id", "s3cr3t", o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := commercelayer.NewCredentials("id", "s3cr3t", o)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := commercelayer.NewSalesChannel("id", "market:code:europe", o)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{
		o, *o, i, w, c, channel, channel.Storefront(), channel.Client(), struct{ s *commercelayer.SalesChannel }{channel}, struct{ c *commercelayer.Credentials }{c}, struct{ i *commercelayer.Integration }{i}, struct{ w *commercelayer.Webapp }{w},
		struct{ O commercelayer.Options }{*o}, i.Client(),
	} {
		if s, ok := v.(fmt.Stringer); ok {
			for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x"} {
				if got, want := fmt.Sprintf(verb, v), s.String(); got != want {
					t.Errorf("%s of %T prints %s, want %s", verb, v, got, want)
				}
			}
		}
		if got := printed(v); strings.Contains(got, "s3cr3t") {
			t.Errorf("%T prints the secret: %s", v, got)
		}
	}
}

package commercelayer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// Whatever goes wrong in a shop: no token, password or session id is in any line,
// error or key.
func TestAShopTellsNoSecret(t *testing.T) {
	for name, fault := range map[string]commercelayertest.Fault{
		"none":        {},
		"400":         {Status: 400},
		"401":         {Status: 401},
		"429":         {Status: 429},
		"503":         {Status: 503},
		"answer lost": {Drop: commercelayertest.DropAfter},
		"malformed":   {Malformed: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := local(t, &commercelayertest.Options{RateLimit: commercelayertest.NoRateLimit})
				all := collect(s)
				store := newWatched()
				all.opts.Customers, all.opts.ClientSecret = store, commercelayertest.SalesChannelSecret
				c := newSalesChannel(t, all.opts)
				b := openChannel(t, c).shopper()
				b.login(t, c)
				token := b.tokens(t, c)
				secrets := []string{
					"s3cr3t", commercelayertest.CustomerPassword, commercelayertest.SalesChannelSecret,
					b.sessionID(), token.AccessToken, token.RefreshToken,
				}
				s.Inject(fault)
				for _, broken := range []error{nil, errors.New("s3cr3t-of-storage")} {
					store.fail(broken)
					b.do(t, func(ctx context.Context) {
						session, _ := bearer.FromContext(ctx)
						a, err := c.GetAuthorization(ctx)
						all.add(session, a, err)
						all.add(c.Login(ctx, commercelayertest.CustomerEmail, "s3cr3t"))
						all.add(c.LoginWithAssertion(ctx, "s3cr3t"))
						all.add(c.SetCustomer(ctx, &bearer.Token{AccessToken: "s3cr3t", RefreshToken: "s3cr3t"}))
						all.add(c.SetCustomer(ctx, &bearer.Token{AccessToken: jwtOf(map[string]any{"jti": "s3cr3t"})}))
						_, _, err = ask(ctx, c.Client(), "customers")
						all.add(err)
					})
					pass(5 * time.Hour)
					b.do(t, func(ctx context.Context) {
						_, _, err := ask(ctx, c.Client(), "customers")
						all.add(err, stateOf(ctx))
					})
				}
				b.do(t, func(ctx context.Context) { all.add(c.LogoutCustomer(ctx)) })
				all.add(c, c.Storefront(), *all.opts, commercelayer.Options{Customers: store, ClientSecret: "s3cr3t"})
				for _, w := range store.taken() {
					all.add(w.key)
				}
				synctest.Wait()
				out := all.out.String()
				for _, want := range []string{"commercelayer.SalesChannel{", "cl_customer-", "customer signed in", "storage of tokens failed"} {
					if !strings.Contains(out, want) {
						t.Fatalf("%q was not collected: %s", want, out)
					}
				}
				for i, secret := range secrets {
					if at := strings.Index(out, secret); at >= 0 {
						t.Errorf("secret %d is in …%s…", i, fmt.Sprint(out[max(0, at-200):min(len(out), at+50)]))
					}
				}
			})
		})
	}
}

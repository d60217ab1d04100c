package commercelayer_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/internal/pipe"
	"github.com/bearerkit/bearer/memstore"
)

// A token that the API has rejected is refused at the door for a minute. Then the API is
// asked anew: it may have been wrong.
func TestRejectedInbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		b := newBackend(t, s, nil)
		token := customerToken(t, s, ada)
		v, other := b.visitor(token), b.visitor(customerToken(t, s, ada))
		v.want(t, "Ada", "/ "+ada)
		const revoked = " 401 the token has been revoked"
		rejected := func() int { return s.Counts().APIInvalidToken }

		s.Revoke(token)
		if a := v.ask(t, "GET", "/"); a.body == ada {
			t.Errorf("with a revoked token the API answers %s", a.body)
		}
		if rejected() != 1 {
			t.Errorf("the API has seen the revoked token %d times, want once", rejected())
		}
		for range 3 {
			v.want(t, "Ada, revoked", "/"+revoked, "/token"+revoked, "/customer"+revoked, "/signed-in"+revoked)
			pass(19 * time.Second)
		}
		other.want(t, "Ada with another token", "/ "+ada, "/customer "+ada)
		if rejected() != 1 {
			t.Errorf("the API has seen the revoked token %d times, want no more than once", rejected())
		}
		pass(4 * time.Second)
		if a := v.ask(t, "GET", "/"); a.status != 200 || rejected() != 2 {
			t.Errorf("a minute later: %d, and the API has seen the token %d times; want it asked anew", a.status, rejected())
		}
		v.want(t, "Ada, revoked again", "/"+revoked)

		// A missing permission is not the token's fault.
		guest := b.visitor(guestToken(t, s))
		for range 3 {
			guest.want(t, "a guest who asks for customers", "/ a guest", "/genuine a guest")
		}
	})
}

// twoMarketsBackend is one shop for two markets, with routes below /europe and /usa.
func twoMarketsBackend(t *testing.T, s *commercelayertest.Server) *backend {
	t.Helper()
	o := optionsFor(s)
	o.Customers = memstore.New(nil)
	b := &backend{channel: newSalesChannel(t, o), verifier: newVerifier(t, s, nil)}
	usa, err := commercelayer.NewSalesChannel(commercelayertest.SalesChannelID, commercelayertest.OtherMarketScope, o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for name, channel := range map[string]*commercelayer.SalesChannel{"europe": b.channel, "usa": usa} {
		guest, err := channel.Token()
		if err != nil {
			t.Fatal(err)
		}
		c, err := commercelayer.DecodeUnverified(guest.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, whoIs(r.Context(), channel)) })
		mux.Handle("GET /"+name, who)
		mux.Handle("GET /"+name+"/only", b.verifier.Require(commercelayer.InMarket(c.Market.ID...), nil)(who))
		mux.HandleFunc("POST /"+name+"/login", func(w http.ResponseWriter, r *http.Request) {
			if err := channel.Login(r.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
				t.Errorf("Login: %v", err)
			}
		})
	}
	b.transport = pipe.Serve(t, b.channel.Middleware(&bearer.MiddlewareOptions{
		Verifier:    b.verifier,
		Storefronts: []*bearer.Storefront{usa.Storefront()},
		Pick: func(r *http.Request) *bearer.Storefront {
			if strings.HasPrefix(r.URL.Path, "/usa") {
				return usa.Storefront()
			}
			return nil
		},
	})(mux))
	t.Cleanup(synctest.Wait)
	return b
}

// A token goes out with the calls of whichever market is picked; InMarket keeps it to
// its own.
func TestVerifierOfSeveralMarkets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		b := twoMarketsBackend(t, s)
		b.visitor(customerToken(t, s, ada)).want(t, "Ada's token of Europe", "/europe "+ada, "/europe/only "+ada, "/usa "+ada, "/usa/only 403 "+notMarket)
		american := mustIssue(t, s, commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{
			Scope: commercelayertest.OtherMarketScope, Owner: commercelayertest.Owner{Type: "Customer", ID: grace}})
		b.visitor(american).want(t, "Grace's token of the USA", "/usa "+grace, "/usa/only "+grace, "/europe/only 403 "+notMarket)

		v := b.visitor("")
		v.want(t, "a guest", "/europe/only a guest", "/usa/only a guest")
		if a := v.ask(t, "POST", "/usa/login"); a.status != 200 {
			t.Fatalf("login: %d", a.status)
		}
		v.want(t, "Ada in the USA", "/usa/only "+ada, "/europe/only a guest")
		v.ask(t, "POST", "/europe/login")
		v.want(t, "Ada in both", "/usa/only "+ada, "/europe/only "+ada)
		v.token = american
		v.want(t, "Ada with Grace's token", "/usa/only "+grace, "/europe/only 403 "+notMarket)
		v.token = ""
		v.want(t, "Ada without", "/usa "+ada, "/europe "+ada)
	})
}

package commercelayer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/internal/pipe"
)

// backend is a shop that receives tokens too, under https://shop.example, in a bubble.
type backend struct {
	channel   *commercelayer.SalesChannel
	verifier  *commercelayer.Verifier
	transport http.RoundTripper
}

// newBackend has routes for whoever may be let through; each tells who the API says that
// the visitor is.
func newBackend(t *testing.T, s *commercelayertest.Server, o *bearer.MiddlewareOptions) *backend {
	t.Helper()
	b := &backend{channel: newSalesChannel(t, optionsFor(s)), verifier: newVerifier(t, s, nil)}
	europe, err := commercelayer.DecodeUnverified(guestToken(t, s))
	if err != nil {
		t.Fatal(err)
	}
	require := func(what commercelayer.Requirement) func(http.Handler) http.Handler {
		return b.verifier.Require(what, nil)
	}
	mux := http.NewServeMux()
	for path, let := range map[string]func(http.Handler) http.Handler{
		"/": func(h http.Handler) http.Handler { return h },
		// A session's token too is looked at by all that follow, but the first two.
		"/token":       bearer.RequireBearer(nil),
		"/signed-in":   bearer.RequireCustomer(nil),
		"/genuine":     require(commercelayer.All()),
		"/customer":    require(commercelayer.OfCustomer),
		"/ada":         require(commercelayer.OfOwner("Customer", commercelayertest.CustomerID)),
		"/integration": require(commercelayer.OfKind(commercelayer.KindIntegration)),
		"/client":      require(commercelayer.FromClient(commercelayertest.SalesChannelID)),
		"/market":      require(commercelayer.InMarket(europe.Market.ID...)),
		"/live":        require(commercelayer.InLiveMode),
		"/custom": require(func(c *commercelayer.Claims) error {
			if c.IsIntegration() {
				return nil
			}
			return errors.New("s3cr3t words of the application's own")
		}),
	} {
		mux.Handle("GET "+path, let(http.HandlerFunc(b.who)))
	}
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := b.channel.Login(r.Context(), commercelayertest.CustomerEmail, commercelayertest.CustomerPassword); err != nil {
			t.Errorf("Login: %v", err)
		}
	})
	if o == nil {
		o = &bearer.MiddlewareOptions{}
	}
	o.Verifier = b.verifier
	b.transport = pipe.Serve(t, b.channel.Middleware(o)(mux))
	t.Cleanup(synctest.Wait)
	return b
}

func (b *backend) who(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, whoIs(r.Context(), b.channel))
}

// visitor is one program or browser, with or without a token of its own.
type visitor struct {
	client *http.Client
	token  string // empty: none
	cookie string // in place of the jar's
}

func (b *backend) visitor(token string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	return &visitor{client: &http.Client{Transport: b.transport, Jar: jar}, token: token}
}

type answer struct {
	status    int
	challenge string
	header    http.Header
	body      string
}

func (v *visitor) ask(t *testing.T, method, path string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://shop.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	if v.token != "" {
		req.Header.Set("Authorization", "Bearer "+v.token)
	}
	if v.cookie != "" {
		req.Header.Set("Cookie", v.cookie)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if v.token != "" && strings.Contains(string(body)+fmt.Sprint(resp.Header), v.token[:20]) {
		t.Errorf("%s: the answer has the token in it", path)
	}
	return answer{resp.StatusCode, resp.Header.Get("WWW-Authenticate"), resp.Header, string(body)}
}

// want checks the answers to GETs, each written as the path and then
//
//	who               200, and whom the API took the visitor for
//	401               without a token: the challenge has no error
//	401 description   with error="invalid_token"
//	403 description   with error="insufficient_scope"
//	403               without a challenge: no token was brought
//	503               with Retry-After, without a challenge
//
// and checks the bodies of the latter, which are JSON:API's.
func (v *visitor) want(t *testing.T, who string, all ...string) {
	t.Helper()
	for _, one := range all {
		path, want, _ := strings.Cut(one, " ")
		status, description, _ := strings.Cut(want, " ")
		a := v.ask(t, "GET", path)
		challenge, code := "", ""
		switch status {
		case "401":
			challenge, code = `Bearer realm="bearer"`, "UNAUTHORIZED"
			if v.token != "" {
				challenge, code = challenge+`, error="invalid_token"`, "INVALID_TOKEN"
			}
		case "403":
			code = "FORBIDDEN"
			if v.token != "" {
				challenge = `Bearer realm="bearer", error="insufficient_scope"`
			}
		case "503":
			code = "SERVICE_UNAVAILABLE"
			if a.header.Get("Retry-After") == "" {
				t.Errorf("%s, %s: no Retry-After", who, path)
			}
		default:
			if a.status != 200 || a.body != want || a.challenge != "" {
				t.Errorf("%s, %s: %d %s %q, want %q", who, path, a.status, a.body, a.challenge, want)
			}
			continue
		}
		if challenge != "" && description != "" && v.token != "" {
			challenge += fmt.Sprintf(`, error_description="%s"`, description)
		}
		var doc struct {
			Errors []struct{ Title, Detail, Code, Status string }
		}
		err := json.Unmarshal([]byte(a.body), &doc)
		if err != nil || len(doc.Errors) != 1 || doc.Errors[0].Code != code || doc.Errors[0].Status != status || doc.Errors[0].Title == "" || doc.Errors[0].Detail == "" {
			t.Errorf("%s, %s: %s, want one error with the code %s", who, path, a.body, code)
		} else if description != "" && doc.Errors[0].Detail != description {
			t.Errorf("%s, %s: the detail is %q, want %q", who, path, doc.Errors[0].Detail, description)
		}
		if strings.Contains(a.body+a.challenge, "s3cr3t") {
			t.Errorf("%s, %s: more is shown than should be: %s %s", who, path, a.challenge, a.body)
		}
		if fmt.Sprint(a.status) != status || a.challenge != challenge || a.header.Get("Content-Type") != "application/vnd.api+json" {
			t.Errorf("%s, %s: %d with the challenge %q in %s, want %s with %q", who, path, a.status, a.challenge, a.header.Get("Content-Type"), status, challenge)
		}
	}
}

const (
	ada         = commercelayertest.CustomerID
	grace       = commercelayertest.OtherCustomerID
	allOfThem   = "nobody: 200, <nil>" // an application sees all customers
	notCustomer = "the token is not a customer's"
	notOwner    = "the token is of another owner"
	notKind     = "the token is of another kind of application"
	notClient   = "the token was issued to another client"
	notMarket   = "the token is for another market"
	notLive     = "the token is of the test mode"
)

// Who brings a token is whom it speaks for, on each route.
func TestRequireInbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		b := newBackend(t, s, nil)
		b.visitor(guestToken(t, s)).want(t, "a guest", "/ a guest", "/token a guest", "/genuine a guest", "/client a guest", "/market a guest",
			"/signed-in 403 "+notCustomer, "/customer 403 "+notCustomer, "/ada 403 "+notOwner, "/integration 403 "+notKind, "/live 403 "+notLive, "/custom 403")
		b.visitor(customerToken(t, s, ada)).want(t, "Ada", "/ "+ada, "/token "+ada, "/genuine "+ada, "/signed-in "+ada, "/customer "+ada, "/ada "+ada, "/client "+ada, "/market "+ada,
			"/integration 403 "+notKind, "/live 403 "+notLive, "/custom 403")
		b.visitor(customerToken(t, s, grace)).want(t, "Grace", "/ "+grace, "/signed-in "+grace, "/customer "+grace, "/ada 403 "+notOwner)
		b.visitor(mustIssue(t, s, commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{Scope: commercelayertest.OtherMarketScope})).want(t, "a guest of another market",
			"/ a guest", "/market 403 "+notMarket)
		b.visitor(mustIssue(t, s, commercelayertest.IntegrationID, nil)).want(t, "an integration", "/ "+allOfThem, "/token "+allOfThem, "/integration "+allOfThem, "/custom "+allOfThem,
			"/signed-in 403 "+notCustomer, "/customer 403 "+notCustomer, "/client 403 "+notClient, "/market 403 "+notMarket)

		// The user of a webapp is no customer, whatever the claims say of an owner.
		user := mustIssue(t, s, commercelayertest.WebappID, &commercelayertest.IssueOptions{Owner: commercelayertest.Owner{Type: "User", ID: ada}})
		b.visitor(user).want(t, "a webapp", "/ "+allOfThem, "/genuine "+allOfThem, "/signed-in 403 "+notCustomer, "/customer 403 "+notCustomer, "/ada 403 "+notOwner)
		c, err := b.verifier.Claims(t.Context(), user)
		if err != nil || c.Owner == nil || c.Owner.Type != "User" || c.Owner.ID != ada || c.IsGuest() || c.IsCustomer() {
			t.Errorf("a webapp's claims are %+v, %v, want the owner User", c, err)
		}

		foreign, err := commercelayertest.New(&commercelayertest.Options{Organization: commercelayertest.Organization{Slug: "another-shop"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct{ name, token, want string }{
			{"made up", jwtOf(map[string]any{"iss": "https://auth.commercelayer.io", "exp": time.Now().Add(time.Hour).Unix(), "owner": claimSet{"type": "Customer", "id": ada}}), "the token's signature is wrong"},
			{"of another organization", customerToken(t, foreign, ada), "the token is for another organization"},
			{"of a user", mustIssue(t, s, commercelayertest.UserClientID, nil), "the token is of a user of the service"},
			{"expired", mustIssue(t, s, commercelayertest.SalesChannelID, &commercelayertest.IssueOptions{Scope: commercelayertest.MarketScope, Life: -time.Minute}), "the token has expired"},
			{"no JWT", "s3cr3t-s3cr3t-s3cr3t-s3cr3t", "the token has not three parts"},
		} {
			b.visitor(tt.token).want(t, tt.name, "/ 401 "+tt.want, "/token 401 "+tt.want, "/customer 401 "+tt.want)
		}
		if n := s.Counts(); n.APIInvalidToken != 0 {
			t.Errorf("the API was shown %d tokens that are not good", n.APIInvalidToken)
		}
	})
}

// Sessions in cookies go through the same gates.
func TestRequireSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		b := newBackend(t, s, nil)
		v := b.visitor("")
		v.want(t, "a guest", "/ a guest", "/genuine a guest", "/client a guest", "/market a guest", "/token 401 Send an access token in the Authorization header.",
			"/signed-in 401 Sign in first.", "/customer 401 "+notCustomer, "/ada 401 "+notOwner, "/integration 401 "+notKind, "/custom 401 Sign in first.")
		if a := v.ask(t, "POST", "/login"); a.status != 200 {
			t.Fatalf("login: %d", a.status)
		}
		v.want(t, "Ada", "/ "+ada, "/genuine "+ada, "/signed-in "+ada, "/customer "+ada, "/ada "+ada, "/market "+ada, "/token 401",
			"/integration 403 "+notKind, "/live 403 "+notLive, "/custom 403")
		pass(5 * time.Hour) // her token is refreshed
		v.want(t, "Ada, later", "/customer "+ada, "/ada "+ada)

		// A token beside the cookie decides alone.
		v.token = customerToken(t, s, grace)
		v.want(t, "Ada with Grace's token", "/ "+grace, "/token "+grace, "/ada 403 "+notOwner)
		v.token = guestToken(t, s)
		v.want(t, "Ada with a guest's token", "/ a guest", "/customer 403 "+notCustomer)
		v.token = rawJWT("{}")
		if a := v.ask(t, "GET", "/customer"); a.status != 401 {
			t.Errorf("with a token that is not good: %d, want 401", a.status)
		}
		v.token = ""
		v.want(t, "Ada, without", "/ "+ada)
	})
}

// js-auth's plain cookie is what a visitor says of himself. Require does not believe it,
// RequireCustomer does.
func TestRequirePlainCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		carrier := commercelayer.NewJSAuthCookie(nil)
		b := newBackend(t, s, &bearer.MiddlewareOptions{Carrier: carrier})
		holding := func(token string) *visitor {
			w := httptest.NewRecorder()
			record, _ := json.Marshal(map[string]string{"accessToken": token, "scope": commercelayertest.MarketScope})
			if err := carrier.Save(w, "cl_customer-"+commercelayertest.SalesChannelID+"-"+commercelayertest.MarketScope, record, 0); err != nil {
				t.Fatal(err)
			}
			cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
			v := b.visitor("")
			v.cookie = cookie
			return v
		}
		good := customerToken(t, s, ada)
		holding(good).want(t, "Ada", "/ "+ada, "/signed-in "+ada, "/customer "+ada, "/ada "+ada)
		holding(customerToken(t, s, grace)).want(t, "Grace", "/customer "+grace, "/ada 403 "+notOwner)

		says := saying("sales_channel", claimSet{"owner": claimSet{"type": "Customer", "id": ada}, "application": claimSet{"id": "app1", "kind": "sales_channel", "client_id": commercelayertest.SalesChannelID}})
		parts := strings.Split(good, ".")
		for _, tt := range []struct{ name, token, why string }{
			{"unsigned", rawJWT(says), "the token's signature is wrong"},
			{"signed by another key", ours().sign(says), "the token's key is not in its issuer's key set"},
			{"altered", parts[0] + "." + strings.Split(rawJWT(says), ".")[1] + "." + parts[2], "the token's signature is wrong"},
			{"of an issuer of its own", rawJWT(strings.Replace(says, "auth.commercelayer.io", "auth.evil.example", 1)), "the token's issuer is unknown"},
		} {
			v := holding(tt.token)
			v.want(t, tt.name, "/genuine 403 "+tt.why, "/customer 403 "+tt.why, "/ada 403 "+tt.why, "/market 403 "+tt.why, "/custom 403 "+tt.why)
			if a := v.ask(t, "GET", "/signed-in"); a.status != 200 || a.body == ada {
				t.Errorf("%s: RequireCustomer answers %d %s, want it to let the cookie through, and the API not to", tt.name, a.status, a.body)
			}
		}
	})
}

// Nobody who brings a token is let through that cannot be looked at, and nobody is told
// that it is wrong. The tokens of our own sessions need no keys.
func TestRequireWithoutKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local(t, nil)
		b := newBackend(t, s, nil)
		s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.KeysEndpoint, Status: 503})
		known := b.visitor(customerToken(t, s, ada))
		known.want(t, "Ada with a token", "/ 503", "/token 503", "/customer 503")
		v := b.visitor("")
		v.want(t, "a guest", "/ a guest", "/signed-in 401", "/genuine a guest", "/customer 401")
		v.ask(t, "POST", "/login")
		v.want(t, "Ada", "/ "+ada, "/signed-in "+ada, "/customer "+ada)

		s.ClearFaults()
		pass(time.Minute)
		known.want(t, "Ada with a token, later", "/customer "+ada)
		v.want(t, "Ada, later", "/customer "+ada)
		s.Inject(commercelayertest.Fault{Endpoint: commercelayertest.KeysEndpoint, Status: 503})
		pass(3 * time.Hour)
		known.want(t, "Ada with a token, known keys", "/ "+ada, "/customer "+ada)
		b.visitor(customerToken(t, s, grace)).want(t, "Grace, known keys", "/customer "+grace)
	})
}

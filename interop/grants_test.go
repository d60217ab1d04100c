package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
	"github.com/bearerkit/bearer/tokenendpoint"
)

// granting is a grant that js-auth's own tests make.
type granting struct {
	name    string
	grant   string
	id      string // the client's
	secret  string
	options fields // of js-auth, besides
	ours    func(ctx context.Context, c *commercelayer.Credentials) (*bearer.Token, error)

	answer string // the names in js-auth's answer besides those of all grants, in order
	claims fields // the claims but exp, iat and rand, ids of things that js-auth does not know, and a market's
	market bool   // there is one
	wrong  *tokenendpoint.Error
}

// js-auth's own tests check 22 grants. The service answers so, and we understand it.
func TestChecksOfGrants(t *testing.T) {
	w := newService(t, commercelayertest.Options{})
	tests := slices.Concat(w.ordinaryGrants(t), w.assertedGrants(t))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			options := fields{"clientId": test.id, "domain": w.domain}
			if test.secret != "" {
				options["clientSecret"] = test.secret
			}
			maps.Copy(options, test.options)
			var answer map[string]json.RawMessage
			w.js.do(t, "authenticate", fields{"grant": test.grant, "options": options}, &answer)
			tok, err := test.ours(t.Context(), w.credentials(t, test.id, test.secret, w.base))
			if test.wrong != nil {
				wantRefused(t, answer, err, test.wrong)
				return
			}
			if err != nil {
				t.Fatal(err)
			}

			want := slices.Sorted(strings.FieldsSeq("accessToken createdAt expires expiresIn scope tokenType " + test.answer))
			if got := slices.Sorted(maps.Keys(answer)); !slices.Equal(got, want) {
				t.Fatalf("js-auth's answer has %v, want %v", got, want)
			}
			var js struct {
				authorization
				Expires   time.Time
				TokenType string
			}
			if err := json.Unmarshal([]byte(text(answer)), &js); err != nil {
				t.Fatal(err)
			}
			owner, _ := test.claims["owner"].(fields)
			if js.TokenType != "bearer" || tok.TokenType != "bearer" || !js.Expires.After(time.Now()) || js.Scope != test.claims["scope"] ||
				owner != nil && (js.OwnerType != strings.ToLower(owner["type"].(string)) || js.OwnerID != owner["id"]) {
				t.Errorf("js-auth's answer is a %s for %q with scope %s, until %v; ours is a %s", js.TokenType, js, js.Scope, js.Expires, tok.TokenType)
			}
			if d := tok.Expiry.Sub(js.Expires).Abs(); d > time.Minute {
				t.Errorf("our token expires %v from js-auth's", d)
			}
			if ours, has := tok.RefreshToken != "", js.RefreshToken != ""; ours != has {
				t.Errorf("we have a refresh token: %v, js-auth: %v", ours, has)
			}
			for who, token := range map[string]string{"js-auth": js.AccessToken, "we": tok.AccessToken} {
				wantClaims(t, w, who, token, test.claims, test.market)
			}
		})
	}
	if len(tests) != 22 {
		t.Errorf("there are %d checks, want 22", len(tests))
	}
}

// wantClaims checks what js-auth reads in a token that it or we have been given.
func wantClaims(t *testing.T, w *world, who, token string, want fields, market bool) {
	t.Helper()
	var d decodedByJS
	if err := w.library("jwtDecode", &d, token); err != nil {
		t.Fatal(err)
	}
	if h := object(t, d.Header); h["alg"] != "RS512" || h["typ"] != "JWT" {
		t.Errorf("%s: the header is %s", who, d.Header)
	}
	got := object(t, d.Payload)
	for _, name := range []string{"exp", "iat", "rand"} {
		if _, ok := got[name].(float64); !ok {
			t.Errorf("%s: %s is %v", who, name, got[name])
		}
		delete(got, name)
	}
	for _, name := range []string{"application", "organization"} {
		if o, ok := got[name].(map[string]any); ok {
			if id, _ := o["id"].(string); id == "" {
				t.Errorf("%s: the %s has no id", who, name)
			}
			delete(o, "id")
		}
	}
	if m, has := got["market"].(map[string]any); has != market || has && (m["id"] == nil || m["stock_location_ids"] == nil || m["geocoder_id"] != nil || m["allows_external_prices"] != false) {
		t.Errorf("%s: the market is %v, want one: %v", who, got["market"], market)
	}
	delete(got, "market")
	if text(got) != text(want) {
		t.Errorf("%s: the claims are\n%s, want\n%s", who, text(got), text(want))
	}
}

// wantRefused checks that js-auth's answer is an error alone, and what we make of it.
func wantRefused(t *testing.T, answer map[string]json.RawMessage, err error, want *tokenendpoint.Error) {
	t.Helper()
	var list []struct {
		Title, Detail, Code string
		Status              int
	}
	if json.Unmarshal(answer["errors"], &list) != nil || len(answer) != 1 || len(list) != 1 {
		t.Fatalf("js-auth's answer is %s", text(answer))
	}
	code := map[int]string{400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN"}[want.Status]
	if e := list[0]; e.Title != want.Code || e.Detail != want.Detail || e.Status != want.Status || e.Code != code {
		t.Errorf("js-auth's error is %+v, want %+v", e, want)
	}
	if e, ok := errors.AsType[*tokenendpoint.Error](err); !ok || e.Code != want.Code || e.Detail != want.Detail || e.Status != want.Status {
		t.Errorf("our error is %#v, want %+v", err, want)
	}
}

// credentials are those of a client of ours.
func (w *world) credentials(t *testing.T, id, secret string, base http.RoundTripper) *commercelayer.Credentials {
	t.Helper()
	c, err := commercelayer.NewCredentials(id, secret, &commercelayer.Options{Domain: w.domain, Base: base})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// granted are the claims of a token of an application's in the shop's organization.
func (w *world) granted(kind, id string, confidential bool, more fields) fields {
	return changed(fields{
		"application":  fields{"kind": kind, "client_id": id, "public": kind == "sales_channel", "confidential": confidential},
		"organization": fields{"slug": commercelayertest.Slug, "enterprise": true, "region": "eu-west-1"},
		"iss":          "https://auth." + w.domain, "scope": "market:all", "test": true,
	}, more)
}

func (w *world) ordinaryGrants(t *testing.T) []granting {
	t.Helper()
	own := func(scope string) func(context.Context, *commercelayer.Credentials) (*bearer.Token, error) {
		return func(ctx context.Context, c *commercelayer.Credentials) (*bearer.Token, error) {
			return c.ClientCredentials(ctx, &commercelayer.GrantOptions{Scope: scope})
		}
	}
	password := func(ctx context.Context, c *commercelayer.Credentials) (*bearer.Token, error) {
		return c.Password(ctx, commercelayertest.CustomerEmail, commercelayertest.CustomerPassword, &commercelayer.GrantOptions{Scope: market})
	}
	const credentials, store = "client_credentials", market + " store:code:milan"
	signedIn := fields{"scope": market, "owner": fields{"type": "Customer", "id": ada}}
	spent := w.issue(channelID, market, ada, time.Hour).RefreshToken
	return []granting{
		{name: "unknown client", grant: credentials, id: "nobody", options: fields{"scope": market}, ours: own(market), wrong: &tokenendpoint.Error{
			Status: 401, Code: "invalid_client",
			Detail: "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
		}},
		{name: "guest", grant: credentials, id: channelID, options: fields{"scope": market}, ours: own(market),
			claims: w.granted("sales_channel", channelID, false, fields{"scope": market}), market: true},
		{name: "guest in a store", grant: credentials, id: channelID, options: fields{"scope": store}, ours: own(store),
			claims: w.granted("sales_channel", channelID, false, fields{"scope": store}), market: true},
		{name: "integration", grant: credentials, id: jobsID, secret: commercelayertest.IntegrationSecret, ours: own(""),
			claims: w.granted("integration", jobsID, true, nil)},
		{name: "customer", grant: "password", id: channelID,
			options: fields{"scope": market, "username": commercelayertest.CustomerEmail, "password": commercelayertest.CustomerPassword}, ours: password,
			answer: "ownerId ownerType refreshToken", claims: w.granted("sales_channel", channelID, false, signedIn), market: true},
		{name: "refreshed customer", grant: "refresh_token", id: channelID, options: fields{"scope": market, "refreshToken": spent},
			ours: func(ctx context.Context, c *commercelayer.Credentials) (*bearer.Token, error) {
				before, err := password(ctx, c)
				if err != nil {
					return nil, err
				}
				after, err := c.RefreshToken(ctx, before.RefreshToken, &commercelayer.GrantOptions{Scope: market})
				if err == nil && (after.RefreshToken == before.RefreshToken || after.AccessToken == before.AccessToken) {
					err = errors.New("the tokens are those of before")
				}
				return after, err
			},
			answer: "ownerId ownerType refreshToken", claims: w.granted("sales_channel", channelID, false, signedIn), market: true},
		{name: "user", grant: credentials, id: commercelayertest.UserClientID, secret: commercelayertest.UserClientSecret, ours: own(""),
			claims: w.granted("user", commercelayertest.UserClientID, true, fields{
				"organization": nil, "user": fields{"id": commercelayertest.UserID}, "scope": "provisioning-api metrics-api", "test": false,
			})},
	}
}

// assertedGrants are by assertions, each side's own, of all applications that may.
func (w *world) assertedGrants(t *testing.T) (all []granting) {
	t.Helper()
	level := fields{"level": 3}
	customer, user := fields{"type": "Customer", "id": ada}, fields{"type": "User", "id": commercelayertest.UserID}
	for _, app := range []struct{ kind, id, secret string }{
		{"sales_channel", channelID, commercelayertest.SalesChannelSecret},
		{"integration", jobsID, commercelayertest.IntegrationSecret},
		{"webapp", commercelayertest.WebappID, commercelayertest.WebappSecret},
	} {
		for name, claims := range map[string]fields{
			"nothing": {}, "a custom claim": {"custom_claim": level}, "a user": {"owner": user},
			"a customer": {"owner": customer}, "a customer and a custom claim": {"owner": customer, "custom_claim": level},
		} {
			var js string
			w.js.do(t, "library", fields{"name": "createAssertion", "args": []any{fields{"payload": fields{assertionClaim: claims}}}}, &js)
			g := granting{
				name: app.kind + " for " + name, grant: jwtBearer, id: app.id, secret: app.secret, options: fields{"assertion": js},
				ours: func(ctx context.Context, c *commercelayer.Credentials) (*bearer.Token, error) {
					ours := js // which we do not make if it is empty
					if len(claims) > 0 {
						a := commercelayer.AssertionClaims{}
						if owner, ok := claims["owner"].(fields); ok {
							a.Owner = commercelayer.Owner{Type: owner["type"].(string), ID: owner["id"].(string)}
						}
						if claim, ok := claims["custom_claim"]; ok {
							a.CustomClaim = claim
						}
						var err error
						if ours, err = commercelayer.Assertion(a); err != nil {
							return nil, err
						}
					}
					return c.JWTBearer(ctx, ours, nil)
				},
				answer: "refreshToken", claims: w.granted(app.kind, app.id, true, claims),
			}
			switch {
			case len(claims) == 0:
				g.wrong = &tokenendpoint.Error{Status: 400, Code: "invalid_assertion", Detail: "The provided assertion is invalid."}
			case claims["owner"] != nil:
				g.answer += " ownerId ownerType"
			}
			all = append(all, g)
		}
	}
	return all
}

// js-auth's own tests check 5 revocations. The service carries them out, for us as well.
func TestChecksOfRevocation(t *testing.T) {
	partner := newAuthHost(t, "partner.test", partnerKey(), "partner")
	w := newService(t, commercelayertest.Options{})
	t.Run("no client", func(t *testing.T) {
		token := w.issue(jobsID, "market:all", "", time.Hour).AccessToken
		var answer map[string]json.RawMessage
		if err := w.library("revoke", &answer, fields{"clientSecret": commercelayertest.IntegrationSecret, "token": token}); err != nil {
			t.Fatal(err)
		}
		// We are a client always: this is another one's token.
		err := w.credentials(t, commercelayertest.WebappID, commercelayertest.WebappSecret, w.base).Revoke(t.Context(), token, nil)
		wantRefused(t, answer, err, &tokenendpoint.Error{Status: 403, Code: "unauthorized_client", Detail: "You are not authorized to revoke this token"})
		w.wantUsable(t, token, true)
	})
	for _, app := range []struct{ name, id, secret, scope string }{
		{"integration", jobsID, commercelayertest.IntegrationSecret, "market:all"},
		{"sales channel", channelID, commercelayertest.SalesChannelSecret, market},
	} {
		t.Run(app.name, func(t *testing.T) {
			token := func() string {
				token := w.issue(app.id, app.scope, "", time.Hour).AccessToken
				w.wantUsable(t, token, true)
				return token
			}
			js := token()
			var answer map[string]json.RawMessage
			if err := w.library("revoke", &answer, fields{"clientId": app.id, "clientSecret": app.secret, "token": js}); err != nil || answer == nil || len(answer) != 0 {
				t.Errorf("js-auth's answer is %s (%v), want {}", text(answer), err)
			}
			w.wantUsable(t, js, false)
			ours := token()
			if err := w.credentials(t, app.id, app.secret, w.base).Revoke(t.Context(), ours, nil); err != nil {
				t.Error(err)
			}
			w.wantUsable(t, ours, false)
		})
	}
	for name, issuer := range map[string]any{"no issuer": nil, "old issuer": "https://commercelayer.io"} {
		t.Run(name, func(t *testing.T) {
			token := partner.token(partner.header(nil), partner.claims(fields{"iss": issuer}))
			w.js.do(t, "asked", nil, nil)
			wantThrown(t, w.library("revoke", nil, fields{"token": token}), jsFetch)
			var asked []string
			w.js.do(t, "asked", nil, &asked)
			if want := []string{"https://auth.commercelayer.io/oauth/revoke"}; !reflect.DeepEqual(asked, want) {
				t.Errorf("js-auth asks for %q, want %q", asked, want)
			}
			// Where we send a secret no token tells us.
			us := &inspector{base: w.base, asked: map[string]int{}}
			if err := w.credentials(t, jobsID, commercelayertest.IntegrationSecret, us).Revoke(t.Context(), token, nil); err != nil {
				t.Error(err)
			}
			wantAsked(t, us, map[string]int{"auth." + w.domain: 1})
		})
	}
}

// wantUsable checks whether the Core API takes a token, and how it answers.
func (w *world) wantUsable(t *testing.T, token string, want bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+commercelayertest.Slug+"."+w.domain+"/api/skus?page[size]=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := w.base.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := object(t, body)
	if want {
		if resp.StatusCode != 200 || got["data"] == nil || got["meta"] == nil || got["links"] == nil {
			t.Errorf("the API answers %d: %s", resp.StatusCode, body)
		}
		return
	}
	refusal := []any{map[string]any{"title": "Invalid token", "detail": "The access token you provided is invalid.", "code": "INVALID_TOKEN", "status": "401"}}
	if resp.StatusCode != 401 || !reflect.DeepEqual(got["errors"], refusal) {
		t.Errorf("the API answers %d: %s, want that it refuses the token", resp.StatusCode, body)
	}
}

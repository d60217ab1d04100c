package interop_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// client is what speaks for itself, with one token for all: guests of a sales
// channel, an integration.
type client struct {
	name, id, scope string
	key             string
	js              func(w *world, name string) // makes js-auth's helper
	ours            func(w *world) ours         // makes that of a Go program which has just started
}

type ours interface {
	bearer.TokenSource
	RemoveAuthorization(ctx context.Context) error
	Client() *http.Client
}

func clients() []client {
	channel := func(scope string) client {
		return client{
			name: "guests of " + scope, id: channelID, scope: scope, key: guestKey(scope),
			js:   func(w *world, name string) { w.channel(name, "redis", scope) },
			ours: func(w *world) ours { return w.goChannel(scope) },
		}
	}
	integration := func(scope, kept string) client {
		return client{
			name: "integration with scope " + scope, id: jobsID, scope: kept, key: "cl_guest-" + jobsID + "-" + kept,
			js: func(w *world, name string) {
				options := fields{"clientId": jobsID, "clientSecret": commercelayertest.IntegrationSecret, "domain": w.domain}
				if scope != "" {
					options["scope"] = scope
				}
				w.js.do(w.t, "integration", fields{"name": name, "storage": "redis", "options": options}, nil)
			},
			ours: func(w *world) ours { return w.goIntegration(scope) },
		}
	}
	return []client{
		channel(market), channel(market + " stock_location:code:eu_warehouse"),
		integration("", "market:all"), integration("market:all", "market:all"), integration(market, market),
	}
}

// asked is what the service counts.
func asked(requests int) commercelayertest.Counts {
	return commercelayertest.Counts{TokenRequests: requests}
}

func TestOneTokenForBoth(t *testing.T) {
	w := newWorld(t)
	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.redis.Do("FLUSHALL")
			w.service.ResetCounts()
			c.js(w, c.name)

			a := w.has(c.name, "guest", "")
			w.wantRequests(asked(1))
			w.wantValue(c.key, record(a.AccessToken, c.scope, ""))
			w.wantLife(c.key, 0)
			if got := token(t, c.ours(w)); got != a.AccessToken {
				t.Error("what js-auth has requested is not what we read")
			}
			w.wantRequests(asked(0))
			w.wantValue(c.key, record(a.AccessToken, c.scope, ""))
			w.wantLife(c.key, 0) // read, and not touched

			w.redis.Do("FLUSHALL")
			if got := token(t, c.ours(w)); got != a.AccessToken { // which the service gives again
				t.Error("the service has given another token")
			}
			w.wantRequests(asked(1))
			w.wantValue(c.key, record(a.AccessToken, c.scope, "")) // byte for byte
			life := 4 * time.Hour
			if c.id == jobsID {
				life = 2 * time.Hour
			}
			w.wantLife(c.key, life)
			w.has(c.name, "guest", a.AccessToken)
			w.wantRequests(asked(0))
			if got := w.redis.Do("DBSIZE"); got != "1" {
				t.Errorf("%s keys are left, want the token's alone: %s", got, w.keys("*"))
			}

			// Removed by either, it is gone for who has not read it.
			w.call(c.name, "removeAuthorization")
			w.wantValue(c.key, "")
			us := c.ours(w)
			token(t, us)
			w.wantRequests(asked(1))
			if err := us.RemoveAuthorization(t.Context()); err != nil {
				t.Error(err)
			}
			w.wantValue(c.key, "")
			w.has(c.name, "guest", "")
			w.wantRequests(asked(1))
		})
	}
}

// Whoever finds that the token ends gets the next one for both.
func TestNextTokenForBoth(t *testing.T) {
	w := newWorld(t)
	for _, c := range clients() {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			c.js(w, c.name)
			for _, test := range []struct {
				name string
				left time.Duration
			}{{"9 minutes left", 9 * time.Minute}, {"expired", -time.Minute}} {
				old := w.issue(c.id, c.scope, "", test.left).AccessToken
				w.redis.Do("SET", c.key, record(old, c.scope, ""))
				w.service.ResetCounts()
				a := w.has(c.name, "guest", "")
				w.wantRequests(asked(1))
				if got := token(t, c.ours(w)); got != a.AccessToken || got == old {
					t.Errorf("%s: we do not read what js-auth has requested", test.name)
				}
				w.wantRequests(asked(0))
			}

			old := w.issue(c.id, c.scope, "", -time.Minute).AccessToken
			w.redis.Do("SET", c.key, record(old, c.scope, ""))
			w.service.ResetCounts()
			got := token(t, c.ours(w))
			w.wantRequests(asked(1))
			w.has(c.name, "guest", got)
			w.wantRequests(asked(0))
		})
	}
}

// A token that js-auth has revoked is replaced with no caller noticing. One that we
// have revoked is gone from the Redis before.
func TestRevokedByEither(t *testing.T) {
	w := newWorld(t)
	c := clients()[2]
	c.js(w, "jobs")
	i := w.goIntegration("")
	old := token(t, i)
	w.call("jobs", "revokeAuthorization")
	w.wantValue(c.key, "")
	w.service.ResetCounts()
	if got := get(t, i.Client(), w.service.APIURL()+"/api/skus"); got != http.StatusOK {
		t.Errorf("the API answers %d", got)
	}
	w.wantRequests(asked(1))
	now := token(t, i)
	if now == old {
		t.Error("the token is the one that was revoked")
	}
	w.has("jobs", "guest", now)

	if err := i.RevokeAuthorization(t.Context()); err != nil {
		t.Error(err)
	}
	w.wantRequests(commercelayertest.Counts{Revoked: 1})
	if a := w.has("jobs", "guest", ""); a.AccessToken == now {
		t.Error("js-auth has the token that was revoked")
	}
}

// An answer may name another scope than was asked for. js-auth keeps the token where
// it never looks, and asks each time; it finds what we keep.
func TestAnotherScope(t *testing.T) {
	w := newWorld(t)
	const other = market + " store:code:other"
	given := w.issue(channelID, market, "", time.Hour).AccessToken
	w.service.Inject(commercelayertest.Fault{
		Endpoint: commercelayertest.TokenEndpoint,
		Body:     `{"access_token":"` + given + `","token_type":"bearer","expires_in":3600,"scope":"` + other + `","created_at":1}`,
	})
	for range 2 {
		w.has("shop", "guest", given)
		w.wantRequests(asked(1))
	}
	w.wantValue(guestKey(other), record(given, other, ""))
	w.wantValue(guestKey(market), "")

	if got := token(t, w.goChannel(market)); got != given {
		t.Error("we have another token than was given")
	}
	w.wantRequests(asked(1))
	w.wantValue(guestKey(market), record(given, other, ""))
	token(t, w.goChannel(market))
	w.has("shop", "guest", given)
	w.wantRequests(asked(0))
}

// get asks for something and returns the status.
func get(t *testing.T, c *http.Client, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.api+json")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

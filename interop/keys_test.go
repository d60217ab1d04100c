package interop_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/commercelayer"
	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// A prefix is given to js-auth's storages in several ways, and to ours in one.
func TestPrefixes(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		name    string
		storage fields // with a driver's options under "driver"
		prefix  string // of ours
		there   string // what the key begins with
	}{
		{"none", nil, "", ""},
		{"base app", fields{"driver": fields{"base": "app"}}, "app", "app:"},
		{"base app:", fields{"driver": fields{"base": "app:"}}, "app:", "app:"},
		{"base :app", fields{"driver": fields{"base": ":app"}}, ":app", "app:"},
		{"base a:b", fields{"driver": fields{"base": "a:b"}}, "a:b", "a:b:"},
		{"base a/b", fields{"driver": fields{"base": "a/b"}}, "a/b", "a:b:"},
		{"prefixStorage", fields{"prefix": "app"}, "app", "app:"},
		{"prefixStorage app:", fields{"prefix": "app:"}, "app", "app:"},
		{"base and prefixStorage", fields{"driver": fields{"base": "a"}, "prefix": "b"}, "a:b", "a:b:"},
		{"mounted", fields{"mount": "app"}, "", ""},
		{"keyPrefix", fields{"driver": fields{"keyPrefix": "pre:"}}, "pre", "pre:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			w.redis.Do("FLUSHALL")
			w.service.ResetCounts()
			storage := fields{}
			maps.Copy(storage, test.storage)
			if driver, ok := storage["driver"].(fields); ok {
				storage["driver"] = w.driver(driver)
			}
			w.storage(test.name, storage)
			w.channel(test.name, test.name, market)

			a := w.has(test.name, "guest", "")
			w.wantValue(test.there+guestKey(market), record(a.AccessToken, market, ""))
			o := w.options()
			o.Storage = w.open(test.prefix)
			c, err := commercelayer.NewSalesChannel(channelID, market, o)
			if err != nil {
				t.Fatal(err)
			}
			if got := token(t, c); got != a.AccessToken {
				t.Error("we do not find it")
			}
			w.wantRequests(asked(1))
			if err := c.RemoveAuthorization(t.Context()); err != nil {
				t.Error(err)
			}
			if got := w.redis.Do("DBSIZE"); got != "0" {
				t.Errorf("%s keys are left: %s", got, w.keys("*"))
			}
			got := token(t, c)
			w.wantValue(test.there+guestKey(market), record(got, market, ""))
			w.service.ResetCounts()
			w.has(test.name, "guest", got)
			w.wantRequests(asked(0))
		})
	}
}

// What unstorage changes in a key, we refuse; what it leaves, we take, and js-auth
// finds it.
func TestKeysThatAreChanged(t *testing.T) {
	w := newWorld(t)
	var parts []string
	for _, c := range []string{"/", `\`, "?", ":", "::", ":/", "#", "%", "%3F", "&", "+", "=", "$", "*", "(", "[", "{", `"`, "'", "<", "|", "~", "^", "`", ";", ",", ".", "..", "-", "_", "@", "!", "ü", "日", "é́", "\U0001f600"} {
		parts = append(parts, c, c+"a", "a"+c, "a"+c+"b", "a"+c+c+"b")
	}
	type client struct{ id, scope string }
	var clients []client
	for _, part := range parts {
		clients = append(clients, client{part, market}, client{"id", part})
	}
	var keys []string
	for _, c := range clients {
		for _, kind := range []string{"guest", "customer"} {
			keys = append(keys, "cl_"+kind+"-"+c.id+"-"+c.scope)
		}
	}
	var changed []string
	w.js.do(t, "normalizeKey", fields{"keys": keys}, &changed)
	store := w.open("")
	taken := 0
	for i, c := range clients {
		same := keys[2*i] == changed[2*i]
		if ascii := strings.IndexFunc(c.scope, func(r rune) bool { return r >= 0x7f }) < 0; !ascii {
			continue // no scope has that, in whatever storage
		}
		o := &commercelayer.Options{Domain: w.domain, Base: w.base, Storage: store, Scope: c.scope}
		for name, make := range map[string]func() error{
			"integration":     func() error { _, err := commercelayer.NewIntegration(c.id, "secret", o); return err },
			"sales channel":   func() error { _, err := commercelayer.NewSalesChannel(c.id, c.scope, o); return err },
			"single customer": func() error { _, err := commercelayer.NewSingleCustomer(c.id, c.scope, o); return err },
		} {
			if err := make(); (err == nil) != same {
				t.Errorf("%s %q with scope %q, whose key js-auth makes %q: %v", name, c.id, c.scope, changed[2*i], err)
			}
		}
		if same {
			taken++
		}
	}
	if taken == 0 || taken == len(clients) {
		t.Errorf("%d of %d are taken", taken, len(clients))
	}

	// Without a storage nothing can become one with anything.
	if _, err := commercelayer.NewIntegration("a/b", "secret", &commercelayer.Options{Domain: w.domain}); err != nil {
		t.Error(err)
	}
}

// A name that only looks dangerous, in the real Redis.
func TestOddNames(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"ünï%3F&x=1", "$(x) *[a]", "a'b\"c", "日本"} {
		t.Run(id, func(t *testing.T) {
			w.t = t
			quoted, err := json.Marshal(id)
			if err != nil {
				t.Fatal(err)
			}
			left := claims(w.issue(jobsID, "market:all", "", 2*time.Hour).AccessToken, func(text string) string {
				return strings.Replace(text, `"`+jobsID+`"`, string(quoted), 1)
			})
			w.js.do(t, "setItem", fields{"storage": "redis", "key": "cl_guest-" + id + "-market:all", "value": fields{"accessToken": left, "scope": "market:all"}}, nil)
			o := w.options()
			c, err := commercelayer.NewIntegration(id, commercelayertest.IntegrationSecret, o)
			if err != nil {
				t.Fatal(err)
			}
			if got := token(t, c); got != left {
				t.Error("we do not find what js-auth has left")
			}
		})
	}
}

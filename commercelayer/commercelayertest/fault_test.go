package commercelayertest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestFaultStatus(t *testing.T) {
	tests := []struct {
		name  string
		fault clt.Fault
		title string
		retry string
	}{
		{"503", clt.Fault{Status: 503}, "Service Unavailable", ""},
		{"429", clt.Fault{Status: 429, RetryAfter: 1500 * time.Millisecond}, "Too many requests", "2"},
		{"401", clt.Fault{Status: 401}, "invalid_client", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil)
			k.server.Inject(tt.fault)
			a := k.ask(guest)
			equal(t, "status", a.status, tt.fault.Status)
			equal(t, "title", a.title(t), tt.title)
			equal(t, "Retry-After", a.header.Get("Retry-After"), tt.retry)
			equal(t, "issued", k.server.Counts().Issued, 0)
			k.server.ClearFaults()
			k.token(guest)
			equal(t, "faults", k.server.Counts().Faults, 1)
		})
	}
}

func TestFaultsFitAndEnd(t *testing.T) {
	k := newKit(t, nil)
	k.server.Inject(clt.Fault{Endpoint: clt.TokenEndpoint, Grant: "password", Status: 500, Times: 1})
	k.server.Inject(clt.Fault{Endpoint: clt.APIEndpoint, Status: 501, Times: 2})
	k.server.Inject(clt.Fault{Endpoint: clt.KeysEndpoint, Status: 502, Times: 1})
	k.server.Inject(clt.Fault{Endpoint: clt.APIEndpoint, Status: 504, Times: 1})

	token := k.token(guest).Access
	equal(t, "password", k.ask(password).status, 500)
	k.token(password)
	for i, want := range []int{501, 501, 504, 200} {
		a := k.api(token, "skus")
		equal(t, "API", a.status, want)
		if i == 0 && !strings.Contains(string(a.body), `"status":"501"`) {
			t.Errorf("an error of the API has no text for its status: %s", a.body)
		}
	}
	jwks := k.server.AuthURL() + "/.well-known/jwks.json"
	equal(t, "keys", k.do(k.request("GET", jwks, "")).status, 502)
	equal(t, "keys", k.do(k.request("GET", jwks, "")).status, 200)
}

// What the server did before the connection broke shows in what it says later.
func TestFaultDrop(t *testing.T) {
	tests := []struct {
		drop  clt.Drop
		spent bool
	}{{clt.DropBefore, false}, {clt.DropAfter, true}, {clt.DropWithin, true}}
	for _, tt := range tests {
		t.Run(string(tt.drop), func(t *testing.T) {
			k := newKit(t, nil)
			session := k.token(password)
			k.server.Inject(clt.Fault{Endpoint: clt.TokenEndpoint, Drop: tt.drop, Times: 1})
			request := refresh.with(fields{"refresh_token": session.Refresh})
			resp, err := k.client.Do(tokenRequest(k, request))
			if err == nil {
				var body []byte
				body, err = io.ReadAll(resp.Body)
				resp.Body.Close()
				if tt.drop != clt.DropWithin || resp.StatusCode != 200 || len(body) == 0 {
					t.Errorf("got status %d and %d bytes", resp.StatusCode, len(body))
				}
			}
			if err == nil {
				t.Fatal("the connection did not break")
			}
			log := k.server.Requests()
			equal(t, "fault in the log", log[len(log)-1].Fault, "drop "+string(tt.drop))
			equal(t, "status in the log", log[len(log)-1].Status, map[clt.Drop]int{clt.DropWithin: 200}[tt.drop])
			issued := 1
			status := 200
			if tt.spent {
				issued, status = 2, 400
			}
			equal(t, "issued", k.server.Counts().Issued, issued)
			equal(t, "sending the refresh token again", k.ask(request).status, status)
		})
	}
}

func TestFaultBodies(t *testing.T) {
	k := newKit(t, nil)
	k.server.Inject(clt.Fault{Malformed: true, Times: 1})
	a := k.ask(guest)
	equal(t, "status", a.status, 200)
	if json.Valid(a.body) || len(a.body) == 0 {
		t.Errorf("malformed: got %q", a.body)
	}
	equal(t, "issued", k.server.Counts().Issued, 1)

	k.server.Inject(clt.Fault{Body: `{"access_token":7}`, Times: 1})
	a = k.ask(guest)
	equal(t, "body", string(a.body), `{"access_token":7}`)
	equal(t, "status", a.status, 200)
}

func TestFaultEndless(t *testing.T) {
	t.Run("as fast as it is read", func(t *testing.T) {
		k := newKit(t, nil)
		k.server.Inject(clt.Fault{Endless: true})
		resp, err := k.client.Do(tokenRequest(k, guest))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if n, err := io.CopyN(io.Discard, resp.Body, 4<<20); err != nil {
			t.Errorf("the body ended after %d bytes: %v", n, err)
		}
	})
	t.Run("at a pace", func(t *testing.T) {
		bubble(t, nil, func(t *testing.T, k *kit) {
			k.server.Inject(clt.Fault{Endless: true, Pace: time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Millisecond)
			defer cancel()
			resp, err := k.client.Do(tokenRequest(k, guest).WithContext(ctx))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if ctx.Err() == nil || err == nil {
				t.Errorf("the body ended: %v", err)
			}
			equal(t, "bytes within a minute", len(body), len(`{"access_token":"`)+60)
		})
	})
}

func TestFaultDelay(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		k.server.Inject(clt.Fault{Endpoint: clt.TokenEndpoint, Delay: 3 * time.Second, Times: 2})
		start := time.Now()
		k.token(guest)
		equal(t, "time taken", time.Since(start), 3*time.Second)

		// Who leaves in the meantime gets nothing done.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := k.client.Do(tokenRequest(k, integration).WithContext(ctx))
		if err == nil {
			t.Error("the request did not wait")
		}
		synctest.Wait()
		equal(t, "issued", k.server.Counts().Issued, 1)
	})
}

// Who leaves during a delay has nothing made at the API either.
func TestFaultDelayOfAnOrder(t *testing.T) {
	bubble(t, nil, func(t *testing.T, k *kit) {
		token := k.token(guest).Access
		k.server.Inject(clt.Fault{Endpoint: clt.APIEndpoint, Delay: time.Minute, Times: 2})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := k.client.Do(orderRequest(k, token, 0).WithContext(ctx)); err == nil {
			t.Error("the request did not wait")
		}
		synctest.Wait()
		log := k.server.Requests()
		equal(t, "requests that have ended", len(log), 2)
		equal(t, "status", log[len(log)-1].Status, 0)
		pass(time.Hour)

		// Who stays is served, with the body that was read before.
		a := k.do(orderRequest(k, token, 0))
		equal(t, "status", a.status, 201)
		var doc struct{ Meta map[string]int }
		k.api(token, "orders").into(t, &doc)
		equal(t, "orders", doc.Meta["record_count"], 1)
	})
}

func TestFaultValidate(t *testing.T) {
	tests := []struct {
		name  string
		fault clt.Fault
		want  string // in the error; empty for none
	}{
		{"nothing", clt.Fault{}, ""},
		{"delay and status", clt.Fault{Delay: 1, Status: 503, RetryAfter: 1}, ""},
		{"two effects", clt.Fault{Status: 500, Malformed: true}, "one of Status"},
		{"no status", clt.Fault{Status: 99}, "200 to 599"},
		{"unknown endpoint", clt.Fault{Endpoint: "x"}, "Fault.Endpoint"},
		{"unknown drop", clt.Fault{Drop: "x"}, "Fault.Drop"},
		{"unknown grant", clt.Fault{Grant: "x"}, "Fault.Grant"},
		{"negative times", clt.Fault{Times: -1}, "Fault.Times"},
		{"negative delay", clt.Fault{Delay: -1}, "negative"},
		{"retry after nothing", clt.Fault{RetryAfter: 1}, "Status"},
		{"pace of nothing", clt.Fault{Pace: 1}, "Endless"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.fault.Validate()
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want something about %s", err, tt.want)
			}
			defer func() {
				if recover() == nil {
					t.Error("Inject took it")
				}
			}()
			clt.NewServer(nil).Inject(tt.fault)
		})
	}
}

var _ http.Handler = (*clt.Server)(nil)

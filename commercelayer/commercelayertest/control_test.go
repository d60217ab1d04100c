package commercelayertest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

const local = "http://127.0.0.1:4747/_local/"

func (k *kit) control(method, path, body string, header ...string) answer {
	k.t.Helper()
	return k.do(k.request(method, local+path, body, header...))
}

func TestControl(t *testing.T) {
	k := newKit(t, &clt.Options{UnsafeControl: true})
	equal(t, "health", string(k.control("GET", "health", "").body), `{"status":"ok"}`)
	token := k.token(integration).Access

	var counts clt.Counts
	k.control("GET", "counts", "").into(t, &counts)
	equal(t, "counts", counts, k.server.Counts())
	if metrics := string(k.control("GET", "metrics", "").body); !strings.Contains(metrics,
		"# TYPE commercelayer_local_issued_total counter\ncommercelayer_local_issued_total 1\n") {
		t.Errorf("metrics: %s", metrics)
	}
	var log []clt.Request
	k.control("GET", "requests", "").into(t, &log)
	equal(t, "requests", len(log), 1)

	equal(t, "inject", k.control("POST", "faults", `{"endpoint":"api","status":429,"retry_after":"2s","delay":"1ms"}`).status, 204)
	a := k.api(token, "skus")
	equal(t, "fault", a.status, 429)
	equal(t, "Retry-After", a.header.Get("Retry-After"), "2")
	equal(t, "clear", k.control("DELETE", "faults", "").status, 204)
	equal(t, "no fault", k.api(token, "skus").status, 200)

	equal(t, "revoke", string(k.control("POST", "revoke", `{"token":"`+token+`"}`).body), `{"revoked":true}`)
	equal(t, "revoked", k.good(token), false)
	for _, path := range []string{"revoke-all", "expire-all", "roll-keys?drop_old=true"} {
		token = k.token(integration).Access
		equal(t, path, k.control("POST", path, "").status, 204)
		equal(t, "token after "+path, k.good(token), false)
	}
	equal(t, "keys", len(k.keySet().Keys), 1)
	equal(t, "roll keys", k.control("POST", "roll-keys", "").status, 204)
	equal(t, "keys", len(k.keySet().Keys), 2)
	equal(t, "reset", k.control("DELETE", "counts", "").status, 200)
	equal(t, "counts after it", k.server.Counts(), clt.Counts{})
}

func TestControlErrors(t *testing.T) {
	k := newKit(t, &clt.Options{UnsafeControl: true})
	for _, tt := range []struct{ method, path, body, want string }{
		{"POST", "faults", `{"endpoint":"x"}`, "Fault.Endpoint"},
		{"POST", "faults", `{"stats":500}`, "stats"},
		{"POST", "faults", `{"delay":7}`, "JSON"},
		{"POST", "faults", `{"delay":"soon"}`, "duration"},
		{"POST", "faults", `{} {}`, "more"},
		{"POST", "faults", ``, "JSON"},
		{"POST", "roll-keys?drop_old=maybe", "", "drop_old"},
	} {
		a := k.control(tt.method, tt.path, tt.body)
		var doc struct{ Error string }
		a.into(t, &doc)
		if a.status != 400 || !strings.Contains(doc.Error, tt.want) {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, a.status, a.body)
		}
	}
	equal(t, "unknown", k.control("GET", "nonsense", "").status, 404)
	equal(t, "revoke-all by GET", k.control("GET", "revoke-all", "").status, 405)
	k.token(integration)
}

// A page in a browser must not be able to end tokens, nor to read what happened.
func TestControlIsGuarded(t *testing.T) {
	server := clt.NewServer(&clt.Options{UnsafeControl: true, Domain: "shop.test"})
	tests := []struct {
		name, method, host, remote string
		header                     http.Header
		status                     int
	}{
		{"a program", "POST", "127.0.0.1:4747", "127.0.0.1:9", nil, 204},
		{"a program, IPv6", "POST", "[::1]:4747", "[::1]:9", nil, 204},
		{"a program, by name", "POST", "auth.shop.test", "127.0.0.1:9", nil, 204},
		{"its own page", "POST", "localhost:4747", "127.0.0.1:9", http.Header{"Origin": {"http://localhost:4747"}, "Sec-Fetch-Site": {"same-origin"}}, 204},
		{"the address bar", "GET", "localhost:4747", "127.0.0.1:9", http.Header{"Sec-Fetch-Site": {"none"}}, 405},
		{"a page of another site", "POST", "127.0.0.1:4747", "127.0.0.1:9", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"a page of the same site", "POST", "auth.shop.test", "127.0.0.1:9", http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		{"a page of an old browser", "POST", "127.0.0.1:4747", "127.0.0.1:9", http.Header{"Origin": {"http://evil.example"}}, 403},
		{"a page that reads", "GET", "127.0.0.1:4747", "127.0.0.1:9", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"a rebound name", "POST", "evil.example:4747", "127.0.0.1:9", nil, 404},
		{"another machine", "POST", "127.0.0.1:4747", "192.0.2.1:9", nil, 403},
		{"nobody knows who", "POST", "127.0.0.1:4747", "@", nil, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/_local/expire-all", nil)
			r.Host, r.RemoteAddr = tt.host, tt.remote
			maps.Copy(r.Header, tt.header)
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			equal(t, "status", w.Code, tt.status)
			equal(t, "CORS", w.Header().Get("Access-Control-Allow-Origin") == "" || tt.status == 404, true)
		})
	}
}

func TestControlIsOffByDefault(t *testing.T) {
	k := newKit(t, nil)
	for _, url := range []string{local + "health", k.server.AuthURL() + "/_local/health", k.server.APIURL() + "/_local/health"} {
		equal(t, url, k.do(k.request("GET", url, "")).status, 404)
	}
}

// A fault that is asked for is either refused, with the reason, or in place.
func FuzzControlFault(f *testing.F) {
	f.Add(`{"endpoint":"token","status":503,"times":1}`)
	f.Add(`{"drop":"after","delay":"-1s"}`)
	f.Fuzz(func(t *testing.T, body string) {
		server := clt.NewServer(&clt.Options{UnsafeControl: true})
		r := httptest.NewRequest("POST", local+"faults", strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		var doc struct{ Error string }
		switch w.Code {
		case http.StatusNoContent:
		case http.StatusBadRequest:
			if json.Unmarshal(w.Body.Bytes(), &doc) != nil || doc.Error == "" {
				t.Errorf("no reason: %s", w.Body)
			}
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}

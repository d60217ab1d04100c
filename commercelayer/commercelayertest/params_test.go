package commercelayertest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestBodies(t *testing.T) {
	good := `{"grant_type":"client_credentials","client_id":"` + clt.SalesChannelID + `"`
	tests := []struct {
		name, contentType, body string
		status                  int
	}{
		{"unknown fields of any type", "application/json", good + `,"x":1,"y":{"z":[null]}}`, 200},
		{"null is absent", "application/json", good + `,"scope":null,"client_secret":null}`, 200},
		{"names are exact", "application/json", good + `,"Scope":"nonsense"}`, 200},
		{"empty", "application/json", "", 400},
		{"cut off", "application/json", good, 400},
		{"more behind it", "application/json", good + `} {}`, 400},
		{"list", "application/json", "[]", 400},
		{"null", "application/json", "null", 400},
		{"number for a text", "application/json", good + `,"scope":7}`, 400},
		{"object for a text", "application/json", good + `,"client_secret":{}}`, 400},
		{"deep", "application/json", strings.Repeat("[", 20000), 400},
		{"form", "application/x-www-form-urlencoded", "grant_type=client_credentials&client_id=" + clt.SalesChannelID + "&x=1&x=2", 200},
		{"form with a field twice", "application/x-www-form-urlencoded", "grant_type=client_credentials&client_id=a&client_id=b", 400},
		{"form with bad escapes", "application/x-www-form-urlencoded", "grant_type=%zz", 400},
		{"another type", "text/plain", good + "}", 415},
		{"a type that is none", ";;", good + "}", 415},
		{"too large", "application/json", good + `,"x":"` + strings.Repeat("a", 64<<10) + `"}`, 413},
	}
	k := newKit(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &kit{t, k.server, k.client}
			a := k.do(k.request("POST", k.server.TokenURL(), tt.body, "Content-Type", tt.contentType))
			if a.status != tt.status {
				t.Fatalf("status: got %d, want %d: %s", a.status, tt.status, a.body)
			}
			if a.status != 200 {
				equal(t, "title", a.title(t), "invalid_request")
			}
		})
	}
}

// Whatever is sent to the token endpoint, the answer is a token document or an
// error document whose status is the response's.
func FuzzTokenRequest(f *testing.F) {
	server := clt.NewServer(&clt.Options{RateLimit: clt.NoRateLimit})
	f.Add("application/json", `{"grant_type":"client_credentials","client_id":"`+clt.SalesChannelID+`"}`)
	f.Add("application/json", `{"grant_type":1}`)
	f.Add("application/x-www-form-urlencoded", "grant_type=password&client_id="+clt.SalesChannelID+"&username=a&password=b")
	f.Add("", "{")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		r := httptest.NewRequest("POST", server.TokenURL(), strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		var doc struct {
			AccessToken string `json:"access_token"`
			Errors      []struct{ Status int }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatalf("body %q: %v", w.Body, err)
		}
		if w.Code == http.StatusOK {
			if doc.AccessToken == "" || doc.Errors != nil {
				t.Errorf("200 with %s", w.Body)
			}
			return
		}
		if w.Code >= 500 || doc.AccessToken != "" || len(doc.Errors) != 1 || doc.Errors[0].Status != w.Code {
			t.Errorf("status %d with %s", w.Code, w.Body)
		}
	})
}

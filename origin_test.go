package bearer_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/bearerkit/bearer"
)

// world answers for all hosts: a path /to?u redirects to u, and records who got
// the token.
type world struct {
	status int
	got    []string
}

func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	auth := req.Header.Get("Authorization")
	if req.Body != nil {
		req.Body.Close()
	}
	w.got = append(w.got, fmt.Sprintf("%s://%s %s", req.URL.Scheme, req.URL.Host, auth))
	resp := &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}, Request: req}
	if req.URL.Path == "/to" {
		resp.StatusCode = w.status
		resp.Header.Set("Location", req.URL.RawQuery)
	}
	return resp, nil
}

func TestTransportRedirects(t *testing.T) {
	tests := []struct {
		name string
		url  string
		want []string
	}{
		{"same origin", "https://a.test/to?https://a.test/", []string{"https://a.test T", "https://a.test T"}},
		{"same origin, written otherwise", "https://a.test/to?HTTPS://A.test:443/", []string{"https://a.test T", "https://A.test:443 T"}},
		{"another host", "https://a.test/to?https://b.test/", []string{"https://a.test T", "https://b.test "}},
		{"a host below it", "https://a.test/to?https://x.a.test/", []string{"https://a.test T", "https://x.a.test "}},
		{"another port", "https://a.test/to?https://a.test:8443/", []string{"https://a.test T", "https://a.test:8443 "}},
		{"down from https", "https://a.test/to?http://a.test/", []string{"https://a.test T", "http://a.test "}},
		{"there and back", "https://a.test/to?https://b.test/to?https://a.test/", []string{"https://a.test T", "https://b.test ", "https://a.test "}},
		{"there and on", "https://a.test/to?https://b.test/to?https://b.test/", []string{"https://a.test T", "https://b.test ", "https://b.test "}},
		{"with a user in the address", "https://a.test/to?https://a.test@b.test/", []string{"https://a.test T", "https://b.test "}},
	}
	for _, tt := range tests {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for _, keep := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %d %v", tt.name, status, keep), func(t *testing.T) {
					w := &world{status: status}
					client := &http.Client{Transport: &bearer.Transport{Source: static("T"), Base: w, KeepAuthorization: keep}}
					resp, err := client.Post(tt.url, "text/plain", strings.NewReader("body"))
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					got := strings.ReplaceAll(strings.Join(w.got, "|"), "Bearer ", "")
					if want := strings.Join(tt.want, "|"); got != want && !strings.Contains(tt.name, "user") {
						t.Errorf("sent %s, want %s", got, want)
					}
					if strings.Contains(tt.name, "user") && strings.Contains(w.got[1], "Bearer") {
						t.Errorf("sent %s", w.got[1])
					}
				})
			}
		}
	}
}

func TestTransportRedirectDropsCallersHeader(t *testing.T) {
	// net/http itself sends a caller's header on to hosts below the first one.
	w := &world{status: 302}
	client := &http.Client{Transport: &bearer.Transport{Source: static("T"), Base: w}}
	req, _ := http.NewRequest("GET", "https://a.test/to?https://x.a.test/", nil)
	req.Header.Set("Authorization", "Basic of a browser")
	if _, err := client.Do(req); err != nil {
		t.Fatal(err)
	}
	if want := "https://x.a.test "; w.got[1] != want {
		t.Errorf("sent %q, want %q", w.got[1], want)
	}
}

func TestTransportChainThatCannotBeFollowed(t *testing.T) {
	loop, _ := http.NewRequest("GET", "https://a.test/", nil)
	loop.Response = &http.Response{Request: loop}
	first, _ := http.NewRequest("GET", "https://a.test/", nil)
	tests := []struct {
		name string
		from *http.Response
		want string
	}{
		{"no redirect", nil, "Bearer T"},
		{"from the same origin", &http.Response{Request: first}, "Bearer T"},
		{"a response without request", &http.Response{}, ""},
		{"a request without URL", &http.Response{Request: &http.Request{}}, ""},
		{"a circle", &http.Response{Request: loop}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			tr := &bearer.Transport{Source: static("T"), Base: roundTripFunc(func(r *http.Request) (*http.Response, error) {
				got = r.Header.Get("Authorization")
				return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
			})}
			req, _ := http.NewRequest("GET", "https://a.test/", nil)
			req.Response = tt.from
			if _, err := tr.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("sent Authorization %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTransportOrigins(t *testing.T) {
	allowed := []string{"https://api.test", "http://127.0.0.1:8080", "https://*.shop.test", "https://[::1]:99", "https://*.0.0.1"}
	tests := []struct {
		url  string
		want bool
	}{
		{"https://api.test/x", true},
		{"https://API.test:443/", true},
		{"https://api.test./", true},
		{"http://api.test/", false},
		{"https://api.test:444/", false},
		{"https://xapi.test/", false},
		{"https://api.test.evil.test/", false},
		{"http://127.0.0.1:8080/", true},
		{"http://127.0.0.1:8081/", false},
		{"https://a.shop.test/", true},
		{"https://a.b.shop.test/", true},
		{"https://shop.test/", false},
		{"https://ashop.test/", false},
		{"https://.shop.test/", false},
		{"https://a.shop.test.evil.test/", false},
		{"https://127.0.0.1/", false},
		{"https://[::1]:99/", true},
		{"https://[::1]/", false},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			w := &world{}
			var seen events
			tr := &bearer.Transport{Source: static("T"), Base: w, Origins: allowed, Observer: seen.observe}
			req, err := http.NewRequest("GET", tt.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Basic of a browser")
			if _, err := tr.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
			if got := strings.HasSuffix(w.got[0], " Bearer T"); got != tt.want {
				t.Errorf("sent %q, want the token: %v", w.got[0], tt.want)
			}
			if !tt.want && !strings.HasSuffix(w.got[0], " ") {
				t.Errorf("sent %q, want no Authorization", w.got[0])
			}
			if told := len(eventsOf[bearer.TokenWithheld](&seen)) == 1; told == tt.want {
				t.Errorf("TokenWithheld told: %v", told)
			}
		})
	}
}

func TestTransportBadOrigins(t *testing.T) {
	for _, bad := range []string{"api.test", "", "https://", "//api.test", "https//api.test", "https://%"} {
		t.Run(bad, func(t *testing.T) {
			w := &world{}
			tr := &bearer.Transport{Source: static("T"), Base: w, Origins: []string{bad, "https://good.test"}}
			body := &oneShot{Reader: strings.NewReader("body")}
			req, _ := http.NewRequest("POST", "https://api.test/", body)
			if _, err := tr.RoundTrip(req); err == nil || !strings.Contains(err.Error(), "Origins") || len(w.got) > 0 {
				t.Errorf("got %v, sent %v; want an error that names Origins, nothing sent", err, w.got)
			}
			if n := body.closed.Load(); n != 1 {
				t.Errorf("the body was closed %d times, want once", n)
			}
			req, _ = http.NewRequest("GET", "https://good.test/", nil)
			if _, err := tr.RoundTrip(req); err != nil {
				t.Errorf("to an origin that is allowed: %v", err)
			}
		})
	}
}

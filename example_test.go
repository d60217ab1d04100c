package bearer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// authServer is a token endpoint and an API for the examples. The API takes only
// the token issued last.
func authServer() (url string, requests *atomic.Int32, stop func()) {
	requests = new(atomic.Int32)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"access_token": fmt.Sprintf("token-%d", requests.Add(1)), "token_type": "bearer", "expires_in": 7200,
		})
	})
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) { requests.Add(100) })
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", requests.Load()) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, "invalid token", http.StatusUnauthorized)
			return
		}
		io.WriteString(w, "hello")
	})
	srv := httptest.NewServer(mux)
	return srv.URL, requests, srv.Close
}

// A client for an API with client credentials, from x/oauth2's own request.
func ExampleNewClient() {
	url, requests, stop := authServer()
	defer stop()

	cfg := clientcredentials.Config{ClientID: "id", ClientSecret: "secret", TokenURL: url + "/token"}
	client := bearer.NewClient(bearer.NewSource(cfg.Token, nil), nil)

	for range 3 {
		resp, err := client.Get(url + "/api")
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, string(body))
	}
	fmt.Println(requests.Load(), "token request")
	// Output:
	// 200 hello
	// 200 hello
	// 200 hello
	// 1 token request
}

// What you have for oauth2.Transport fits.
func ExampleTransport() {
	url, _, stop := authServer()
	defer stop()
	cfg := clientcredentials.Config{ClientID: "id", ClientSecret: "secret", TokenURL: url + "/token"}
	src := cfg.TokenSource(context.Background()) // any oauth2.TokenSource

	client := &http.Client{Transport: &bearer.Transport{Source: src, Base: http.DefaultTransport}}

	resp, err := client.Get(url + "/api")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 200
}

// A revoked token costs the caller nothing.
func ExampleTransport_replay() {
	url, _, stop := authServer()
	defer stop()
	cfg := clientcredentials.Config{ClientID: "id", ClientSecret: "secret", TokenURL: url + "/token"}
	client := &http.Client{Transport: &bearer.Transport{
		Source: bearer.NewSource(cfg.Token, nil),
		Observer: func(_ context.Context, e bearer.Event) {
			fmt.Println("-", e.Message())
		},
	}}
	post := func() {
		resp, err := client.Post(url+"/api", "text/plain", strings.NewReader("order"))
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode)
	}

	post()
	http.Post(url+"/revoke", "", nil)
	post()
	// Output:
	// 200
	// - request replayed with a new token
	// 200
}

// A source that keeps its token across runs of a program, through a refresh token.
func ExampleNewSource() {
	var file *bearer.Token // stands for a file
	src := bearer.NewSource(
		func(ctx context.Context) (*bearer.Token, error) {
			return nil, fmt.Errorf("nobody is signed in") // a new one would need the user
		},
		&bearer.SourceOptions{
			Initial: &bearer.Token{RefreshToken: "saved by an earlier run"},
			Refresh: func(ctx context.Context, old *bearer.Token) (*bearer.Token, error) {
				return &bearer.Token{AccessToken: "new", RefreshToken: "rotated", Expiry: time.Now().Add(time.Hour)}, nil
			},
			OnChange: func(ctx context.Context, t *bearer.Token) error {
				file = t
				return nil
			},
		})

	token, err := src.TokenContext(context.Background())
	fmt.Println(token.AccessToken, err)
	fmt.Println("saved:", file.RefreshToken)
	// Output:
	// new <nil>
	// saved: rotated
}

// In the place of oauth2.ReuseTokenSource.
func ExampleReuseTokenSource() {
	var slow oauth2.TokenSource = oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "from src"})
	saved := &oauth2.Token{AccessToken: "saved", Expiry: time.Now().Add(time.Hour)}

	src := bearer.ReuseTokenSource(saved, slow)

	token, err := src.Token()
	fmt.Println(token.AccessToken, err)
	// Output: saved <nil>
}

func ExampleSource_Evict() {
	n := 0
	src := bearer.NewSource(func(context.Context) (*bearer.Token, error) {
		n++
		return &bearer.Token{AccessToken: fmt.Sprintf("token-%d", n)}, nil
	}, nil)

	ctx := context.Background()
	first, _ := src.TokenContext(ctx)
	src.Evict(ctx, first) // a server rejected it; Transport does this
	second, _ := src.TokenContext(ctx)
	src.Evict(ctx, first) // a late rejection of the old one changes nothing
	third, _ := src.TokenContext(ctx)
	fmt.Println(first.AccessToken, second.AccessToken, third.AccessToken)
	// Output: token-1 token-2 token-2
}

func ExampleSource_Forget() {
	src := bearer.NewSource(func(context.Context) (*bearer.Token, error) {
		return &bearer.Token{AccessToken: "abc"}, nil
	}, nil)
	src.Token()

	held := src.Forget() // now it can be revoked
	fmt.Println(held.AccessToken)
	fmt.Println(src.Forget())
	// Output:
	// abc
	// <nil>
}

// Everything that happens to the token, in the log of your choice. To count it
// instead, switch on the type of the event in an Observer.
func ExampleLogEvents() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == "time" || a.Key == "took" || a.Key == "next_try" { // not the same twice
				return slog.Attr{}
			}
			return a
		},
	}))
	src := bearer.NewSource(func(context.Context) (*bearer.Token, error) {
		return &bearer.Token{AccessToken: "never logged"}, nil
	}, &bearer.SourceOptions{Name: "shop", Observer: bearer.LogEvents(log)})

	src.Token()
	// Output: level=INFO msg="token requested" source=shop reason=missing
}

// An API of its own ways: it answers 403 with a header.
func ExampleTokenRejected() {
	rejected := func(resp *http.Response) bool {
		return resp.Header.Get("X-Session") == "expired" || bearer.TokenRejected(resp)
	}
	_ = &bearer.Transport{Rejected: rejected}

	fmt.Println(rejected(&http.Response{StatusCode: 403, Header: http.Header{"X-Session": {"expired"}}}))
	fmt.Println(rejected(&http.Response{StatusCode: 403}))
	fmt.Println(rejected(&http.Response{StatusCode: 401}))
	// Output:
	// true
	// false
	// true
}

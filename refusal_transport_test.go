package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
	"github.com/bearerkit/bearer/internal/pipe"
)

// The Transport of another program takes our refusals for what they are: it gets
// another token for one that is not valid, and for nothing else.
func TestRefusalToTransport(t *testing.T) {
	tests := []struct {
		name, first, path string
		header            []string
		want              string // statuses of two calls
		requests          int    // for tokens
		seen              int
	}{
		{"good", "dee.%d", "/account", nil, "200 200", 1, 2},
		{"refused", "eve.%d", "/account", nil, "200 200", 2, 3},
		{"refused, to a browser's program", "eve.%d", "/account", []string{"Accept", "text/html"}, "200 200", 2, 3},
		{"not enough", "guest.%d", "/account", nil, "403 403", 1, 2},
		{"lost on the way", "dee.%d", "/lost", []string{"Accept", "application/vnd.api+json"}, "401 401", 1, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen, requests := 0, 0
				h := bearer.Middleware(bearer.NewStorefront(nil, nil), &bearer.MiddlewareOptions{Verifier: &checker{}})(bearer.RequireCustomer(nil)(quiet))
				server := pipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					seen++
					if r.URL.Path == "/lost" {
						r.Header.Del("Authorization")
					}
					h.ServeHTTP(w, r)
				}))
				src := bearer.NewSource(func(context.Context) (*bearer.Token, error) {
					requests++
					name := tt.first
					if requests > 1 {
						name = "dee.%d"
					}
					return &bearer.Token{AccessToken: fmt.Sprintf(name, requests), Expiry: time.Now().Add(time.Hour)}, nil
				}, nil)
				client := bearer.NewClient(src, server)
				var statuses []string
				for range 2 {
					req, _ := http.NewRequest("GET", "https://api.test"+tt.path, nil)
					for i := 0; i < len(tt.header); i += 2 {
						req.Header.Set(tt.header[i], tt.header[i+1])
					}
					resp, err := client.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					statuses = append(statuses, strconv.Itoa(resp.StatusCode))
				}
				if got := strings.Join(statuses, " "); got != tt.want || requests != tt.requests || seen != tt.seen {
					t.Errorf("answered %s after %d token requests and %d calls, want %s, %d and %d", got, requests, seen, tt.want, tt.requests, tt.seen)
				}
			})
		})
	}
}

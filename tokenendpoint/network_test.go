package tokenendpoint_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bearerkit/bearer/tokenendpoint"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// On real sockets, with the transports that people use.

func TestOverTLS(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(ok))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		t.Cleanup(srv.Close)
		o := &tokenendpoint.Options{ClientID: "c", ClientSecret: "s3cr3t", Base: srv.Client().Transport}
		c, err := tokenendpoint.New(srv.URL, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Token(t.Context(), refresh); err != nil {
			t.Errorf("HTTP/2 %v: %v", http2, err)
		}
	}
}

func TestUntrustedCertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	patient := new(http.Transport) // the default one tries again after ten seconds without a handshake
	c, err := tokenendpoint.New(srv.URL, &tokenendpoint.Options{ClientID: "c", Base: patient})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Token(t.Context(), clientCredentials)
	var e *tokenendpoint.Error
	if !errors.As(err, &e) || e.Attempts != 1 || e.MayHaveActed || !strings.Contains(err.Error(), "cannot be trusted") {
		t.Errorf("error = %v after %d attempts, want one about trust after 1", err, e.Attempts)
	}
}

// nobody listens there: no system gives this port to who asks for any.
const nobody = "http://127.0.0.1:1"

// A refused connection is tried again even for a refresh token: it cannot have
// been used.
func TestRefusedConnection(t *testing.T) {
	c, err := tokenendpoint.New(nobody+"/token", &tokenendpoint.Options{ClientID: "c", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Token(t.Context(), refresh)
	var e *tokenendpoint.Error
	if !errors.As(err, &e) || e.Attempts != 3 || e.MayHaveActed {
		t.Errorf("error = %v, want one after 3 attempts without MayHaveActed", err)
	}
}

// A connection that was kept open and dies under the request has carried it.
func TestRequestLostOnAKeptConnection(t *testing.T) {
	var n atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 1 {
			drop(w, r)
		}
		ok(w, r)
	}))
	t.Cleanup(srv.Close)
	c, err := tokenendpoint.New(srv.URL, &tokenendpoint.Options{ClientID: "c", Base: srv.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Token(t.Context(), refresh); err != nil {
		t.Fatal(err)
	}
	_, err = c.Token(t.Context(), refresh)
	var e *tokenendpoint.Error
	if !errors.As(err, &e) || !e.MayHaveActed || n.Load() != 2 {
		t.Errorf("error = %v after %d requests, want one with MayHaveActed after 2", err, n.Load())
	}
}

// The same server, the same answers: what x/oauth2's client makes of them is
// what ours makes of them.
func TestAgreesWithOAuth2(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"token", ok},
		{"more members", answer(200, `{"access_token":"a","token_type":"bearer","expires_in":"60","id_token":"x","created_at":12}`)},
		{"invalid client", answer(401, `{"error":"invalid_client","error_description":"no"}`)},
		{"too many", answer(429, `{"error":"slow_down"}`, "Retry-After", "77")},
		{"failing", answer(500, `oops`)},
		{"200 with an error", answer(200, `{"error":"invalid_scope"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.handler)
			peer := clientcredentials.Config{ClientID: "my-client", ClientSecret: "s3cr3t", TokenURL: tokenURL, Scopes: []string{"market:all"}, AuthStyle: oauth2.AuthStyleInParams}
			ctx := oauth2WithBase(t, s)
			want, wantErr := peer.Token(ctx)
			theirs := s.last()
			c := newClient(t, s, func(o *tokenendpoint.Options) { o.ClientSecret = "s3cr3t"; o.MaxRetries = -1 })
			r, gotErr := c.Token(t.Context(), clientCredentials)
			if ours := s.last(); ours.Body != theirs.Body || ours.ContentType != theirs.ContentType {
				t.Errorf("request = %q %q, want %q %q", ours.ContentType, ours.Body, theirs.ContentType, theirs.Body)
			}
			if wantErr != nil {
				var a, b *oauth2.RetrieveError
				if !errors.As(wantErr, &a) || !errors.As(gotErr, &b) {
					t.Fatalf("errors = %v and %v, want two RetrieveErrors", wantErr, gotErr)
				}
				wantCode, wantBody := a.ErrorCode, string(a.Body)
				if a.Response.StatusCode == 200 {
					wantBody = "" // ours does not show what came with a success
				}
				if b.Response.StatusCode != a.Response.StatusCode || b.ErrorCode != wantCode || string(b.Body) != wantBody ||
					b.ErrorDescription != a.ErrorDescription || b.Response.Header.Get("Retry-After") != a.Response.Header.Get("Retry-After") || b.Response.Status != a.Response.Status {
					t.Errorf("RetrieveError = %+v, want %+v", b, a)
				}
				return
			}
			if gotErr != nil {
				t.Fatal(gotErr)
			}
			got := r.Token
			if got.AccessToken != want.AccessToken || got.TokenType != want.TokenType || got.Expiry.Sub(want.Expiry).Abs() > time.Minute {
				t.Errorf("token differs from oauth2's")
			}
			for _, name := range []string{"scope", "id_token", "created_at", "expires_in", "absent"} {
				if got.Extra(name) != want.Extra(name) {
					t.Errorf("Extra(%q) = %v, want %v", name, got.Extra(name), want.Extra(name))
				}
			}
		})
	}
}

func TestWhatIsWrongWithTheAddress(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	tests := []struct{ name, url, want string }{
		{"https to a plain port", strings.Replace(plain.URL, "http:", "https:", 1), "does not speak TLS"},
		{"nobody listens", nobody, "connection refused: check the address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tokenendpoint.New(tt.url, &tokenendpoint.Options{ClientID: "id", MaxRetries: -1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Token(t.Context(), clientCredentials); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q in it", err, tt.want)
			}
		})
	}
}

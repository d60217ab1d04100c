package tokenendpoint_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer/tokenendpoint"
	"golang.org/x/oauth2"
)

// Every fault, with a server that repeats all that it was sent: none of it is
// in any text.
func TestNoSecretGetsOut(t *testing.T) {
	secrets := []string{"s3cr3t-of-client", "p4ssw0rd-of-a", "refresh-token-0", "code-0-of-user", "assertion.of.user", "backend-secret", "access-secret", "a@example.com"}
	echo := func(status int, format string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			all := strings.Join(secrets, " ") + " " + r.Header.Get("Authorization")
			w.Header().Set("Location", "https://evil.example/"+url.PathEscape(all))
			w.Header().Set("Set-Cookie", "a=s3cr3t-of-client")
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(status)
			fmt.Fprintf(w, format, all)
		}
	}
	faults := map[string]http.HandlerFunc{
		"description":    echo(400, `{"error":"invalid_grant","error_description":%q}`),
		"code":           echo(400, `{"error":%q}`),
		"short code":     func(w http.ResponseWriter, r *http.Request) { answer(400, `{"error":"p4ssw0rd-of-a"}`)(w, r) },
		"escaped code":   func(w http.ResponseWriter, r *http.Request) { answer(400, `{"error":"\u00704ssw0rd-of-a"}`)(w, r) },
		"list":           echo(401, `{"errors":[{"title":"invalid_client","detail":%q,"code":"UNAUTHORIZED"}]}`),
		"title":          echo(401, `{"errors":[{"title":%q}]}`),
		"not JSON":       echo(500, `%s`),
		"too many":       echo(429, `%s`),
		"unavailable":    echo(503, `%s`),
		"redirect":       echo(307, `%s`),
		"unusable":       echo(200, `%s`),
		"unusable token": func(w http.ResponseWriter, r *http.Request) { answer(200, `{"access_token":"access-secret\n"}`)(w, r) },
		"dropped":        drop,
	}
	for _, style := range []tokenendpoint.AuthStyle{tokenendpoint.InBody, tokenendpoint.InHeader} {
		for name, fault := range faults {
			for grant, g := range grants() {
				t.Run(fmt.Sprint(name, "/", grant, "/", style), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						logger, out := logs()
						c := newClient(t, serve(t, fault), func(o *tokenendpoint.Options) {
							o.AuthStyle, o.Logger = style, logger
							o.Header = http.Header{"X-Backend-Auth": {"backend-secret"}}
						})
						_, err := c.Token(t.Context(), g)
						if err == nil {
							t.Fatal("no error")
						}
						logger.Error("failed", "err", err, "client", c, "grant", g)
						text := printed(err) + printed(c) + printed(g) + printed(&g) + out.String()
						var re *oauth2.RetrieveError
						if errors.As(err, &re) && !errors.Is(err, io.EOF) {
							// What oauth2 prints is the server's text, so what repeats a secret of
							// this request must not be there.
							sent := strings.Join(append(g.Params["password"], g.Params.Get("refresh_token"), g.Params.Get("code"), g.Params.Get("assertion"), "s3cr3t-of-client", "backend-secret"), " ")
							for secret := range strings.FieldsSeq(sent) {
								if strings.Contains(fmt.Sprintf("%v %+v", re, re.Response), secret) {
									t.Errorf("the RetrieveError holds %s: %v", secret, re)
								}
							}
						}
						basic := base64.StdEncoding.EncodeToString([]byte("my-client:s3cr3t-of-client"))
						for _, secret := range append(secrets, basic) {
							// The server can invent texts; a well-formed word of its own may be shown as a code.
							if strings.Contains(text, secret) && !(strings.HasSuffix(name, "code") && grant != "password") {
								t.Errorf("%q is in %s", secret, text)
							}
						}
					})
				})
			}
		}
	}
}

// An answer that repeats one thing that was sent, in one form, is withheld.
func TestEchoesAreWithheld(t *testing.T) {
	odd := `s3 cr3t/"é"`
	tests := []struct{ name, echo string }{
		{"nothing of it", ""},
		{"secret", odd},
		{"secret, escaped for a query", url.QueryEscape(odd)},
		{"secret, escaped for a path", url.PathEscape(odd)},
		{"secret, escaped for JSON", `s3 cr3t/\"\u00e9\"`},
		{"basic", base64.StdEncoding.EncodeToString([]byte("my-client:" + url.QueryEscape(odd)))},
		{"password", "p4ssw0rd-of-a"},
		{"header of the options", "backend-secret"},
		{"header of the grant", "grant-header-secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			echo := tt.echo
			if !strings.Contains(echo, `\u`) {
				b, err := json.Marshal(echo)
				if err != nil {
					t.Fatal(err)
				}
				echo = string(b[1 : len(b)-1])
			}
			body := `{"error":"invalid_grant","error_description":"sent: ` + echo + `"}`
			c := newClient(t, nil, func(o *tokenendpoint.Options) {
				answering(400, body)(o)
				o.ClientSecret, o.AuthStyle = odd, tokenendpoint.InHeader
				o.Header = http.Header{"X-Backend-Auth": {"backend-secret"}}
			})
			g := password
			g.Header = http.Header{"X-Grant": {"grant-header-secret"}}
			_, err := c.Token(t.Context(), g)
			var e *tokenendpoint.Error
			var re *oauth2.RetrieveError
			if !errors.As(err, &e) || !errors.As(err, &re) || e.Code != "invalid_grant" {
				t.Fatalf("error = %v, want invalid_grant", err)
			}
			want := tt.echo != ""
			if got := e.Detail == "" && len(re.Body) == 0 && re.ErrorDescription == ""; got != want {
				t.Errorf("withheld: %v, want %v; the body is %q", got, want, re.Body)
			}
			if strings.Contains(printed(err), "sent:") {
				t.Errorf("printing shows the server's text: %s", printed(err))
			}
		})
	}
}

// The length of this secret is for others to choose.
func TestShortBackendAuthIsWithheld(t *testing.T) {
	for _, in := range []string{"options", "grant"} {
		c := newClient(t, nil, func(o *tokenendpoint.Options) {
			answering(400, `{"error":"invalid_request","error_description":"bad header hunter2"}`)(o)
			if in == "options" {
				o.Header = http.Header{"x-backend-auth": {"hunter2"}}
			}
		})
		g := clientCredentials
		if in == "grant" {
			g.Header = http.Header{"x-backend-auth": {"hunter2"}}
		}
		_, err := c.Token(t.Context(), g)
		var e *tokenendpoint.Error
		var re *oauth2.RetrieveError
		if !errors.As(err, &e) || !errors.As(err, &re) || e.Detail != "" || len(re.Body) != 0 {
			t.Errorf("in the %s: error = %v with %q and %q, want one without the server's text", in, err, e.Detail, re.Body)
		}
	}
}

func TestShownHeaders(t *testing.T) {
	s := serve(t, answer(400, `{"error":"invalid_request"}`,
		"Set-Cookie", "a=b", "Location", "/a", "Content-Location", "/a?b=c", "Refresh", "1; url=/a", "X-Request-Id", "17",
		"X-Debug", "secret=s3cr3t-of-client", "X-Escaped", url.QueryEscape("s3 cr3t/of-header")))
	c := newClient(t, s, func(o *tokenendpoint.Options) { o.Header = http.Header{"X-Auth": {"s3 cr3t/of-header"}} })
	_, err := c.Token(t.Context(), clientCredentials)
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) {
		t.Fatalf("error = %v, want a RetrieveError", err)
	}
	h := re.Response.Header
	for _, name := range []string{"Set-Cookie", "Location", "Content-Location", "Refresh", "X-Debug", "X-Escaped"} {
		if h.Get(name) != "" {
			t.Errorf("%s is shown", name)
		}
	}
	if h.Get("X-Request-Id") != "17" {
		t.Errorf("X-Request-Id = %q, want 17", h.Get("X-Request-Id"))
	}
}

func TestPublicValuesPrintNoSecret(t *testing.T) {
	o := tokenendpoint.Options{ClientID: "my-client", ClientSecret: "s3cr3t", Header: http.Header{"X-Auth": {"s3cr3t"}}}
	c, err := tokenendpoint.New(tokenURL+"?key=s3cr3t", &o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newClient(t, nil, answering(200, `{"access_token":"s3cr3t","refresh_token":"s3cr3t","id_token":"s3cr3t"}`)).Token(t.Context(), clientCredentials)
	if err != nil {
		t.Fatal(err)
	}
	g := tokenendpoint.Grant{Type: "password", Params: url.Values{"password": {"s3cr3t"}}, Header: http.Header{"X-Auth": {"s3cr3t"}}}
	for _, v := range []any{o, &o, c, r, *r, g, &g, tokenendpoint.RevokeOptions{Header: g.Header}, &tokenendpoint.RevokeOptions{Header: g.Header}} {
		if got := printed(v); strings.Contains(got, "s3cr3t") {
			t.Errorf("%T prints the secret: %s", v, got)
		}
	}
}

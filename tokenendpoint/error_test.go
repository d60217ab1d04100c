package tokenendpoint_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bearerkit/bearer/tokenendpoint"
	"golang.org/x/oauth2"
)

func TestErrorBodies(t *testing.T) {
	tests := []struct {
		name, body           string
		status               int
		code, detail, inText string
	}{
		{"RFC 6749", `{"error":"invalid_grant","error_description":"The token is gone.","error_uri":"https://x.example/"}`, 400, "invalid_grant", "The token is gone.", "invalid_grant"},
		{"RFC 6749, code alone", `{"error":"invalid_scope"}`, 400, "invalid_scope", "", "invalid_scope"},
		{"list", `{"errors":[{"title":"invalid_client","detail":"Client authentication failed.","code":"UNAUTHORIZED","status":401}]}`, 401, "invalid_client", "Client authentication failed.", "check its id"},
		{"single object", `{"errors":{"title":"invalid_client","detail":"Client authentication failed.","code":"UNAUTHORIZED","status":"401","meta":{}}}`, 401, "invalid_client", "Client authentication failed.", "invalid_client"},
		{"list without a code of the RFCs", `{"errors":[{"title":"Too many requests","detail":"Slow down","code":"TOO_MANY_REQUESTS"}]}`, 429, "TOO_MANY_REQUESTS", "Slow down", "TOO_MANY_REQUESTS"},
		{"title alone", `{"errors":[{"title":"Something odd"}]}`, 400, "Something odd", "", "status 400)"},
		{"first of several", `{"errors":[{"title":"invalid_scope"},{"title":"invalid_grant"}]}`, 400, "invalid_scope", "", "invalid_scope"},
		{"empty list", `{"errors":[]}`, 400, "", "", "status 400)"},
		{"list of other things", `{"errors":["x",1]}`, 400, "", "", "status 400)"},
		{"error is an object", `{"error":{"code":403,"message":"x"}}`, 403, "", "", "status 403)"},
		{"members of wrong types", `{"errors":[{"title":1,"detail":{},"code":[]}]}`, 400, "", "", "status 400)"},
		{"not JSON", `<html>Bad Gateway`, 502, "", "", "server is failing"},
		{"empty", ``, 404, "", "", "check the configured address"},
		{"sentence as code", `{"error":"the server said: \u001b[31mno"}`, 400, "the server said:  [31mno", "", "status 400)"},
		{"endless code", `{"error":"` + strings.Repeat("a", 500) + `"}`, 400, "", "", "status 400)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newClient(t, nil, answering(tt.status, tt.body)).Token(t.Context(), clientCredentials)
			var e *tokenendpoint.Error
			if !errors.As(err, &e) {
				t.Fatalf("error = %v, want an *Error", err)
			}
			if e.Status != tt.status || e.Code != tt.code || e.Detail != tt.detail || e.Host != "auth.example.com" || e.Action != "client_credentials" {
				t.Errorf("Error = %d %q %q %q %q, want %d %q %q", e.Status, e.Code, e.Detail, e.Host, e.Action, tt.status, tt.code, tt.detail)
			}
			if !strings.Contains(err.Error(), tt.inText) || tt.detail != "" && strings.Contains(err.Error(), tt.detail) {
				t.Errorf("text = %q, want %q and not the detail", err, tt.inText)
			}
			var re *oauth2.RetrieveError
			if !errors.As(err, &re) {
				t.Fatal("no *oauth2.RetrieveError")
			}
			if re.Response.StatusCode != tt.status || re.ErrorCode != tt.code || re.ErrorDescription != tt.detail || string(re.Body) != tt.body {
				t.Errorf("RetrieveError = %d %q %q %q, want the same as the Error and the body", re.Response.StatusCode, re.ErrorCode, re.ErrorDescription, re.Body)
			}
			if re.Response.Request != nil {
				t.Error("the RetrieveError holds the request")
			}
			if _, err := io.ReadAll(re.Response.Body); err != nil {
				t.Errorf("its body cannot be read: %v", err)
			}
		})
	}
}

func TestErrorTexts(t *testing.T) {
	tests := []struct {
		name, want string
		change     func(*tokenendpoint.Options)
		grant      tokenendpoint.Grant
	}{
		{"invalid client", "tokenendpoint: client_credentials request to auth.example.com failed: the client is not accepted (status 401, invalid_client): check its id, its secret and how the secret is sent",
			answering(401, `{"error":"invalid_client"}`), clientCredentials},
		{"invalid grant", "tokenendpoint: refresh_token request to auth.example.com failed: the credentials of the grant are not accepted (status 400, invalid_grant): they are wrong, used up, expired or revoked: sign in again",
			answering(400, `{"error":"invalid_grant"}`), refresh},
		{"unknown grant type", "tokenendpoint: token request to auth.example.com failed: the endpoint does not know the grant type (status 400, unsupported_grant_type): check that the address is the right endpoint",
			answering(400, `{"error":"unsupported_grant_type"}`), tokenendpoint.Grant{Type: "secret-of-some-kind"}},
		{"no connection", "tokenendpoint: jwt-bearer request to auth.example.com failed: the connection broke before the answer: try again later",
			func(o *tokenendpoint.Options) {
				o.Base = roundTripper(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
			}, assertion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newClient(t, nil, tt.change).Token(t.Context(), tt.grant)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error = %v\nwant    %s", err, tt.want)
			}
		})
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	tests := []struct{ name, location, wantOrigin string }{
		{"other host", "https://evil.example/steal?secret=s3cr3t-of-client#x", "https://evil.example)"},
		{"same host", "/elsewhere?token=abc", "https://auth.example.com)"},
		{"with credentials", "https://user:s3cr3t-of-client@evil.example:8443/", "https://evil.example:8443)"},
		{"secret as host", "https://s3cr3t-of-client.evil.example/", "another host"},
		{"not a URL", "https://%zz/s3cr3t-of-client", "another host"},
		{"none", "", "another host"},
	}
	for _, tt := range tests {
		for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
			t.Run(fmt.Sprint(tt.name, " ", status), func(t *testing.T) {
				s := serve(t, answer(status, "", "Location", tt.location), ok)
				if tt.location == "" {
					s = serve(t, answer(status, ""), ok)
				}
				_, err := newClient(t, s, nil).Token(t.Context(), clientCredentials)
				if err == nil || s.count() != 1 {
					t.Fatalf("error = %v after %d requests, want one after 1", err, s.count())
				}
				text := printed(err)
				if !strings.Contains(text, tt.wantOrigin) || strings.Contains(text, "s3cr3t") || strings.Contains(text, "token=abc") {
					t.Errorf("text = %s, want %q and nothing else of the location", err, tt.wantOrigin)
				}
				var re *oauth2.RetrieveError
				if !errors.As(err, &re) || re.Response.StatusCode != status || re.Response.Header.Get("Location") != "" {
					t.Errorf("RetrieveError = %v, want status %d and no Location", re, status)
				}
			})
		}
	}
}

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
	for _, v := range []any{o, &o, c, r, *r, g, &g} {
		if got := printed(v); strings.Contains(got, "s3cr3t") {
			t.Errorf("%T prints the secret: %s", v, got)
		}
	}
}

func TestErrorIsALogValuer(t *testing.T) {
	_, err := newClient(t, nil, answering(401, `{"error":"invalid_client"}`)).Token(t.Context(), clientCredentials)
	var v slog.LogValuer
	if !errors.As(fmt.Errorf("outer: %w", err), &v) {
		t.Fatal("no slog.LogValuer in the error")
	}
	if got, want := v.LogValue(), slog.StringValue(strings.TrimPrefix(err.Error(), "tokenendpoint: ")); !got.Equal(want) {
		t.Errorf("LogValue = %v, want %v", got, want)
	}
}

func TestErrorAsOfOtherTypes(t *testing.T) {
	c := newClient(t, nil, func(o *tokenendpoint.Options) {
		o.Base = roundTripper(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })
	})
	_, err := c.Token(t.Context(), refresh)
	var re *oauth2.RetrieveError
	if errors.As(err, &re) {
		t.Error("an error without an answer is a RetrieveError")
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want what the Base returned in it", err)
	}
}

package bearer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bearerkit/bearer"
)

// saying is a Verifier's error that has something to say to the client.
type saying string

func (saying) Error() string         { return "s3cr3t" }
func (e saying) Description() string { return string(e) }

// refusing refuses all tokens with err, and lets all without one in.
func refusing(err error, opts bearer.MiddlewareOptions) http.Handler {
	opts.Verifier = verifierFunc(func(string) (*bearer.Authorization, error) { return nil, err })
	return bearer.Middleware(bearer.NewStorefront(nil, nil), &opts)(quiet)
}

// ask answers a request with header fields in pairs.
func ask(h http.Handler, header ...string) (*http.Response, string) {
	r, w := httptest.NewRequest("GET", "https://shop.test/", nil), httptest.NewRecorder()
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	h.ServeHTTP(w, r)
	return w.Result(), w.Body.String()
}

// What the client is told of an error is what that wants it to be told, in the
// characters of RFC 6750 §3.
func TestRefusalDescription(t *testing.T) {
	const none = `The access token is not valid.`
	var absent *pointed
	tests := []struct {
		name string
		err  error
		want string // "": nothing
	}{
		{"none", errors.New("s3cr3t"), ""},
		{"one", saying("the token has expired"), "the token has expired"},
		{"wrapped", fmt.Errorf("s3cr3t: %w", saying("the token has expired")), "the token has expired"},
		{"empty", saying(""), ""},
		{"blank", saying("  "), ""},
		{"quotes and backslashes", saying(`it", error="x\`), "it, error=x"},
		{"line feeds", saying("one\r\nSet-Cookie: two\x00\x7f"), "oneSet-Cookie: two"},
		{"no ASCII", saying("é\u2028\xffx\u0122"), "x"},
		{"all the characters", saying("! #[]~"), "! #[]~"},
		{"long", saying(strings.Repeat("x", 1000)), strings.Repeat("x", 200)},
		{"long, and a space at the end", saying(strings.Repeat("x", 199) + " y"), strings.Repeat("x", 199)},
		{"panics", absent, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := ask(refusing(tt.err, bearer.MiddlewareOptions{}), "Authorization", "Bearer x")
			challenge, detail := `Bearer realm="bearer", error="invalid_token"`, none
			if tt.want != "" {
				challenge += `, error_description="` + tt.want + `"`
				detail = tt.want
			}
			if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 401 || got != challenge {
				t.Errorf("status %d with the challenge %q, want 401 and %q", resp.StatusCode, got, challenge)
			}
			want := `{"errors":[{"title":"Invalid token","detail":"` + detail + `","code":"INVALID_TOKEN","status":"401"}]}`
			if body != want {
				t.Errorf("the body is %s, want %s", body, want)
			}
			if resp, body = ask(refusing(tt.err, bearer.MiddlewareOptions{}), "Authorization", "Bearer x", "Accept", "text/html"); body != "the access token is not valid\n" || resp.Header.Get("WWW-Authenticate") != challenge {
				t.Errorf("a browser gets %q with the challenge %q", body, resp.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

// pointed is an error that cannot be looked into if it is nil.
type pointed struct{ text string }

func (*pointed) Error() string         { return "pointed" }
func (e *pointed) Description() string { return e.text }

func TestRefusalRealm(t *testing.T) {
	tests := []struct {
		name, realm, want string // want: "" panics
	}{
		{"default", "", "bearer"},
		{"own", "shop, of two words", "shop, of two words"},
		{"not ASCII", "Läden", "Läden"},
		{"quote", `a"b`, ""},
		{"backslash", `a\b`, ""},
		{"line feed", "a\nb", ""},
		{"DEL", "a\x7fb", ""},
		{"C1", "a\u0085b", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				if (text != "") != (tt.want == "") || text != "" && !strings.HasPrefix(text, "bearer: MiddlewareOptions.Realm") {
					t.Errorf("panic with %q", text)
				}
			}()
			resp, _ := ask(refusing(errDown, bearer.MiddlewareOptions{Realm: tt.realm}), "Authorization", "Bearer x")
			if got, want := resp.Header.Get("WWW-Authenticate"), `Bearer realm="`+tt.want+`", error="invalid_token"`; got != want {
				t.Errorf("the challenge is %q, want %q", got, want)
			}
		})
	}
}

// Each kind of refusal has its own words, and a handler of the application's own gets
// the same header and the reason.
func TestRefusals(t *testing.T) {
	denied := errors.New("s3cr3t")
	guests, customers, nobody := bearer.NewStorefront(guestToken("shop"), nil), bearer.NewStorefront(nil, &bearer.StorefrontOptions{Customers: newShelf()}), bearer.NewStorefront(nil, nil)
	anybody := bearer.Require(func(context.Context, *bearer.Authorization) error { return nil }, nil)
	refused := verifierFunc(func(string) (*bearer.Authorization, error) { return nil, denied })
	unavailable := verifierFunc(func(string) (*bearer.Authorization, error) { return nil, &bearer.UnavailableError{Err: denied} })
	tests := []struct {
		name                   string
		front                  *bearer.Storefront
		verifier               bearer.Verifier
		inner                  func(http.Handler) http.Handler
		token                  string
		status                 int
		code                   string
		err                    error // in the chain; nil: any
		challenge, title, kind string
		text                   string
		said                   string // to the client, of the error
	}{
		{"malformed", nobody, refused, bearer.RequireCustomer(nil), "x y", 400, "invalid_request", nil, `Bearer realm="bearer", error="invalid_request"`,
			"Bad request", "BAD_REQUEST", "the Authorization header is not one bearer token", ""},
		{"refused", nobody, refused, bearer.RequireCustomer(nil), "x", 401, "invalid_token", denied, `Bearer realm="bearer", error="invalid_token"`,
			"Invalid token", "INVALID_TOKEN", "the access token is not valid", ""},
		{"unavailable", nobody, unavailable, bearer.RequireCustomer(nil), "x", 503, "", denied, "",
			"Service unavailable", "SERVICE_UNAVAILABLE", "the service is not available right now, try again soon", ""},
		{"no token", guests, refused, bearer.RequireCustomer(nil), "", 401, "", bearer.ErrNoCustomer, `Bearer realm="bearer"`,
			"Unauthorized", "UNAUTHORIZED", "sign in first", ""},
		{"no token, no guests", customers, refused, anybody, "", 401, "", bearer.ErrNoGuest, `Bearer realm="bearer"`,
			"Unauthorized", "UNAUTHORIZED", "sign in first", ""},
		{"no token for an API", guests, refused, bearer.RequireBearer(nil), "", 401, "", nil, `Bearer realm="bearer"`,
			"Unauthorized", "UNAUTHORIZED", "send an access token in the Authorization header", ""},
		{"no token where there is nothing else", nobody, refused, bearer.RequireCustomer(nil), "", 401, "", bearer.ErrNoCustomer, `Bearer realm="bearer"`,
			"Unauthorized", "UNAUTHORIZED", "send an access token in the Authorization header", ""},
		{"no token to check where there is nothing else", nobody, refused, anybody, "", 401, "", bearer.ErrNoGuest, `Bearer realm="bearer"`,
			"Unauthorized", "UNAUTHORIZED", "send an access token in the Authorization header", ""},
		{"not enough", guests, &checker{}, bearer.RequireCustomer(nil), "guest", 403, "insufficient_scope", bearer.ErrNoCustomer,
			`Bearer realm="bearer", error="insufficient_scope", error_description="the token is not a customer's"`,
			"Forbidden", "FORBIDDEN", "you are not allowed to do this", "the token is not a customer's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := []string{"Accept", "application/json"}
			if tt.token != "" {
				header = append(header, "Authorization", "Bearer "+tt.token)
			}
			want := func(resp *http.Response, body, wantBody string, status int) {
				t.Helper()
				retry := ""
				if tt.status == 503 {
					retry = "1"
				}
				if resp.StatusCode != status || body != wantBody || resp.Header.Get("WWW-Authenticate") != tt.challenge || resp.Header.Get("Retry-After") != retry {
					t.Errorf("answered %d %q with the challenge %q and Retry-After %q, want %d %q %q %q", resp.StatusCode, body,
						resp.Header.Get("WWW-Authenticate"), resp.Header.Get("Retry-After"), status, wantBody, tt.challenge, retry)
				}
			}
			detail := strings.ToUpper(tt.text[:1]) + tt.text[1:] + "."
			if tt.said != "" {
				detail = tt.said
			}
			plain := bearer.Middleware(tt.front, &bearer.MiddlewareOptions{Verifier: tt.verifier})(tt.inner(quiet))
			resp, body := ask(plain, header...)
			want(resp, body, fmt.Sprintf(`{"errors":[{"title":%q,"detail":%q,"code":%q,"status":"%d"}]}`, tt.title, detail, tt.kind, tt.status), tt.status)
			header[1] = "text/html"
			resp, body = ask(plain, header...)
			want(resp, body, tt.text+"\n", tt.status)

			var ref *bearer.Refusal
			own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ref, _ = bearer.RefusalFromContext(r.Context())
				w.WriteHeader(299)
				io.WriteString(w, "own")
			})
			never := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other handler was called") })
			opts := &bearer.MiddlewareOptions{Verifier: tt.verifier, Denied: own, Failed: never}
			if tt.status == 503 {
				opts.Denied, opts.Failed = never, own
			}
			resp, body = ask(bearer.Middleware(tt.front, opts)(tt.inner(quiet)), header...)
			want(resp, body, "own", 299)
			if ref == nil || ref.Status != tt.status || ref.Code != tt.code || ref.Err == nil || tt.err != nil && !errors.Is(ref.Err, tt.err) {
				t.Errorf("the handler finds %v, want %d %q of %v", ref, tt.status, tt.code, tt.err)
			}
		})
	}
	if ref, ok := bearer.RefusalFromContext(t.Context()); ok || ref != nil {
		t.Errorf("RefusalFromContext = %v, %v where nothing is refused", ref, ok)
	}
}

// A handler may change what the header has already.
func TestRefusalHeaderCanBeChanged(t *testing.T) {
	h := refusing(errDown, bearer.MiddlewareOptions{Denied: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := bearer.FromContext(r.Context()); ok {
			t.Error("there is a session, want none for who was refused at the door")
		}
		w.Header().Set("WWW-Authenticate", `DPoP algs="ES256"`)
		w.WriteHeader(401)
	})})
	if resp, _ := ask(h, "Authorization", "Bearer x"); resp.Header.Get("WWW-Authenticate") != `DPoP algs="ES256"` {
		t.Errorf("the challenge is %q, want the handler's", resp.Header["Www-Authenticate"])
	}
}

// What one visitor is refused must not be stored and given to others, whatever a
// middleware further out says of all answers.
func TestRefusalIsKeptFromCaches(t *testing.T) {
	customersAlone := bearer.Middleware(bearer.NewStorefront(nil, &bearer.StorefrontOptions{Customers: newShelf()}), nil)
	tests := []struct {
		name  string
		h     http.Handler
		token string
	}{
		{"at the door", refusing(errDown, bearer.MiddlewareOptions{}), "Bearer x"},
		{"at the door, own handler", refusing(errDown, bearer.MiddlewareOptions{Denied: quiet}), "Bearer x"},
		{"unavailable", refusing(&bearer.UnavailableError{}, bearer.MiddlewareOptions{}), "Bearer x"},
		{"customers alone", customersAlone(bearer.RequireCustomer(nil)(quiet)), ""},
		{"customers alone, own handler", customersAlone(bearer.RequireCustomer(&bearer.RequireOptions{Denied: quiet})(quiet)), ""},
	}
	for _, tt := range tests {
		outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=60")
			w.Header().Set("Surrogate-Control", "max-age=60")
			w.Header().Set("Content-Length", "1")
			tt.h.ServeHTTP(w, r)
		})
		resp, body := ask(outer, "Authorization", tt.token)
		if got := resp.Header.Get("Cache-Control") + resp.Header.Get("Surrogate-Control"); got != private {
			t.Errorf("%s: caches are told %q, want %q", tt.name, got, private)
		}
		if n := resp.Header.Get("Content-Length"); body != "" && n == "1" {
			t.Errorf("%s: Content-Length is %s, and the answer %q", tt.name, n, body)
		}
	}
}

func TestRefusalRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		tests := []struct {
			name string
			next time.Time
			want string
		}{
			{"unknown", time.Time{}, "1"},
			{"past", now.Add(-time.Hour), "1"},
			{"now", now, "1"},
			{"soon", now.Add(time.Millisecond), "1"},
			{"later", now.Add(90 * time.Second), "91"},
			{"never", now.AddDate(5000, 0, 0), "9223372037"},
		}
		for _, tt := range tests {
			err := fmt.Errorf("wrapped: %w", &bearer.UnavailableError{NextTry: tt.next})
			resp, _ := ask(refusing(err, bearer.MiddlewareOptions{}), "Authorization", "Bearer x")
			if got := resp.Header.Get("Retry-After"); resp.StatusCode != 503 || got != tt.want || resp.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: status %d with Retry-After %q, want 503 and %q", tt.name, resp.StatusCode, got, tt.want)
			}
		}
	})
}

// What a check says of a request that has ended says nothing about the visitor.
func TestRefusalOfARequestThatHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	check := func(context.Context, *bearer.Authorization) error { cancel(); return errDown }
	h := bearer.Middleware(bearer.NewStorefront(guestToken("shop"), nil), nil)(bearer.Require(check, nil)(quiet))
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "https://shop.test/", nil)); w.Code != 503 {
		t.Errorf("answered %d, want 503", w.Code)
	}
}

func TestRefusalShowsNoSecret(t *testing.T) {
	ref := &bearer.Refusal{Status: 401, Code: "invalid_token", Err: valueError{"s3cr3t"}}
	var out bytes.Buffer
	for _, v := range []any{ref, *ref, []bearer.Refusal{*ref}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("value", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("value", "v", v)
		j, _ := json.Marshal(v)
		out.Write(j)
	}
	if strings.Contains(out.String(), "s3cr3t") || strings.Contains(out.String(), fmt.Sprintf("%x", "s3cr3t")) || strings.Count(out.String(), "401") < 20 {
		t.Errorf("printed it is %s", out.String())
	}
	if got, want := ref.String(), `bearer.Refusal(401 "invalid_token": `; !strings.HasPrefix(got, want) {
		t.Errorf("String is %s, want %s", got, want)
	}
}

// Whatever a client accepts and an error says, the answer is one that can be read.
func FuzzRefusal(f *testing.F) {
	f.Add("application/json", "the token has expired", "bearer")
	f.Add(`text/html;q=0, a/b;c="d,e"`, "é\"\\\r\n", "a b")
	f.Add("application/json;q=0.0,*/*", strings.Repeat("x ", 200), "Läden")
	f.Fuzz(func(t *testing.T, accept, said, realm string) {
		defer func() {
			if text, _ := recover().(string); text != "" && !strings.HasPrefix(text, "bearer: MiddlewareOptions.Realm") {
				t.Errorf("panic with %q", text)
			}
		}()
		resp, body := ask(refusing(saying(said), bearer.MiddlewareOptions{Realm: realm}), "Authorization", "Bearer x", "Accept", accept)
		if realm == "" {
			realm = "bearer"
		}
		challenges := resp.Header["Www-Authenticate"]
		schemes, params := bearer.ParseChallenges(challenges)
		if len(challenges) != 1 || len(schemes) != 1 || schemes[0] != "bearer" || params[0]["realm"] != realm || params[0]["error"] != "invalid_token" {
			t.Fatalf("the challenge is %q", challenges)
		}
		description, described := params[0]["error_description"]
		if strings.ContainsFunc(description, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) || len(description) > 200 || described && description == "" {
			t.Errorf("the description is %q", description)
		}
		switch resp.Header.Get("Content-Type") {
		case "text/plain; charset=utf-8":
			if !strings.Contains(strings.ToLower(accept), "text/html") {
				t.Errorf("Accept %q is answered in plain text", accept)
			}
		case "application/vnd.api+json":
			var doc struct{ Errors []map[string]string }
			if err := json.Unmarshal([]byte(body), &doc); err != nil || len(doc.Errors) != 1 || doc.Errors[0]["status"] != "401" || described && doc.Errors[0]["detail"] != description {
				t.Errorf("the body is %s: %v", body, err)
			}
		default:
			t.Errorf("answered with %q of type %q", body, resp.Header.Get("Content-Type"))
		}
	})
}

package bearer_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bearerkit/bearer"
)

// jwt is an unsigned one.
func jwt(claims string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"none"}`)) + "." + e([]byte(claims)) + ".c2ln"
}

func recordFront(opts *bearer.StorefrontOptions) *bearer.Storefront {
	return bearer.NewStorefront(func(context.Context) (*bearer.Token, error) { return nil, errDown }, opts)
}

// Byte for byte what js-auth writes, and beyond that only what no JWT says.
func TestRecordAsWritten(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.FixedZone("", 3600))
	token := jwt(`{"iat":1767319445,"exp":1767333845}`)
	tests := []struct {
		name  string
		t     *bearer.Token
		scope string // of the answer
		want  string
	}{
		{"with refresh token", &bearer.Token{AccessToken: token, RefreshToken: "RT", TokenType: "bearer", Expiry: now.Add(time.Hour)}, "market:id:xYZkjABcde",
			`{"accessToken":"` + token + `","scope":"market:id:xYZkjABcde","refreshToken":"RT"}`},
		{"without", &bearer.Token{AccessToken: token, Expiry: now.Add(time.Hour)}, "market:id:xYZkjABcde store:id:bGvCXzYgNB",
			`{"accessToken":"` + token + `","scope":"market:id:xYZkjABcde store:id:bGvCXzYgNB"}`},
		{"the configured scope", &bearer.Token{AccessToken: token}, "", `{"accessToken":"` + token + `","scope":"configured"}`},
		{"not escaped", &bearer.Token{AccessToken: token, RefreshToken: "<a>&b/ünï"}, "größe<&>", `{"accessToken":"` + token + `","scope":"größe<&>","refreshToken":"<a>&b/ünï"}`},
		{"opaque", &bearer.Token{AccessToken: "A", RefreshToken: "RT", Expiry: now.Add(time.Hour)}, "s",
			`{"accessToken":"A","scope":"s","refreshToken":"RT","expiry":"2026-01-02T03:04:05Z","issuedAt":"2026-01-02T02:04:05Z"}`},
		{"opaque, no expiry", &bearer.Token{AccessToken: "A"}, "s", `{"accessToken":"A","scope":"s"}`},
		{"another type", &bearer.Token{AccessToken: token, TokenType: "DPoP"}, "s", `{"accessToken":"` + token + `","scope":"s","tokenType":"DPoP"}`},
	}
	f := recordFront(&bearer.StorefrontOptions{Scope: "configured"})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tok := tt.t
			if tt.scope != "" {
				tok = tok.WithExtra(map[string]any{"scope": tt.scope})
			}
			got, err := bearer.NewRecord(f, tok, now)
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

// What js-auth accepts is accepted, and the rest counts as none.
func TestRecordAsRead(t *testing.T) {
	iat, exp := time.Unix(1767319445, 0), time.Unix(1767333845, 0)
	token := jwt(`{"iat":1767319445,"exp":1767333845}`)
	unknown := time.Unix(1, 0)
	tests := []struct {
		name   string
		raw    string
		state  bearer.State
		t      *bearer.Token
		issued time.Time
		scope  string
	}{
		{"as written", `{"accessToken":"` + token + `","scope":"s","refreshToken":"RT"}`, bearer.StateCustomer,
			&bearer.Token{AccessToken: token, RefreshToken: "RT", TokenType: "Bearer", Expiry: exp}, iat, "s"},
		{"any order, spaces, further fields", " {\n\"refreshToken\" : null, \"storageName\":\"redis\", \"x\":{\"y\":[1]}, \"accessToken\" :\"" + token + "\"}\n", bearer.StateCustomer,
			&bearer.Token{AccessToken: token, TokenType: "Bearer", Expiry: exp}, iat, ""},
		{"escapes", `{"accessToken":"` + token + `","scope":"\u003cs\u003e","refreshToken":""}`, bearer.StateCustomer,
			&bearer.Token{AccessToken: token, TokenType: "Bearer", Expiry: exp}, iat, "<s>"},
		{"opaque", `{"accessToken":"A","scope":"s","expiry":"2026-01-02T05:04:05Z","issuedAt":"2026-01-02T02:04:05Z","tokenType":"MAC"}`, bearer.StateCustomer,
			&bearer.Token{AccessToken: "A", TokenType: "MAC", Expiry: time.Date(2026, 1, 2, 5, 4, 5, 0, time.UTC)}, time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC), "s"},
		{"opaque, expiry unknown", `{"accessToken":"A","scope":"s"}`, bearer.StateCustomer, &bearer.Token{AccessToken: "A", TokenType: "Bearer", Expiry: unknown}, time.Time{}, "s"},
		{"JWT, expiry unknown", `{"accessToken":"` + jwt(`{}`) + `","scope":"s"}`, bearer.StateCustomer, &bearer.Token{AccessToken: jwt(`{}`), TokenType: "Bearer", Expiry: unknown}, time.Time{}, "s"},
		{"a JWT knows better", `{"accessToken":"` + token + `","expiry":"2099-01-01T00:00:00Z"}`, bearer.StateCustomer,
			&bearer.Token{AccessToken: token, TokenType: "Bearer", Expiry: exp}, iat, ""},
		{"tombstone", `null`, bearer.StateGuest, nil, time.Time{}, ""},
		{"tombstone with spaces", " null\n", bearer.StateGuest, nil, time.Time{}, ""},
		{"expired", `undefined`, bearer.StateExpired, nil, time.Time{}, ""},
	}
	f := recordFront(nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, issued, scope, state, err := bearer.ReadRecord(f, []byte(tt.raw))
			if err != nil || state != tt.state || scope != tt.scope || !issued.Equal(tt.issued) {
				t.Errorf("state %v, scope %q, issued %v, %v, want %v, %q, %v", state, scope, issued, err, tt.state, tt.scope, tt.issued)
			}
			if (got == nil) != (tt.t == nil) || got != nil && !sameToken(got, tt.t) {
				t.Errorf("token %+v, want %+v", got, tt.t)
			}
		})
	}
	for _, raw := range []string{
		"", " ", "[]", "{}", "1", `"x"`, `"{\"accessToken\":\"A\"}"`, `{"accessToken":"A"`, `{"accessToken":"A"}x`, token,
		"\ufeff" + `{"accessToken":"A"}`, `{"access_token":"A"}`, `{"accessToken":""}`, `{"accessToken":null}`, `{"accessToken":{"s3cr3t":1}}`,
		`{"accessToken":"A","expiry":"s3cr3t"}`, `{"accessToken":"A","x":"` + strings.Repeat("x", 64<<10) + `"}`, "nullnull", "true",
	} {
		tok, _, _, state, err := bearer.ReadRecord(f, []byte(raw))
		if tok != nil || state != bearer.StateGuest || err == nil || contains(err.Error(), "s3cr3t") {
			t.Errorf("%.50q is read as %v, %v, %v, want an error and a guest", raw, tok, state, err)
		}
	}
	if tok, _, _, state, err := bearer.ReadRecord(f, nil); tok != nil || state != bearer.StateGuest || err != nil {
		t.Errorf("no record is read as %v, %v, %v", tok, state, err)
	}
}

func sameToken(a, b *bearer.Token) bool {
	return a.AccessToken == b.AccessToken && a.RefreshToken == b.RefreshToken && a.Type() == b.Type() && a.Expiry.Equal(b.Expiry)
}

// What is no record stays where it is, is told of, and makes a guest of the visitor.
func TestRecordThatIsNone(t *testing.T) {
	for _, text := range []string{"garbage s3cr3t", `{"accessToken":"s3cr3t-unknown"}`, ""} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, nil)
				v := s.visitor("ada")
				v.signIn("ada")
				key, _, _ := s.shelf.only()
				s.shelf.replace(key, text)
				v.wantWho("guest")
				v.wantState(bearer.StateGuest)
				if err := v.signOut(); err != nil {
					t.Errorf("Logout: %v", err)
				}
				if _, got, _ := s.shelf.only(); got != text {
					t.Errorf("the storage has %q, want %q left as it is", got, text)
				}
				told := eventsOf[bearer.SessionRefused](s.events)
				if len(told) == 0 || contains(fmt.Sprintf("%v %+v", told, told[0].LogValue()), "s3cr3t") {
					t.Errorf("events %v", told)
				}
				if v.signIn("bob"); len(s.p.takenBack()) != 0 {
					t.Errorf("revoked %q", s.p.takenBack())
				}
				v.wantWho("bob")
			})
		})
	}
}

// A customer may sign in with a token whose answer did not say when it ends, if it
// says so itself.
func TestExpiryFromTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, func(o *bearer.StorefrontOptions) { o.Owner = nil })
		v := s.visitor("ada")
		now := time.Now()
		token := jwt(fmt.Sprintf(`{"iat":%d,"exp":%d}`, now.Unix(), now.Add(time.Hour).Unix()))
		v.in(func(ctx context.Context, session *bearer.Session) {
			if err := session.SetCustomer(ctx, &bearer.Token{AccessToken: token}); err != nil {
				t.Error(err)
			}
			a, err := session.Customer(ctx)
			if err != nil || !a.Token.Expiry.Equal(now.Add(time.Hour)) {
				t.Errorf("%v, %v, want a token that ends in an hour", a, err)
			}
		})
		pass(2 * time.Hour)
		if err := v.setCustomer(&bearer.Token{AccessToken: token}); err == nil {
			t.Error("a token that has expired signs in")
		}
		v.wantState(bearer.StateExpired)
	})
}

func FuzzRecord(f *testing.F) {
	f.Add("access", "refresh", "Bearer", "market:id:x", int64(3600))
	f.Add(jwt(`{"exp":2000000000}`), "", "", "", int64(0))
	f.Add("<>&\u2028\"\\", "\x00\x7f", "mac", "ünï", int64(-1))
	f.Add("\xff", "", "DPoP", "\xc3", int64(1))
	f.Add("\xc2", "\x80", "", "", int64(1)) // each one is broken, both together are not
	front := recordFront(nil)
	f.Fuzz(func(t *testing.T, access, refresh, kind, scope string, life int64) {
		now := time.Unix(1.9e9, 0)
		tok := &bearer.Token{AccessToken: access, RefreshToken: refresh, TokenType: kind}
		if life != 0 {
			tok.Expiry = now.Add(time.Duration(life%1e6) * time.Second)
		}
		raw, err := bearer.NewRecord(front, tok.WithExtra(map[string]any{"scope": scope}), now)
		if err != nil {
			broken := strings.ContainsFunc(access+refresh, unicode.IsControl) || strings.ContainsFunc(kind, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) || slices.ContainsFunc([]string{access, refresh, kind, scope}, func(s string) bool { return !utf8.ValidString(s) })
			if !broken && len(access+refresh+kind+scope) < 1000 {
				t.Errorf("NewRecord: %v", err)
			}
			return
		}
		if !json.Valid(raw) || len(raw) > 64<<10 {
			t.Fatalf("the record is %q", raw)
		}
		got, _, gotScope, state, err := bearer.ReadRecord(front, raw)
		if access == "" { // which SetCustomer refuses
			if err == nil {
				t.Error("a record without a token was read")
			}
			return
		}
		if err != nil || state != bearer.StateCustomer || gotScope != scope {
			t.Fatalf("ReadRecord(%q): %v, %q, %v", raw, state, gotScope, err)
		}
		if got.AccessToken != access || got.RefreshToken != refresh || !strings.EqualFold(got.Type(), tok.Type()) {
			t.Errorf("read %+v, want %+v", got, tok)
		}
		if !tok.Expiry.IsZero() && !contains(access, ".") && !got.Expiry.Equal(tok.Expiry) {
			t.Errorf("expiry %v, want %v", got.Expiry, tok.Expiry)
		}
	})
}

func FuzzReadRecord(f *testing.F) {
	for _, raw := range []string{"", "null", "undefined", `{"accessToken":"A","expiry":"2026-01-02T05:04:05Z"}`, `{"accessToken":"` + jwt(`{"exp":1e999}`) + `"}`, "[[", "\xff"} {
		f.Add([]byte(raw))
	}
	front := recordFront(nil)
	f.Fuzz(func(t *testing.T, raw []byte) {
		tok, _, _, state, err := bearer.ReadRecord(front, raw)
		if (state == bearer.StateCustomer) != (tok != nil) || tok != nil && (err != nil || tok.AccessToken == "" || tok.Expiry.IsZero()) {
			t.Errorf("%q is %+v, %v, %v", raw, tok, state, err)
		}
		if err != nil && len(raw) > 8 && contains(err.Error(), string(raw)) {
			t.Errorf("%v quotes the record", err)
		}
	})
}

package tokenendpoint_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bearerkit/bearer/tokenendpoint"
)

// answering is a Base that gives one answer to everything.
func answering(status int, body string) func(*tokenendpoint.Options) {
	return func(o *tokenendpoint.Options) {
		o.MaxRetries = -1
		o.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
	}
}

func TestExpiresIn(t *testing.T) {
	const never = -1
	century := 100 * 365 * 24 * time.Hour
	tests := []struct {
		name, value string
		want        time.Duration
	}{
		{"number", `7200`, 2 * time.Hour},
		{"string", `"7200"`, 2 * time.Hour},
		{"string with spaces", `" 7200 "`, 2 * time.Hour},
		{"fraction", `1.5`, 1500 * time.Millisecond},
		{"exponent", `7.2e3`, 2 * time.Hour},
		{"zero", `0`, 0},
		{"negative", `-5`, 0},
		{"very negative", `-1e300`, 0},
		{"beyond negative", `-1e999`, 0},
		{"huge", `1e300`, century},
		{"beyond float", `1e999`, century},
		{"beyond float, string", `"1e999"`, century},
		{"beyond int64", `9223372036854775808`, century},
		{"tiny", `1e-400`, 0},
		{"null", `null`, never},
		{"absent", ``, never},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := `{"access_token":"a"}`
			if tt.value != "" {
				body = `{"access_token":"a","expires_in":` + tt.value + `}`
			}
			r, err := newClient(t, nil, answering(200, body)).Token(t.Context(), clientCredentials)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == never {
				if !r.Token.Expiry.IsZero() || r.ExpiresIn != 0 {
					t.Errorf("Expiry, ExpiresIn = %v, %v, want zero", r.Token.Expiry, r.ExpiresIn)
				}
				return
			}
			if r.ExpiresIn != tt.want || !r.Token.Expiry.Equal(r.SentAt.Add(tt.want)) || r.Token.ExpiresIn != int64(tt.want/time.Second) {
				t.Errorf("ExpiresIn = %v, Expiry = SentAt + %v, Token.ExpiresIn = %d, want %v", r.ExpiresIn, r.Token.Expiry.Sub(r.SentAt), r.Token.ExpiresIn, tt.want)
			}
			if tt.want == 0 && r.Token.Valid() {
				t.Error("a token without life is valid")
			}
			if _, err := json.Marshal(r.Token.Expiry); err != nil {
				t.Errorf("the expiry cannot be stored: %v", err)
			}
		})
	}
}

func TestAnswersThatAreAccepted(t *testing.T) {
	tests := []struct{ name, body string }{
		{"other members, of any type", `{"access_token":"a","x":{"y":[1e999]},"z":1e999,"created_at":1,"scope":["a"],"error":null,"errors":[]}`},
		{"byte order mark", "\xef\xbb\xbf" + `{"access_token":"a"}`},
		{"null refresh token", `{"access_token":"a","refresh_token":null,"token_type":null}`},
		{"space around", "\n {\"access_token\":\"a\"} \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, status := range []int{200, 201} {
				r, err := newClient(t, nil, answering(status, tt.body)).Token(t.Context(), clientCredentials)
				if err != nil || r.Token.AccessToken != "a" || r.Token.RefreshToken != "" {
					t.Errorf("Token = %v, %v, want the token", r, err)
				}
			}
		})
	}
	t.Run("token type as given", func(t *testing.T) {
		r, err := newClient(t, nil, answering(200, `{"access_token":"a","token_type":"DPoP"}`)).Token(t.Context(), clientCredentials)
		if err != nil || r.Token.TokenType != "DPoP" {
			t.Errorf("Token = %v, %v, want the type DPoP", r, err)
		}
	})
}

func TestAnswersThatAreRefused(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"nothing", ``, "not a JSON object"},
		{"HTML", `<html>`, "not a JSON object"},
		{"form", `access_token=a`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"list", `[{"access_token":"a"}]`, "not a JSON object"},
		{"string", `"access_token"`, "not a JSON object"},
		{"cut off", `{"access_token":"a"`, "not a JSON object"},
		{"two objects", `{"access_token":"a"}{}`, "not a JSON object"},
		{"deep", `{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "not a JSON object"},
		{"no token", `{}`, "no access_token"},
		{"empty token", `{"access_token":""}`, "no access_token"},
		{"null token", `{"access_token":null}`, "no access_token"},
		{"token under a name in capitals", `{"Access_Token":"a"}`, "no access_token"},
		{"number as token", `{"access_token":5}`, "access_token is not a string"},
		{"object as token", `{"access_token":{}}`, "access_token is not a string"},
		{"number as refresh token", `{"access_token":"a","refresh_token":5}`, "refresh_token is not a string"},
		{"list as type", `{"access_token":"a","token_type":["bearer"]}`, "token_type is not a string"},
		{"NUL", `{"access_token":"a\u0000b"}`, "no header can carry"},
		{"line break", `{"access_token":"a\r\nX-Evil: 1"}`, "no header can carry"},
		{"space", `{"access_token":"a b"}`, "no header can carry"},
		{"not ASCII", `{"access_token":"é"}`, "no header can carry"},
		{"broken UTF-8", "{\"access_token\":\"a\xff\"}", "no header can carry"},
		{"line break in the type", `{"access_token":"a","token_type":"b\n"}`, "no header can carry"},
		{"life in words", `{"access_token":"a","expires_in":"soon"}`, "expires_in is not a number"},
		{"life true", `{"access_token":"a","expires_in":true}`, "expires_in is not a number"},
		{"life an object", `{"access_token":"a","expires_in":{}}`, "expires_in is not a number"},
		{"life empty", `{"access_token":"a","expires_in":""}`, "expires_in is not a number"},
		{"life NaN", `{"access_token":"a","expires_in":"NaN"}`, "expires_in is not a number"},
		{"life Inf", `{"access_token":"a","expires_in":"Inf"}`, "expires_in is not a number"},
		{"life in hex", `{"access_token":"a","expires_in":"0x10"}`, "expires_in is not a number"},
		{"life two numbers", `{"access_token":"a","expires_in":"1-2"}`, "expires_in is not a number"},
		{"over 1 MiB", `{"access_token":"a"` + strings.Repeat(" ", 1<<20) + `}`, "over 1 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newClient(t, nil, answering(200, tt.body)).Token(t.Context(), refresh)
			var e *tokenendpoint.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || e.Status != 200 || !e.MayHaveActed {
				t.Errorf("error = %v, want %q with status 200 and MayHaveActed", err, tt.want)
			}
		})
	}
	t.Run("without end", func(t *testing.T) {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 4096)); err != nil {
					return
				}
			}
		})
		_, err := newClient(t, s, nil).Token(t.Context(), clientCredentials)
		if err == nil || !strings.Contains(err.Error(), "over 1 MiB") || s.count() != 1 {
			t.Errorf("error = %v after %d requests, want over 1 MiB after 1", err, s.count())
		}
	})
}

// Whatever the answer, there is either a token that fits a header and an expiry
// that can be stored, or an *Error whose text holds nothing of the answer.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		goodBody, `{}`, `null`, `[]`, `{"access_token":"a","expires_in":1e999}`, `{"error":"invalid_grant","error_description":"x"}`,
		`{"errors":[{"title":"invalid_client","code":"UNAUTHORIZED","status":401}]}`, `{"errors":{"title":"x y","code":"C"}}`,
		`{"access_token":"a","expires_in":"-1e5"}`, `{"error":{"a":1}}`, `{"errors":"x"}`,
	} {
		f.Add(200, body)
		f.Add(400, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			status = 200
		}
		c, err := tokenendpoint.New(tokenURL, func() *tokenendpoint.Options {
			o := &tokenendpoint.Options{ClientID: "c", RateLimit: new(tokenendpoint.RateLimit)}
			answering(status, body)(o)
			return o
		}())
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Token(t.Context(), clientCredentials)
		if err == nil {
			if a := r.Token.AccessToken; a == "" || strings.ContainsFunc(a, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
				t.Errorf("accepted the token %q", a)
			}
			if r.ExpiresIn < 0 || !r.Token.Expiry.IsZero() && r.Token.Expiry.Before(r.SentAt) {
				t.Errorf("ExpiresIn = %v, want no negative life", r.ExpiresIn)
			}
			if _, err := r.Token.Expiry.MarshalJSON(); err != nil {
				t.Errorf("expiry: %v", err)
			}
			return
		}
		var e *tokenendpoint.Error
		if !errors.As(err, &e) || e.Status != status {
			t.Fatalf("error = %v, want an *Error of status %d", err, status)
		}
		if e.Detail != "" && len(e.Detail) > 12 && strings.Contains(err.Error(), e.Detail) {
			t.Errorf("the error shows the server's text: %v", err)
		}
		if strings.ContainsFunc(err.Error(), func(c rune) bool { return c < ' ' || c == 0x7f }) {
			t.Errorf("the error has control characters: %q", err)
		}
	})
}

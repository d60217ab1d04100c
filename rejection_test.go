package bearer_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/bearerkit/bearer"
)

func TestTokenRejected(t *testing.T) {
	const api, js, html = "application/vnd.api+json", "application/json; charset=utf-8", "text/html"
	tests := []struct {
		name      string
		status    int
		challenge []string
		kind      string
		body      string
		want      bool
	}{
		{"200", 200, nil, js, `{"code":"INVALID_TOKEN"}`, false},
		{"403", 403, []string{`Bearer error="invalid_token"`}, "", "", false},
		{"nothing said", 401, nil, "", "", true},
		{"a page", 401, nil, html, "<h1>INVALID</h1>", true},
		{"not the JSON it says", 401, nil, js, "<h1>no</h1>", true},

		{"invalid_token", 401, []string{`Bearer realm="a, b", error="invalid_token"`}, api, `{"errors":[{"code":"UNAUTHORIZED"}]}`, true},
		{"unquoted", 401, []string{`bearer error=invalid_token`}, "", "", true},
		{"in a second header", 401, []string{`Basic realm="x"`, `Bearer error="invalid_token"`}, "", "", true},
		{"behind another scheme", 401, []string{`Negotiate abc==, Bearer realm="x", error="invalid_token"`}, "", "", true},
		{"insufficient_scope", 401, []string{`Bearer error="insufficient_scope", scope="a b"`}, "", "", false},
		{"another error wins over the body", 401, []string{`Bearer error="invalid_request"`}, js, `{"code":"INVALID_TOKEN"}`, false},
		{"another scheme alone", 401, []string{`Basic realm="x"`}, js, `{"code":"INVALID_TOKEN"}`, false},
		{"the error of another scheme", 401, []string{`DPoP error="invalid_token"`}, "", "", false},
		{"a realm alone", 401, []string{`Bearer realm="api"`}, "", "", true},
		{"a realm alone, and the body", 401, []string{`Bearer realm="api"`}, api, `{"errors":[{"code":"UNAUTHORIZED"}]}`, false},
		{"the first error counts", 401, []string{`Bearer error="insufficient_scope", error="invalid_token"`}, "", "", false},
		{"no challenge can be read", 401, []string{`"`}, "", "", true},

		{"Commerce Layer, token", 401, nil, api, `{"errors":[{"title":"Invalid token","code":"INVALID_TOKEN","status":"401"}]}`, true},
		{"Commerce Layer, permission", 401, nil, api, `{"errors":[{"title":"Access denied","code":"UNAUTHORIZED","status":"401"}]}`, false},
		{"a single object", 401, nil, api, `{"errors":{"code":"INVALID_TOKEN"}}`, true},
		{"a single object, permission", 401, nil, api, `{"errors":{"code":"UNAUTHORIZED"}}`, false},
		{"one of several", 401, nil, api, `{"errors":[{"code":"OTHER"},{"code":"invalid_token"}]}`, true},
		{"code at the top", 401, nil, js, `{"code":"invalid_token"}`, true},
		{"another code at the top", 401, nil, js, `{"code":"NO_LICENCE"}`, false},
		{"code below error", 401, nil, js, `{"error":{"code":"INVALID_TOKEN"}}`, true},
		{"as in RFC 6749", 401, nil, js, `{"error":"invalid_token"}`, true},
		{"as in RFC 6749, another", 401, nil, js, `{"error":"insufficient_scope"}`, false},
		{"the status in words", 401, nil, js, `{"statusCode":401,"error":"Unauthorized"}`, true},
		{"the status as code", 401, nil, js, `{"code":401,"error":{"code":"401"}}`, true},
		{"a message", 401, nil, js, `{"message":"Bad credentials"}`, true},
		{"wrong types", 401, nil, js, `{"errors":[1,"a",null,{"code":[]}],"error":[],"code":{}}`, true},
		{"a text", 401, nil, html, `{"errors":[{"code":"UNAUTHORIZED"}]}`, true},
		{"null", 401, nil, js, `null`, true},
		{"cut", 401, nil, js, `{"errors":[{"code":"UNAUTHORIZED"`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := &http.Response{StatusCode: tt.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(tt.body))}
			for _, c := range tt.challenge {
				resp.Header.Add("WWW-Authenticate", c)
			}
			if tt.kind != "" {
				resp.Header.Set("Content-Type", tt.kind)
			}
			if got := bearer.TokenRejected(resp); got != tt.want {
				t.Errorf("TokenRejected is %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTokenRejectedReadsGzip(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, `{"errors":[{"code":"UNAUTHORIZED"}]}`)
	z.Close()
	for _, tt := range []struct {
		name string
		body []byte
		want bool
	}{
		{"whole", packed.Bytes(), false},
		{"broken", packed.Bytes()[:10], true},
		{"none", []byte("plain"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp := &http.Response{StatusCode: 401, Body: io.NopCloser(bytes.NewReader(tt.body)),
				Header: http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}}
			if got := bearer.TokenRejected(resp); got != tt.want {
				t.Errorf("TokenRejected is %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTokenRejectedWithoutBody(t *testing.T) {
	resp := &http.Response{StatusCode: 401, Header: http.Header{"Content-Type": {"application/json"}}}
	if !bearer.TokenRejected(resp) {
		t.Error("a 401 that says nothing is not taken for a rejection")
	}
}

func TestChallengesOfAnySize(t *testing.T) {
	// Quadratic work would take minutes.
	for _, s := range []string{"a ", "a=", `a="`, ",", "a/", "a b=c "} {
		bearer.ParseChallenges([]string{strings.Repeat(s, 1<<20)})
	}
}

func FuzzChallenges(f *testing.F) {
	for _, s := range []string{`Bearer error="invalid_token"`, `Basic realm="a\"b", Bearer a=b,c="d"`, `Negotiate abc==`, `,, ,`, `a b=c d`, `"`, `Bearer realm="`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		schemes, params := bearer.ParseChallenges([]string{s})
		for i, scheme := range schemes {
			if scheme == "" || scheme != strings.ToLower(scheme) || !strings.Contains(strings.ToLower(s), scheme) {
				t.Errorf("%q: scheme %q was not in it", s, scheme)
			}
			for name := range params[i] {
				if name == "" || !strings.Contains(strings.ToLower(s), name) {
					t.Errorf("%q: parameter %q was not in it", s, name)
				}
			}
		}
		// What is said before a challenge does not hide it, nor does it change.
		again, _ := bearer.ParseChallenges([]string{`Basic realm="x"`, s})
		if len(again) != len(schemes)+1 {
			t.Errorf("%q: %d challenges alone, %d behind one", s, len(schemes), len(again)-1)
		}
	})
}

func FuzzReasonInJSON(f *testing.F) {
	for _, s := range []string{`{"errors":[{"code":"INVALID_TOKEN"}]}`, `{"errors":{"code":"UNAUTHORIZED"}}`, `{"error":"invalid_token"}`, `[]`, `{"code":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const token = 1
		r := bearer.ReasonInJSON(data)
		if r == token && !bytes.Contains(bytes.ToLower(unescape(data)), []byte("invalid_token")) {
			t.Errorf("%q is taken for a rejection of the token", data)
		}
	})
}

// unescape undoes the escapes of JSON that hide an ASCII letter.
func unescape(data []byte) []byte {
	s := string(data)
	for c := byte(' '); c < 0x7f; c++ {
		const hex = "0123456789abcdef"
		low, up := string(hex[c>>4])+string(hex[c&15]), strings.ToUpper(string(hex[c>>4])+string(hex[c&15]))
		s = strings.NewReplacer(`\u00`+low, string(c), `\u00`+up, string(c)).Replace(s)
	}
	return []byte(s)
}

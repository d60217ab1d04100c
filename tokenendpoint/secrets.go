package tokenendpoint

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// secrets are the values of one request that no error may show. A server can
// echo what it was sent, so what it answers is held against them.
type secrets []string

// publicParams names the parameters that are no secrets.
var publicParams = []string{"grant_type", "scope", "username", "redirect_uri", "resource", "audience", "token_type_hint", "requested_token_type", "subject_token_type", "actor_token_type"}

// shortHeader is the length from which a header's value counts as a secret: a
// shorter one ("1", "prod") would match answers by chance. Those of secretHeader,
// which are secrets by their meaning, count whatever their length.
const (
	shortHeader  = 8
	secretHeader = "X-Backend-Auth"
)

func newSecrets(params url.Values, header http.Header) secrets {
	var s secrets
	for name, values := range params {
		if !slices.Contains(publicParams, name) {
			s = append(s, values...)
		}
	}
	for name, values := range header {
		for _, v := range values {
			if len(v) >= shortHeader || name == secretHeader && v != "" {
				s = append(s, v)
			}
		}
	}
	return s
}

// in reports whether text contains one of the secrets, as it is or escaped.
func (s secrets) in(text string) bool {
	for _, secret := range s {
		if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) || strings.Contains(text, url.PathEscape(secret)) {
			return true
		}
	}
	return false
}

// inBody also looks through the escapes of JSON.
func (s secrets) inBody(body []byte) bool {
	if s.in(string(body)) {
		return true
	}
	var v any
	if json.Unmarshal(bytes.TrimPrefix(body, bom), &v) != nil {
		return false
	}
	return s.inValue(v)
}

func (s secrets) inValue(v any) bool {
	switch v := v.(type) {
	case string:
		return s.in(v)
	case []any:
		return slices.ContainsFunc(v, s.inValue)
	case map[string]any:
		for name, member := range v {
			if s.in(name) || s.inValue(member) {
				return true
			}
		}
	}
	return false
}

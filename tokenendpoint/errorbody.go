package tokenendpoint

import (
	"bytes"
	"encoding/json"
	"strings"
)

const (
	maxCode   = 80
	maxDetail = 2048
)

// errorBody is what an error answer says, in either of two shapes.
type errorBody struct {
	code, detail, uri string
}

// parseErrorBody reads RFC 6749 §5.2 (error, error_description, error_uri) and
// the list errors of JSON:API (title, detail, code), which may be a single
// object. It reports whether it found an error in either shape.
func parseErrorBody(body []byte) (errorBody, bool) {
	var shape struct {
		Error       json.RawMessage `json:"error"`
		Description any             `json:"error_description"`
		URI         any             `json:"error_uri"`
		Errors      json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(bytes.TrimPrefix(body, bom), &shape) != nil {
		return errorBody{}, false
	}
	if present(shape.Error) {
		var code any
		json.Unmarshal(shape.Error, &code)
		return errorBody{code: clean(code, maxCode), detail: clean(shape.Description, maxDetail), uri: clean(shape.URI, maxDetail)}, true
	}
	if !present(shape.Errors) {
		return errorBody{}, false
	}
	type item struct{ Title, Detail, Code any }
	var list []item
	if json.Unmarshal(shape.Errors, &list) != nil {
		var one item
		if json.Unmarshal(shape.Errors, &one) == nil {
			list = []item{one}
		}
	}
	if len(list) == 0 {
		return errorBody{}, true
	}
	first := list[0]
	// Commerce Layer's code only repeats the status (UNAUTHORIZED); the code of
	// RFC 6749 (invalid_client) is the title, where there is one.
	b := errorBody{code: clean(first.Title, maxCode), detail: clean(first.Detail, maxDetail)}
	if code := clean(first.Code, maxCode); code != "" && !rfcCode(b.code) {
		b.code = code
	}
	return b, true
}

func present(raw json.RawMessage) bool {
	s := string(raw)
	return s != "" && s != "null" && s != `""` && s != "[]" && s != "{}" && s != "false"
}

// rfcCode reports whether s looks like the codes that the RFCs define.
func rfcCode(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// clean is v if it is a string, without control characters and cut to limit
// bytes. Codes are kept whole or not at all.
func clean(v any, limit int) string {
	s, _ := v.(string)
	if limit == maxCode && len(s) > limit {
		return ""
	}
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

// printable reports whether a code may appear in an error's text: a plain word,
// with no room for a sentence.
func printable(code string) bool {
	return code != "" && len(code) <= 40 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}
